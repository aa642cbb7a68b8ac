import numpy as np
import pytest

from quagmires.prediction.early_rl import FEWEST_POINTS, ceiling, median_run, score_after


def sigmoid(compute, start, top, midpoint, exponent):
    with np.errstate(divide="ignore"):
        return start + (top - start) / (1 + (midpoint / compute) ** exponent)


@pytest.mark.parametrize("top", [0.45, 0.7, 0.2])
def test_the_ceiling_of_a_sigmoid_is_found_from_its_beginning(top):
    compute = np.linspace(0, 100, 40)
    scores = sigmoid(compute, 0.3, top, 20, 1.3)
    assert ceiling(compute, scores, 40) == pytest.approx(top, abs=1e-3)


def test_what_lies_beyond_the_budget_does_not_count():
    compute = np.linspace(0, 100, 40)
    scores = sigmoid(compute, 0.3, 0.6, 10, 1.5)
    changed = np.where(compute > 50, 0.0, scores)
    assert ceiling(compute, changed, 50) == ceiling(compute, scores, 50)


def test_a_ceiling_is_a_share():
    compute = np.arange(10.0)
    assert ceiling(compute, 0.1 + 0.09 * compute, 9) <= 1
    assert ceiling(compute, 0.9 - 0.09 * compute, 9) >= 0


def test_few_points_have_no_ceiling():
    compute = np.arange(10.0)
    assert np.isnan(ceiling(compute, 0.3 + compute / 100, FEWEST_POINTS - 1.5))
    assert np.isfinite(ceiling(compute, 0.3 + compute / 100, FEWEST_POINTS - 1))


def test_the_score_is_the_newest_within_the_budget():
    compute, scores = np.array([0.0, 3.0, 6.0, 9.0]), np.array([0.1, 0.2, 0.3, 0.4])
    assert score_after(compute, scores, 6.0) == 0.3
    assert score_after(compute, scores, 8.9) == 0.3
    # The SFT model itself is no score of RL.
    assert np.isnan(score_after(compute, scores, 2.9))


def test_the_median_run():
    assert median_run([1.0, 10.0, 3.0]) == 3.0
