import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from quagmires.prediction.arena import CHANCE, COLUMNS, judge
from quagmires.prediction.arena_costs import Costs
from quagmires.prediction.arena_studies import Study, predictor_columns, table_studies
from quagmires.prediction.early_rl import score_after
from quagmires.prediction.predictors import PREDICTORS
from support import ROOT

OUTCOME = [0.5, 0.7, 0.6, 0.8]
COSTS = Costs("GPU-hours", {"samples": 10.0, "rl": 400.0}, "nobody knows")


def study(outcome=OUTCOME, level="dataset", **columns) -> Study:
    models = pd.DataFrame({"outcome": outcome, **columns})
    models["recipe"] = [f"r{place}" for place in range(len(models))]
    return Study("ours", "measured", level, models, COSTS)


BY_HAND = {"pass_at_1": [0.1, 0.2, 0.3, 0.4], "entropy_before": [4.0, 1.0, 2.0, 3.0]}


@pytest.fixture(scope="module")
def by_hand() -> pd.DataFrame:
    return judge([study(**BY_HAND)], seed=1).set_index("predictor")


def test_every_predictor_has_a_row(by_hand):
    assert list(by_hand.index) == [*PREDICTORS, CHANCE]
    assert by_hand.reset_index().columns.sort_values().equals(pd.Index(COLUMNS).sort_values())
    computed = by_hand.index[by_hand["reason"] == ""]
    assert list(computed) == ["pass_at_1", "rollout_entropy", CHANCE]
    assert by_hand.loc["pass_at_large_k", "reason"] == "the study has no pass_at_large_k"
    assert by_hand.loc["average", "reason"] == "the study has no generalization_loss, pass_at_large_k"


def test_rho_regret_and_recall_by_hand(by_hand):
    line = by_hand.loc["pass_at_1"]
    # The second and third model change places: 1 - 6 * 2 / (4 * 15).
    assert line["rho"] == pytest.approx(0.8) and line["models"] == 4
    assert (line["picked"], line["regret_at_1"], line["top3_recall"]) == ("r3", 0, 1)
    line = by_hand.loc["rollout_entropy"]
    # Differences of ranks 3, 2, 0, 1: 1 - 6 * 14 / 60. It picks the worst.
    assert line["rho"] == pytest.approx(-0.4) and line["better"] == "higher"
    assert (line["picked"], line["regret_at_1"]) == ("r0", pytest.approx(0.3))
    assert line["top3_recall"] == pytest.approx(2 / 3)


def test_leave_one_out_by_hand(by_hand):
    # Fit 0.45 + 0.8 x, residuals -0.03, 0.09, -0.09, 0.03, leverages 0.7, 0.3, 0.3, 0.7: residual / (1 - leverage).
    assert by_hand.loc["pass_at_1", "loo_mae"] == pytest.approx((0.1 + 0.09 / 0.7 + 0.09 / 0.7 + 0.1) / 4)


def test_chance_by_hand(by_hand):
    line = by_hand.loc[CHANCE]
    assert line["rho"] == 0 and line["regret_at_1"] == pytest.approx(0.8 - 0.65) and line["top3_recall"] == 0.75
    # The mean of the other three: deviations 0.15, 0.05, 0.05, 0.15, times 4 / 3.
    assert line["loo_mae"] == pytest.approx(0.1 * 4 / 3)


def test_differences_are_to_the_baseline_and_corrected(by_hand):
    line = by_hand.loc["rollout_entropy"]
    assert line["rho_difference"] == pytest.approx(-1.2) and line["regret_difference"] == pytest.approx(0.3)
    assert line["tried"] == 1 and line["rho_difference_p_holm"] == line["rho_difference_p"]
    assert by_hand.loc["pass_at_1", ["rho_difference", "tried"]].isna().all()
    columns = {**BY_HAND, "distinct_wrong": [1.0, 2.0, 3.0, 5.0], "lost_coverage": [0.4, 0.1, 0.3, 0.2]}
    more = judge([study(**columns)], seed=1).set_index("predictor")
    tested = more["rho_difference_p"].dropna()
    assert list(tested.index) == ["rollout_entropy", "distinct_wrong", "lost_coverage"]
    assert (more.loc[tested.index, "tried"] == 3).all()
    smallest = tested.idxmin()
    assert more.loc[smallest, "rho_difference_p_holm"] == pytest.approx(min(1, 3 * tested.min()))


def test_where_everything_was_measured_every_predictor_is_judged():
    rng = np.random.default_rng(1)
    columns = {name: rng.uniform(0.2, 0.8, 8) for name in predictor_columns()}
    outcome = rng.uniform(0.3, 0.6, 8)
    found = judge([study(list(outcome), gain=outcome - columns["pass_at_1"], **columns)], seed=1)
    found = found[found["predictor"] != CHANCE].set_index("predictor")
    assert (found["reason"] == "").all() and list(found.index) == list(PREDICTORS)
    assert found[["rho", "rho_low", "rho_high", "regret_at_1", "top3_recall", "loo_mae"]].notna().all(axis=None)
    compared = found.drop(index="pass_at_1")
    assert (compared["tried"] == len(PREDICTORS) - 1).all()
    assert (compared["rho_difference_p_holm"] >= compared["rho_difference_p"]).all()


def test_another_baseline_can_be_asked_for():
    found = judge([study(**BY_HAND)], seed=1, baseline="rollout_entropy").set_index("predictor")
    assert found.loc["pass_at_1", "rho_difference"] == pytest.approx(1.2)
    assert pd.isna(found.loc["rollout_entropy", "rho_difference"])


def test_without_the_baseline_there_is_no_comparison_and_the_reason():
    found = judge([study(entropy_before=BY_HAND["entropy_before"])], seed=1).set_index("predictor")
    line = found.loc["rollout_entropy"]
    assert line["rho"] == pytest.approx(-0.4) and pd.isna(line["rho_difference"])
    assert line["difference_unknown"] == "pass_at_1: the study has no pass_at_1"


def test_a_difference_is_of_the_models_that_both_know():
    found = judge([study([*OUTCOME, 0.9], pass_at_1=[0.1, 0.2, 0.3, 0.4, np.nan],
                         entropy_before=[*BY_HAND["entropy_before"], 9.0])], seed=1)  # fmt: skip
    line = found.set_index("predictor").loc["rollout_entropy"]
    assert line["models"] == 5 and line["compared_models"] == 4 and line["rho_difference"] == pytest.approx(-1.2)


def test_costs_and_their_reasons(by_hand):
    line = by_hand.loc["pass_at_1"]
    assert (line["cost"], line["cost_unit"], line["cost_share"]) == (10.0, "GPU-hours", 0.025)
    columns = {**BY_HAND, "generalization_loss": [0.5, 0.6, 0.7, 0.8], "gain": [0.1, 0.2, 0.3, 0.4]}
    found = judge([study(**columns)], seed=1).set_index("predictor")
    for name in ("generalization_loss", "generalization_loss_gain", "sft_regime"):
        assert pd.isna(found.loc[name, "cost"]) and found.loc[name, "cost_unknown"] == "nobody knows"


REASONS = {
    "too few": ({"pass_at_1": [0.1, np.nan, np.nan, 0.2]}, "dataset", "known for 2 of 4 models; 3 are needed"),
    "constant": ({"pass_at_1": [0.1] * 4}, "dataset", "the same for all models"),
    "empty": ({"pass_at_1": [np.nan] * 4}, "dataset", "the study has no pass_at_1"),
    "same outcome": ({"outcome": [0.5] * 4, "pass_at_1": [0.1, 0.2, 0.3, 0.4]}, "dataset",
                     "all models have the same outcome"),
}  # fmt: skip


@pytest.mark.parametrize("name", REASONS)
def test_what_cannot_be_computed_has_a_reason(name):
    columns, level, reason = REASONS[name]
    found = judge([study(level=level, **columns)], seed=1).set_index("predictor")
    assert found.loc["pass_at_1", "reason"] == reason and pd.isna(found.loc["pass_at_1", "rho"])


def test_losses_of_an_instance_level_study_are_not_compared():
    columns = {**BY_HAND, "generalization_loss": [0.5, 0.6, 0.7, 0.8], "gain": [0.1, 0.2, 0.3, 0.4]}
    found = judge([study(level="instance", **columns)], seed=1).set_index("predictor")
    assert found.loc["generalization_loss", "reason"] == "does not apply to studies of level instance"


def test_groups_are_centred():
    # Between groups the order is right, within both it is reversed.
    columns = {"pass_at_1": [0.1, 0.2, 0.3, 0.4], "group": ["a", "a", "b", "b"]}
    found = judge([study([0.2, 0.1, 0.4, 0.3], **columns)], seed=1).set_index("predictor").loc["pass_at_1"]
    assert found["rho"] == pytest.approx(0.6) and found["rho_within_groups"] == pytest.approx(-1)
    assert found["groups"] == 2


def test_models_without_rl_do_not_count():
    found = judge([study([*OUTCOME, np.nan], pass_at_1=[0.1, 0.2, 0.3, 0.4, 0.9])], seed=1).set_index("predictor")
    line = found.loc["pass_at_1"]
    assert line["with_outcome"] == line["models"] == 4 and line["rho"] == pytest.approx(0.8)


# RETU's curves, as they are committed


@pytest.fixture(scope="module")
def retu() -> Study:
    [one] = table_studies(ROOT / "results" / "published" / "retu" / "retu.csv")
    return one


@pytest.mark.parametrize(("budget", "rho"), [(7.0, 0.87), (14.0, 0.88)])
def test_early_rl_of_retu_ranks_better_than_the_score_after_sft(retu, budget, rho):
    """The outcome is the highest mean of five evaluations after the budget."""
    curves = pd.read_csv(ROOT / "results" / "published" / "retu" / "retu.curves.csv")
    early, outcome = [], []
    for model in retu.models["model"]:
        curve = curves[curves["model"] == model].sort_values("compute")
        compute, scores = curve["compute"].to_numpy(), curve["score"].to_numpy()
        early.append(score_after(compute, scores, budget))
        outcome.append(np.convolve(scores[compute > budget], np.full(5, 0.2), "valid").max())
    assert spearmanr(early, outcome)[0] == pytest.approx(rho, abs=0.005)
    assert spearmanr(retu.models["pass_at_1"], outcome)[0] == pytest.approx(0.66, abs=0.005)


def test_outcomes_of_retu_are_what_its_page_says(retu):
    curves = pd.read_csv(ROOT / "results" / "published" / "retu" / "retu.curves.csv")
    last = curves.groupby("model")["compute"].max()[retu.models["model"]].to_numpy()
    early = 0.1 * np.median(last)
    assert early == pytest.approx(13.1, abs=0.05) and list(last) == list(retu.models["cost_rl"])
    for model, outcome in retu.models[["model", "outcome"]].to_numpy():
        curve = curves[(curves["model"] == model) & (curves["compute"] > early)].sort_values("compute")
        assert curve["score"].rolling(5).mean().max() == pytest.approx(outcome, abs=1e-4)


def test_the_arena_on_retu_is_what_the_page_says(retu):
    found = judge([retu], seed=42).set_index("predictor")
    expected = {"pass_at_1": (0.66, 0.65, 0.007), "early_rl_score": (0.90, 0.62, 0.0),
                "sigmoid_ceiling": (0.32, -0.06, 0.045)}  # fmt: skip
    computed = found.index[found["reason"] == ""].drop(CHANCE)
    assert list(computed) == list(expected)
    for name, numbers in expected.items():
        line = found.loc[name, ["rho", "rho_within_groups", "regret_at_1"]].to_numpy(float)
        assert line == pytest.approx(numbers, abs=0.01)
    line = found.loc["early_rl_score"]
    assert line["cost"] == pytest.approx(433, abs=1) and line["cost_unit"] == "EFLOP"
    assert line["rho_difference"] == pytest.approx(0.24, abs=0.005) and line["rho_difference_p_holm"] < 0.05
