"""Which model to take through RL next, and which is likely the best: what a calibration says besides predictions."""

import numpy as np
import pandas as pd

from quagmires.prediction.calibration import FAR, Calibration, Smoother
from quagmires.prediction.predictors import Predictor

DRAWS = 20_000


def next_runs(
    calibration_models: pd.DataFrame,
    candidates: pd.DataFrame,
    predictor: Predictor,
    confidence: float,
    outcome: str = "best",
    errors_in_variables: bool = False,
) -> pd.DataFrame:
    """How much an RL run of each candidate would narrow the intervals of all candidates.

    An outcome at its prediction leaves the fit and, in expectation, the spread around it as they are. What is gained is
    one more degree of freedom, which is the same for all, and a fit that is surer where the others lie; and the
    candidate's own outcome is then known. So every candidate is judged by the same intervals, its own counted as zero
    afterwards, and this depends on the predictor's values alone.

    Parameters
    ----------
    calibration_models, candidates, predictor, confidence, outcome, errors_in_variables
        as of `calibration.predict_outcomes`.

    Returns
    -------
    DataFrame with the index of `candidates`, the most useful first: `width_now` and `width_after`, mean widths of the
    intervals of all candidates, and `narrowing`, their difference. Without candidates whose predictor is unknown;
    empty if fewer than two are left.
    """
    calibration = Calibration.fit(calibration_models, candidates, predictor, outcome, errors_in_variables)
    places = len(calibration_models) + np.arange(len(candidates))
    predictable = np.isfinite(calibration.predictions[places])
    places, names = places[predictable], candidates.index[predictable]
    if len(places) < 2:
        return pd.DataFrame(columns=["width_now", "width_after", "narrowing"], dtype=float)
    now = 2 * calibration.half_widths(calibration.smoother, confidence)
    rows = []
    for place in places:
        others = places[places != place]
        smoother = Smoother.of(calibration.lines, np.append(calibration.fitted, place))
        after = 2 * calibration.half_widths(smoother, confidence)
        rows.append((now[places].mean(), after[others].sum() / len(places)))
    table = pd.DataFrame(rows, index=names, columns=["width_now", "width_after"])
    table["narrowing"] = table["width_now"] - table["width_after"]
    return table.sort_values("narrowing", ascending=False, kind="stable")


def chances(
    calibration_models: pd.DataFrame,
    candidates: pd.DataFrame,
    predictor: Predictor,
    seed: int,
    outcome: str = "best",
    errors_in_variables: bool = False,
) -> pd.DataFrame:
    """How likely each candidate has the best outcome of the candidates, and a better one than all calibration models.

    Drawn from the joint predictive distribution of least squares: a spread from its scaled inverse chi-squared, no less
    than known errors; a fit from outcomes that scatter by it around the fitted ones, the same fit for all candidates;
    and each candidate's own scatter.

    There are no chances for candidates farther than FAR outside the calibration models: they would rest on the line
    going on there, which no draw puts in doubt. The others' chances to be the best are then among themselves, and
    one alone has none.

    Parameters
    ----------
    calibration_models, candidates, predictor, outcome, errors_in_variables
        as of `calibration.predict_outcomes`.
    seed
        of the draws.

    Returns
    -------
    DataFrame with the index of `candidates`: `best_of_predicted`, which adds up to one, `beats_calibration`; nan where
    the predictor is unknown or far outside
    """
    calibration = Calibration.fit(calibration_models, candidates, predictor, outcome, errors_in_variables)
    new = slice(len(calibration_models), None)
    center, weights = calibration.predictions[new], calibration.smoother.weights[new]
    predictable = np.isfinite(center) & (calibration.outside()[new] <= FAR)
    outcomes = _draws(calibration, center[predictable], weights[predictable], seed)
    measured = calibration_models["outcome"].max()
    table = pd.DataFrame(np.nan, index=candidates.index, columns=["best_of_predicted", "beats_calibration"])
    if predictable.any():
        table.loc[predictable, "beats_calibration"] = (outcomes > measured).mean(axis=0)
    if predictable.sum() > 1 or predictable.all():
        first = outcomes == outcomes.max(axis=1, keepdims=True)
        table.loc[predictable, "best_of_predicted"] = first.mean(axis=0)
    return table


def _draws(calibration: Calibration, center: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """(draws, candidates): outcomes as they may be measured."""
    rng = np.random.default_rng([seed, len(center)])
    degrees = calibration.smoother.degrees_of_freedom
    variance = calibration.scale**2 * degrees / rng.chisquare(degrees, size=(DRAWS, 1))
    spread = np.sqrt(np.maximum(variance, calibration.errors.variance))
    fit = rng.standard_normal((DRAWS, weights.shape[1])) @ weights.T
    return center + spread * (fit + rng.standard_normal((DRAWS, len(center))))
