"""Tables as Markdown and LaTeX: what is escaped, what is aligned, and that both can be parsed."""

import re

import pytest
from markdown_it import MarkdownIt

from quagmires.reporting.tables.formats import (
    LONG,
    Cell,
    Column,
    Layout,
    escape_tex,
    latex,
    markdown,
    number,
    signed,
    with_error,
    with_interval,
)

HOSTILE = r"[*] 50% of_x & <b>~^#$ {\input{/etc/passwd}} a|b `c` [d](http://e) R² ± é"


def layout(names: list[str], notes: tuple[str, ...] = ()) -> Layout:
    columns = [Column("model", left=True), Column("SFT Pass@1"), Column("SFT Pass@1", "published")]
    rows = [[Cell(name), Cell("0.95 [0.82, 0.99] (+0.20)", True), Cell("-0.57 ± 0.29")] for name in names]
    return Layout(columns, rows, notes)


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


def test_large_numbers_have_no_decimals_and_zero_has_no_sign():
    assert [number(one) for one in (0.005001, 9.99, -132.47, -12.3, 1234.5)] == ["0.01", "9.99", "-132", "-12", "1,234"]
    assert number(-0.001) == "0.00" and number(-0.4, decimals=0) == "0" and number(0.1234, decimals=3) == "0.123"
    assert signed(-0.001) == "+0.00" and signed(-1.5) == "-1.50" and signed(13.6) == "+14"


def test_what_is_unknown_is_left_out():
    assert with_error(None, 0.1) == with_interval(None, 0.1, 0.2) == number(float("nan")) == "–"
    assert with_error(0.5, None) == with_interval(0.5, None, 0.9) == "0.50"
    assert with_interval(-0.2, -1.0, 0.875) == "-0.20 [-1.00, 0.88]"


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
    text = markdown(Layout([Column("study", left=True), Column("p")], [[Cell("a"), Cell("–")]]))
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
