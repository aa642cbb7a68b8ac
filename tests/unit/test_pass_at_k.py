import doctest
from itertools import combinations

import numpy as np
import pytest

from quagmires import pass_at_k as module
from quagmires.pass_at_k import macro_average, mean_with_error, pass_at_k


def test_documented_examples_hold():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("n", [1, 5, 8])
def test_estimator_is_the_share_of_k_subsets_with_a_right_sample(n):
    for c in range(n + 1):
        samples = [1] * c + [0] * (n - c)
        for k in range(1, n + 1):
            subsets = [max(subset) for subset in combinations(samples, k)]
            assert pass_at_k(n, c, k) == pytest.approx(np.mean(subsets), abs=1e-12)


def test_pass_at_1_is_the_mean_and_large_n_does_not_overflow():
    assert pass_at_k(10_000, 37, 1) == pytest.approx(0.0037, rel=1e-9)
    assert 0 < pass_at_k(10_000, 1, 5_000) < 1
    assert pass_at_k(10_000, 1, 5_000) == pytest.approx(0.5, rel=1e-9)


def test_bounds_are_checked_and_named():
    with pytest.raises(ValueError, match=r"1 <= k <= n \(n=16\); got k=32"):
        pass_at_k(16, 3, 32)
    with pytest.raises(ValueError, match="0 <= c <= n"):
        pass_at_k(4, 5, 1)


def test_errors_are_clustered_by_problem():
    mean, error = mean_with_error(np.array([0.0, 1.0, 0.0, 1.0]))
    assert mean == 0.5
    assert error == pytest.approx(np.sqrt(1 / 3) / 2)
    assert np.isnan(mean_with_error(np.array([1.0]))[1])
    assert macro_average([0.2, 0.4], [0.03, 0.04]) == pytest.approx((0.3, 0.025))
