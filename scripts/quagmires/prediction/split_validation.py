"""The paper's measure of prediction (Tables 2, 4-7 and 9): R2 on models that the fit has not seen, over random splits.

R2 = 1 - (mean squared error) / (variance), of the held-out models. It is never clipped. With few models it can be very
negative: where the held-out outcomes happen to lie close together, or a line through two close points goes astray. A
few such splits carry the mean, so the median and quartiles stand beside it, and the same R2 against the variance of all
models, whose denominator does not depend on the split.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quagmires.prediction.predictors import Predictor, fit_predict, known

FEWEST_TO_FIT = 2
# The held-out variance of one model is zero.
FEWEST_TO_VALIDATE = 2
FEWEST_MODELS = FEWEST_TO_FIT + FEWEST_TO_VALIDATE


@dataclass(frozen=True)
class SplitSummary:
    """R2 over random splits into `fitting` and `validation` models.

    `undefined` of the `splits` have held-out outcomes without variance; the rest are summarised. The paper's "standard
    error" is a standard deviation in size; both are given. `standard_error` = standard deviation / sqrt(defined
    splits) says how well this many splits determine the mean, not how it would vary with other models. All None, and
    no splits, if there are too few models.
    """

    fitting: int
    validation: int
    splits: int = 0
    undefined: int = 0
    mean: float | None = None
    standard_deviation: float | None = None
    standard_error: float | None = None
    median: float | None = None
    q25: float | None = None
    q75: float | None = None
    all_variance_mean: float | None = None
    all_variance_median: float | None = None


@dataclass(frozen=True)
class SplitComparison:
    """R2 of a predictor minus that of a baseline on the same splits.

    `share_better` is the share of the defined splits in which the predictor's is the higher.
    """

    fitting: int
    validation: int
    splits: int = 0
    undefined: int = 0
    mean_gain: float | None = None
    standard_deviation: float | None = None
    standard_error: float | None = None
    median_gain: float | None = None
    share_better: float | None = None


def half(count: int) -> int:
    """How many of `count` models are fitted in Tables 2 and 4: half, rounded down (8 of 17 models, 6 of 12)."""
    return count // 2


def possible_fitting_sizes(count: int) -> list[int]:
    """All numbers of fitted models that leave enough to fit and to validate; none for fewer than `FEWEST_MODELS`."""
    return list(range(FEWEST_TO_FIT, count - FEWEST_TO_VALIDATE + 1))


def draw_splits(count: int, fitting: int, splits: int, seed: int) -> np.ndarray:
    """bool, (splits, count): the fitted models of each split.

    They depend on nothing else, and are therefore the same for all predictors; more splits begin with the same ones.
    As in the paper they are drawn, never listed: of few models the same split comes more than once, which changes
    nothing in what mean and quantiles estimate.
    """
    rng = np.random.default_rng([seed, count, fitting])
    return rng.permuted(np.tile(np.arange(count) < fitting, (splits, 1)), axis=1)


def r2_over_splits(models: pd.DataFrame, predictor: Predictor, fitting: int, splits: int, seed: int) -> SplitSummary:
    """R2 of a predictor over random splits.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study; those whose outcome or predictor is unknown are left out.
    predictor
        of `predictors.PREDICTORS`.
    fitting
        number of models to fit on, see `possible_fitting_sizes`; the rest are predicted.
    splits
        how many to draw.
    seed
        of the splits.
    """
    models = models[known(models, predictor)]
    count = len(models)
    if fitting not in possible_fitting_sizes(count):
        return SplitSummary(fitting, max(count - fitting, 0))
    held_out, all_variance = split_r2(models, predictor, draw_splits(count, fitting, splits, seed))
    defined = held_out[~np.isnan(held_out)]
    mean, deviation, error, (q25, median, q75) = _summary(defined)
    every = not np.isnan(all_variance).any()
    return SplitSummary(
        fitting=fitting,
        validation=count - fitting,
        splits=splits,
        undefined=splits - len(defined),
        mean=mean,
        standard_deviation=deviation,
        standard_error=error,
        median=median,
        q25=q25,
        q75=q75,
        all_variance_mean=float(all_variance.mean()) if every else None,
        all_variance_median=float(np.median(all_variance)) if every else None,
    )


def compare_over_splits(
    models: pd.DataFrame, predictor: Predictor, baseline: Predictor, fitting: int, splits: int, seed: int
) -> SplitComparison:
    """R2 of `predictor` minus R2 of `baseline`, split by split, on the models that both are known for.

    Parameters as of `r2_over_splits`. Splits that are hard for both cancel out, so that the standard deviation of the
    difference says more than those of the two.
    """
    models = models[known(models, predictor) & known(models, baseline)]
    count = len(models)
    if fitting not in possible_fitting_sizes(count):
        return SplitComparison(fitting, max(count - fitting, 0))
    masks = draw_splits(count, fitting, splits, seed)
    gain = split_r2(models, predictor, masks)[0] - split_r2(models, baseline, masks)[0]
    defined = gain[~np.isnan(gain)]
    mean, deviation, error, (_, median, _) = _summary(defined)
    return SplitComparison(
        fitting=fitting,
        validation=count - fitting,
        splits=splits,
        undefined=splits - len(defined),
        mean_gain=mean,
        standard_deviation=deviation,
        standard_error=error,
        median_gain=median,
        share_better=float((defined > 0).mean()) if len(defined) else None,
    )


def split_r2(models: pd.DataFrame, predictor: Predictor, fit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R2 of each split on the models not fitted: against their own variance, and against that of all models.

    Parameters
    ----------
    models
        all of known outcome and predictor.
    predictor
        of `predictors.PREDICTORS`.
    fit
        bool, (splits, models).

    Returns
    -------
    two arrays (splits,), nan where the variance is zero
    """
    outcome = models["outcome"].to_numpy(float)
    held_out = ~fit
    counts = held_out.sum(axis=1)
    # A product of the mask with nan would be nan, not nothing.
    squares = np.where(held_out, (fit_predict(predictor, models, fit) - outcome) ** 2, 0.0)
    error = squares.sum(axis=1) / counts
    means = held_out @ outcome / counts
    variance = np.where(held_out, (outcome - means[:, None]) ** 2, 0.0).sum(axis=1) / counts
    spread = np.where(held_out, outcome, -np.inf).max(axis=1) - np.where(held_out, outcome, np.inf).min(axis=1)
    # Equal outcomes can differ from their mean by rounding: their spread cannot.
    against_own = 1 - np.divide(error, variance, out=np.full(len(fit), np.nan), where=spread > 0)
    against_all = 1 - error / outcome.var() if np.ptp(outcome) > 0 else np.full(len(fit), np.nan)
    return against_own, against_all


def _summary(values: np.ndarray) -> tuple[float | None, float | None, float | None, tuple[float | None, ...]]:
    """Mean, standard deviation, standard error and quartiles of the defined splits; None where there are too few."""
    if not len(values):
        return None, None, None, (None, None, None)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    error = deviation / len(values) ** 0.5 if deviation is not None else None
    return float(values.mean()), deviation, error, tuple(float(q) for q in np.quantile(values, [0.25, 0.5, 0.75]))
