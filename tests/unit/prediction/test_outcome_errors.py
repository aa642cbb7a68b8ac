import numpy as np
import pandas as pd
import pytest

from quagmires.common.errors import UserError
from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.outcome_errors import (
    KINDS,
    calibrated,
    difference_error,
    draws_of,
    errors_in_variables,
    independent_errors,
    outcome_comparison,
    outcome_errors,
    ranking_changes,
    with_outcome,
)
from quagmires.prediction.outcome_spread import Spread

RUN, REST = 0.010, 0.006
TREND = np.array([-0.03, -0.005, 0.005, 0.004])


def scores_after_rl(models, runs=4, trend=TREND, run=RUN, rest=REST, seed=0):
    """(models, runs, checkpoints) around 0.4 plus the trend."""
    generator = np.random.default_rng(seed)
    luck = generator.normal(0, run, (models, runs, 1)) + generator.normal(0, rest, (models, runs, len(trend)))
    return 0.4 + trend + luck


def metrics(scores, **columns):
    """Rows of metrics.parquet from scores after RL."""
    scores = np.asarray(scores)
    models, runs, _ = scores.shape
    best = scores.max(axis=(1, 2))
    return pd.DataFrame(
        {
            "recipe": [f"recipe{i}" for i in range(models)],
            "subset": "random-10k",
            "epochs": 1.0,
            "pass_at_1": 0.3,
            "grpo_runs": runs,
            "outcome_scores": [one.ravel() for one in scores],
            "outcome_best": best,
            "outcome_last": scores[:, :, -1].mean(axis=1),
            "outcome_mean_of_run_best": scores.max(axis=2).mean(axis=1),
            "outcome": best,
            "outcome_se": 0.01,
            "gain": best - 0.3,
            **columns,
        }
    )


def draws(values):
    """A column of draws from (models, DRAWS)."""
    return [one.astype(np.float32) for one in values]


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


def test_differences_are_measured_on_the_same_problems():
    generator = np.random.default_rng(0)
    shared = generator.normal(0, 0.02, DRAWS)
    own = generator.normal(0, 0.003, (2, DRAWS))
    models = metrics(scores_after_rl(2), outcome_se=0.02, outcome_draws=draws(0.4 + shared + own))
    assert difference_error(models, 0, 1, "outcome") == pytest.approx((own[0] - own[1]).std(ddof=1), rel=1e-3)


def test_without_draws_differences_have_both_errors():
    models = metrics(scores_after_rl(2), outcome_se=[0.03, 0.04])
    assert difference_error(models, 0, 1, "outcome") == pytest.approx(0.05)
    models["outcome_draws"] = draws(np.full((2, DRAWS), np.nan))
    assert difference_error(models, 0, 1, "outcome") == pytest.approx(0.05)


@pytest.mark.parametrize("column", ["pass_at_1", "outcome", "gain"])
def test_columns_of_nan_are_no_draws(column):
    """What a study has of which no model has draws, as read from a file."""
    models = metrics(scores_after_rl(2), pass_at_1_draws=np.nan, outcome_draws=np.nan)
    models = models.assign(pass_at_1_se=0.03, outcome_se=0.03, gain_se=0.03)
    for kind in ("best", "last"):
        drawn = draws_of(with_outcome(models, kind), column)
        assert drawn.shape == (2, DRAWS) and np.isnan(drawn).all()
        assert difference_error(with_outcome(models, kind), 0, 1, column) == pytest.approx(0.03 * np.sqrt(2))


def test_the_error_of_a_gain_is_that_of_the_difference_of_draws():
    generator = np.random.default_rng(0)
    before, after = 0.3 + generator.normal(0, 0.02, (2, 2, DRAWS))
    models = metrics(scores_after_rl(2), pass_at_1_draws=draws(before), outcome_draws=draws(after))
    gains = after - before
    assert difference_error(models, 0, 1, "gain") == pytest.approx((gains[0] - gains[1]).std(ddof=1), rel=1e-3)


@pytest.mark.parametrize("count", [2, 3, 12])
def test_what_all_models_share_is_no_noise_between_them(count):
    generator = np.random.default_rng(0)
    own = np.linspace(0.002, 0.004, count) if count > 2 else np.full(2, 0.003)
    estimates = []
    for _ in range(40):
        noise = generator.normal(0, 0.05, DRAWS) + own[:, None] * generator.normal(size=(count, DRAWS))
        models = pd.DataFrame({"pass_at_1_se": 0.05, "pass_at_1_draws": draws(0.3 + noise)})
        estimates.append(independent_errors(models, "pass_at_1"))
    assert np.mean(estimates, axis=0) == pytest.approx(own, rel=0.1)


def test_a_model_without_draws_keeps_its_standard_error():
    generator = np.random.default_rng(0)
    column = [*draws(generator.normal(0.3, 0.01, (3, DRAWS))), None]
    errors = independent_errors(
        pd.DataFrame({"gain_se": 0.05, "pass_at_1_se": 0.02, "pass_at_1_draws": column}), "pass_at_1"
    )
    assert errors[3] == 0.02 and (errors[:3] < 0.015).all()


def noisy_line(generator, x_se, slope=0.8):
    """True x of standard deviation 0.05, measured with errors x_se, and outcomes on a line of it."""
    true = generator.normal(0.6, 0.05, len(x_se))
    return true + x_se * generator.normal(size=len(x_se)), 0.1 + slope * true + generator.normal(0, 0.005, len(x_se))


def test_calibration_recovers_the_slope_that_noise_flattens():
    x_se = np.tile([0.01, 0.05], 2_000)
    x, y = noisy_line(np.random.default_rng(0), x_se)
    assert np.polyfit(x, y, 1)[0] < 0.65
    assert np.polyfit(calibrated(x, x_se), y, 1)[0] == pytest.approx(0.8, abs=0.03)


def test_with_equal_errors_predictions_stay_those_of_least_squares():
    x_se = np.full(12, 0.03)
    x, y = noisy_line(np.random.default_rng(1), x_se)
    hat = calibrated(x, x_se)
    assert np.polyval(np.polyfit(hat, y, 1), hat) == pytest.approx(np.polyval(np.polyfit(x, y, 1), x))
    assert abs(np.polyfit(hat, y, 1)[0]) > abs(np.polyfit(x, y, 1)[0])


def test_with_unequal_errors_calibration_predicts_better():
    generator = np.random.default_rng(2)
    x_se = np.tile([0.005, 0.08], 200)
    x, y = noisy_line(generator, x_se)
    hat = calibrated(x, x_se)
    left_over = [np.square(y - np.polyval(np.polyfit(one, y, 1), one)).mean() for one in (x, hat)]
    assert left_over[1] < 0.8 * left_over[0]


def test_differences_that_errors_explain_are_no_information():
    x = np.array([0.50, 0.51, 0.49, np.nan])
    hat = calibrated(x, np.full(4, 0.05))
    assert hat[:3] == pytest.approx([0.5] * 3) and np.isnan(hat[3])
    exact = calibrated(x, np.array([0, np.nan, 0, 0]))
    assert exact[:3] == pytest.approx(x[:3])


def test_structural_line_and_reliability():
    generator = np.random.default_rng(3)
    count = 2_000
    true = generator.normal(0.6, 0.05, count)
    errors = 0.03 * generator.normal(size=(count, DRAWS)) + generator.normal(0, 0.1, DRAWS)
    x = true + 0.03 * generator.normal(size=count) + 0.1
    models = pd.DataFrame({"outcome": 0.1 + 0.8 * true, "pass_at_1": x, "pass_at_1_se": np.hypot(0.03, 0.1)})
    models["pass_at_1_draws"] = draws(x[:, None] + errors)
    line = errors_in_variables(models, "pass_at_1")
    assert line.models == count
    assert line.reliability == pytest.approx(0.05**2 / (0.05**2 + 0.03**2), abs=0.05)
    assert line.slope == pytest.approx(0.8, rel=0.1)
    assert np.polyfit(x, models["outcome"], 1)[0] < 0.7


def test_no_structural_line_without_models_or_true_differences():
    models = pd.DataFrame({"outcome": [0.4, 0.5, np.nan], "pass_at_1": [0.3, 0.31, 0.32], "pass_at_1_se": 0.001})
    assert errors_in_variables(models, "pass_at_1").slope is None
    noise = pd.DataFrame({"outcome": [0.4, 0.5, 0.45], "pass_at_1": [0.30, 0.31, 0.32], "pass_at_1_se": 0.05})
    assert errors_in_variables(noise, "pass_at_1").reliability == 0
    unknown = errors_in_variables(noise.assign(pass_at_1_se=np.nan), "pass_at_1")
    assert (unknown.models, unknown.slope, unknown.reliability) == (3, None, None)
