"""Tables as JSON, Markdown and LaTeX: what is stored, what is escaped, what is aligned, and that all can be parsed."""

import json
import re

import pytest
from markdown_it import MarkdownIt

from quagmires.common.errors import UserError
from quagmires.reporting.tables.formats import (
    LONG,
    Cell,
    Column,
    TableLayout,
    escape_tex,
    latex,
    markdown,
    read_layout,
    write_layout,
)

HOSTILE = r"[*] 50% of_x & <b>~^#$ {\input{/etc/passwd}} a|b `c` [d](http://e) R² ± é"


def layout(names: list[str], notes: tuple[str, ...] = ()) -> TableLayout:
    columns = [Column("model", left=True), Column("SFT Pass@1"), Column("SFT Pass@1", "published")]
    rows = [[Cell(name), Cell("0.95 [0.82, 0.99] (+0.20)", True), Cell("-0.57 ± 0.29")] for name in names]
    return TableLayout(columns, rows, notes)


def cells(text: str) -> list[list[str]]:
    """The texts of a Markdown table as a reader sees them, bold in double asterisks."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 2:
            marks = {"strong_open": "**", "strong_close": "**"}
            assert {child.type for child in token.children} <= {"text", "text_special", *marks}
            rows[-1].append("".join(marks.get(child.type, child.content) for child in token.children))
    return rows


def unescaped(text: str, character: str) -> int:
    return len(re.findall(r"(?<!\\)(?:\\\\)*" + re.escape(character), text))


def assert_compilable(text: str) -> None:
    """What can be checked without LaTeX: braces and environments close, rows have their cells, no stray character."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("% "))
    assert unescaped(body, "{") == unescaped(body, "}")
    open_ones: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert open_ones == []
    assert unescaped(body, "$") % 2 == 0
    for character in "%#_^~|<>":
        assert not unescaped(re.sub(r"(?<!\\)\$[^$]*\$|\\label\{[^}]*\}", "", body), character)
    assert body.isascii() or set(re.sub(r"[\x00-\x7f]", "", body)) <= {"é"}
    alignment = re.search(r"\\begin\{(?:tabular|longtable)\}\{([lr]+)\}", body)[1]
    for row in re.findall(r"^(?!\\caption|.*\\multicolumn)(.*)\\\\$", body, re.MULTILINE):
        assert unescaped(row, "&") == len(alignment) - 1
        assert not row.startswith(("[", "*"))


def test_json_is_read_back_as_it_was_given(tmp_path):
    given = layout([HOSTILE, "two\nlines"], ("A note.",))
    write_layout(tmp_path / "table.json", given)
    read = read_layout(tmp_path / "table.json")
    assert read.columns == list(given.columns) and read.rows == list(given.rows) and read.notes == list(given.notes)


def test_json_has_the_documented_shape(tmp_path):
    write_layout(tmp_path / "table.json", layout(["a"], ("A note.",)))
    assert json.loads((tmp_path / "table.json").read_text()) == {
        "columns": [
            {"title": "model", "left": True},
            {"title": "SFT Pass@1"},
            {"title": "SFT Pass@1", "group": "published"},
        ],
        "rows": [[{"text": "a"}, {"text": "0.95 [0.82, 0.99] (+0.20)", "bold": True}, {"text": "-0.57 ± 0.29"}]],
        "notes": ["A note."],
    }


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("| model |", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"columns": []}', "rows: Field required"),
        ('{"columns": [{"title": "a"}], "rows": [[{"text": 1}]]}', "rows.0.0.text: Input should be a valid string"),
        ('{"columns": [{"title": "a"}], "rows": [[]]}', "row 1 has 0 cells for 1 columns"),
        ('{"columns": [], "rows": [], "colour": "red"}', "colour: Unexpected keyword argument"),
    ],
)
def test_json_of_another_shape_is_refused_in_one_line(tmp_path, content, complaint):
    path = tmp_path / "table.json"
    with pytest.raises(UserError, match="table.json: no such file; `snakemake tables` writes it"):
        read_layout(path)
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_layout(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and complaint in text and "remove it" in text
    assert "\n" not in text


def test_markdown_is_read_back_as_it_was_given():
    assert cells(markdown(layout([HOSTILE, "plain"]))) == [
        ["model", "SFT Pass@1", "published: SFT Pass@1"],
        [HOSTILE, "**0.95 [0.82, 0.99] (+0.20)**", "-0.57 ± 0.29"],
        ["plain", "**0.95 [0.82, 0.99] (+0.20)**", "-0.57 ± 0.29"],
    ]


def test_markdown_lines_up_for_reading_as_text():
    lines = markdown(layout(["a", "a longer name"])).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].startswith("| ---") and lines[1].endswith("-: |")
    assert lines[2].startswith("| a  ")


def test_a_narrow_column_keeps_its_rule():
    text = markdown(TableLayout([Column("study", left=True), Column("p")], [[Cell("a"), Cell("–")]]))
    assert cells(text) == [["study", "p"], ["a", "–"]]


def test_a_table_without_rows_is_a_table():
    assert cells(markdown(layout([]))) == [["model", "SFT Pass@1", "published: SFT Pass@1"]]
    assert_compilable(latex(layout([]), "empty", ""))


def test_notes_follow_the_table():
    assert markdown(layout(["a"], ("one *note*",))).endswith("|\n\n- one \\*note\\*\n")
    assert "one {*}note{*}" in latex(layout(["a"], ("one *note*",)), "t", "c")


@pytest.mark.parametrize("rows", [1, LONG + 1])
def test_latex_can_be_compiled_whatever_the_names(rows):
    text = latex(layout([HOSTILE] * rows, (HOSTILE,)), HOSTILE, HOSTILE)
    assert_compilable(text)
    assert r"\textbackslash{}input" in text and r"\input" not in text
    assert r"\textbf{0.95 {[}0.82, 0.99{]} (+0.20)} & $-$0.57 $\pm$ 0.29 \\" in text
    assert r"\multicolumn{1}{c}{published} \\" in text and r"\cmidrule(lr){3-3}" in text


def test_long_tables_break_over_pages_and_others_float():
    short, long = (latex(layout(["a"] * rows), "table1", "c") for rows in (LONG, LONG + 1))
    assert r"\begin{table}" in short and "longtable" not in short
    assert r"\begin{longtable}" in long and r"\endhead" in long and r"\begin{table}" not in long
    for text, package in ((short, "adjustbox"), (long, "longtable")):
        assert text.startswith("% \\usepackage{booktabs," + package)
        assert r"\label{tab:table1}" in text
        assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))


def test_line_breaks_cannot_end_a_row():
    text = latex(layout(["two\nlines % and"]), "t", "a\n\nb")
    assert "two lines \\% and &" in text and "{a b}" in text
    assert cells(markdown(layout(["two\nlines"])))[1][0] == "two lines"


def test_a_minus_is_a_minus_and_a_hyphen_a_hyphen():
    assert escape_tex("-1.00, 5-20B, 1e-05, [-0.5") == "$-$1.00, 5-20B, 1e-05, {[}$-$0.5"
