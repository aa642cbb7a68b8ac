import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.rank_correlation import (
    RankAgreement,
    average_of,
    bootstrap_interval,
    budget_labels,
    by_budget,
    permutation_p,
    rank_agreement,
    spearman,
)

PASS_AT_1, LOSS, AVERAGE = (PREDICTORS[name] for name in ("pass_at_1", "generalization_loss", "average"))
PAPERS = [2e9, 5e9, 2e10]


def table(predictor: list[float], outcome: list[float], tokens: list[float] | None = None) -> pd.DataFrame:
    columns = {"pass_at_1": predictor, "outcome": outcome, "generalization_loss": predictor}
    return pd.DataFrame(columns | {"sft_tokens": tokens or [0] * len(predictor)})


def random_table(count: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.2, 0.4, count)
    return table(list(x), list(x + rng.normal(0, 0.05, count)), list(rng.uniform(0, 2e10, count)))


def test_correlations_are_scipys_with_ties_at_average_ranks():
    models = table([0.1, 0.2, 0.2, 0.3, 0.5, 0.4, 0.4], [0.3, 0.3, 0.5, 0.4, 0.6, 0.5, 0.7])
    result = rank_agreement(models, PASS_AT_1, seed=1)
    assert result.models == 7
    assert result.spearman == pytest.approx(stats.spearmanr(models["pass_at_1"], models["outcome"]).statistic)
    assert result.kendall == pytest.approx(stats.kendalltau(models["pass_at_1"], models["outcome"]).statistic)


def test_many_resamples_at_once_are_each_scipys():
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 5, (2, 30, 8))
    expected = [stats.spearmanr(*pair).statistic for pair in zip(x, y, strict=True)]
    assert spearman(x, y) == pytest.approx(expected)


def test_rounding_errors_are_ties():
    models = table([0.1 + 0.2, 0.3, 0.4, 0.5], [0.5, 0.6, 0.7, 0.8])
    assert rank_agreement(models, PASS_AT_1, seed=1).spearman == pytest.approx(
        stats.spearmanr([1, 1, 2, 3], [1, 2, 3, 4]).statistic
    )


def test_a_predictor_that_points_the_wrong_way_has_a_negative_rho():
    rising, falling = [0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]
    assert rank_agreement(table(rising, falling), PASS_AT_1, seed=1).spearman == pytest.approx(-1)
    assert rank_agreement(table(rising, falling), LOSS, seed=1).spearman == pytest.approx(1)


def test_p_is_exact_for_few_models():
    # Of the 24 orders of four models, only this one and its reverse are as extreme.
    assert permutation_p(np.arange(4.0), np.arange(4.0), seed=1) == (pytest.approx(2 / 24), True)
    x, y = np.array([1, 2, 2, 4, 5, 7.0]), np.array([2, 1, 3, 3, 6, 5.0])
    observed = abs(stats.spearmanr(x, y).statistic)
    rhos = [stats.spearmanr(order, y).statistic for order in itertools.permutations(x)]
    assert permutation_p(x, y, seed=1) == (pytest.approx(np.mean(np.abs(rhos) >= observed - 1e-12)), True)


def test_random_permutations_come_near_the_exact_p(monkeypatch):
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 8))
    exact, _ = permutation_p(x, y, seed=1)
    monkeypatch.setattr("quagmires.prediction.rank_correlation.EXACT_MODELS", 7)
    drawn, is_exact = permutation_p(x, y, seed=1)
    assert not is_exact
    assert drawn == pytest.approx(exact, abs=0.015)


def test_a_drawn_p_is_never_zero():
    p, exact = permutation_p(np.arange(17.0), np.arange(17.0), seed=1)
    assert not exact and 0 < p < 1e-3


def test_the_interval_is_scipys_percentile_bootstrap():
    models = random_table(12)
    x, y = models["pass_at_1"].to_numpy(), models["outcome"].to_numpy()
    theirs = stats.bootstrap(
        (x, y), lambda x, y, axis: spearman(x, y), paired=True, vectorized=True, n_resamples=4000,
        confidence_level=0.9, method="percentile", rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert bootstrap_interval(x, y, seed=1) == pytest.approx(tuple(theirs), abs=0.06)
    result = rank_agreement(models, PASS_AT_1, seed=1)
    assert (result.spearman_low, result.spearman_high) == bootstrap_interval(x, y, seed=1)


def test_more_confidence_is_a_wider_interval():
    models = random_table(12)
    narrow, wide = (rank_agreement(models, PASS_AT_1, seed=1, confidence=level) for level in (0.5, 0.95))
    assert wide.spearman_low < narrow.spearman_low < narrow.spearman_high < wide.spearman_high


def test_few_models_of_which_most_are_tied_are_not_certain():
    """Resamples with the one that differs all have the rho of all, or a higher one."""
    saturated, outcome = np.array([1.0, 1.0, 1.0, 0.979]), np.array([0.655, 0.698, 0.683, 0.266])
    rho = float(spearman(saturated, outcome))
    low, high = bootstrap_interval(saturated, outcome, seed=1)
    assert low < 0 < rho < high
    mirrored = bootstrap_interval(saturated, -outcome, seed=1)
    assert mirrored == pytest.approx((-high, -low))


@pytest.mark.parametrize("count", [3, 5, 10])
def test_a_perfect_order_of_few_models_is_not_certain(count):
    rising = np.arange(count, dtype=float)
    low, high = bootstrap_interval(rising, rising, seed=1)
    assert high == 1 and low < {3: 0, 5: 0.6, 10: 0.98}[count]
    assert bootstrap_interval(rising, -rising, seed=1) == pytest.approx((-1, -low))


def test_resamples_of_one_model_only_are_dropped():
    low, high = bootstrap_interval(np.array([0, 0, 1.0]), np.array([0, 1, 0.0]), seed=1)
    assert -1 <= low < high <= 1


@pytest.mark.parametrize("world_rho", [0.5, 0.9])
def test_nine_in_ten_intervals_hold_the_truth(world_rho):
    """Spearman's rho of a normal world is known: 6/pi asin(r/2)."""
    truth, held, worlds = 6 / np.pi * np.arcsin(world_rho / 2), 0, 150
    rng = np.random.default_rng(2)
    for world in range(worlds):
        x = rng.normal(size=12)
        y = world_rho * x + np.sqrt(1 - world_rho**2) * rng.normal(size=12)
        low, high = bootstrap_interval(x, y, seed=world)
        held += low <= truth <= high
    assert 0.85 <= held / worlds <= 0.97


def test_same_seed_same_result():
    models = random_table(12)
    one, again, other = (rank_agreement(models, PASS_AT_1, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


@pytest.mark.parametrize("models", [table([0.1, 0.2], [0.3, 0.4]), table([], [])])
def test_too_few_models_have_no_rho_but_are_counted(models):
    assert rank_agreement(models, PASS_AT_1, seed=1) == RankAgreement(len(models))


def test_no_variation_has_no_rho():
    assert rank_agreement(table([0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]), PASS_AT_1, seed=1) == RankAgreement(5)
    assert rank_agreement(table([0.1, 0.2, 0.3, 0.4], [0.3] * 4), PASS_AT_1, seed=1) == RankAgreement(4)


def test_models_without_outcome_do_not_count():
    models = random_table(9)
    fewer = models.drop(index=3)
    models.loc[3, "outcome"] = np.nan
    assert rank_agreement(models, PASS_AT_1, seed=1) == rank_agreement(fewer, PASS_AT_1, seed=1)


def test_budget_groups_are_the_papers():
    tokens = [0, 1e9, 2e9, 2.1e9, 3e9, 5e9, 6e9, 2e10]
    models = table(list(np.arange(8.0)), [1, 0, 2, 3, 4, 5, 7, 6.0], tokens)
    groups = by_budget(models, PASS_AT_1, PAPERS, seed=1)
    assert {label: group.models for label, group in groups.items()} == {"< 2B": 3, "2-5B": 3, "5-20B": 2}
    assert groups["< 2B"].spearman == pytest.approx(0.5)
    assert groups["2-5B"].spearman == pytest.approx(1)
    assert groups["5-20B"] == RankAgreement(2)


def test_models_without_outcome_are_in_no_budget_group():
    models = table([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, np.nan], [1e9] * 4)
    group = by_budget(models, PASS_AT_1, PAPERS, seed=1)["< 2B"]
    assert (group.models, group.spearman) == (3, pytest.approx(1))


def test_models_above_the_last_budget_are_a_group_of_their_own():
    models = table([0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [2.1e10, 3e10, 4e10])
    groups = by_budget(models, PASS_AT_1, PAPERS, seed=1)
    assert list(groups) == ["< 2B", "2-5B", "5-20B", "> 20B"]
    assert groups["> 20B"].models == 3 and groups["< 2B"] == RankAgreement(0)


def test_labels_have_units_where_they_are_needed():
    assert budget_labels(PAPERS) == ["< 2B", "2-5B", "5-20B", "> 20B"]
    assert budget_labels([500, 1.5e6, 2e6, 1e9]) == ["< 500", "500-1.5M", "1.5-2M", "2M-1B", "> 1B"]
    assert budget_labels([2e9]) == ["< 2B", "> 2B"]
    assert budget_labels([100, 900]) == ["< 100", "100-900", "> 900"]


def test_the_average_row_is_the_papers():
    def groups(*rhos):
        return {str(place): RankAgreement(5, spearman=rho) for place, rho in enumerate(rhos)}

    assert round(average_of(groups(0.77, 0.60, 0.70)), 2) == 0.69
    assert round(average_of(groups(0.80, 0.80, 0.50)), 2) == 0.70
    assert average_of(groups(0.5, None, 0.7)) == pytest.approx(0.6)
    assert average_of(groups(None, None)) is None


def test_combinations_in_a_group_are_fitted_on_models_of_all_budgets():
    """Three models are too few to fit two of them and compare the rest."""
    models = random_table(12).assign(sft_tokens=[1e9] * 3 + [3e9] * 9)
    models["pass_at_large_k"] = models["outcome"]
    models["generalization_loss"] = -models["outcome"]
    assert by_budget(models, AVERAGE, PAPERS, seed=1)["< 2B"].spearman == pytest.approx(1)
