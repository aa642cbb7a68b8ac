"""Outcomes after RL predicted from models that have been through it, with prediction intervals.

Every predictor is linear in the outcomes it is fitted on: a line, or the mean of lines. So one construction serves all,
that of linear smoothers (Cleveland & Devlin 1988, doi:10.1080/01621459.1988.10478639). With H y the predictions of the
fitted models, R = I - H, d1 = tr(R'R), d2 = tr((R'R)^2), and a prediction w y:

    scale^2 = |R y|^2 / d1        the spread of models around the fit
    degrees of freedom = d1^2 / d2
    interval = w y +- t scale sqrt(1 + |w|^2)

For one line this is the textbook interval of least squares, with n - 2 degrees of freedom. The mean of two lines has
nearly as many (with three models between 1 and 2). A predictor that adds a predicted gain to Pass@1 has the spread of
its gains. statsmodels knows the interval of one line alone.

The interval is for the outcome as it would be measured, on the same problems. The spread of measured outcomes has their
measurement errors in it, so these are not added once more. But a few models can lie on a line by luck: the interval is
never narrower than known errors alone make it, with the normal quantile that goes with a known scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from quagmires.common.errors import UserError
from quagmires.prediction.errors_in_variables import calibrated, independent_errors
from quagmires.prediction.outcomes import outcome_errors
from quagmires.prediction.predictors import COLLINEAR, ROUNDING, Line, Predictor, known

# What errors-in-variables allows for; any other column of a predictor is taken as exact.
NOISY_COLUMNS = ("pass_at_1", "pass_at_large_k", "generalization_loss")

# Beyond the range of the calibration models by more than this share of it, a prediction is an extrapolation. A rule of
# thumb: a prediction a little outside differs little from one at the edge, and new models often are a little outside.
FAR = 0.25


class NotEnoughModels(UserError):
    """Fewer models with RL results than an interval needs."""


@dataclass(frozen=True)
class Smoother:
    """Predictions of all models as weights on those fitted; nothing in it depends on outcomes.

    `weights` is (models, fitted), nan for a model whose predictor is unknown; `residuals` (fitted, fitted) takes
    outcomes to residuals; `effective_residuals` and `degrees_of_freedom` are d1 and d1^2 / d2 of the module's formulas.
    """

    weights: np.ndarray
    residuals: np.ndarray
    effective_residuals: float
    degrees_of_freedom: float

    @classmethod
    def of(cls, lines: Sequence[Line], fitted: np.ndarray) -> "Smoother":
        """From the lines of a predictor and the places of the fitted models."""
        weights = np.mean([_line_weights(line.columns, fitted) for line in lines], axis=0)
        residuals = np.eye(len(fitted)) - weights[fitted]
        gram = residuals.T @ residuals
        first, second = np.trace(gram), (gram * gram).sum()
        # Of a fit through every point, rounding errors are left.
        return cls(weights, residuals, first, first**2 / second if first > 1e-6 else 0.0)

    @property
    def fit_variance(self) -> np.ndarray:
        """(models,): variance of each prediction, in units of the squared scale."""
        return (self.weights**2).sum(axis=1)


def _line_weights(x: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """(models, fitted): least squares with intercept; which columns count as constant or copies as in predictors.py."""
    centre = x[fitted].mean(axis=0)
    centred = x - centre
    lengths = np.linalg.norm(centred[fitted], axis=0)
    varies = lengths > ROUNDING * np.sqrt(len(fitted)) * np.abs(x[fitted]).max(axis=0)
    scaled = np.divide(centred, lengths, out=np.zeros_like(centred), where=varies)
    weights = 1 / len(fitted) + scaled @ np.linalg.pinv(scaled[fitted], rcond=COLLINEAR**0.5)
    return np.where(np.isfinite(x).all(axis=1)[:, None], weights, np.nan)


@dataclass(frozen=True)
class KnownErrors:
    """Standard errors that RL results have from measurement alone, root mean square over the models; nan if unknown.

    `questions` is the part that differs between models: which problems were asked moves all of them together, and that
    moves the fit along with them.
    """

    questions: float
    runs: float
    checkpoints: float

    @classmethod
    def of(cls, models: pd.DataFrame, outcome: str) -> "KnownErrors":
        """From models with RL results; `outcome` is the kind that outcomes.outcome_errors knows."""
        errors = outcome_errors(models, outcome)
        return cls(
            *(
                _root_mean_square(column)
                for column in (independent_errors(models, "outcome"), errors["runs"], errors["checkpoints"])
            )
        )

    @property
    def variance(self) -> float:
        """Of the known parts together."""
        return float(np.nansum([self.questions**2, self.runs**2, self.checkpoints**2]))


def _root_mean_square(errors: np.ndarray | pd.Series) -> float:
    values = np.asarray(errors, dtype=float)
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if len(values) else np.nan


@dataclass(frozen=True)
class Calibration:
    """A predictor fitted on the models that have been through RL, and what it says of all.

    `lines` and `predictions` are of the calibration models, then the candidates; `fitted` are the places of those that
    could be used. `scale` is the spread of models around the fit, in the unit of the outcome.
    """

    lines: list[Line]
    fitted: np.ndarray
    smoother: Smoother
    predictions: np.ndarray
    scale: float
    errors: KnownErrors

    @classmethod
    def fit(
        cls,
        calibration_models: pd.DataFrame,
        candidates: pd.DataFrame,
        predictor: Predictor,
        outcome: str = "best",
        errors_in_variables: bool = False,
    ) -> "Calibration":
        """Parameters and errors as of `predict_outcomes`."""
        models = pd.concat([calibration_models, candidates], ignore_index=True)
        lines = predictor.lines(models)
        if errors_in_variables:
            shrunk = predictor.lines(_without_noise(models))
            lines = [Line(true.x, line.target, line.add) for line, true in zip(lines, shrunk, strict=True)]
        fitted = np.flatnonzero(known(models, predictor) & (np.arange(len(models)) < len(calibration_models)))
        needed = fewest_models(lines)
        if len(fitted) < needed:
            raise NotEnoughModels(f"not enough models: {len(fitted)} with RL results, at least {needed} are needed")
        smoother = Smoother.of(lines, fitted)
        predictions = np.mean(
            [_line_weights(line.columns, fitted) @ line.target[fitted] + line.add for line in lines], axis=0
        )
        residuals = models["outcome"].to_numpy(float)[fitted] - predictions[fitted]
        scale = float(np.sqrt(residuals @ residuals / smoother.effective_residuals))
        errors = KnownErrors.of(models.iloc[fitted], outcome)
        return cls(lines, fitted, smoother, predictions, scale, errors)

    def half_widths(self, smoother: Smoother, confidence: float) -> np.ndarray:
        """(models,): of the intervals, if the fit were that of `smoother` and the spread as it is."""
        tail = (1 + confidence) / 2
        spread = max(t.ppf(tail, smoother.degrees_of_freedom) * self.scale, norm.ppf(tail) * self.errors.variance**0.5)
        return spread * np.sqrt(1 + smoother.fit_variance)

    @property
    def variance(self) -> float:
        """Of an outcome around its expectation: the spread around the fit, but no less than known errors."""
        return max(self.scale**2, self.errors.variance)

    def outside(self) -> np.ndarray:
        """(models,): how far each lies outside the range of the calibration models, as a share of that range.

        0 within the range. Of several columns the farthest counts; a column without range does not, as the fit
        makes nothing of it.
        """
        x = np.hstack([line.columns for line in self.lines])
        low, high = x[self.fitted].min(axis=0), x[self.fitted].max(axis=0)
        beyond = np.maximum(low - x, x - high).clip(min=0)
        return np.divide(beyond, high - low, out=np.zeros_like(beyond), where=high > low).max(axis=1)


def fewest_models(lines: Sequence[Line]) -> int:
    """How many models the lines need to have a spread around them: one more than the coefficients of a line."""
    return max(line.columns.shape[1] for line in lines) + 2


def predict_outcomes(
    calibration_models: pd.DataFrame,
    candidates: pd.DataFrame,
    predictor: Predictor,
    confidence: float,
    outcome: str = "best",
    errors_in_variables: bool = False,
) -> pd.DataFrame:
    """Predict the outcomes of candidates, with intervals.

    Parameters
    ----------
    calibration_models
        rows of metrics.parquet with RL results, of one study; those whose outcome or predictor is unknown are left out.
    candidates
        rows to predict; they need no RL columns.
    predictor
        of `predictors.PREDICTORS`.
    confidence
        of the intervals, between 0 and 1.
    outcome
        the kind that the outcome columns hold, for its known errors: best, last or mean_of_run_best.
    errors_in_variables
        first shrink the predictor's columns towards their mean, the more the noisier a value is
        (measurement.calibrated). It matters where models were measured with unequal error, such as other numbers of
        samples. With equal errors predictions stay as they are: least squares is right for predicting from values as
        noisy as those it was fitted on.

    Returns
    -------
    DataFrame with the index of `candidates`; all but the last two in the unit of the outcome:
    prediction, low, high (never clipped), standard_error (of the outcome around the prediction) and its parts, whose
    squares add up: fit (the line), scatter (models differ in more than the predictor and known errors), questions,
    runs, checkpoints (nan if that error is unknown: it is then in scatter); degrees_of_freedom; outside (see
    `Calibration.outside`). nan where the predictor is unknown.

    Raises
    ------
    NotEnoughModels
        see `fewest_models`.
    """
    calibration = Calibration.fit(calibration_models, candidates, predictor, outcome, errors_in_variables)
    new = slice(len(calibration_models), None)
    prediction = calibration.predictions[new]
    half_width = calibration.half_widths(calibration.smoother, confidence)[new]
    errors, variance = calibration.errors, calibration.variance
    fit = np.sqrt(variance * calibration.smoother.fit_variance[new])
    return pd.DataFrame(
        {
            "prediction": prediction,
            "low": prediction - half_width,
            "high": prediction + half_width,
            "standard_error": np.sqrt(variance + fit**2),
            "fit": fit,
            "scatter": max(variance - errors.variance, 0.0) ** 0.5,
            "questions": errors.questions,
            "runs": errors.runs,
            "checkpoints": errors.checkpoints,
            "degrees_of_freedom": calibration.smoother.degrees_of_freedom,
            "outside": calibration.outside()[new],
        },
        index=candidates.index,
    )


def _without_noise(models: pd.DataFrame) -> pd.DataFrame:
    """The models with their predictors shrunk to what they are expected to be without measurement error."""
    columns = [column for column in NOISY_COLUMNS if column in models and models[column].notna().any()]
    return models.assign(
        **{name: calibrated(models[name].to_numpy(float), independent_errors(models, name)) for name in columns}
    )
