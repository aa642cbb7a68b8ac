"""What choosing an SFT model by a predictor would have cost, and how far each model's prediction is off.

Most of the models are never taken through RL. So the question is less how well all of them are ordered than whether the
first in the order is good.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quagmires.prediction.predictors import Predictor, known, leave_one_out_predictions, ranking
from quagmires.prediction.rank_correlation import DECIMALS

# A line through two models is the least that can predict a third.
FEWEST_TO_LEAVE_ONE_OUT = 3
FEWEST_TO_CHOOSE = 2
TOP = 3


@dataclass(frozen=True)
class LeaveOneOut:
    """Each model predicted by a fit on all others.

    `r2` = 1 - (squared errors) / (squared deviations from the mean of all); `mae` is the mean absolute error, in the
    unit of the outcome; `predictions` has a value for each row of the models, nan where the predictor is unknown.
    """

    r2: float | None
    mae: float | None
    predictions: np.ndarray


@dataclass(frozen=True)
class Choice:
    """The model a predictor ranks first, and what taking it costs.

    `picked` is its recipe (several, with commas, if tied); `regret_at_1` the best outcome minus that of the picked
    (the mean of the tied); `top3_recall` the share of the three best models among the predictor's first three, by
    chance 3 / models. None where there are too few models to choose from.
    """

    picked: str | None = None
    regret_at_1: float | None = None
    top3_recall: float | None = None


def leave_one_out(models: pd.DataFrame, predictor: Predictor) -> LeaveOneOut:
    """R2 and mean absolute error of leave-one-out predictions.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study; those whose outcome or predictor is unknown do not count.
    predictor
        of `predictors.PREDICTORS`.
    """
    usable = known(models, predictor)
    predictions = leave_one_out_predictions(models, predictor)
    if usable.sum() < FEWEST_TO_LEAVE_ONE_OUT:
        return LeaveOneOut(None, None, np.full(len(models), np.nan))
    outcome = models["outcome"].to_numpy(float)[usable]
    errors = predictions[usable] - outcome
    r2 = 1 - np.mean(errors**2) / outcome.var() if np.ptp(outcome) > 0 else None
    return LeaveOneOut(None if r2 is None else float(r2), float(np.abs(errors).mean()), predictions)


def choice(models: pd.DataFrame, predictor: Predictor) -> Choice:
    """What picking the model that the predictor ranks first would have cost; parameters as of `leave_one_out`.

    Combinations of fits rank by fits that have not seen the models they compare (`predictors.ranking`). Ties count as
    broken at random.
    """
    models = models[known(models, predictor)]
    if len(models) < FEWEST_TO_CHOOSE:
        return Choice()
    ranks = np.round(ranking(models, predictor), DECIMALS)
    outcome = np.round(models["outcome"].to_numpy(float), DECIMALS)
    recall = (_in_top(ranks) * _in_top(outcome)).sum() / TOP if len(models) > TOP else None
    return Choice(
        picked=", ".join(models["recipe"][ranks == ranks.max()]),
        regret_at_1=float(regret(ranks, outcome)),
        top3_recall=None if recall is None else float(recall),
    )


def regret(ranks: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """The best outcome minus that of the model ranked first, along the last axis; ties at the top have their mean.

    >>> float(regret(np.array([1.0, 3.0, 3.0]), np.array([0.9, 0.5, 0.7])).round(3))
    0.3
    """
    first = ranks == ranks.max(axis=-1, keepdims=True)
    return outcome.max(axis=-1) - (first * outcome).sum(axis=-1) / first.sum(axis=-1)


def _in_top(values: np.ndarray) -> np.ndarray:
    """(models,): the chance of each to be among the `TOP` highest, if ties are broken at random."""
    last = np.sort(values)[-TOP]
    above, tied = values > last, values == last
    return above + tied * (TOP - above.sum()) / tied.sum()
