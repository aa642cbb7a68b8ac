import numpy as np
import pandas as pd
import pytest
from made_up_outcomes import draws, metrics, scores_after_rl

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.errors_in_variables import (
    calibrated,
    difference_error,
    draws_of,
    errors_in_variables,
    independent_errors,
)
from quagmires.prediction.outcomes import with_outcome


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
