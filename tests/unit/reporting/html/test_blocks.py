"""Tables of the report: which columns are numbers, what does not break, and what stands apart."""

import pytest

from quagmires.reporting.html.blocks import from_layout, from_rows, plain, read_delimited
from quagmires.reporting.tables.formats import PUBLISHED, Cell, Column, TableLayout

SPACE = "\N{NO-BREAK SPACE}"


def shown(columns: list[Column], *rows: list[str]):
    return from_layout(TableLayout(columns, [[Cell(text) for text in row] for row in rows]), "Table 1")


def test_a_column_of_texts_is_to_the_left_whatever_its_layout_says():
    columns = [Column("model", left=True), Column("first"), Column("score")]
    table = shown(columns, ["a", "random 10k", "0.5"], ["b", "longest 10k", "–"])
    assert table.numeric == [False, False, True]
    # Counts with words are numbers, and so is a column in which few cells say why they are empty.
    rows = ["16 models", "0.72"], ["12 models", "-0.20"], ["9 models", "not applicable"]
    assert shown([Column("based on"), Column("score")], *map(list, rows)).numeric == [True, True]
    assert shown([Column("score")]).numeric == [False]


def test_cells_of_numbers_break_beside_an_interval_and_never_in_it():
    table = shown([Column("name", left=True), Column("score")], ["a, b ± c", "0.72 [0.41, 0.89] (+0.26)"])
    assert table.rows[0][0][0].text == "a, b ± c"
    assert table.rows[0][1][0].text == f"0.72 [0.41,{SPACE}0.89] (+0.26)"
    assert shown([Column("R²")], ["0.5 ± 0.1"]).rows[0][0][0].text == f"0.5{SPACE}±{SPACE}0.1"


def test_columns_of_the_paper_are_marked_and_named():
    table = shown([Column("score"), Column("score", PUBLISHED)], ["0.5", "0.6"])
    assert table.published == [False, True]
    assert table.header == [plain("score"), plain("published: score")]


def test_the_best_is_strong_and_an_empty_cell_has_nothing():
    table = from_layout(TableLayout([Column("a"), Column("b")], [[Cell("1", bold=True), Cell("")]]), "t")
    assert table.rows[0][0][0].mark == "strong" and table.rows[0][1] == []


def test_columns_of_rows_are_numbers_if_nothing_else_is_in_them_or_as_they_are_named():
    rows = [["a", 1, "50%", None], ["b", 2000, "–", ""]]
    assert from_rows(["name", "count", "share", "nothing"], rows, "t").numeric == [False, True, True, False]
    assert from_rows(["name", "rank"], [["a", 1]], "t", texts=("name", "rank")).numeric == [False, False]
    assert from_rows(["name"], [], "t").rows == []


@pytest.mark.parametrize("content", ["", "a\tb\n1\n"])
def test_files_without_a_header_or_with_rows_of_different_lengths_are_refused(tmp_path, content):
    (tmp_path / "sheet.tsv").write_text(content)
    with pytest.raises(ValueError, match="sheet.tsv: no header, or rows of different lengths"):
        read_delimited(tmp_path / "sheet.tsv", "\t", "sheet")
