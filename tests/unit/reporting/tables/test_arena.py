import pandas as pd
import pytest

from quagmires.prediction.arena import judge
from quagmires.prediction.arena_costs import Costs
from quagmires.prediction.arena_studies import Study
from quagmires.prediction.predictors import PREDICTORS
from quagmires.reporting.tables.arena import arena_layout, missing_layout, published_rows, shown_cost
from quagmires.reporting.tables.formats import markdown
from quagmires.reporting.tables.published import Published
from support import ROOT

MODELS = pd.DataFrame(
    {
        "recipe": ["a", "b", "c", "d"],
        "outcome": [0.5, 0.7, 0.6, 0.8],
        "pass_at_1": [0.1, 0.2, 0.3, 0.4],
        "entropy_before": [4.0, 1.0, 2.0, 3.0],
    }
)
STUDY = Study("ours", "toy models", "instance", MODELS, Costs("GPU-hours", {"samples": 10.0, "rl": 400.0}, "not asked"))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    reference = published_rows(Published.read(ROOT / "results" / "published" / "tables.csv"))
    return pd.concat([judge([STUDY], seed=1), reference], ignore_index=True)


def texts(row) -> list[str]:
    return [cell.text for cell in row]


def test_what_could_be_computed_is_in_the_table_and_the_rest_in_the_other(frame):
    table, missing = arena_layout(frame, 0.9), missing_layout(frame)
    ours = [texts(row)[1] for row in table.rows if row[0].text == "ours"]
    assert ours == ["SFT Pass@1", "Entropy of responses (T=1)", "a model at random"]
    left = ", ".join(texts(row)[1] for row in missing.rows if row[0].text == "ours").split(", ")
    assert sorted([*left, "pass_at_1", "rollout_entropy"]) == sorted(PREDICTORS)
    assert all(row[2].text for row in missing.rows)


def test_a_row_has_numbers_cost_and_differences(frame):
    [row] = [row for row in arena_layout(frame, 0.9).rows if row[1].text == "Entropy of responses (T=1)"]
    shown = texts(row)
    assert shown[2:4] == ["higher", "4"] and shown[4].startswith("-0.40 [") and shown[5] == "–"
    assert shown[6:8] == ["0.300", "0.67"] and shown[9] == "10.0 GPU-hours (2% of RL)".replace("10.0", "10")
    assert shown[10].startswith("-1.20 [") and shown[12].startswith("+0.300 [")


def test_the_best_of_a_study_is_bold_and_chance_never(frame):
    rows = [row for row in arena_layout(frame, 0.9).rows if row[0].text == "ours"]
    assert [row[4].bold for row in rows] == [True, False, False]
    # Chance has a lower error than the predictor that works the wrong way round, and is no predictor.
    assert [row[8].bold for row in rows] == [True, False, False]


def test_published_values_are_marked_and_not_recomputed(frame):
    layout = arena_layout(frame, 0.9)
    theirs = [texts(row) for row in layout.rows if row[0].text == "paper, Table 1: Llama3-8B-Instruct"]
    assert [(row[1], row[4]) for row in theirs] == [
        ("SFT Pass@1", "0.75"),
        ("SFT generalization loss", "0.94"),
        ("SFT Pass@large k", "0.95"),
        ("Gen. loss + Pass@large k", "0.97"),
    ]
    assert {text for row in theirs for text in row[5:]} == {"–"}
    notes = " ".join(layout.notes)
    assert "paper, Table 1: Llama3-8B-Instruct: published, not recomputed" in notes and "means over budgets" in notes


def test_notes_say_where_numbers_are_from_and_how_many_were_tried(frame):
    notes = " ".join(arena_layout(frame, 0.9).notes)
    assert "ours: toy models, level instance." in notes and "(ours 1)" in notes


def test_a_missing_cost_has_its_reason():
    study = Study("ours", "measured", "instance", MODELS, Costs(unknown="no plan"))
    layout = arena_layout(judge([study], seed=1), 0.9)
    assert "Cost not known in ours: pass_at_1, rollout_entropy: no plan." in layout.notes
    assert [row[9].text for row in layout.rows] == ["–", "–", "0"]


def test_costs_as_they_are_shown():
    line = pd.Series({"cost": 5.41, "cost_unit": "GPU-hours", "cost_share": 0.0001})
    assert shown_cost(line) == "5.41 GPU-hours (under 1% of RL)"
    assert shown_cost(line.replace({0.0001: None})) == "5.41 GPU-hours"


def test_names_of_studies_cannot_end_a_cell():
    study = Study("a|b", "x", "instance", MODELS)
    text = markdown(arena_layout(judge([study], seed=1), 0.9))
    assert "a\\|b" in text and "a|b" not in text
