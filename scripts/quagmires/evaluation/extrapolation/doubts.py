"""Reasons not to trust an extrapolated Pass@k. The limits are constants; docs/pass_at_k.md shows what they catch."""

import numpy as np
from scipy.stats import chisquare

from quagmires.evaluation.extrapolation.beta_binomial import Counts
from quagmires.evaluation.extrapolation.families import PARAMETERS, Difficulty

FEWEST_PROBLEMS = 50
LARGEST_RATIO = 16
MOST_UNSEEN = 0.5
# In standard errors, one-sided 5 %.
WORSE_THAN_FREE = 1.64
MISFIT = 0.01
MOST_FAILED = 0.1
WIDEST = 0.15
# Cells of the chi-squared test hold at least so many problems by the model.
CELL = 5


def doubts_of_fit(counts: Counts, name: str, model: Difficulty, behind_free: float, failed: float) -> list[str]:
    """Reasons that hold at every k beyond n.

    behind_free
        by how many standard errors the free mixture explains held-out problems better than `model`.
    failed
        share of resamples that could not be fitted.
    """
    problems = int(counts.problems.sum())
    unseen = counts.problems[counts.c == 0].sum() / problems
    misfit = goodness_of_fit(counts, model, PARAMETERS[name])
    checks = [
        (problems < FEWEST_PROBLEMS, f"{problems} problems, fewer than {FEWEST_PROBLEMS}"),
        (unseen > MOST_UNSEEN, f"{unseen:.0%} of the problems were never solved"),
        (model.at_bound, f"the {name} fit lies at the end of its range"),
        (behind_free > WORSE_THAN_FREE, "a free mixture explains held-out problems better"),
        (misfit < MISFIT, f"the counts do not look like {name} (chi-squared p = {misfit:.1g})"),
        (failed > MOST_FAILED, f"{failed:.0%} of the resamples cannot be fitted"),
    ]
    return [reason for holds, reason in checks if holds]


def doubts_at_k(k: int, smallest_n: int, chosen: str, ranges: dict[str, tuple[float, float, float]]) -> list[str]:
    """Reasons that hold at one k beyond n.

    ranges
        value, low and high at k of the chosen model and of those that held-out problems hardly tell from it.
    """
    width = max(one[2] for one in ranges.values()) - min(one[1] for one in ranges.values())
    checks = [
        (k > LARGEST_RATIO * smallest_n, f"k is more than {LARGEST_RATIO} times the {smallest_n} samples"),
        (width > WIDEST, f"the interval is {width:.2f} wide"),
    ]
    checks += [
        (disagree(ranges[chosen], other), f"{name} fits about as well as {chosen} but says {other[0]:.3f}")
        for name, other in ranges.items()
    ]
    return [reason for holds, reason in checks if holds]


def disagree(first: tuple[float, float, float], second: tuple[float, float, float]) -> bool:
    """Whether each (value, low, high) has its value outside the other's interval."""
    return not (second[1] <= first[0] <= second[2] or first[1] <= second[0] <= first[2])


def goodness_of_fit(counts: Counts, model: Difficulty, parameters: int) -> float:
    """p-value of a chi-squared test of how many problems have each c; nan where too few cells remain.

    Neighbouring values of c are pooled until the model expects `CELL` problems in each cell.
    """
    expected, observed = np.zeros(int(counts.n.max()) + 1), np.zeros(int(counts.n.max()) + 1)
    for n in np.unique(counts.n):
        c = np.arange(int(n) + 1, dtype=float)
        rows = counts.n == n
        expected[: len(c)] += counts.problems[rows].sum() * np.exp(model.log_probability(np.full(len(c), n), c))
        observed[counts.c[rows].astype(int)] += counts.problems[rows]
    expected, observed = _pool(expected, observed)
    if len(expected) - 1 - parameters < 1:
        return float("nan")
    return float(chisquare(observed, expected, ddof=parameters).pvalue)


def _pool(expected: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts, held = [0], 0.0
    for index, value in enumerate(expected):
        if held >= CELL:
            starts.append(index)
            held = 0.0
        held += value
    if held < CELL and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(expected, starts), np.add.reduceat(observed, starts)
