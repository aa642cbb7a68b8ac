"""The published values: what the file promises, what the paper's text says, and how cells are found."""

import re
from collections import defaultdict

import pandas as pd
import pytest

from quagmires.common.errors import UserError
from quagmires.reporting.tables.published import Published, PublishedRow, PublishedStudy, PublishedValue
from support import ROOT

TABLES = ROOT / "results" / "published" / "tables.csv"
PAPER = ROOT.parent / "shared" / "paper" / "quagmires.txt"
LLAMA, MISTRAL = "Llama3-8B-Instruct", "Mistral-NeMo-12B-Instruct"
LLAMA_DATASET, LLAMA_INSTANCE = PublishedStudy(LLAMA, "dataset"), PublishedStudy(LLAMA, "instance")
MISTRAL_DATASET, MISTRAL_INSTANCE = PublishedStudy(MISTRAL, "dataset"), PublishedStudy(MISTRAL, "instance")
# Rows of values times columns of predictors.
SIZES = {1: 8, 2: 8, 3: 4, 4: 4, 5: 32, 6: 24, 7: 16, 8: 8, 9: 14, 10: 8}
MISPRINT = (10, MISTRAL, "budget <2B")
LOST = {(2, MISTRAL, "pass_at_1")}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(TABLES)


@pytest.fixture(scope="module")
def published() -> Published:
    return Published.read(TABLES)


def rows_of(table: pd.DataFrame) -> list[tuple[tuple, pd.DataFrame]]:
    """((table, model, row, n_fit), its values by predictor) in the file's order."""
    keys = ["table", "model", "row", "n_fit"]
    return [(key, values.set_index("predictor")) for key, values in table.groupby(keys, sort=False, dropna=False)]


def test_every_table_has_all_its_values(table):
    assert table["table"].value_counts(sort=False).to_dict() == SIZES
    assert not table.duplicated(["table", "model", "row", "n_fit", "predictor"]).any()
    assert table["std"].notna().eq(table["metric"].eq("r2")).all()
    for _, values in rows_of(table):
        assert list(values.index) in (
            ["pass_at_1", "pass_at_64"],
            ["pass_at_1", "generalization_loss", "pass_at_64", "average"],
        )


def test_gains_are_differences_of_the_best_and_the_baseline(table):
    gains = 0
    for _, values in rows_of(table):
        for name, gain in values["gain"].dropna().items():
            gains += 1
            assert values.loc[name, "mean"] == values["mean"].max()
            assert gain == pytest.approx(values.loc[name, "mean"] - values.loc["pass_at_1", "mean"])
    assert gains == 16


def test_some_deviations_are_too_large_for_a_standard_error(table):
    """100 values of at most 1: their mean has a standard error of at most 1 - mean. Half a digit is allowed to both."""
    r2 = table[table["metric"] == "r2"]
    impossible = r2[r2["std"] - 0.005 > 1 - (r2["mean"] - 0.005)]
    cells = set(zip(impossible["table"], impossible["n_fit"], impossible["predictor"], strict=True))
    assert (9, 3, "pass_at_64") in cells and (len(impossible), len(r2)) == (23, 98)


def test_counts_of_a_ratio_add_up_to_the_models_of_the_study(table):
    ratio = table[table["row"] == "ratio"]
    models = (ratio["n_fit"] + ratio["n_validation"]).groupby(ratio["table"]).unique()
    assert models.map(list).to_dict() == {5: [16], 6: [10], 7: [17], 9: [12]}


def test_the_average_row_is_the_mean_of_the_budgets(table):
    budgets = table[table["row"].str.startswith("budget")]
    for _, values in budgets.groupby(["table", "predictor"]):
        assert values["mean"].iloc[3] == pytest.approx(values["mean"].iloc[:3].mean(), abs=0.005 + 1e-9)


def test_table_2_of_llama_is_the_row_of_5_fitted_models_not_of_half(published):
    assert published.copied_from(2, LLAMA_DATASET, "half") == (5, PublishedRow("ratio", 5, 11))
    assert published.copied_from(2, MISTRAL_DATASET, "half") == (6, PublishedRow("ratio", 5, 5))
    assert published.copied_from(4, LLAMA_INSTANCE, "half") == (7, PublishedRow("ratio", 8, 9))
    assert published.copied_from(4, MISTRAL_INSTANCE, "half") == (9, PublishedRow("ratio", 6, 6))
    half = [
        published.cell(5, LLAMA_DATASET, name, "ratio", 8).mean
        for name in ("pass_at_1", "generalization_loss", "pass_at_large_k", "average")
    ]
    assert half == [0.64, 0.88, 0.88, 0.93]


def test_table_3_has_the_means_over_budgets(published):
    assert published.copied_from(3, LLAMA_INSTANCE) == (8, PublishedRow("average"))
    assert published.copied_from(3, MISTRAL_INSTANCE) == (10, PublishedRow("average"))
    assert published.copied_from(1, LLAMA_DATASET) is None


def test_cells_are_found_under_the_names_of_the_workflow(published):
    assert published.cell(1, LLAMA_DATASET, "average") == PublishedValue(0.97, None, 0.22)
    assert published.cell(2, MISTRAL_DATASET, "generalization_loss", "half") == PublishedValue(0.79, 0.26, 0.50)
    assert published.cell(5, LLAMA_DATASET, "pass_at_large_k", "ratio", 3) == PublishedValue(0.80, 0.23)
    assert published.cell(8, LLAMA_INSTANCE, "pass_at_large_k", "< 2B") == PublishedValue(0.99, None, 0.22)
    assert published.cell(10, MISTRAL_INSTANCE, "pass_at_1", "average") == PublishedValue(0.70)


def test_what_the_paper_does_not_have_is_none(published):
    assert published.cell(None, LLAMA_DATASET, "average") is None
    assert published.cell(3, LLAMA_INSTANCE, "generalization_loss") is None
    assert published.cell(5, LLAMA_DATASET, "average", "ratio", 9) is None
    assert published.cell(5, MISTRAL_DATASET, "average", "ratio", 3) is None
    assert published.rows(1, PublishedStudy("Qwen3-4B-Base", "dataset")) == []
    assert published.copied_from(None, LLAMA_DATASET) is None


def test_values_of_one_level_do_not_stand_for_another(published):
    assert published.rows(1, LLAMA_DATASET) and published.rows(1, LLAMA_INSTANCE) == []
    assert published.cell(1, LLAMA_INSTANCE, "pass_at_1") is None
    assert published.cell(3, LLAMA_DATASET, "pass_at_1") is None
    assert published.copied_from(3, LLAMA_DATASET) is None


def test_rows_are_in_the_order_of_the_paper(published):
    assert [place.group for place in published.rows(8, LLAMA_INSTANCE)] == ["<2B", "2-5B", "5-20B", "average"]
    assert [place.fitting for place in published.rows(9, MISTRAL_INSTANCE)] == [2, 3, 4, 5, 6, 8, 10]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("predictor,mean", "predictor,value"), "no column mean"),
        (lambda text: text.replace("pass_at_1,0.75", "pass_at_1,high"), "column mean: .*high"),
        (lambda text: text.replace("pass_at_1,0.75", "pass_at_1,"), "line 2 lacks one of"),
        (lambda text: text + text.splitlines()[1] + "\n", f"line {sum(SIZES.values()) + 2} is for the same cell"),
        (lambda text: "", "not a CSV file"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, change, message):
    path = tmp_path / "tables.csv"
    path.write_text(change(TABLES.read_text()))
    with pytest.raises(UserError, match=message) as error:
        Published.read(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        Published.read(tmp_path / "tables.csv")


# The paper's text: a line for each row of a table, cells between tabs, numbers in more or less LaTeX.


def printed_rows(text: str) -> list[tuple[int, str, str, list[list[tuple]]]]:
    """(table, its caption, row title, values of each cell) of every row; a cell is (mean, deviation, gain)s."""
    rows, number, caption = [], None, ""
    for line in text.splitlines():
        if heading := re.match(r"Table (\d+) (?!shows)", line):
            number, caption = int(heading[1]), line
        elif re.match(r"(Table \d+ shows|Takeaway|[A-D]\.\d|In this scenario|post-SFT performance)", line):
            number = None
        elif number and "\t" in line and re.search(r"\d\.\d\d", line):
            title, *cells = map(plain, line.split("\t"))
            rows.append((number, caption, title, [values_of(cell) for cell in cells]))
    return rows


def plain(cell: str) -> str:
    """Without the LaTeX that reading a PDF leaves."""
    cell = cell.replace(r"\pm", "±").replace(r"\sim", "-").replace(r"\text", "").replace(r"\left", "")
    return " ".join(re.sub(r"\\[a-zA-Z]+|[${}~]|\\\\", " ", cell).split())


def values_of(cell: str) -> list[tuple]:
    pattern = r"(\d\.\d\d)(?: ± (\d\.\d\d))?(?: \( ?\+(\d\.\d\d) ?\))?"
    return [tuple(float(one) if one else None for one in match) for match in re.findall(pattern, cell)]


def row_name(title: str) -> tuple[str, int | None]:
    """The file's `row` and `n_fit` of a printed row title."""
    if counts := re.match(r"Fitting: (\d+); Validation: (\d+)$", title):
        return "ratio", int(counts[1])
    if title == "Average":
        return "budget average", None
    bounds = re.search(r"\((.*) tokens", title)[1].replace(" ", "")
    return f"budget {bounds}", None


def models_of(title: str) -> list[str]:
    squeezed = title.replace(" ", "")
    return [model for model in (LLAMA, MISTRAL) if model in squeezed]


@pytest.mark.skipif(not PAPER.is_file(), reason="no text of the paper beside the checkout")
def test_every_value_is_the_one_that_the_paper_prints(table):
    file = {key: values for key, values in rows_of(table.assign(n_fit=table["n_fit"].fillna(0).astype(int)))}
    compared, lost, gains, odd_gains = defaultdict(int), set(), 0, []
    for number, caption, title, cells in printed_rows(PAPER.read_text()):
        by_model = number <= 4
        for place, model in enumerate(models_of(title) if by_model else models_of(caption)):
            row, fitting = ("half" if number in (2, 4) else "all", None) if by_model else row_name(title)
            values = file[number, model, row, fitting or 0]
            assert len(cells) == len(values)
            for (name, value), printed in zip(values.iterrows(), cells, strict=True):
                if place >= len(printed):
                    lost.add((number, model, name))
                    continue
                mean, deviation, gain = printed[place]
                compared[number] += 1
                assert (value["mean"], None if pd.isna(value["std"]) else value["std"]) == (mean, deviation)
                if number in (1, 2, 3, 4, 8, 10):
                    assert (gain is None) == pd.isna(value["gain"])
                if gain is not None:
                    gains += 1
                    assert mean == values["mean"].max()
                    if gain != pytest.approx(mean - values.loc["pass_at_1", "mean"]):
                        odd_gains.append((number, model, row))
    assert lost == LOST
    assert sum(compared.values()) == sum(SIZES.values()) - len(LOST)
    # One for each row.
    assert gains == len(file)
    assert odd_gains == [MISPRINT]
