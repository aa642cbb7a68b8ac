import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.paired_comparison import Order, compare, holm, order, regret
from quagmires.prediction.predictors import PREDICTORS

ONE, OTHER, OUTCOME = [4.0, 1, 2, 3], [1.0, 2, 3, 4], [0.5, 0.7, 0.6, 0.8]


def models(outcome=OUTCOME, **columns) -> pd.DataFrame:
    return pd.DataFrame({"outcome": outcome, **columns})


def plain(values) -> Order:
    return Order(np.array(values, float), None)


def test_differences_are_those_of_the_two_predictors():
    # Rho is 1 - 6 * 14 / 60 and 1 - 6 * 2 / 60; the first picks 0.5 of at most 0.8, the second the best.
    found = compare(models(), plain(ONE), plain(OTHER), seed=1)
    assert found.rho.value == pytest.approx(-0.4 - 0.8)
    assert found.regret.value == pytest.approx(0.3)
    assert found.models == 4 and not found.over_problems and found.p_is_exact


def test_p_is_the_share_of_exchanges_that_differ_as_much():
    def difference(first, second):
        return np.nan_to_num(spearmanr(first, OUTCOME)[0]) - np.nan_to_num(spearmanr(second, OUTCOME)[0])

    extreme = 0
    for mask in itertools.product([False, True], repeat=4):
        exchanged = np.where(mask, OTHER, ONE), np.where(mask, ONE, OTHER)
        extreme += abs(difference(*exchanged)) >= 1.2 - 1e-9
    found = compare(models(), plain(ONE), plain(OTHER), seed=1)
    assert found.rho.p == pytest.approx(extreme / 16)


def test_a_predictor_does_not_differ_from_itself():
    found = compare(models(), plain(ONE), plain(ONE), seed=1)
    for one in (found.rho, found.regret):
        assert (one.value, one.low, one.high, one.p) == (0, 0, 0, 1)


def test_scale_does_not_matter():
    base = compare(models(), plain(ONE), plain(OTHER), seed=1)
    assert compare(models(), plain(np.exp(ONE)), plain(np.array(OTHER) * 100), seed=1) == base


def test_a_constant_predictor_has_no_rho_to_compare():
    found = compare(models(), plain([1, 1, 1, 1]), plain(OTHER), seed=1)
    assert found.rho.value is None and found.rho.p is None
    # It picks at random: the mean regret.
    assert found.regret.value == pytest.approx(0.8 - 0.65)


def test_p_of_two_equally_bad_predictors_is_rarely_small():
    rng = np.random.default_rng(3)
    small = 0
    for _ in range(300):
        outcome, one, other = rng.normal(size=(3, 8))
        small += compare(models(list(outcome)), plain(one), plain(other), seed=1).rho.p <= 0.1
    # The mean is 30 at most, its standard deviation 5.
    assert small <= 30 + 3 * 5


def test_a_clear_difference_is_found():
    outcome = np.linspace(0.3, 0.6, 20)
    noise = np.random.default_rng(1).normal(size=20)
    found = compare(models(list(outcome)), plain(outcome), plain(noise), seed=1)
    assert found.rho.low > 0.3 and found.rho.p < 0.01 and not found.p_is_exact


def test_problems_are_resampled_where_both_predictors_have_draws():
    rng = np.random.default_rng(2)
    outcome = np.linspace(0.3, 0.6, 6)

    def draws(values):
        return [(value + rng.normal(0, 0.05, DRAWS)).astype(np.float32) for value in values]

    table = models(
        list(outcome),
        outcome_draws=draws(outcome),
        pass_at_1=outcome - 0.1,
        pass_at_1_draws=draws(outcome - 0.1),
        pass_at_large_k=outcome + 0.1,
        pass_at_large_k_draws=draws(outcome + 0.1),
        entropy_before=outcome,
    )
    orders = {
        name: order(table, PREDICTORS[name], [column])
        for name, column in (
            ("pass_at_1", "pass_at_1"),
            ("pass_at_large_k", "pass_at_large_k"),
            ("rollout_entropy", "entropy_before"),
        )
    }
    assert orders["pass_at_1"].drawn.shape == (DRAWS, 6) and orders["rollout_entropy"].drawn is None
    both = compare(table, orders["pass_at_large_k"], orders["pass_at_1"], seed=1)
    one = compare(table, orders["rollout_entropy"], orders["pass_at_1"], seed=1)
    assert both.over_problems and not one.over_problems
    # All three order the models alike; problems alone make a difference.
    assert both.rho.value == one.rho.value == 0
    assert both.rho.low < 0 < both.rho.high and (one.rho.low, one.rho.high) == (0, 0)


def test_a_gain_is_drawn_with_outcome_and_pass_at_1():
    rng = np.random.default_rng(4)
    loss, before = np.array([0.5, 0.6, 0.7, 0.8]), np.array([0.2, 0.3, 0.25, 0.35])
    outcome = before + 1 - loss
    shift = rng.normal(0, 0.02, DRAWS)
    table = models(
        list(outcome),
        gain=outcome - before,
        outcome_draws=[value + shift for value in outcome],
        pass_at_1=before,
        pass_at_1_draws=[value + shift for value in before],
        generalization_loss=loss,
        generalization_loss_draws=[np.full(DRAWS, value) for value in loss],
    )
    found = order(table, PREDICTORS["generalization_loss_gain"], ["generalization_loss", "gain", "pass_at_1"])
    # The shift is common to all models: no draw changes their order.
    assert (found.drawn == found.values).all()


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([None, 0.2, None]) == [None, 0.2, None]
    assert holm([0.02, 0.02, 0.02]) == pytest.approx([0.06, 0.06, 0.06])
    assert holm([]) == []


def test_regret_of_ties_is_their_mean():
    assert regret(np.array([[1.0, 3, 3], [3, 2, 1]]), np.array([0.9, 0.5, 0.7])) == pytest.approx([0.3, 0.0])
