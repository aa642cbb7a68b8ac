import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.selection_cost import Choice, choice, leave_one_out

PASS_AT_1, AVERAGE = PREDICTORS["pass_at_1"], PREDICTORS["average"]


def table(predictor: list[float], outcome: list[float]) -> pd.DataFrame:
    columns = {"pass_at_1": predictor, "outcome": outcome, "recipe": [f"r{i}" for i in range(len(outcome))]}
    return pd.DataFrame(columns)


def test_leave_one_out_is_the_textbooks():
    """The errors are the residuals of the fit on all, each divided by one minus its leverage."""
    rng = np.random.default_rng(1)
    models = table(list(rng.uniform(0.2, 0.4, 10)), list(rng.uniform(0.4, 0.6, 10)))
    outcome = models["outcome"].to_numpy()
    errors = sm.OLS(outcome, sm.add_constant(models["pass_at_1"].to_numpy())).fit().get_influence().resid_press
    result = leave_one_out(models, PASS_AT_1)
    assert outcome - result.predictions == pytest.approx(errors)
    assert result.mae == pytest.approx(np.abs(errors).mean())
    assert result.r2 == pytest.approx(1 - np.sum(errors**2) / np.sum((outcome - outcome.mean()) ** 2))


def test_leave_one_out_needs_three_models():
    result = leave_one_out(table([0.1, 0.2], [0.3, 0.4]), PASS_AT_1)
    assert result.r2 is None and result.mae is None and np.isnan(result.predictions).all()
    assert leave_one_out(table([], []), PASS_AT_1).predictions.shape == (0,)
    assert leave_one_out(table([0.1, 0.2, 0.3], [0.3, 0.4, 0.5]), PASS_AT_1).r2 == pytest.approx(1)


def test_equal_outcomes_have_an_error_but_no_r2():
    result = leave_one_out(table([0.1, 0.2, 0.3, 0.5], [0.1] * 4), PASS_AT_1)
    assert result.r2 is None and result.mae == pytest.approx(0)


def test_models_without_outcome_are_predicted_but_do_not_count():
    models = table([0.1, 0.2, 0.3, 0.5], [0.2, 0.4, 0.6, np.nan])
    result = leave_one_out(models, PASS_AT_1)
    assert result.r2 == pytest.approx(1)
    assert result.predictions[3] == pytest.approx(1.0)


def test_regret_is_what_the_choice_costs():
    models = table([0.1, 0.5, 0.3, 0.2], [0.9, 0.6, 0.7, 0.8])
    assert choice(models, PASS_AT_1) == Choice("r1", pytest.approx(0.3), pytest.approx(2 / 3))


def test_a_right_choice_costs_nothing():
    result = choice(table([0.1, 0.5, 0.3, 0.2], [0.1, 0.9, 0.3, 0.2]), PASS_AT_1)
    assert (result.regret_at_1, result.top3_recall) == (0, pytest.approx(1))


def test_a_tied_choice_costs_the_mean_of_the_tied():
    # 0.1 + 0.2 is 0.3 but for rounding.
    result = choice(table([0.1 + 0.2, 0.3, 0.1, 0.2], [0.9, 0.5, 0.4, 0.3]), PASS_AT_1)
    assert result.picked == "r0, r1"
    assert result.regret_at_1 == pytest.approx(0.2)


def test_recall_with_ties_is_what_random_picks_would_have():
    # r0 is among the first three in any case; two of r1, r2, r3 are, and the truly best are r0, r1, r4.
    result = choice(table([0.9, 0.5, 0.5, 0.5, 0.1], [0.9, 0.8, 0.1, 0.2, 0.7]), PASS_AT_1)
    assert result.top3_recall == pytest.approx((1 + 2 / 3) / 3)
    nothing = choice(table([0.5] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), PASS_AT_1)
    assert nothing.top3_recall == pytest.approx(3 / 6)
    assert nothing.regret_at_1 == pytest.approx(0.25)


def test_three_models_have_no_top_three_to_find():
    assert choice(table([0.1, 0.2, 0.3], [0.1, 0.3, 0.2]), PASS_AT_1) == Choice("r2", pytest.approx(0.1), None)


def test_one_model_is_no_choice():
    assert choice(table([0.1], [0.2]), PASS_AT_1) == choice(table([], []), PASS_AT_1) == Choice()


def test_models_without_outcome_cannot_be_picked():
    assert choice(table([0.1, 0.9, 0.3], [0.2, np.nan, 0.3]), PASS_AT_1).picked == "r2"


def test_combinations_pick_without_having_seen_the_outcome():
    rng = np.random.default_rng(1)
    outcome = np.linspace(0.3, 0.6, 9)
    models = table([0.3] * 9, list(outcome)).assign(
        generalization_loss=1 - outcome + rng.normal(0, 0.001, 9), pass_at_large_k=outcome
    )
    assert choice(models, AVERAGE).picked == "r8"
    surprise = models.copy()
    surprise.loc[0, "outcome"] = 0.9
    result = choice(surprise, AVERAGE)
    assert result.picked != "r0" and result.regret_at_1 > 0.2
