"""Whether one predictor is better than another on the same models: differences with intervals, and how many were tried.

The interval is a bootstrap: models are resampled, for both predictors alike, and where both predictors and the outcome
carry joint draws over problems (bootstrap.py), each resample also takes one of these. The p value is a permutation
test. If neither predictor were better, it would not matter which of the two ranks a model got from which predictor: so
ranks are exchanged model by model (all 2^n ways up to `EXACT_MODELS` models, else at random).

Of many predictors that are tried one looks good by chance. p values are therefore corrected by Holm's method (1979,
Scandinavian Journal of Statistics 6), which holds whatever the dependence between the tests. A permutation of the
maximum would gain a little power. But its null hypothesis is that all predictors are exchangeable with the baseline at
once, so that with one that is really different it would say nothing about the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.errors_in_variables import draws_of
from quagmires.prediction.predictors import Predictor, ranking
from quagmires.prediction.rank_correlation import BOOTSTRAPS, DECIMALS, PERMUTATIONS, spearman
from quagmires.prediction.selection_cost import regret

# Up to here all exchanges, 4,096 at most, are listed for an exact p.
EXACT_MODELS = 12
# What follows from outcome and Pass@1, and is drawn with them.
FROM_OUTCOME = frozenset({"outcome", "gain"})
Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Difference:
    """One predictor's statistic minus the other's, its interval, and the p of no difference; None where undefined."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Comparison:
    """Of two predictors on `models` models: the differences in rho (higher is better) and in regret@1 (lower is).

    `over_problems` says whether problems were resampled too; `p_is_exact` whether all exchanges were listed.
    """

    models: int
    over_problems: bool
    p_is_exact: bool
    rho: Difference
    regret: Difference


@dataclass(frozen=True)
class Order:
    """What a predictor ranks models by: `values` (models,), and `drawn` (DRAWS, models) on resampled problems."""

    values: np.ndarray
    drawn: np.ndarray | None


def order(models: pd.DataFrame, predictor: Predictor, columns: Sequence[str]) -> Order:
    """The order of models whose predictor and outcome are known.

    Parameters
    ----------
    models, predictor
        as of `predictors.ranking`.
    columns
        what the predictor is made of.
    """
    values = np.round(ranking(models, predictor), DECIMALS)
    drawn_columns = {name: drawn(models, name) for name in columns if name not in FROM_OUTCOME}
    outcomes = drawn(models, "outcome")
    if outcomes is None or any(draws is None for draws in drawn_columns.values()):
        return Order(values, None)
    rows = []
    for place in range(DRAWS):
        # To the type checker: none is None here.
        resampled = {name: draws[:, place] for name, draws in drawn_columns.items() if draws is not None}
        frame = models.assign(**resampled, outcome=outcomes[:, place])
        if "gain" in columns:
            frame["gain"] = frame["outcome"] - frame["pass_at_1"]
        rows.append(np.round(ranking(frame, predictor), DECIMALS))
    return Order(values, np.array(rows))


def drawn(models: pd.DataFrame, column: str) -> np.ndarray | None:
    """(models, DRAWS) of a column's joint draws; None unless every model has them."""
    draws = draws_of(models, column)
    return draws if np.isfinite(draws).all() else None


def compare(models: pd.DataFrame, one: Order, other: Order, seed: int, confidence: float = 0.9) -> Comparison:
    """Compare two predictors on the same models.

    Parameters
    ----------
    models
        those that both know, with their outcome.
    one, other
        the order of these models by each; differences are `one` minus `other`.
    seed
        of resamples and exchanges, which are the same for all predictors.
    confidence
        of the intervals.
    """
    outcome = np.round(models["outcome"].to_numpy(float), DECIMALS)
    count = len(outcome)
    outcomes = drawn(models, "outcome")
    over_problems = one.drawn is not None and other.drawn is not None and outcomes is not None
    places = np.random.default_rng([seed, count, 2]).integers(count, size=(BOOTSTRAPS, count))
    if over_problems:
        assert one.drawn is not None and other.drawn is not None and outcomes is not None
        of_draw = (np.arange(BOOTSTRAPS) % DRAWS)[:, None]
        resampled = (one.drawn[of_draw, places], other.drawn[of_draw, places], outcomes.T[of_draw, places])
    else:
        resampled = (one.values[places], other.values[places], outcome[places])
    exchanges, exact = _exchanges(count, seed)
    ranks = rankdata(one.values), rankdata(other.values)
    exchanged = np.where(exchanges, ranks[1], ranks[0]), np.where(exchanges, ranks[0], ranks[1])

    def difference(statistic: Statistic) -> Difference:
        value = float(statistic(one.values, outcome) - statistic(other.values, outcome))
        if np.isnan(value):
            return Difference(None, None, None, None)
        spread = statistic(resampled[0], resampled[2]) - statistic(resampled[1], resampled[2])
        tail = (1 - confidence) / 2
        low, high = np.quantile(spread[~np.isnan(spread)], [tail, 1 - tail])
        null = statistic(exchanged[0], outcome) - statistic(exchanged[1], outcome)
        # An exchange after which a statistic is not defined is one without a difference.
        p = float((np.abs(np.nan_to_num(null)) >= abs(value) - 1e-9).mean())
        return Difference(value, float(low), float(high), p)

    return Comparison(count, over_problems, exact, difference(_rho), difference(regret))


def _rho(ranks: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    return spearman(ranks, np.broadcast_to(outcome, ranks.shape))


def _exchanges(count: int, seed: int) -> tuple[np.ndarray, bool]:
    """(exchanges, models) of bool, and whether they are all there are."""
    if count <= EXACT_MODELS:
        return (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1, True
    exchanges = np.random.default_rng([seed, count, 3]).random((PERMUTATIONS, count)) < 0.5
    # The observed one among them.
    exchanges[0] = False
    return exchanges, False


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values: the i-th smallest of m times m - i + 1, never below one before it, and 1 at most.

    What is None was not tested, and does not count.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    tested = sorted((value, place) for place, value in enumerate(p_values) if value is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for number, (value, place) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - number) * value))
        adjusted[place] = highest
    return adjusted
