"""The spread of a model's scores after RL, between runs and between checkpoints, and what it does to the best of them.

The scores of a model's checkpoints are taken as mean + trend over training + run + rest, run and rest normal. Four runs
say little about a variance: spreads are pooled over models, and the trend is taken as common. Mean squares give them in
closed form; statsmodels' `MixedLM` would search for them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

# The grid on which distributions of maxima are computed: how many standard deviations, and points.
REACH = 8.0
POINTS = 2_001


@dataclass(frozen=True)
class Spread:
    """Of the scores of a model's checkpoints, pooled over models.

    `run` and `rest` are standard deviations; `trend` is the mean score of each checkpoint less that of all,
    (checkpoints,). With one run there is nothing to tell chance from the trend: both are nan. With one checkpoint
    `run` is all there is and `rest` is nan. `rest` has the sampling of responses in it.
    """

    run: float
    rest: float
    trend: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray) -> "Spread":
        """From scores of shape (models, runs, checkpoints), by the mean squares of a two-way layout without repeats."""
        models, runs, checkpoints = scores.shape
        trend = scores.mean(axis=(0, 1)) - scores.mean()
        if runs < 2:
            return cls(np.nan, np.nan, trend)
        mean = scores.mean(axis=(1, 2), keepdims=True)
        of_run = scores.mean(axis=2, keepdims=True) - mean
        runs_square = checkpoints * (of_run**2).sum() / (models * (runs - 1))
        if checkpoints < 2:
            return cls(np.sqrt(runs_square), np.nan, trend)
        rest = scores - of_run - scores.mean(axis=1, keepdims=True)
        rest_square = (rest**2).sum() / (models * (runs - 1) * (checkpoints - 1))
        return cls(np.sqrt(max(0.0, runs_square - rest_square) / checkpoints), np.sqrt(rest_square), trend)

    def best(self, runs: int) -> tuple[float, float]:
        """Mean and standard deviation of the best of all checkpoints of `runs` runs; the mean is on the trend's scale.

        By integration: given its run, the best of a run is below x with the product of its checkpoints' chances; the
        best of all with that, averaged over runs, to the power of `runs`.
        """
        run, rest = np.nan_to_num([self.run, self.rest])
        width = REACH * (run + rest)
        if width == 0:
            return float(self.trend.max()), 0.0
        x = np.linspace(self.trend.min() - width, self.trend.max() + width, POINTS)
        if rest == 0:
            return _moments(x, norm.cdf((x - self.trend.max()) / run) ** runs)
        below = norm.cdf((x[:, None] - self.trend) / rest).prod(axis=1)
        if run > 0:
            below = _blurred(below, run / (x[1] - x[0]))
        return _moments(x, below**runs)

    def errors(self, kind: str, runs: int) -> tuple[float, float]:
        """Standard errors of an outcome, of `runs` runs, that come from runs and from the rest; nan where unknown."""
        if kind == "last":
            return self.run / np.sqrt(runs), self.rest / np.sqrt(runs)
        counted = runs if kind == "best" else 1
        runs_alone = Spread(self.run, 0.0, np.zeros(1)).best(counted)[1]
        both = self.best(counted)[1]
        shared = 1 if kind == "best" else np.sqrt(runs)
        rest = np.sqrt(max(0.0, both**2 - runs_alone**2)) / shared
        return (
            runs_alone / shared if np.isfinite(self.run) else np.nan,
            rest if np.isfinite(self.rest) else np.nan,
        )

    def bias(self, kind: str, runs: int) -> float:
        """By how much an outcome of `runs` runs lies above the best checkpoint of the mean run; nan with one run."""
        if not np.isfinite(self.run):
            return np.nan
        expected = self.trend[-1] if kind == "last" else self.best(runs if kind == "best" else 1)[0]
        return float(expected - self.trend.max())


def _blurred(below: np.ndarray, deviation: float) -> np.ndarray:
    """A distribution function on a grid, averaged over normal shifts whose deviation is counted in grid steps."""
    half = int(np.ceil(REACH * deviation))
    edges = (np.arange(2 * half + 2) - half - 0.5) / deviation
    return np.convolve(np.pad(below, half, constant_values=(0, 1)), np.diff(norm.cdf(edges)), mode="valid")


def _moments(x: np.ndarray, below: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of a distribution function on a grid."""
    mass = np.diff(below)
    middle = (x[1:] + x[:-1]) / 2
    mean = (mass * middle).sum()
    return float(mean), float(np.sqrt((mass * (middle - mean) ** 2).sum()))


@dataclass(frozen=True)
class Layout:
    """Models (their places) with equal numbers of runs and checkpoints, and the spread pooled over them."""

    places: list[int]
    runs: int
    spread: Spread


def layouts(models: pd.DataFrame) -> list[Layout]:
    """Of the models that have scores after RL."""
    if "outcome_scores" not in models:
        return []
    tables: dict[tuple[int, int], dict[int, np.ndarray]] = {}
    for place, (scores, runs) in enumerate(zip(models["outcome_scores"], models["grpo_runs"], strict=True)):
        if scores is not None and np.isfinite(scores).all():
            table = np.asarray(scores, float).reshape(int(runs), -1)
            tables.setdefault(table.shape, {})[place] = table
    return [Layout(list(one), shape[0], Spread.of(np.stack(list(one.values())))) for shape, one in tables.items()]
