"""The paper's kinds of tables: what stands in each cell, and what a row without results says."""

import re

import numpy as np
import pytest
from made_up_metrics import LLAMA, METRICS, MISTRAL, SETTINGS, cell, frame_of, of, settings, shown, without_rl

from quagmires.common.errors import UserError
from quagmires.prediction.predictors import PREDICTORS, outcome_on, predictor
from quagmires.prediction.rank_correlation import by_budget, rank_agreement
from quagmires.prediction.split_validation import r2_over_splits
from quagmires.reporting.tables.general import predictors_frame


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


def test_a_predictor_of_the_arena_stands_in_tables_that_name_it_alone():
    named = frame_of(statistic="spearman", studies=["llama"], predictors=["sft_regime"])
    assert cell(named, "sft_regime")["note"] == ""
    assert "sft_regime" not in set(frame_of(statistic="spearman", studies=["llama"])["predictor"])
