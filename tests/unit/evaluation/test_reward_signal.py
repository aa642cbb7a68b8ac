from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from quagmires.evaluation.reward_signal import (
    informative_share,
    reward_signal,
    signal_columns,
    success_deviation,
    success_variance,
)

PROBABILITIES = (0.0, 0.03, 0.2, 0.5, 0.81, 1.0)


def expected(estimates: np.ndarray, p: float) -> float:
    """The mean of an estimate of each c = 0, ..., n over all binomial draws."""
    n = len(estimates) - 1
    return float(binom.pmf(np.arange(n + 1), n, p) @ estimates)


@pytest.mark.parametrize("n", [4, 7, 16])
@pytest.mark.parametrize("p", PROBABILITIES)
def test_informative_share_and_variance_are_right_on_average(n, p):
    every = np.arange(n + 1)
    for group in (2, 3, 4):
        share = informative_share(np.full(n + 1, n), every, group)
        assert expected(share, p) == pytest.approx(1 - p**group - (1 - p) ** group, abs=1e-12)
        assert share.min() >= -1e-12 and share.max() <= 1
    assert expected(success_variance(np.full(n + 1, n), every), p) == pytest.approx(p * (1 - p), abs=1e-12)


def test_informative_share_is_that_of_all_groups_that_can_be_drawn():
    for c in range(7):
        groups = list(combinations([1] * c + [0] * (6 - c), 4))
        mixed = np.mean([0 < sum(group) < 4 for group in groups])
        assert informative_share(np.array([6]), np.array([c]), 4)[0] == pytest.approx(mixed)


def test_fewer_responses_than_a_group_has_give_no_share_and_the_rest():
    with pytest.raises(ValueError, match="k <= n"):
        informative_share(np.array([3]), np.array([1]), 4)
    signal = reward_signal(pd.DataFrame({"n": [3, 3], "c": [1, 3]}), 4)
    assert signal["informative_share"] is None
    assert signal["success_variance"]["value"] == pytest.approx((1 / 3 + 0) / 2)
    alone = reward_signal(pd.DataFrame({"n": [1, 1], "c": [1, 0]}), 4)
    assert alone["success_variance"] is None and alone["success_deviation"] is None
    assert alone["pass_at_1"]["value"] == 0.5


def test_deviation_is_the_jackknife_of_its_definition():
    n = 9
    for c in range(n + 1):
        rewards = np.array([1] * c + [0] * (n - c))
        without = [np.delete(rewards, i).std() for i in range(n)]
        by_hand = n * rewards.std() - (n - 1) * np.mean(without)
        assert success_deviation(np.array([n]), np.array([c]))[0] == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize(("n", "most"), [(8, 0.0013), (16, 0.0014), (32, 0.0008)])
def test_the_bias_of_the_deviation_is_small_where_that_of_the_plain_estimate_is_not(n, most):
    """Over prompts with p spread evenly, whose mean deviation is pi / 8; the figures of the docstring."""
    every = np.arange(n + 1)
    ps = (np.arange(4000) + 0.5) / 4000
    weights = binom.pmf(every[None], n, ps[:, None]).mean(axis=0)
    corrected = weights @ success_deviation(np.full(n + 1, n), every)
    plain = weights @ (np.sqrt(every * (n - every)) / n)
    assert abs(corrected - np.pi / 8) < most
    assert np.pi / 8 - plain > 10 * most


def test_means_have_the_error_over_prompts_and_become_columns():
    counts = pd.DataFrame({"n": 8, "c": [0, 2, 4, 8]})
    signal = reward_signal(counts, 4)
    assert (signal["prompts"], signal["samples"], signal["group_size"]) == (4, 8, 4)
    shares = informative_share(counts["n"].to_numpy(), counts["c"].to_numpy(), 4)
    assert signal["informative_share"] == pytest.approx(
        {"value": shares.mean(), "standard_error": shares.std(ddof=1) / 2}
    )
    columns = signal_columns(signal)
    assert columns["rl_informative_share"] == pytest.approx(shares.mean())
    assert columns["rl_success_deviation_se"] > 0
    assert set(signal_columns(None)) == set(columns)
    assert np.isnan(list(signal_columns(None).values())).all()
    one = signal_columns(reward_signal(counts.head(1), 9))
    assert one["rl_pass_at_1"] == 0 and np.isnan([one["rl_pass_at_1_se"], one["rl_informative_share"]]).all()
