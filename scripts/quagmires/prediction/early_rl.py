"""What the beginning of an RL run says of its end: a score, and the ceiling of a sigmoid.

All models of a study get the same compute, because nobody knows beforehand how long a run will go on. It is a share of
the study's median run, the same share in every study.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import least_squares

# Shares of the median run: a tenth is what one might pay for a choice, and a curve needs more points than that.
SCORED, FITTED = 0.10, 0.25
# One more than the sigmoid has parameters.
FEWEST_POINTS = 5
# Where fits may go: the exponent B, and the midpoint C in units of the compute that is fitted.
EXPONENTS, MIDPOINTS = (0.1, 10.0), (1e-3, 1e2)
# The fit starts at the best point of a grid, because there are local minima.
_GRID = [(exponent, midpoint) for exponent in np.geomspace(0.2, 8.0, 12) for midpoint in np.geomspace(2e-3, 50.0, 24)]


def median_run(lengths: Sequence[float]) -> float:
    """The compute of a study's median RL run, from that of each."""
    return float(np.median(lengths))


def score_after(compute: np.ndarray, scores: np.ndarray, budget: float) -> float:
    """The newest score within a budget.

    Parameters
    ----------
    compute, scores
        (points,): compute since RL began, rising, and the score there. A point at 0 is the SFT model, and is no score
        of RL.
    budget
        in the unit of `compute`.

    Returns
    -------
    nan where nothing was scored within the budget

    >>> score_after(np.array([0.0, 2.0, 5.0]), np.array([0.2, 0.3, 0.4]), 4.0)
    0.3
    """
    within = (compute > 0) & (compute <= budget)
    return float(scores[within][-1]) if within.any() else float("nan")


def ceiling(compute: np.ndarray, scores: np.ndarray, budget: float) -> float:
    """A of P(x) = P0 + (A - P0) / (1 + (C / x)^B), by least squares on the points within a budget.

    Scores and A lie between 0 and 1. P0 is the score at compute 0 where there is one, and the first score where there
    is none. Where a curve has hardly begun to flatten, A is poorly known, and may lie at 0 or 1.

    Parameters
    ----------
    compute, scores, budget
        as of `score_after`.

    Returns
    -------
    nan with fewer than `FEWEST_POINTS` points within the budget

    Source: ScaleRL (Khatri et al. 2025), arXiv 2510.13786.
    """
    within = compute <= budget
    if within.sum() < FEWEST_POINTS:
        return float("nan")
    x, y = compute[within] / budget, scores[within]
    start, x, rise = y[0], x[1:], y[1:] - y[0]

    def progress(exponent: float, log_midpoint: float) -> np.ndarray:
        return 1 / (1 + (np.exp(log_midpoint) / x) ** exponent)

    def best_top(exponent: float, midpoint: float) -> tuple[float, float]:
        """Given B and C the curve is linear in A: the squared error, and the A of it."""
        share = progress(exponent, np.log(midpoint))
        top = np.clip(start + share @ rise / max(share @ share, 1e-12), 0, 1)
        return float(((top - start) * share - rise) @ ((top - start) * share - rise)), float(top)

    grid = [(*best_top(*point), *point) for point in _GRID]
    _, top, exponent, midpoint = min(grid)
    fit = least_squares(
        lambda parameters: (parameters[0] - start) * progress(*parameters[1:]) - rise,
        [np.clip(top, 1e-6, 1 - 1e-6), exponent, np.log(midpoint)],
        bounds=([0, EXPONENTS[0], np.log(MIDPOINTS[0])], [1, EXPONENTS[1], np.log(MIDPOINTS[1])]),
    )
    return float(fit.x[0])
