"""Tables that every experiment has, of predictors, models and outcomes; and the script that writes all tables."""

import numpy as np
import pandas as pd
import pytest
from made_up_metrics import METRICS, PUBLISHED, SETTINGS, STUDIES, cell, of, settings, texts_of, without_rl

from quagmires.common.errors import UserError
from quagmires.config.schema import TableSettings
from quagmires.prediction.errors_in_variables import errors_in_variables
from quagmires.prediction.outcomes import with_outcome
from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import choice, leave_one_out
from quagmires.reporting.tables.formats import markdown, read_layout
from quagmires.reporting.tables.general import (
    models_frame,
    models_layout,
    outcomes_frame,
    outcomes_layout,
    predictors_frame,
    predictors_layout,
)


@pytest.fixture
def make_tables(monkeypatch):
    """The script, here: starting it takes as long as all its tables."""
    import make_tables as script

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["make_tables.py", *map(str, arguments)])
        script.main()

    return run


def test_the_table_of_predictors_has_all_statistics():
    frame = predictors_frame(METRICS, SETTINGS)
    assert len(frame) == 5 + 5 + 2
    line = cell(frame, "average", study="llama")
    models = of(METRICS, "llama").reset_index(drop=True)
    assert line["loo_r2"] == leave_one_out(models, PREDICTORS["average"]).r2
    assert line["picked"] == choice(models, PREDICTORS["average"]).picked
    values = line[["spearman", "spearman_low", "spearman_p", "kendall", "loo_mae", "regret_at_1", "top3_recall"]]
    r2 = ["mean", "standard_deviation", "standard_error", "median", "q25", "q75", "all_variance_mean", "gain"]
    assert values.notna().all() and line[[f"r2_{name}" for name in r2]].notna().all()
    assert (line["models"], line["fitting"], line["validation"], line["splits"]) == (10, 5, 5, 20)
    assert line["r2_gain"] == pytest.approx(line["r2_mean"] - cell(frame, "pass_at_1", study="llama")["r2_mean"])
    rows = texts_of(predictors_layout(frame, SETTINGS))
    assert [row[0] for row in rows] == ["llama"] * 5 + ["mistral"] * 5 + ["chosen"] * 2
    best = frame[frame["study"] == "chosen"].reset_index(drop=True)["loo_mae"].idxmin()
    assert rows[10 + best][12].startswith("**") and not rows[11 - best][12].startswith("**")


def test_the_table_of_predictors_counts_models_where_nothing_is_known():
    nothing = without_rl(METRICS, "llama", 10)
    nothing = nothing[nothing["study"] == "llama"]
    rows = texts_of(predictors_layout(predictors_frame(nothing, SETTINGS), SETTINGS))
    assert {row[2] for row in rows} == {"0 of 10", "0 of 8", "0 of 9"}
    assert {text for row in rows for text in row[3:]} == {"–"}


def test_outcomes_stand_side_by_side_with_their_ranks():
    frame = outcomes_frame(METRICS, SETTINGS)
    assert len(frame) == len(METRICS)
    llama = frame[frame["study"] == "llama"]
    assert list(llama["best_rank"]) == list(range(1, 11))
    assert (frame["best"] >= frame["mean_of_run_best"]).all() and (frame["best_bias"] > 0).all()
    layout = outcomes_layout(frame, METRICS, SETTINGS)
    assert [row[0] for row in texts_of(layout)[:1]] == ["llama"]
    assert texts_of(layout)[0][2] == f"**{llama['best'].iloc[0]:.3f}**"
    metrics = METRICS.copy()
    metrics.loc[metrics.index[metrics["study"] == "llama"][0], "outcome_last"] = 0.99
    notes = outcomes_layout(outcomes_frame(metrics, SETTINGS), metrics, SETTINGS).notes
    assert any(note.startswith("llama") and "last: random 1k" in note for note in notes)


def test_before_any_rl_the_tables_say_so():
    metrics = METRICS
    for study, (_, _, count) in STUDIES.items():
        metrics = without_rl(metrics, study, count)
    layout = outcomes_layout(outcomes_frame(metrics, SETTINGS), metrics, SETTINGS)
    assert layout.rows == [] and layout.notes == ["No SFT model has been through RL yet."]
    assert [row[6] for row in texts_of(models_layout(models_frame(metrics, SETTINGS), SETTINGS))] == ["–"] * 27


def test_models_are_listed_best_first_and_those_without_rl_last():
    metrics = without_rl(METRICS, "llama", 2)
    frame = models_frame(metrics, SETTINGS)
    llama = frame[frame["study"] == "llama"]
    assert llama["outcome"].iloc[:8].is_monotonic_decreasing and llama["outcome"].iloc[8:].isna().all()
    rows = texts_of(models_layout(frame, SETTINGS))
    assert rows[0][1] == llama["label"].iloc[0] and rows[0][6].startswith("**") and " ± 0.010" in rows[0][6]
    assert rows[0][2] == "9B"


def test_the_loss_on_the_common_validation_set_has_a_column_where_there_is_one():
    def titles(metrics) -> list[str]:
        return [column.title for column in models_layout(models_frame(metrics, SETTINGS), SETTINGS).columns]

    without = METRICS.assign(generalization_loss_common=np.nan, generalization_loss_common_se=np.nan)
    assert titles(without) == titles(METRICS) and "common loss" not in titles(METRICS)
    some = without.copy()
    some.loc[some["study"] == "llama", ["generalization_loss_common", "generalization_loss_common_se"]] = 0.75, 0.02
    place = titles(some).index("common loss")
    assert titles(some)[place - 1] == "generalization loss" and len(titles(some)) == len(titles(METRICS)) + 1
    rows = texts_of(models_layout(models_frame(some, SETTINGS), SETTINGS))
    assert {row[place] for row in rows if row[0] == "llama"} == {"0.750 ± 0.020"}
    assert {row[place] for row in rows if row[0] != "llama"} == {"–"}
    assert {len(row) for row in rows} == {len(titles(some))}


@pytest.mark.parametrize(
    ("kind", "heading"), [("best", "gain"), ("last", "gain (last)"), ("mean_of_run_best", "gain (mean of run best)")]
)
def test_the_gain_names_its_outcome_where_that_is_not_the_best(kind, heading):
    given = settings(outcome=kind)
    frame = models_frame(with_outcome(METRICS, kind), given)
    assert models_layout(frame, given).columns[-1].title == heading
    assert frame["gain"].to_numpy() == pytest.approx((frame[f"outcome_{kind}"] - frame["pass_at_1"]).to_numpy())


def test_the_table_of_predictors_has_the_line_without_measurement_error():
    frame = predictors_frame(METRICS, SETTINGS)
    line = cell(frame, "generalization_loss", study="llama")
    expected = errors_in_variables(of(METRICS, "llama"), "generalization_loss")
    assert (line["slope"], line["intercept"], line["reliability"]) == (
        expected.slope,
        expected.intercept,
        expected.reliability,
    )
    assert 0 < line["reliability"] < 1 and line["slope"] < 0
    of_lines = frame["predictor"].isin(["pass_at_1", "generalization_loss", "pass_at_large_k"])
    assert frame["reliability"].notna().eq(of_lines).all()
    assert any("errors in variables" in note for note in predictors_layout(frame, SETTINGS).notes)


def test_the_script_writes_every_table_in_four_formats_and_all_together(tmp_path, make_tables):
    tables = {
        "table1": TableSettings(statistic="spearman", studies=["llama", "mistral"], published=1),
        "r2_by_fitting_size": TableSettings(statistic="r2_by_fitting_size", studies=["chosen"]),
    }
    METRICS.to_parquet(tmp_path / "metrics.parquet")
    (tmp_path / "analysis.json").write_text(settings(tables, outcome="last").model_dump_json())
    arguments = ["--metrics", tmp_path / "metrics.parquet", "--analysis", tmp_path / "analysis.json"]
    arguments += ["--published", PUBLISHED, "--output"]
    make_tables(*arguments, tmp_path / "tables")
    names = ["table1", "r2_by_fitting_size", "predictors", "outcomes", "models"]
    files = {f"{name}.{suffix}" for name in names for suffix in ("csv", "json", "md", "tex")} | {"tables.md"}
    assert {path.name for path in (tmp_path / "tables").iterdir()} == files
    together = (tmp_path / "tables" / "tables.md").read_text()
    assert together.startswith("*made up*\n\n## Table 1\n\nSpearman's rank correlation")
    assert [line for line in together.splitlines() if line.startswith("## ")] == [
        "## Table 1",
        "## R2 by fitting size",
        "## Predictors",
        "## Outcomes",
        "## Models",
    ]
    assert (tmp_path / "tables" / "models.md").read_text().startswith("*made up*\n\n| study")
    shown = read_layout(tmp_path / "tables" / "models.json")
    assert markdown(shown) == (tmp_path / "tables" / "models.md").read_text().removeprefix("*made up*\n\n")
    tex = (tmp_path / "tables" / "table1.tex").read_text()
    assert r"\caption{Spearman's rank correlation" in tex and "Made up.}" in tex
    # The kind of outcome is that of the settings.
    numbers = pd.read_csv(tmp_path / "tables" / "table1.csv")
    last = rank_agreement(with_outcome(of(METRICS, "llama"), "last"), PREDICTORS["pass_at_1"], 5)
    assert numbers["value"][0] == pytest.approx(last.spearman, abs=1e-5)
    make_tables(*arguments, tmp_path / "again")
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "tables" / name).read_bytes()


def test_the_script_says_what_is_wrong_with_its_metrics(tmp_path, make_tables):
    (tmp_path / "analysis.json").write_text(settings().model_dump_json())
    METRICS.assign(study="other").to_parquet(tmp_path / "other.parquet")
    METRICS.iloc[:0].to_parquet(tmp_path / "empty.parquet")
    for name, message in {
        "other.parquet": "none of the studies of test",
        "empty.parquet": "none of the studies of test",
        "missing.parquet": "no such file",
    }.items():
        arguments = ("--metrics", tmp_path / name, "--analysis", tmp_path / "analysis.json")
        with pytest.raises(UserError, match=message):
            make_tables(*arguments, "--published", PUBLISHED, "--output", tmp_path / "t")
    assert not (tmp_path / "t").exists()
