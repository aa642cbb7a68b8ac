"""Beta-binomial models of how often problems are solved, and the Pass@k they imply for any k.

A problem's probability p of a right sample is drawn from Beta(a, b); in the zero-inflated model a share `zero` of the
problems has p = 0. From n samples of each problem, c of them right, the parameters follow by maximum likelihood
(Kazdan et al. 2025, arXiv 2510.05197; zero inflation: Verine et al. 2026, openreview IGzxVhdGMb). scipy has the
distribution (`betabinom`) and the optimiser, but no fit to counts with weights or with a mass at zero.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, digamma, expit, gammaln

# Bounds of log a and log b. Beyond them the model is a binomial (one p for all) or all problems have p = 0 or 1, and
# the likelihood is flat. The lower one keeps a usable: at a = e^-9 half of the problems would need k > e^5000.
LOG_BOUNDS = (-9.0, 12.0)
NEAR_BOUND = 0.01
MOST_ZERO = 1 - 1e-6
FEWEST_PROBLEMS = 3
# Concentrations a + b the search starts from, at the observed mean: U-shaped, flat, narrow.
STARTS = (0.5, 2.0, 50.0)


class CannotFit(Exception):
    """The counts say nothing about the spread of difficulty; the message says why."""


@dataclass(frozen=True)
class BetaBinomial:
    """p ~ Beta(a, b) with probability 1 - zero, else p = 0; c ~ Binomial(n, p)."""

    a: float
    b: float
    zero: float = 0.0
    log_likelihood: float = np.nan
    # A parameter lies at the end of its range: the data are no wider than one p, or all at 0 and 1.
    at_bound: bool = False

    def log_probability(self, n: np.ndarray, c: np.ndarray) -> np.ndarray:
        """log P(c | n), the zero mass included."""
        inside = log_binomial(n, c) + betaln(c + self.a, n - c + self.b) - betaln(self.a, self.b)
        return _with_zero_mass(inside, c, self.zero)

    def pass_at_k(self, k: np.ndarray | int) -> np.ndarray:
        """Pass@k of a new problem: (1 - zero) (1 - B(a, b + k) / B(a, b)), for k of any size."""
        return (1 - self.zero) * -np.expm1(log_beta_ratio(self.a, self.b, np.asarray(k, dtype=float)))

    def pass_at_k_given(self, n: np.ndarray, c: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Pass@k, with k new samples, of problems seen to be right c times in n, shape (pairs, ks).

        Their p has the posterior Beta(a + c, b + n - c) and, for c = 0, a mass at p = 0 as well.
        """
        n, c = (np.asarray(one, dtype=float)[:, None] for one in (n, c))
        k = np.asarray(k, dtype=float)
        solvable = -np.expm1(log_beta_ratio(self.a + c, self.b + n - c, k))
        if self.zero == 0:
            return solvable
        log_none = np.log1p(-self.zero) + log_beta_ratio(self.a, self.b, n)
        impossible = np.where(c == 0, expit(np.log(self.zero) - log_none), 0.0)
        return (1 - impossible) * solvable


def log_beta_ratio(a: np.ndarray | float, b: np.ndarray | float, k: np.ndarray | float) -> np.ndarray:
    """log of B(a, b + k) / B(a, b) = E[(1 - p)^k] under Beta(a, b)."""
    return betaln(a, b + k) - betaln(a, b)


def log_binomial(n: np.ndarray, c: np.ndarray) -> np.ndarray:
    """log of C(n, c)."""
    return gammaln(n + 1) - gammaln(c + 1) - gammaln(n - c + 1)


@dataclass(frozen=True)
class Counts:
    """Distinct pairs (n, c) and how many problems have each: all that the likelihood depends on. Shapes (pairs,)."""

    n: np.ndarray
    c: np.ndarray
    problems: np.ndarray

    @classmethod
    def of(cls, n: np.ndarray, c: np.ndarray) -> "Counts":
        """From n and c per problem, shape (problems,)."""
        n, c = np.broadcast_arrays(np.asarray(n), np.asarray(c))
        pairs, problems = np.unique(np.stack([n, c], axis=1), axis=0, return_counts=True)
        return cls(pairs[:, 0].astype(float), pairs[:, 1].astype(float), problems.astype(float))

    def weighted(self, problems: np.ndarray) -> "Counts":
        """The same pairs with other numbers of problems, those without any left out."""
        kept = problems > 0
        return Counts(self.n[kept], self.c[kept], problems[kept].astype(float))

    def resample(self, generator: np.random.Generator) -> "Counts":
        """As many problems, drawn with replacement."""
        total = self.problems.sum()
        return self.weighted(generator.multinomial(int(total), self.problems / total))


def fit(counts: Counts, zero_inflated: bool = False, start: BetaBinomial | None = None) -> BetaBinomial:
    """Maximum likelihood by L-BFGS-B on (log a, log b) and the zero mass, from several starts or from `start` alone.

    Raises
    ------
    CannotFit
        fewer than three problems, one sample per problem, or no spread at all: all wrong, all right, all equal.
    """
    check_spread(counts)
    objective = _objective(counts, zero_inflated)
    bounds = [LOG_BOUNDS, LOG_BOUNDS] + [(0.0, MOST_ZERO)] * zero_inflated
    starts = _starts(counts, zero_inflated) if start is None else [_point(start, zero_inflated)]
    results = [minimize(objective, point, jac=True, method="L-BFGS-B", bounds=bounds) for point in starts]
    best = min(results, key=lambda result: result.fun)
    a, b = np.exp(best.x[:2])
    at_bound = bool((best.x[:2] < LOG_BOUNDS[0] + NEAR_BOUND).any() or (best.x[:2] > LOG_BOUNDS[1] - NEAR_BOUND).any())
    zero = float(best.x[2]) if zero_inflated else 0.0
    return BetaBinomial(float(a), float(b), zero, -float(best.fun), at_bound)


def check_spread(counts: Counts) -> None:
    """Raise `CannotFit` where the counts hold no information on how much p differs between problems."""
    shares = counts.c / counts.n
    if counts.problems.sum() < FEWEST_PROBLEMS:
        raise CannotFit(f"fewer than {FEWEST_PROBLEMS} problems")
    if counts.n.max() < 2:
        raise CannotFit("one sample per problem: it shows the mean, never the spread")
    if (shares == 0).all():
        raise CannotFit("no problem has a right sample")
    if (shares == 1).all():
        raise CannotFit("every sample of every problem is right")
    if (shares == shares[0]).all():
        raise CannotFit("all problems have the same share of right samples")


def _starts(counts: Counts, zero_inflated: bool) -> list[list[float]]:
    total = counts.problems @ counts.n
    mean = (counts.problems @ counts.c) / total
    unseen = counts.problems[counts.c == 0].sum() / counts.problems.sum()
    points = []
    for concentration in STARTS:
        points.append([np.log(mean * concentration), np.log((1 - mean) * concentration)] + [0.0] * zero_inflated)
        if zero_inflated and unseen > 0:
            solvable = min(mean / (1 - unseen / 2), 0.99)
            points.append([np.log(solvable * concentration), np.log((1 - solvable) * concentration), unseen / 2])
    return points


def _point(model: BetaBinomial, zero_inflated: bool) -> list[float]:
    return [np.log(model.a), np.log(model.b)] + [model.zero] * zero_inflated


def _objective(counts: Counts, zero_inflated: bool) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Minus the log-likelihood and its gradient."""
    n, c, problems = counts.n, counts.c, counts.problems
    constant = log_binomial(n, c)

    def negative(point: np.ndarray) -> tuple[float, np.ndarray]:
        a, b = np.exp(point[:2])
        inside = constant + betaln(c + a, n - c + b) - betaln(a, b)
        shared = digamma(a + b) - digamma(n + a + b)
        by_a = a * (digamma(c + a) - digamma(a) + shared)
        by_b = b * (digamma(n - c + b) - digamma(b) + shared)
        if not zero_inflated:
            return -problems @ inside, -np.array([problems @ by_a, problems @ by_b])
        zero = point[2]
        total = _with_zero_mass(inside, c, zero)
        # The part of each pair's probability that comes from solvable problems.
        solvable = problems * np.exp(np.log1p(-zero) + inside - total)
        by_zero = problems * ((c == 0) * np.exp(-total) - np.exp(inside - total))
        return -problems @ total, -np.array([solvable @ by_a, solvable @ by_b, by_zero.sum()])

    return negative


def _with_zero_mass(inside: np.ndarray, c: np.ndarray, zero: float) -> np.ndarray:
    if zero == 0:
        return inside
    solvable = np.log1p(-zero) + inside
    return np.where(np.asarray(c) == 0, np.logaddexp(np.log(zero), solvable), solvable)
