"""Which model is best, which cannot be told apart from it, and the regret of a pick, against truths that are known."""

import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.best_models import best_and_picks, best_model, regret, score_covariance
from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.outcomes import outcome_errors, with_outcome
from quagmires.prediction.predictors import PREDICTORS, applicable
from quagmires.prediction.selection_cost import choice
from quagmires.simulation.known_truth import World

SCORES = np.array([0.50, 0.46, 0.30])


def independent(error: float, models: int = 3) -> np.ndarray:
    return error**2 * np.eye(models)


def picked(*places: int, models: int = 3) -> np.ndarray:
    return np.isin(np.arange(models), places)


def test_regret_is_the_distance_to_the_best_and_of_ties_the_mean():
    assert regret(SCORES, independent(0.01), picked(1), 0.9, 1).value == pytest.approx(0.04)
    assert regret(SCORES, independent(0.01), picked(0, 2), 0.9, 1).value == pytest.approx(0.10)
    assert regret(SCORES, independent(0.01), picked(0), 0.9, 1).value == 0


def test_regret_between_two_models_has_the_normal_interval_of_their_difference():
    """With two models there is one difference, and c is the normal quantile, 1.645."""
    found = regret(SCORES[:2], independent(0.01, 2), picked(1, models=2), 0.9, 1)
    reach = 1.645 * 0.01 * 2**0.5
    assert (found.low, found.high) == (pytest.approx(0.04 - reach, abs=5e-4), pytest.approx(0.04 + reach, abs=5e-4))


def test_a_pick_is_proved_best_or_not_best_only_beyond_error():
    exact, rough = independent(0.001), independent(0.05)
    assert regret(SCORES, exact, picked(0), 0.9, 1).high == 0
    assert regret(SCORES, exact, picked(1), 0.9, 1).low > 0
    assert regret(SCORES, rough, picked(0), 0.9, 1).high > 0
    assert regret(SCORES, rough, picked(1), 0.9, 1).low == 0


def test_more_models_make_the_interval_wider():
    """The best of twenty equal models is ahead by luck: that is allowed for."""
    few, many = (
        regret(np.zeros(count), independent(0.01, count), picked(0, models=count), 0.9, 1).high for count in (2, 20)
    )
    assert many > 1.3 * few


def test_errors_that_models_share_do_not_count():
    shared = np.full((3, 3), 0.05**2)
    found = regret(SCORES, shared + independent(0.001), picked(1), 0.9, 1)
    assert 0.035 < found.low < 0.04 < found.high < 0.045


def test_without_known_errors_there_is_no_interval():
    found = regret(SCORES, independent(np.nan), picked(1), 0.9, 1)
    assert (found.low, found.high) == (None, None)
    best = best_model(SCORES, independent(np.nan), 0.9, 1)
    assert (best.place, best.low, best.as_good) == (0, None, [])


def test_intervals_hold_the_true_regret_and_the_true_best_is_among_those_not_told_apart():
    truth = np.array([0.50, 0.49, 0.485, 0.45, 0.40])
    generator, held, among = np.random.default_rng(3), 0, 0
    for _ in range(300):
        scores = truth + generator.normal(0, 0.01, 5)
        found = regret(scores, independent(0.01, 5), picked(2, models=5), 0.9, 1)
        held += found.low <= 0.015 <= found.high
        best = best_model(scores, independent(0.01, 5), 0.9, 1)
        among += 0 in (best.place, *best.as_good)
    # 90 % or more, less three standard errors.
    assert held >= 255 and among >= 255


@pytest.fixture
def models() -> pd.DataFrame:
    drawn = World(models=8).draw(np.random.default_rng(5))
    names = {"study": "one", "recipe": [f"r{number}" for number in range(8)], "subset": "random-1k", "epochs": 1.0}
    return drawn.assign(**names, learning_rate=1e-5)


def test_errors_after_rl_are_of_questions_runs_and_checkpoints(models):
    covariance = score_covariance(models, "outcome")
    errors = outcome_errors(models, "best")
    draws = np.stack(models["outcome_draws"].tolist())
    assert draws.shape == (8, DRAWS)
    expected = draws.var(axis=1, ddof=1) + errors["runs"] ** 2 + errors["checkpoints"] ** 2
    assert np.diag(covariance) == pytest.approx(expected.to_numpy())
    assert covariance[0, 1] == pytest.approx(np.cov(draws[0], draws[1])[0, 1])
    assert np.diag(score_covariance(models, "pass_at_1")) == pytest.approx(
        np.stack(models["pass_at_1_draws"].tolist()).var(axis=1, ddof=1)
    )


def test_each_predictor_picks_its_first_and_says_what_it_needs(models):
    models.loc[3, ["pass_at_1", "pass_at_large_k"]] = 0.99
    models.loc[5, "generalization_loss"] = 0.01
    found = best_and_picks(models, "dataset", 0.9, 1)
    by_name = {pick.predictor: pick for pick in found.picks}
    assert list(by_name) == [one.name for one in applicable("dataset")]
    assert by_name["pass_at_1"].picked == ["r3"] and by_name["generalization_loss"].picked == ["r5"]
    best = models["outcome"].max()
    assert by_name["pass_at_1"].regret.value == pytest.approx(best - models["outcome"][3])
    assert by_name["pass_at_1"].rank == 1 + (models["outcome"] > models["outcome"][3]).sum()
    assert found.before.place == 3 and found.after.place == models["outcome"].idxmax()
    assert found.errors == ["questions", "runs", "checkpoints"]
    made_of = {name: (pick.needs, pick.fitted) for name, pick in by_name.items()}
    assert made_of["pass_at_1"] == made_of["pass_at_large_k"] == (["samples"], False)
    assert made_of["generalization_loss"] == (["loss"], False)
    assert made_of["average"] == made_of["generalization_loss_gain"] == (["samples", "loss"], True)


def test_picks_and_regrets_are_those_of_the_table_of_predictors(models):
    for pick in best_and_picks(models, "dataset", 0.9, 1).picks:
        expected = choice(models, PREDICTORS[pick.predictor])
        assert ", ".join(pick.picked) == expected.picked
        assert pick.regret.value == pytest.approx(expected.regret_at_1)
        assert pick.regret.low <= pick.regret.value <= pick.regret.high


def test_before_rl_only_the_best_after_sft_is_known(models):
    models[["outcome", "outcome_best", "outcome_last", "outcome_mean_of_run_best"]] = np.nan
    models["outcome_scores"] = models["outcome_draws"] = None
    found = best_and_picks(models, "dataset", 0.9, 1)
    assert (found.after, found.picks, found.errors) == (None, [], [])
    assert found.before.place == models["pass_at_1"].idxmax()


def test_those_without_rl_are_neither_picked_nor_best(models):
    first = models["outcome"].idxmax()
    rl = ["outcome", "outcome_best", "outcome_last", "outcome_mean_of_run_best", "gain"]
    models.loc[[first, 3], rl] = np.nan
    models["outcome_scores"] = [
        None if place in (first, 3) else one for place, one in enumerate(models["outcome_scores"])
    ]
    models.loc[3, "pass_at_1"] = 0.99
    found = best_and_picks(models, "instance", 0.9, 1)
    assert found.before.place == 3
    assert found.after.place == models["outcome"].idxmax() != first
    assert "r3" not in found.picks[0].picked


def test_the_kind_of_outcome_is_the_one_asked_for(models):
    last = with_outcome(models, "last")
    errors = outcome_errors(last, "last")
    assert np.diag(
        score_covariance(last, "outcome", "last") - score_covariance(last, "outcome", "best")
    ) == pytest.approx(
        (errors["runs"] ** 2 + errors["checkpoints"] ** 2)
        - (lambda best: best["runs"] ** 2 + best["checkpoints"] ** 2)(outcome_errors(last, "best"))
    )
