"""Tables of predictors, models and outcomes: what stands in each cell, and what a row without results says."""

import re

import numpy as np
import pandas as pd
import pytest

from quagmires.agreement import by_budget, rank_agreement
from quagmires.analysis import AnalysisSettings, StudySettings
from quagmires.blocks import Analysis, TableSettings
from quagmires.errors import UserError
from quagmires.measurement import errors_in_variables, with_outcome
from quagmires.model_layouts import models_layout, outcomes_layout, predictors_layout
from quagmires.model_tables import models_frame, outcomes_frame, predictors_frame
from quagmires.predictors import PREDICTORS, outcome_on, predictor
from quagmires.protocol import r2_over_splits
from quagmires.published import Published
from quagmires.selection import choice, leave_one_out
from quagmires.table_layouts import prediction_layout
from quagmires.tables import prediction_frame
from support import ROOT

PUBLISHED = ROOT / "results" / "published" / "tables.csv"
LLAMA, MISTRAL = "Llama3-8B-Instruct", "Mistral-NeMo-12B-Instruct"
STUDIES = {"llama": ("dataset", LLAMA, 10), "mistral": ("dataset", MISTRAL, 8), "chosen": ("instance", LLAMA, 9)}
RL = ["outcome", "outcome_se", "outcome_best", "outcome_last", "outcome_mean_of_run_best", "gain", "gain_se"]


def study_models(study: str, seed: int) -> pd.DataFrame:
    """Models of rising ability, measured with errors, a third of them in each of the paper's budgets."""
    level, _, count = STUDIES[study]
    rng = np.random.default_rng(seed)
    ability = np.linspace(0, 1, count)
    last = 0.3 + 0.2 * ability + rng.normal(0, 0.01, count)
    scores = last[:, None] + rng.normal(0, 0.01, (count, 4))
    before = 0.2 + 0.1 * ability + rng.normal(0, 0.03, count)
    return pd.DataFrame(
        {
            "study": study,
            "level": level,
            "model": study,
            "recipe": [f"pool.random-{size}k.ep1.lr1e-5" for size in range(1, count + 1)],
            "sft_dataset": "pool",
            "rl_dataset": "sums",
            "subset": [f"random-{size}k" for size in range(1, count + 1)],
            "examples": 1000 * np.arange(1, count + 1),
            "epochs": 1.0,
            "learning_rate": 1e-5,
            "sft_tokens": np.repeat([1e9, 3e9, 9e9], -(-count // 3))[:count].astype(int),
            "sft_steps": 10,
            "samples": 64,
            "samples_after_rl": 16,
            "large_k": 64,
            "grpo_runs": 2,
            "checkpoints": 2,
            "pass_at_1": before,
            "pass_at_1_se": 0.01,
            "pass_at_large_k": 0.5 + 0.3 * ability + rng.normal(0, 0.02, count),
            "pass_at_large_k_se": 0.01,
            "generalization_loss": 0.7 - 0.1 * ability + rng.normal(0, 0.01, count),
            "generalization_loss_se": 0.01,
            "outcome_scores": list(scores),
            "outcome_best": scores.max(axis=1),
            "outcome_last": scores[:, [1, 3]].mean(axis=1),
            "outcome_mean_of_run_best": scores.reshape(count, 2, 2).max(axis=2).mean(axis=1),
            "outcome": scores.max(axis=1),
            "outcome_se": 0.01,
            "gain": scores.max(axis=1) - before,
            "gain_se": 0.01,
        }
    )


METRICS = pd.concat([study_models(study, seed) for seed, study in enumerate(STUDIES)], ignore_index=True)


def without_rl(metrics: pd.DataFrame, study: str, models: int) -> pd.DataFrame:
    """The first models of a study have not been through RL."""
    metrics = metrics.copy()
    rows = metrics.index[metrics["study"] == study][:models]
    metrics.loc[rows, RL] = np.nan
    for row in rows:
        metrics.at[row, "outcome_scores"] = None
    return metrics


def settings(tables: dict[str, TableSettings] | None = None, **analysis) -> AnalysisSettings:
    return AnalysisSettings(
        experiment="test",
        title="A test",
        label="made up",
        seed=5,
        studies={
            name: StudySettings(
                title=f"{title}, {level}",
                level=level,
                model=name,
                model_title=title,
                sft_dataset="pool",
                rl_dataset="sums",
                benchmarks=["easy"],
                recipes=list(METRICS.loc[METRICS["study"] == name, "recipe"]),
            )
            for name, (level, title, _) in STUDIES.items()
        },
        analysis=Analysis(**{"splits": 20, **analysis}),
        tables=tables or {},
        figures={},
    )


@pytest.fixture
def make_tables(monkeypatch):
    """The script, here: starting it takes as long as all its tables."""
    import make_tables as script

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["make_tables.py", *map(str, arguments)])
        script.main()

    return run


SETTINGS = settings()
VALUES = Published.read(PUBLISHED)


def frame_of(metrics: pd.DataFrame = METRICS, given: AnalysisSettings = SETTINGS, **table) -> pd.DataFrame:
    return prediction_frame(metrics, TableSettings(**table), given, VALUES)


def shown(metrics: pd.DataFrame = METRICS, given: AnalysisSettings = SETTINGS, **table) -> tuple[list, list, list]:
    """Column titles, rows of texts with the bold ones in asterisks, and notes."""
    block = TableSettings(**table)
    layout = prediction_layout(prediction_frame(metrics, block, given, VALUES), block, given, VALUES, metrics)
    titles = [f"{column.group}: {column.title}".removeprefix(": ") for column in layout.columns]
    return titles, texts_of(layout), list(layout.notes)


def texts_of(layout) -> list[list[str]]:
    return [[f"**{cell.text}**" if cell.bold else cell.text for cell in row] for row in layout.rows]


def of(metrics: pd.DataFrame, study: str) -> pd.DataFrame:
    return metrics[metrics["study"] == study]


def cell(frame: pd.DataFrame, predictor: str, **where) -> pd.Series:
    chosen = frame[frame["predictor"] == predictor]
    for name, value in where.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_ours_and_the_published_stand_in_columns_of_their_own():
    frame = frame_of(statistic="spearman", studies=["llama", "mistral"], published=1)
    assert len(frame) == 2 * 5
    ours = rank_agreement(of(METRICS, "llama"), PREDICTORS["average"], 5)
    line = cell(frame, "average", study="llama")
    assert (line["value"], line["low"], line["high"]) == (ours.spearman, ours.spearman_low, ours.spearman_high)
    assert (line["models"], line["p"], line["kendall"]) == (10, ours.spearman_p, ours.kendall)
    assert (line["published_mean"], line["published_gain"], line["published_best"]) == (0.97, 0.22, True)
    assert cell(frame, "generalization_loss_gain", study="llama")[["published_mean", "published_gain"]].isna().all()
    titles, rows, _ = shown(statistic="spearman", studies=["llama", "mistral"], published=1)
    assert titles[2:7] == ["Pass@1 (avg. of 64)", "gen. loss", "Pass@1 + gain", "Pass@large k (k=64)", "avg."]
    assert titles[7:] == [
        "published: Pass@1",
        "published: gen. loss",
        "published: Pass@large k",
        "published: avg.",
    ]
    worst = cell(frame, "pass_at_1", study="llama")
    assert rows[0][2] == f"{worst['value']:.2f} [{worst['low']:.2f}, {worst['high']:.2f}]"
    assert rows[0][7:] == ["0.75", "0.94", "0.95", "**0.97 (+0.22)**"]
    assert rows[1][7:] == ["0.78", "0.90", "**0.92 (+0.14)**", "0.90"]


def test_r2_is_that_of_half_of_the_models_with_the_settings_seed():
    line = cell(frame_of(statistic="r2", studies=["chosen"], published=4), "pass_at_large_k")
    ours = r2_over_splits(of(METRICS, "chosen"), PREDICTORS["pass_at_large_k"], 4, 20, 5)
    assert (line["fitting"], line["validation"], line["splits"]) == (4, 5, 20)
    for name, value in {"value": ours.mean, "standard_deviation": ours.standard_deviation}.items():
        assert line[name] == value
    for name in ("standard_error", "median", "q25", "q75", "all_variance_mean", "all_variance_median", "undefined"):
        assert line[name] == getattr(ours, name)
    baseline = r2_over_splits(of(METRICS, "chosen"), PREDICTORS["pass_at_1"], 4, 20, 5)
    text = f"{baseline.mean:.2f} ± {baseline.standard_deviation:.2f}"
    assert shown(statistic="r2", studies=["chosen"])[1][0][2] == text
    other = settings().model_copy(update={"seed": 6})
    assert cell(frame_of(given=other, statistic="r2", studies=["chosen"]), "pass_at_large_k")["value"] != ours.mean


def test_each_fitting_size_stands_beside_the_published_of_that_size():
    sizes = {"statistic": "r2_by_fitting_size", "studies": ["llama"], "published": 5}
    frame = frame_of(fitting_sizes=[3, 5], **sizes)
    line = cell(frame, "average", fitting=3)
    assert (line["validation"], line["published_validation"], line["published_mean"]) == (7, 13, 0.86)
    assert line["published_gain"] == pytest.approx(0.38)
    _, rows, _ = shown(fitting_sizes=[3, 12], **sizes)
    assert [row[:2] for row in rows] == [
        ["Fitting: 3; Validation: 7 (published: 13)", "10 models"],
        ["Fitting: 12; Validation: 4 (published)", "10 models, 14 are needed"],
    ]
    assert rows[0][-1] == "**0.86 ± 0.22 (+0.38)**" and rows[1][2:7] == ["–"] * 5
    assert rows[1][-4:] == ["0.54 ± 0.43", "0.86 ± 0.18", "0.81 ± 0.23", "**0.91 ± 0.12 (+0.37)**"]


def test_all_possible_fitting_sizes_are_shown_if_none_are_named():
    frame = frame_of(statistic="r2_by_fitting_size", studies=["llama"])
    assert list(frame["fitting"].unique()) == list(range(2, 9))
    # And those of the paper beyond.
    assert list(frame_of(statistic="r2_by_fitting_size", studies=["llama"], published=5)["fitting"].unique()) == [
        *range(2, 9),
        *(10, 12),
    ]


def test_a_fit_on_one_model_is_refused_in_words():
    _, rows, _ = shown(statistic="r2_by_fitting_size", studies=["chosen"], fitting_sizes=[1])
    assert rows == [["Fitting: 1", "at least 2 models must be fitted", "undefined", "undefined"]]


@pytest.mark.parametrize(
    ("table", "beside"),
    [
        ({"statistic": "spearman", "published": 1}, ["0.78", "0.90", "**0.92 (+0.14)**", "0.90"]),
        ({"statistic": "r2_by_fitting_size", "published": 6}, None),
        ({"statistic": "r2_by_fitting_size"}, []),
        ({"statistic": "spearman_by_budget"}, []),
    ],
)
def test_a_missing_study_leaves_a_row_that_says_so(table, beside):
    missing = METRICS[METRICS["study"] != "mistral"]
    _, rows, _ = shown(missing, studies=["mistral"], **table)
    assert {row[1] for row in rows} == {"no results yet"}
    assert all(row[2:7] == ["–"] * 5 for row in rows)
    if beside is None:
        assert rows[2][0] == "Fitting: 5; Validation: 5 (published)"
        assert rows[2][7:] == ["0.29 ± 0.38", "**0.79 ± 0.26 (+0.50)**", "0.57 ± 0.32", "0.72 ± 0.24"]
        assert len(rows) == 6
    else:
        assert all(row[7:] == beside for row in rows)


def test_too_few_models_are_counted_with_how_many_are_needed():
    few = without_rl(METRICS, "chosen", 7)
    _, rows, _ = shown(few, statistic="spearman", studies=["chosen"], published=3)
    assert rows == [[LLAMA, "2 of 9 models, 3 are needed", "–", "–", "0.69", "**0.94 (+0.25)**"]]
    _, rows, _ = shown(few, statistic="r2", studies=["chosen"])
    assert rows == [[LLAMA, "2 of 9 models, 4 are needed", "–", "–"]]
    _, rows, _ = shown(few, statistic="r2_by_fitting_size", studies=["chosen"])
    assert rows == [["any number", "2 of 9 models, 4 are needed", "–", "–"]]


def test_models_without_outcome_are_left_out_and_counted():
    part = without_rl(METRICS, "llama", 3)
    frame = frame_of(part, statistic="r2", studies=["llama"])
    ours = r2_over_splits(of(METRICS, "llama").iloc[3:], PREDICTORS["average"], 3, 20, 5)
    assert cell(frame, "average")["value"] == pytest.approx(ours.mean)
    assert set(frame["status"]) == {"7 of 10 models"}
    assert any("been through RL" in note for note in shown(part, statistic="r2", studies=["llama"])[2])
    # Models that are not in the metrics at all count as asked for.
    assert set(frame_of(METRICS.iloc[3:], statistic="r2", studies=["llama"])["status"]) == {"7 of 10 models"}


def test_a_predictor_known_for_fewer_models_says_so_and_has_no_gain():
    metrics = METRICS.copy()
    metrics.loc[metrics.index[metrics["study"] == "llama"][:2], "generalization_loss"] = np.nan
    frame = frame_of(metrics, statistic="spearman", studies=["llama"])
    assert list(frame["models"]) == [10, 8, 8, 10, 8]
    assert list(frame["gain"].notna()) == [False, False, False, True, False]
    _, rows, _ = shown(metrics, statistic="spearman", studies=["llama"])
    assert [" (8 models)" in text for text in rows[0][2:]] == [False, True, True, False, True]


@pytest.mark.parametrize("statistic", ["spearman", "r2", "r2_by_fitting_size", "spearman_by_budget"])
def test_cells_that_all_rest_on_fewer_models_than_their_row_says_are_marked(statistic):
    """A model with an outcome, but none of the predictors."""
    metrics = METRICS.copy()
    first = metrics.index[metrics["study"] == "chosen"][0]
    metrics.loc[first, ["pass_at_1", "pass_at_large_k"]] = np.nan
    table = {"statistic": statistic, "studies": ["chosen"]}
    frame = frame_of(metrics, **table)
    _, rows, _ = shown(metrics, **table)
    marks = [[re.search(r"\((\d) models\)", text) for text in row[2:]] for row in rows]
    if statistic == "spearman_by_budget":
        # The first model is in the first budget, which is left with two.
        assert [row[1] for row in rows] == ["3 models", "3 models", "3 models", "mean of 3 budgets"]
        assert list(frame["with_outcome"].unique()) == [3, 9]
        assert [[mark and mark[1] for mark in row] for row in marks] == [["2"] * 2, [None] * 2, [None] * 2, ["6"] * 2]
    else:
        assert {row[1] for row in rows} == {"9 models"} and set(frame["with_outcome"]) == {9}
        assert {mark[1] for row in marks for mark in row} == {"8"}


def test_published_values_stand_beside_studies_of_their_level_alone():
    _, rows, _ = shown(statistic="spearman", studies=["llama", "chosen"], published=1)
    assert rows[0][7:] == ["0.75", "0.94", "0.95", "**0.97 (+0.22)**"] and rows[1][7:] == ["–"] * 4
    frame = frame_of(statistic="r2_by_fitting_size", studies=["chosen"], published=5)
    assert frame["published_fitting"].isna().all() and frame["fitting"].max() == 7


def test_short_headings_are_explained_and_a_predictor_without_one_keeps_its_title():
    titles, _, notes = shown(statistic="r2", studies=["llama"], published=2)
    assert max(map(len, titles[2:])) <= len("published: Pass@large k")
    for short in ("avg.", "Pass@1 + gain"):
        assert short in titles and any(note.startswith(f"{short}: ") for note in notes)
    assert not any(note.startswith("avg.") for note in shown(statistic="r2", studies=["chosen"])[2])


def test_as_many_but_other_models_are_not_compared():
    metrics = METRICS.copy()
    first, second = metrics.index[metrics["study"] == "llama"][:2]
    metrics.loc[first, "pass_at_1"] = metrics.loc[second, "generalization_loss"] = np.nan
    line = cell(frame_of(metrics, statistic="spearman", studies=["llama"]), "generalization_loss")
    assert line["models"] == 9 and np.isnan(line["gain"])


def test_one_predictor_alone_is_not_the_best():
    _, rows, _ = shown(statistic="spearman", studies=["llama"], predictors=["average"], published=1)
    assert not any(text.startswith("**") for text in rows[0])


def test_budgets_are_groups_with_their_average_and_empty_ones_say_so():
    tables = {"statistic": "spearman_by_budget", "studies": ["chosen"], "published": 8}
    frame = frame_of(**tables)
    groups = by_budget(of(METRICS, "chosen"), PREDICTORS["pass_at_1"], [2e9, 5e9, 2e10], 5)
    ours = frame[frame["predictor"] == "pass_at_1"]
    assert list(ours["row"]) == ["< 2B", "2-5B", "5-20B", "average"]
    assert list(ours["value"][:3]) == [group.spearman for group in groups.values()]
    assert ours["value"].iloc[3] == pytest.approx(ours["value"].iloc[:3].mean())
    assert list(ours["published_mean"]) == [0.77, 0.60, 0.70, 0.69]
    cheap = METRICS[METRICS["sft_tokens"] < 5e9]
    _, rows, _ = shown(cheap, **tables)
    assert [row[:2] for row in rows] == [
        ["< 2B tokens", "3 models"],
        ["2-5B tokens", "3 models"],
        ["5-20B tokens", "no models in this budget"],
        ["average", "mean of 2 budgets"],
    ]
    assert rows[2][2:] == ["–", "–", "0.70", "**0.94 (+0.24)**"]


def test_published_budgets_that_we_do_not_have_keep_their_rows():
    given = settings(budgets=[2e9, 2e10])
    _, rows, _ = shown(given=given, statistic="spearman_by_budget", studies=["chosen"], published=8)
    assert [row[0] for row in rows] == ["< 2B tokens", "2-20B tokens", "2-5B tokens", "5-20B tokens", "average"]
    assert rows[2] == ["2-5B tokens", "no such budget here", "–", "–", "0.60", "**0.90 (+0.30)**"]
    assert rows[1][4:] == ["–", "–"]


def test_means_over_other_budgets_are_not_compared():
    """Where the baseline does not vary within a budget it has no rho there, and its mean is over fewer budgets."""
    metrics = METRICS.copy()
    metrics.loc[(metrics["study"] == "chosen") & (metrics["sft_tokens"] < 2e9), "pass_at_1"] = 0.25
    frame = frame_of(metrics, statistic="spearman_by_budget", studies=["chosen"])
    assert cell(frame, "pass_at_1", row="< 2B")["note"] == "undefined"
    average = cell(frame, "pass_at_large_k", row="average")
    assert average["models"] == 9 and np.isnan(average["gain"])
    assert not np.isnan(cell(frame, "pass_at_large_k", row="2-5B")["gain"])


def test_what_does_not_apply_has_no_column_unless_it_is_asked_for():
    assert set(frame_of(statistic="spearman", studies=["chosen"])["predictor"]) == {"pass_at_1", "pass_at_large_k"}
    titles, rows, notes = shown(
        statistic="spearman", studies=["chosen"], predictors=["generalization_loss", "pass_at_large_k"], published=3
    )
    assert titles[2:] == ["gen. loss", "Pass@large k (k=64)", "published: Pass@large k"]
    assert rows[0][2] == "not applicable" and not rows[0][3].startswith("–")
    assert any(note.startswith("Not applicable") for note in notes)
    _, rows, _ = shown(statistic="spearman", studies=["llama", "chosen"])
    assert [row[2:].count("not applicable") for row in rows] == [0, 3]


def test_an_unknown_predictor_is_named():
    with pytest.raises(UserError, match="no predictor luck"):
        frame_of(statistic="r2", studies=["llama"], predictors=["luck"])


def test_the_best_is_bold_with_its_gain_over_pass_at_1():
    frame = frame_of(statistic="r2", studies=["llama", "mistral"])
    for _, lines in frame.groupby("study"):
        values = lines["value"].to_numpy()
        assert list(lines["best"]) == [f"{value:.2f}" == f"{values.max():.2f}" for value in values]
        assert lines["gain"].iloc[1:].to_numpy() == pytest.approx(values[1:] - values[0])
        assert np.isnan(lines["gain"].iloc[0])
    _, rows, _ = shown(statistic="r2", studies=["llama", "mistral"])
    for row in rows:
        assert any(text.startswith("**") for text in row)
        assert all(("(" in text) == text.startswith("**") for text in row[2:])


def test_what_looks_the_same_is_bold_alike():
    metrics = METRICS.copy()
    metrics["pass_at_large_k"] = metrics["pass_at_1"]
    _, rows, _ = shown(metrics, statistic="spearman", studies=["chosen"])
    assert rows[0][2].startswith("**") and rows[0][3].startswith("**") and rows[0][3].endswith("(+0.00)**")


def test_studies_of_one_model_go_by_their_titles():
    _, rows, _ = shown(statistic="spearman", studies=["llama", "chosen", "mistral"])
    assert [row[0] for row in rows] == [f"{LLAMA}, dataset", f"{LLAMA}, instance", MISTRAL]
    _, rows, _ = shown(statistic="spearman_by_budget", studies=["llama", "mistral"])
    assert rows[0][0] == f"{LLAMA}, < 2B tokens" and rows[4][0] == f"{MISTRAL}, < 2B tokens"


def test_notes_say_what_the_published_values_really_are():
    notes = shown(statistic="r2", studies=["llama", "mistral"], published=2)[2]
    assert sum("5 fitted and 11 predicted models (its Table 5)" in note for note in notes) == 1
    assert not any(MISTRAL in note for note in notes)
    assert any("standard deviation" in note and "standard error" in note for note in notes)
    notes = shown(statistic="spearman", studies=["chosen"], published=3)[2]
    assert any(f"published values of {LLAMA} are the paper's means over budgets (its Table 8)" in n for n in notes)
    assert not any("published" in note for note in shown(statistic="r2", studies=["llama"])[2])


def test_splits_that_carry_a_mean_or_have_no_r2_are_pointed_out():
    metrics = METRICS.copy()
    chosen = metrics["study"] == "chosen"
    metrics.loc[chosen, "outcome"] = metrics.loc[chosen, "pass_at_1"] + 0.1
    one = {"statistic": "r2", "studies": ["chosen"], "predictors": ["pass_at_1"]}
    assert not any("quartile" in note for note in shown(metrics, **one)[2])
    metrics.loc[chosen, "outcome"] = [0.3] * 8 + [0.9]
    notes = shown(metrics, statistic="r2", studies=["chosen"])[2]
    undefined = int(frame_of(metrics, statistic="r2", studies=["chosen"])["undefined"].max())
    assert 0 < undefined < 20 and any(f"up to {undefined} splits" in note for note in notes)
    metrics.loc[chosen, "outcome"] = [0.3, 0.3001, 0.3, 0.3001, 0.3, 0.3001, 0.3, 0.3001, 0.9]
    assert any("quartile" in note for note in shown(metrics, statistic="r2", studies=["chosen"])[2])


def test_a_registered_predictor_has_a_column_and_a_row():
    try:
        predictor("tokens", "SFT tokens", rank=lambda models: models["sft_tokens"])(
            lambda models: [outcome_on(models, "sft_tokens")]
        )
        assert "SFT tokens" in shown(statistic="r2", studies=["llama"], published=2)[0]
        assert list(predictors_frame(METRICS, SETTINGS)["label"]).count("SFT tokens") == 3
    finally:
        PREDICTORS.pop("tokens", None)


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


def test_the_script_writes_every_table_in_three_formats_and_all_together(tmp_path, make_tables):
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
    files = {f"{name}.{suffix}" for name in names for suffix in ("csv", "md", "tex")} | {"tables.md"}
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
