"""Which model of a study is the best, by scores before or after RL, and how far another falls short of it.

That the best measured is the best is not sure, as scores have errors. Intervals are those of multiple comparisons with
the best (Edwards and Hsu 1983, Journal of the American Statistical Association 78, 965). With d_j the score of model j
less that of the pick, and s_j the standard error of d_j, the pick falls short of the best by

    max(0, max_j (d_j - c s_j)) to max(0, max_j (d_j + c s_j)),

c such that with the confidence asked for all d_j at once are within c s_j of the truth. A lower end above 0 says that
the pick is not the best, an upper end of 0 that it is: whichever of the others seems best, and however many they are.

Errors are the covariance of the joint bootstrap draws over problems (bootstrap.py), in which problems that are hard for
all cancel, and after RL also what runs and checkpoints vary by, where there are several runs.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.stats import norm

from quagmires.prediction.errors_in_variables import draws_of
from quagmires.prediction.outcomes import outcome_errors
from quagmires.prediction.predictors import applicable, known, ranking
from quagmires.prediction.rank_correlation import DECIMALS
from quagmires.prediction.selection_cost import FEWEST_TO_CHOOSE

# Of normal errors, to find c: its own error is then some 0.01.
SIMULATED = 20_000
AFTER_RL = ("outcome", "gain")
# A standard error of no more is rounding.
TINY = 1e-12


@dataclass(frozen=True)
class Regret:
    """By how much a pick falls short of the best, in the unit of the score; no interval without known errors."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Best:
    """The model (its place) with the highest score, its interval, and those that cannot be told apart from it.

    `interval` is of the model's own score. `as_good` are places, the highest score first.
    """

    place: int
    value: float
    low: float | None
    high: float | None
    as_good: list[int]


def score_covariance(models: pd.DataFrame, column: str, kind: str = "best") -> np.ndarray:
    """(models, models): covariance of the errors of a score of models of one study.

    Parameters
    ----------
    models
        rows of metrics.parquet; the outcome is of the `kind` (outcomes.with_outcome).
    column
        pass_at_1, pass_at_large_k, generalization_loss, outcome or gain.

    Returns
    -------
    Of problems (or validation examples), joint where the models have draws; of models without draws the standard
    errors, as if independent. After RL, errors of runs and checkpoints are added where they are known. nan where
    nothing is.
    """
    draws = draws_of(models, column)
    have = np.isfinite(draws).all(axis=1)
    covariance = np.diag(models[f"{column}_se"].to_numpy(float) ** 2)
    if have.any():
        covariance[np.ix_(have, have)] = np.cov(draws[have])
    if column in AFTER_RL:
        errors = outcome_errors(models.reset_index(drop=True), kind)
        covariance = covariance + np.diag(np.nan_to_num(errors["runs"] ** 2 + errors["checkpoints"] ** 2))
    return covariance


def regret(scores: np.ndarray, covariance: np.ndarray, picked: np.ndarray, confidence: float, seed: int) -> Regret:
    """By how much the picked model falls short of the best; of several the mean, as if one were drawn.

    Parameters
    ----------
    scores
        (models,), higher is better.
    covariance
        (models, models), see `score_covariance`.
    picked
        (models,), bool.
    confidence
        of the interval.
    seed
        of the simulated errors.
    """
    value = max(0.0, float(scores.max() - scores[picked].mean()))
    # Each row: a model less the mean of the picked ones.
    contrasts = np.eye(len(scores)) - picked / picked.sum()
    differences = contrasts @ scores
    spread = contrasts @ covariance @ contrasts.T
    if not np.isfinite(spread).all():
        return Regret(value)
    errors = np.sqrt(np.maximum(np.diag(spread), 0.0))
    reach = _simultaneous(spread, errors, confidence, seed) * errors
    return Regret(value, max(0.0, float((differences - reach).max())), max(0.0, float((differences + reach).max())))


def _simultaneous(spread: np.ndarray, errors: np.ndarray, confidence: float, seed: int) -> float:
    """c: with the confidence asked for, no difference is off by more than c of its standard errors."""
    varies = errors > TINY
    if not varies.any():
        return 0.0
    correlation = spread[np.ix_(varies, varies)] / np.outer(errors[varies], errors[varies])
    values, vectors = np.linalg.eigh(correlation)
    normal = np.random.default_rng([seed, len(values)]).standard_normal((SIMULATED, len(values)))
    off = normal @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return float(np.quantile(np.abs(off).max(axis=1), confidence))


def best_model(scores: np.ndarray, covariance: np.ndarray, confidence: float, seed: int) -> Best:
    """The best of some models; parameters as of `regret`.

    Another cannot be told apart from it if its own regret may be 0. Where errors are unknown, all lower scores count as
    lower.
    """
    place = int(scores.argmax())
    regrets = [
        regret(scores, covariance, np.arange(len(scores)) == one, confidence, seed) for one in range(len(scores))
    ]
    as_good = [
        one
        for one in np.argsort(-scores, kind="stable").tolist()
        if one != place and (regrets[one].low == 0 if regrets[one].low is not None else scores[one] == scores[place])
    ]
    error = covariance[place, place] ** 0.5
    reach = float(norm.ppf((1 + confidence) / 2) * error)
    low, high = (float(scores[place]) - reach, float(scores[place]) + reach) if np.isfinite(reach) else (None, None)
    return Best(place, float(scores[place]), low, high, as_good)


@dataclass(frozen=True)
class Pick:
    """What a predictor would have picked: recipes (several if tied), its regret, and the rank after RL of their best.

    `needs` are the measurements the predictor is made of. `fitted` says that it orders models by a fit on
    outcomes of others alone, so that some models have to go through RL before it says anything.
    """

    predictor: str
    label: str
    picked: list[str]
    regret: Regret
    rank: int
    needs: list[str]
    fitted: bool


@dataclass(frozen=True)
class Answer:
    """Of a study: the best model after SFT of all, and the best after RL of those that have been through it.

    Places are those of the rows. `after` is None, and there are no picks, with fewer than two outcomes. `errors` names
    the sources of error after RL that are known: questions, runs, checkpoints.
    """

    before: Best | None
    after: Best | None
    picks: list[Pick]
    errors: list[str]


def best_and_picks(models: pd.DataFrame, level: str, confidence: float, seed: int, kind: str = "best") -> Answer:
    """Which model is best before and after RL, and what each predictor that applies would have picked.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study, the outcome of the `kind`.
    level
        of the study: what predictors apply.
    confidence
        of intervals and of being told apart.
    seed
        of the simulated errors.
    """
    models = models.reset_index(drop=True)
    measured = models[np.isfinite(models["outcome"].astype(float))]
    before = _best_of(models, "pass_at_1", confidence, seed, kind)
    if len(measured) < FEWEST_TO_CHOOSE:
        return Answer(before, None, [], [])
    spread = outcome_errors(measured.reset_index(drop=True), kind).drop(columns="total")
    return Answer(
        before=before,
        after=_best_of(measured, "outcome", confidence, seed, kind),
        picks=_picks(measured, level, confidence, seed, kind),
        errors=[name for name in spread if np.isfinite(spread[name]).any()],
    )


def _best_of(models: pd.DataFrame, column: str, confidence: float, seed: int, kind: str) -> Best | None:
    """The best of those whose score is known; places are the labels of the index."""
    known_score = models[np.isfinite(models[column].astype(float))]
    if known_score.empty:
        return None
    labels, rows = known_score.index, known_score.reset_index(drop=True)
    best = best_model(rows[column].to_numpy(float), score_covariance(rows, column, kind), confidence, seed)
    return replace(best, place=int(labels[best.place]), as_good=[int(labels[place]) for place in best.as_good])


def _picks(models: pd.DataFrame, level: str, confidence: float, seed: int, kind: str) -> list[Pick]:
    """Of models that have all been through RL; predictors that fewer than two of them have are left out."""
    models = models.reset_index(drop=True)
    outcome, covariance = models["outcome"].to_numpy(float), score_covariance(models, "outcome", kind)
    found = []
    for predictor in applicable(level):
        usable = known(models, predictor)
        if usable.sum() < FEWEST_TO_CHOOSE:
            continue
        ranks = np.full(len(models), -np.inf)
        ranks[usable] = np.round(ranking(models[usable].reset_index(drop=True), predictor), DECIMALS)
        picked = ranks == ranks.max()
        found.append(
            Pick(
                predictor=predictor.name,
                label=predictor.title(models),
                picked=models.loc[picked, "recipe"].tolist(),
                regret=regret(outcome, covariance, picked, confidence, seed),
                rank=int((outcome > outcome[picked].max()).sum()) + 1,
                needs=list(predictor.needs),
                fitted=predictor.rank(models) is None,
            )
        )
    return found
