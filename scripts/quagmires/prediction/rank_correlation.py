"""How well a predictor orders models (paper, Tables 1, 3, 8 and 10): rank correlations with the outcome after RL.

scipy gives ranks and Kendall's tau. Its `spearmanr` takes one resample at a time (`spearmanrho`, from SciPy 1.17 on,
takes many). Its `bootstrap` and `permutation_test` draw otherwise, so that stored intervals and p values would change.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.stats import kendalltau, norm, rankdata

from quagmires.config.labels import in_units
from quagmires.prediction.predictors import Predictor, known, ranking

BOOTSTRAPS = 2_000
PERMUTATIONS = 20_000
# Up to here all orders of the models, 40,320 at most, are listed for an exact p.
EXACT_MODELS = 8
# Two models have a rho of one or minus one whatever the predictor.
FEWEST_MODELS = 3
# Values are compared after rounding to so many decimals: what differs by rounding errors is tied.
DECIMALS = 12


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlations of a predictor with the outcome over `models` models.

    Spearman's rho with an interval and a two-sided p against no relation (exact, or by random permutations), and
    Kendall's tau-b. All None for fewer than `FEWEST_MODELS`, or where predictor or outcome do not vary.
    """

    models: int
    spearman: float | None = None
    spearman_low: float | None = None
    spearman_high: float | None = None
    spearman_p: float | None = None
    p_is_exact: bool | None = None
    kendall: float | None = None


def rank_agreement(models: pd.DataFrame, predictor: Predictor, seed: int, confidence: float = 0.9) -> RankAgreement:
    """Rank agreement of a predictor with the outcome.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study; those whose outcome or predictor is unknown are left out.
    predictor
        of `predictors.PREDICTORS`; see `predictors.ranking` for what is ranked.
    seed
        of resamples and permutations, which are the same for all predictors.
    confidence
        of the interval, see `bootstrap_interval`.
    """
    models = models[known(models, predictor)]
    return _agreement(ranking(models, predictor), models["outcome"].to_numpy(float), seed, confidence)


def by_budget(
    models: pd.DataFrame, predictor: Predictor, budgets: Sequence[float], seed: int, confidence: float = 0.9
) -> dict[str, RankAgreement]:
    """Rank agreement within groups of like SFT budget (Tables 8 and 10).

    Parameters
    ----------
    models, predictor, seed, confidence
        as of `rank_agreement`. A combination of fits is ranked by fits on models of all budgets.
    budgets
        upper bounds in SFT tokens, rising. A group holds what is above the bound before, up to its own.

    Returns
    -------
    by label (see `budget_labels`), every group of `budgets`; models above the last bound make one more.
    """
    models = models[known(models, predictor)]
    ranks, outcome = ranking(models, predictor), models["outcome"].to_numpy(float)
    return {
        label: _agreement(ranks[group], outcome[group], seed, confidence)
        for label, group in budget_groups(models, budgets).items()
    }


def budget_groups(models: pd.DataFrame, budgets: Sequence[float]) -> dict[str, np.ndarray]:
    """By label, which models (a mask) are in each budget; one above the last bound only if there are such models."""
    place = np.searchsorted(budgets, models["sft_tokens"].to_numpy(float))
    labels = budget_labels(budgets)
    wanted = labels if (place == len(budgets)).any() else labels[:-1]
    return {label: place == number for number, label in enumerate(wanted)}


def budget_labels(budgets: Sequence[float]) -> list[str]:
    """`< 2B`, `2-5B`, `5-20B` and, last, `> 20B` for the bounds 2e9, 5e9, 2e10 (tokens)."""
    amounts = [_amount(bound) for bound in budgets]
    between = [
        f"{low}{'' if low_unit == unit else low_unit}-{high}{unit}"
        for (low, low_unit), (high, unit) in itertools.pairwise(amounts)
    ]
    return [f"< {''.join(amounts[0])}", *between, f"> {''.join(amounts[-1])}"]


def _amount(tokens: float) -> tuple[str, str]:
    size, unit = in_units(tokens)
    return f"{size:g}", unit


def average_of(groups: Mapping[str, RankAgreement]) -> float | None:
    """The paper's average row: the unweighted mean rho of the groups that have one; None if none has."""
    values = [group.spearman for group in groups.values() if group.spearman is not None]
    return float(np.mean(values)) if values else None


def _agreement(ranks: np.ndarray, outcome: np.ndarray, seed: int, confidence: float) -> RankAgreement:
    ranks, outcome = np.round(ranks, DECIMALS), np.round(outcome, DECIMALS)
    count = len(ranks)
    if count < FEWEST_MODELS or np.ptp(ranks) == 0 or np.ptp(outcome) == 0:
        return RankAgreement(count)
    low, high = bootstrap_interval(ranks, outcome, seed, confidence)
    p, exact = permutation_p(ranks, outcome, seed)
    return RankAgreement(
        models=count,
        spearman=float(spearman(ranks, outcome)),
        spearman_low=low,
        spearman_high=high,
        spearman_p=p,
        p_is_exact=exact,
        kendall=float(kendalltau(ranks, outcome).statistic),
    )


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rho along the last axis, ties at their average rank; nan where `x` or `y` does not vary."""
    x, y = _centred_ranks(x), _centred_ranks(y)
    lengths = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    return np.divide((x * y).sum(axis=-1), lengths, out=np.full(lengths.shape, np.nan), where=lengths > 0)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    return rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2


def bootstrap_interval(x: np.ndarray, y: np.ndarray, seed: int, confidence: float = 0.9) -> tuple[float, float]:
    """A percentile interval of Spearman's rho over resampled models, (low, high).

    Resamples without variation are dropped. Why not BCa: it is no better on worlds of 6 to 17 models, and its
    acceleration is undefined where leaving out any model changes nothing. Where the order is perfect, so is that of
    every resample, and few models with ties can do nearly the same: the percentiles would claim certainty from three
    models. Where an end is not beyond rho itself, it is that of the interval by Fisher's transform (Bonett & Wright
    2000, doi:10.1007/BF02294183), around a rho of at most half a step below one.
    """
    count = len(x)
    draws = np.random.default_rng([seed, count, 0]).integers(count, size=(BOOTSTRAPS, count))
    rhos = spearman(x[draws], y[draws])
    tail = (1 - confidence) / 2
    low, high = np.quantile(rhos[~np.isnan(rhos)], [tail, 1 - tail])
    rho = float(spearman(x, y))
    most = 1 - 6 / (count**3 - count)
    centre = np.clip(rho, -most, most)
    reach = norm.ppf(1 - tail) * np.sqrt((1 + centre**2 / 2) / max(count - 3, 1))
    if low > rho - 1e-9 and rho > -1:
        low = np.tanh(np.arctanh(centre) - reach)
    if high < rho + 1e-9 and rho < 1:
        high = np.tanh(np.arctanh(centre) + reach)
    return float(low), float(high)


def permutation_p(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, bool]:
    """Two-sided p of Spearman's rho, and whether it is exact.

    The share of orders of the models that are at least as far from zero: of all orders up to `EXACT_MODELS`, else of
    `PERMUTATIONS` random ones, the observed one among them.
    """
    count = len(x)
    x, y = _centred_ranks(x), _centred_ranks(y)
    exact = count <= EXACT_MODELS
    if exact:
        orders = x[_all_orders(count)]
    else:
        orders = np.random.default_rng([seed, count, 1]).permuted(np.tile(x, (PERMUTATIONS, 1)), axis=1)
        orders[0] = x
    # Sums of products of half ranks: exact but for the last bits.
    return float((np.abs(orders @ y) >= abs(x @ y) - 1e-9).mean()), exact


@cache
def _all_orders(count: int) -> np.ndarray:
    return np.array(list(itertools.permutations(range(count))))
