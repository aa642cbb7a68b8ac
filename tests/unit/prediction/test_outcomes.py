import numpy as np
import pandas as pd
import pytest
from made_up_outcomes import REST, RUN, TREND, metrics, scores_after_rl

from quagmires.common.errors import UserError
from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.outcome_spread import Spread
from quagmires.prediction.outcomes import KINDS, outcome_comparison, outcome_errors, ranking_changes, with_outcome


def test_another_outcome_takes_gain_and_draws_along():
    models = metrics(scores_after_rl(3))
    models["outcome_draws"] = [models["outcome"].iloc[0] + np.linspace(-0.01, 0.01, DRAWS), None, None]
    last = with_outcome(models, "last")
    assert last["outcome"].tolist() == models["outcome_last"].tolist()
    assert last["gain"].to_numpy() == pytest.approx(models["outcome_last"] - 0.3)
    assert np.mean(last["outcome_draws"].iloc[0]) == pytest.approx(models["outcome_last"].iloc[0])
    assert np.ptp(last["outcome_draws"].iloc[0]) == pytest.approx(0.02)
    assert models["outcome"].tolist() == models["outcome_best"].tolist()


@pytest.mark.parametrize("function", [with_outcome, outcome_errors])
def test_an_unknown_outcome_names_those_there_are(function):
    with pytest.raises(UserError, match="'worst'; choose one of best, last, mean_of_run_best"):
        function(metrics(scores_after_rl(2)), "worst")


def test_spread_between_runs_is_told_from_that_between_checkpoints():
    spread = Spread.of(scores_after_rl(2_000))
    assert spread.run == pytest.approx(RUN, rel=0.03)
    assert spread.rest == pytest.approx(REST, rel=0.03)
    assert spread.trend == pytest.approx(TREND - TREND.mean(), abs=5e-4)


def test_checkpoints_that_rise_over_training_are_no_noise():
    steep = Spread.of(scores_after_rl(50, trend=np.linspace(-0.2, 0.2, 4), run=0, rest=0.001))
    assert steep.rest == pytest.approx(0.001, rel=0.1)


def test_the_best_of_two_normals_has_its_textbook_moments():
    mean, deviation = Spread(1.0, 0.0, np.zeros(1)).best(2)
    assert (mean, deviation) == pytest.approx((1 / np.sqrt(np.pi), np.sqrt(1 - 1 / np.pi)), abs=1e-4)


@pytest.mark.parametrize(("run", "rest"), [(RUN, REST), (RUN, 0.0), (0.0, REST), (1e-6, 0.02)])
def test_moments_of_the_best_agree_with_simulation(run, rest):
    best = scores_after_rl(100_000, run=run, rest=rest).max(axis=(1, 2)) - 0.4
    mean, deviation = Spread(run, rest, TREND).best(4)
    assert mean == pytest.approx(best.mean(), abs=1e-4)
    assert deviation == pytest.approx(best.std(), rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_the_spread_of_outcomes_when_rl_is_repeated(kind):
    repeated = metrics(scores_after_rl(5_000, seed=1))
    errors = outcome_errors(repeated, kind)
    chance = np.hypot(errors["runs"], errors["checkpoints"]).iloc[0]
    assert chance == pytest.approx(repeated[f"outcome_{kind}"].std(), rel=0.04)
    assert errors["total"].iloc[0] == pytest.approx(np.hypot(chance, 0.01))


def test_spread_is_pooled_over_models_with_as_many_runs():
    few, many = scores_after_rl(3, runs=2), scores_after_rl(3, runs=8, seed=1)
    models = pd.concat([metrics(few), metrics(many)], ignore_index=True)
    errors = outcome_errors(models, "last")
    assert errors["runs"].nunique() == 2
    assert errors["runs"].iloc[0] == pytest.approx(Spread.of(few).run / np.sqrt(2))
    assert errors["runs"].iloc[5] == pytest.approx(Spread.of(many).run / np.sqrt(8))


@pytest.mark.parametrize("kind", KINDS)
def test_one_run_says_nothing_about_chance(kind):
    errors = outcome_errors(metrics(scores_after_rl(4, runs=1)), kind)
    assert errors[["runs", "checkpoints"]].isna().all(axis=None)
    assert (errors["total"] == errors["questions"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_with_one_checkpoint_all_chance_is_between_runs(kind):
    errors = outcome_errors(metrics(scores_after_rl(500, trend=np.zeros(1))), kind)
    assert errors["checkpoints"].isna().all()
    repeated = metrics(scores_after_rl(5_000, trend=np.zeros(1), seed=2))
    assert errors["runs"].iloc[0] == pytest.approx(repeated[f"outcome_{kind}"].std(), rel=0.05)


def test_models_without_rl_have_no_errors_and_are_not_compared():
    models = metrics(scores_after_rl(3))
    outcomes = ["outcome_best", "outcome_last", "outcome_mean_of_run_best", "outcome", "outcome_se"]
    models.loc[1, outcomes] = np.nan
    models.at[1, "outcome_scores"] = None
    errors = outcome_errors(models, "best")
    assert errors.loc[1].isna().all() and errors.loc[[0, 2]].notna().all(axis=None)
    assert outcome_comparison(models)["recipe"].tolist() == ["recipe0", "recipe2"]
    assert ranking_changes(models.iloc[:0]).kendall_last is None


def test_the_best_checkpoint_is_expected_to_be_too_good_and_by_how_much():
    repeated = metrics(scores_after_rl(5_000, seed=3))
    comparison = outcome_comparison(repeated)
    for kind in KINDS:
        excess = repeated[f"outcome_{kind}"].mean() - (0.4 + TREND.max())
        assert comparison[f"{kind}_bias"].iloc[0] == pytest.approx(excess, abs=3e-4)
    assert comparison["best_bias"].iloc[0] > comparison["mean_of_run_best_bias"].iloc[0] > 0
    assert comparison["last_bias"].iloc[0] < 0


def test_more_runs_make_the_best_look_better():
    biases = [outcome_comparison(metrics(scores_after_rl(500, runs=runs)))["best_bias"].iloc[0] for runs in (2, 4, 8)]
    assert biases == sorted(biases) and biases[2] > 1.3 * biases[0]


def test_a_ranking_that_rests_on_one_lucky_checkpoint_is_shown():
    scores = np.array([[[0.40, 0.42], [0.40, 0.42]], [[0.30, 0.30], [0.45, 0.31]], [[0.20, 0.21], [0.20, 0.22]]])
    models = metrics(scores)
    comparison = outcome_comparison(models)
    assert comparison["best_rank"].tolist() == [2, 1, 3]
    assert comparison["last_rank"].tolist() == [1, 2, 3]
    changes = ranking_changes(models)
    assert changes.first == {"best": "recipe1", "last": "recipe0", "mean_of_run_best": "recipe0"}
    assert not changes.same_first
    assert changes.kendall_last == pytest.approx(1 / 3)


def test_models_with_equal_outcomes_share_the_better_rank():
    scores = np.full((3, 2, 2), 0.4)
    scores[2] = 0.3
    assert outcome_comparison(metrics(scores))["best_rank"].tolist() == [1, 1, 3]
