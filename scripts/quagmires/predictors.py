"""Predictors of performance after RL, and how well they predict (paper, Section 3 and Tables 1-10).

A predictor maps the metrics of SFT models to a prediction of their outcome, fitted on some of the models by ordinary
least squares. Adding one is adding a function to `PREDICTORS`.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from math import factorial

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.stats import rankdata, spearmanr

SPLITS = 100
BOOTSTRAPS = 2_000
PERMUTATIONS = 20_000
# Up to here all orders of the models can be listed for an exact p-value.
EXACT_MODELS = 7
# A line through two points always fits; three are the fewest that say anything.
FEWEST_TO_FIT = 3
FEWEST_TO_VALIDATE = 2

Predict = Callable[[pd.DataFrame, pd.DataFrame], np.ndarray]


def line(column: str, fit: pd.DataFrame, models: pd.DataFrame, target: str = "outcome") -> np.ndarray:
    """Ordinary least squares of `target` on one column, fitted on `fit`, evaluated on `models`."""
    result = sm.OLS(fit[target].to_numpy(), sm.add_constant(fit[column].to_numpy(), has_constant="add")).fit()
    return result.predict(sm.add_constant(models[column].to_numpy(), has_constant="add"))


def by_pass_at_1(fit: pd.DataFrame, models: pd.DataFrame) -> np.ndarray:
    """The paper's baseline: outcome ~ Pass@1 after SFT."""
    return line("pass_at_1", fit, models)


def by_generalization_loss(fit: pd.DataFrame, models: pd.DataFrame) -> np.ndarray:
    """outcome ~ generalization loss."""
    return line("generalization_loss", fit, models)


def by_generalization_loss_gain(fit: pd.DataFrame, models: pd.DataFrame) -> np.ndarray:
    """Pass@1 after SFT plus a gain ~ generalization loss: the other reading of the paper."""
    return models["pass_at_1"].to_numpy() + line("generalization_loss", fit, models, target="gain")


def by_pass_at_large_k(fit: pd.DataFrame, models: pd.DataFrame) -> np.ndarray:
    """outcome ~ Pass@k after SFT at a large k."""
    return line("pass_at_large_k", fit, models)


def by_average(fit: pd.DataFrame, models: pd.DataFrame) -> np.ndarray:
    """The mean of the predictions from generalization loss and from Pass@large-k."""
    return (by_generalization_loss(fit, models) + by_pass_at_large_k(fit, models)) / 2


@dataclass(frozen=True)
class Predictor:
    """`predict` foretells outcomes after a fit; `rank`, where the predictor is one number, orders models without any.

    The direction of `rank` is the predictor's claim: a Pass@1 that falls as the outcome rises has a negative rho.
    """

    predict: Predict
    rank: Callable[[pd.DataFrame], np.ndarray] | None = None


PREDICTORS: dict[str, Predictor] = {
    "pass_at_1": Predictor(by_pass_at_1, lambda models: models["pass_at_1"].to_numpy()),
    "generalization_loss": Predictor(by_generalization_loss, lambda models: -models["generalization_loss"].to_numpy()),
    "generalization_loss_gain": Predictor(by_generalization_loss_gain),
    "pass_at_large_k": Predictor(by_pass_at_large_k, lambda models: models["pass_at_large_k"].to_numpy()),
    "average": Predictor(by_average),
}


def ranking(models: pd.DataFrame, predictor: Predictor) -> np.ndarray:
    """What Spearman's rho compares with the outcome: the predictor itself, or, for a predictor that is a combination of
    fits, the prediction of each model from a fit on all the others.
    """
    if predictor.rank is not None:
        return predictor.rank(models)
    rows = np.arange(len(models))
    return np.array([predictor.predict(models.iloc[rows != row], models.iloc[[row]])[0] for row in rows])


def evaluate(models: pd.DataFrame, predictor: Predictor, seed: int) -> dict[str, float | int | None]:
    """How well `predictor` foretells `outcome` over the rows of `models`.

    R2 is out of sample: fitted on half of the models, computed on the rest, over `SPLITS` random splits that are the
    same for every predictor. It is never clipped; with few models it can be very negative, so the median stands beside
    the mean, and a second R2 against the variance of all models beside the first. For Spearman's rho see `ranking`.
    """
    outcome = models["outcome"].to_numpy()
    count = len(models)
    result: dict[str, float | int | None] = {"models": count}
    if count <= FEWEST_TO_FIT:
        return result
    ranks = ranking(models, predictor)
    rho = correlation(ranks, outcome)
    low, high = bootstrap_interval(ranks, outcome, seed)
    result |= {
        "spearman": rho,
        "spearman_low": low,
        "spearman_high": high,
        "spearman_p": permutation_p(ranks, outcome, seed),
    }
    held_out, against_all = split_r2(models, predictor.predict, seed)
    result |= {"splits": SPLITS if len(held_out) else 0, "splits_undefined": int(np.isnan(held_out).sum())}
    defined = held_out[~np.isnan(held_out)]
    if len(defined):
        result |= {
            "fitting": fitting_size(count),
            "r2_mean": float(defined.mean()),
            "r2_standard_deviation": float(defined.std(ddof=1)),
            "r2_standard_error": float(defined.std(ddof=1) / np.sqrt(len(defined))),
            "r2_median": float(np.median(defined)),
            "r2_all_variance_median": float(np.nanmedian(against_all)),
        }
    return result


def fitting_size(count: int) -> int:
    """Half of the models, but no fewer than a line needs."""
    return max(FEWEST_TO_FIT, count // 2)


def split_r2(models: pd.DataFrame, predict: Predict, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """R2 on the held-out models of each split, against their own variance and against that of all models.

    Empty when there are too few models to fit and to validate; nan where a split's held-out outcomes are all equal.
    """
    count, fitting = len(models), fitting_size(len(models))
    if count - fitting < FEWEST_TO_VALIDATE:
        return np.empty(0), np.empty(0)
    rng = np.random.default_rng(seed)
    overall = models["outcome"].var(ddof=0)
    held_out, against_all = np.full(SPLITS, np.nan), np.full(SPLITS, np.nan)
    for split in range(SPLITS):
        order = rng.permutation(count)
        fit, rest = models.iloc[order[:fitting]], models.iloc[order[fitting:]]
        error = np.mean((predict(fit, rest) - rest["outcome"].to_numpy()) ** 2)
        variance = rest["outcome"].var(ddof=0)
        held_out[split] = 1 - error / variance if variance > 0 else np.nan
        against_all[split] = 1 - error / overall if overall > 0 else np.nan
    return held_out, against_all


def correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Spearman's rho; None if either is constant."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(spearmanr(x, y).statistic)


def bootstrap_interval(
    x: np.ndarray, y: np.ndarray, seed: int, level: float = 0.9
) -> tuple[float | None, float | None]:
    """A percentile interval of Spearman's rho over resampled models."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(x), size=(BOOTSTRAPS, len(x)))
    rhos = [correlation(x[draw], y[draw]) for draw in draws]
    rhos = [rho for rho in rhos if rho is not None]
    if not rhos:
        return None, None
    low, high = np.quantile(rhos, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def permutation_p(x: np.ndarray, y: np.ndarray, seed: int) -> float | None:
    """Two-sided p of Spearman's rho: exact for few models, by random permutations otherwise."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    ranks_x, ranks_y = rankdata(x) - (len(x) + 1) / 2, rankdata(y) - (len(y) + 1) / 2
    observed = abs(ranks_x @ ranks_y)
    if len(x) <= EXACT_MODELS:
        hits = sum(abs(np.array(order) @ ranks_y) >= observed - 1e-9 for order in itertools.permutations(ranks_x))
        return hits / factorial(len(x))
    rng = np.random.default_rng(seed)
    permuted = rng.permuted(np.tile(ranks_x, (PERMUTATIONS, 1)), axis=1)
    return float((1 + (np.abs(permuted @ ranks_y) >= observed - 1e-9).sum()) / (1 + PERMUTATIONS))
