"""How exactly scores before and after RL are known, and fits that allow for it.

Shared errors. All models answer the same problems. If these happen to be easy, all scores are too high, and no
difference and no slope changes; only the rest of a model's error is noise between models. The joint draws of
bootstrap.py tell one from the other.

Errors of predictors. To predict a model that was measured like those a line was fitted on, least squares on the noisy
predictor is right as it is: noise flattens the line, and a flatter line is what a noisy predictor deserves. Errors
matter for the slope itself, or where models were measured with unequal errors, as with fewer samples for some. No
library is used: scipy.odr is on its way out, and takes the line as exact but for the known errors.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quagmires.prediction.bootstrap import DRAWS

# Columns that are differences of others, whose draws are stored.
DIFFERENCES = {"gain": ("outcome", "pass_at_1")}


def draws_of(models: pd.DataFrame, column: str) -> np.ndarray:
    """(models, DRAWS): joint bootstrap draws of a column; nan for models without them."""
    if column in DIFFERENCES:
        first, second = DIFFERENCES[column]
        return draws_of(models, first) - draws_of(models, second)
    stored = models.get(f"{column}_draws", pd.Series([None] * len(models)))
    # Where no model has draws, what is stored can be a column of nan.
    rows = [np.asarray(one, float) if np.ndim(one) else np.full(DRAWS, np.nan) for one in stored]
    return np.stack(rows) if rows else np.empty((0, DRAWS))


def difference_error(models: pd.DataFrame, i: int, j: int, column: str) -> float:
    """Standard error of column[i] - column[j], on the same problems.

    Parameters
    ----------
    models
        of studies with the same benchmarks.
    i, j
        positions of rows.
    column
        pass_at_1, pass_at_large_k, generalization_loss, outcome or gain.

    Returns
    -------
    From the draws, in which problems that are hard for both cancel; without draws from both standard errors as if they
    were independent, which is too large; nan if they are unknown.
    """
    draws = draws_of(models.iloc[[i, j]], column)
    if np.isfinite(draws).all():
        return float((draws[0] - draws[1]).std(ddof=1))
    return float(np.hypot(*models[f"{column}_se"].iloc[[i, j]].astype(float)))


def independent_errors(models: pd.DataFrame, column: str) -> np.ndarray:
    """(models,): the standard error of each model that the models do not share.

    From the variances of each model's deviation from the mean of all, over the draws. If the errors e_i of N models
    are independent but for a shared part, that variance is v_i (1 - 2/N) + sum(v) / N^2, which is solved for v_i (as
    Grubbs 1948 does for instruments that measure the same things). Below zero it is zero. With two models each has half
    of their difference's variance; a single model, or one without draws, keeps its standard error.
    """
    errors = models[f"{column}_se"].to_numpy(float).copy()
    draws = draws_of(models, column)
    known = np.flatnonzero(np.isfinite(draws).all(axis=1))
    count = len(known)
    if count < 2:
        return errors
    variances = (draws[known] - draws[known].mean(axis=0)).var(axis=1, ddof=1)
    if count == 2:
        errors[known] = np.sqrt(2 * variances)
        return errors
    shared = variances.sum() / (1 - 1 / count) / count**2
    errors[known] = np.sqrt(np.maximum(0.0, (variances - shared) / (1 - 2 / count)))
    return errors


def calibrated(x: np.ndarray, x_se: np.ndarray) -> np.ndarray:
    """Regression calibration of a noisy predictor: what its true value is expected to be, given the measured one.

    x_hat = mean + lambda_i (x_i - mean), lambda_i = tau2 / (tau2 + se_i^2), where tau2, the variance of the true
    values, is the variance of x less the mean of se^2, and at least 0. Least squares on x_hat estimates the line on the
    true values (Fuller 1987, Measurement Error Models; Carroll et al. 2006, Measurement Error in Nonlinear Models,
    chapter 4). With equal errors all lambda are one number: the slope becomes steeper by 1 / lambda, and predictions
    stay what they were.

    Parameters
    ----------
    x
        (models,); nan stays nan.
    x_se
        (models,): standard errors that are independent between models; nan counts as 0.

    Returns
    -------
    (models,): all at the mean if tau2 is 0, as errors alone explain the differences
    """
    x = np.asarray(x, float)
    variances = np.nan_to_num(np.asarray(x_se, float)) ** 2
    known = np.isfinite(x)
    if known.sum() < 2:
        return x.copy()
    mean, true = x[known].mean(), _true_variance(x[known], variances[known])
    total = true + variances
    reliability = np.divide(true, total, out=np.ones_like(x), where=total > 0)
    return mean + reliability * (x - mean)


def _true_variance(x: np.ndarray, variances: np.ndarray) -> float:
    """Variance of the true values, by moments."""
    return max(0.0, float(x.var(ddof=1) - variances.mean()))


@dataclass(frozen=True)
class StructuralLine:
    """outcome = intercept + slope * true value; `reliability` is the share of the measured variance that is true.

    Slope and intercept are None where fewer than three models or no errors are known, or errors alone explain the
    differences between models; reliability is 0 in the last case, else None as well.
    """

    models: int
    slope: float | None
    intercept: float | None
    reliability: float | None


def errors_in_variables(models: pd.DataFrame, column: str) -> StructuralLine:
    """The line of the outcome on a predictor without its measurement error; see `calibrated`.

    The errors of predictor and outcome are taken as independent but for what all models share.
    """
    known = models[np.isfinite(models["outcome"].astype(float)) & np.isfinite(models[column].astype(float))]
    x, outcome = known[column].to_numpy(float), known["outcome"].to_numpy(float)
    errors = independent_errors(known, column)
    if len(known) < 3 or not np.isfinite(errors).any():
        return StructuralLine(len(known), None, None, None)
    variances = np.nan_to_num(errors) ** 2
    true = _true_variance(x, variances)
    if true == 0:
        return StructuralLine(len(known), None, None, 0.0)
    slope, intercept = np.polyfit(calibrated(x, np.sqrt(variances)), outcome, 1)
    return StructuralLine(len(known), float(slope), float(intercept), float(true / (true + variances.mean())))
