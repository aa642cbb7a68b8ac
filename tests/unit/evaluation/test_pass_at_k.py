import math
import time
import tracemalloc
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from quagmires.evaluation.pass_at_k import (
    bootstrap_means,
    macro_average,
    mean_with_error,
    pass_at_k,
    percentile_interval,
    powers_of_two,
)


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


@pytest.mark.parametrize("n", [7, 256, 10_000])
def test_estimator_agrees_with_exact_fractions(n):
    rights = sorted({0, 1, 2, 3, n // 100, n // 7, n // 2, n - 3, n - 1, n})
    for k in powers_of_two(n):
        exact = [float(1 - Fraction(math.comb(n - c, k), math.comb(n, k))) for c in rights]
        values = pass_at_k(np.full(len(rights), n), np.array(rights), k)
        assert np.abs(values - exact).max() < 1e-12
        # Small probabilities keep their digits, too.
        assert values == pytest.approx(exact, rel=1e-11, abs=1e-300)


def test_all_benchmarks_with_ten_thousand_samples_take_seconds_and_little_memory():
    generator = np.random.default_rng(0)
    n = np.full(3_811, 10_000)
    c = generator.binomial(n, generator.beta(0.3, 2, len(n)))
    tracemalloc.start()
    start = time.perf_counter()
    values = np.stack([pass_at_k(n, c, k) for k in powers_of_two(10_000)], axis=1)
    bootstrap_means(values, generator)
    seconds, memory = time.perf_counter() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (np.diff(values, axis=1) >= 0).all()
    assert seconds < 10
    assert memory < 200e6


def test_problems_may_have_different_numbers_of_samples():
    n, c = np.array([4, 16, 256, 16]), np.array([1, 3, 0, 16])
    assert pass_at_k(n, c, 4).tolist() == [float(pass_at_k(one, right, 4)) for one, right in zip(n, c, strict=True)]


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


def test_bootstrap_spreads_like_the_standard_error_and_repeats_with_its_seed():
    values = np.random.default_rng(1).beta(0.5, 0.5, size=(300, 2))
    draws = bootstrap_means(values, np.random.default_rng(2))
    assert draws.shape == (1_000, 2)
    # The bootstrap divides by n where the standard error divides by n - 1.
    assert draws.std(axis=0) == pytest.approx([mean_with_error(column)[1] for column in values.T], rel=0.08)
    assert (draws == bootstrap_means(values, np.random.default_rng(2))).all()
    low, high = percentile_interval(draws)
    inside = (draws >= low) & (draws <= high)
    assert inside.mean(axis=0) == pytest.approx([0.9, 0.9], abs=0.005)
