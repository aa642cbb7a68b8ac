"""Distributions of difficulty on a grid of probabilities: the logit-normal, and the free (empirical) mixture.

The logit-normal is as smooth as the beta but has another tail near p = 0, so it shows how far a prediction hangs on the
family. The free mixture (Kiefer and Wolfowitz 1956; Laird 1978, doi 10.1080/01621459.1978.10480103) may take any shape:
held-out data that it explains better than a family does speak against that family. scikit-learn and statsmodels have
no mixtures of binomials.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit, logsumexp, softmax, xlog1py, xlogy

from quagmires.evaluation.extrapolation.beta_binomial import Counts, check_spread, log_binomial

REACH = 14.0
COARSEST_STEP = 0.1
MEAN_BOUNDS = (-12.0, 12.0)
# The lower end is two steps of the coarsest grid; narrower than that is one p for all problems.
LOG_DEVIATION_BOUNDS = (float(np.log(0.2)), float(np.log(12.0)))
NEAR_BOUND = 0.01
FREE_NODES = 60
FREE_REACH = 8.0
FREE_ITERATIONS = 300


@dataclass(frozen=True)
class Mixture:
    """p takes the value `p[j]` with probability `weights[j]`; both of shape (nodes,)."""

    p: np.ndarray
    weights: np.ndarray
    at_bound: bool = False

    def log_probability(self, n: np.ndarray, c: np.ndarray) -> np.ndarray:
        """log P(c | n), shape (pairs,)."""
        return logsumexp(self._log_joint(n, c), axis=1)

    def pass_at_k(self, k: np.ndarray) -> np.ndarray:
        """Pass@k of a new problem, shape of k."""
        return -np.expm1(xlog1py(np.asarray(k)[..., None], -self.p)) @ self.weights

    def pass_at_k_given(self, n: np.ndarray, c: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Pass@k, with k new samples, of problems seen to be right c times in n, shape (pairs, ks)."""
        posterior = softmax(self._log_joint(n, c), axis=1)
        return posterior @ -np.expm1(xlog1py(np.asarray(k)[:, None], -self.p)).T

    def _log_joint(self, n: np.ndarray, c: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return log_likelihoods(n, c, self.p) + np.log(self.weights)


@dataclass(frozen=True)
class LogitNormal(Mixture):
    """logit p ~ Normal(mean, exp(log_deviation)), as weights on a grid."""

    mean: float = np.nan
    log_deviation: float = np.nan


def log_likelihoods(n: np.ndarray, c: np.ndarray, p: np.ndarray) -> np.ndarray:
    """log P(c | n, p), shape (pairs, nodes)."""
    n, c = np.asarray(n, dtype=float)[:, None], np.asarray(c, dtype=float)[:, None]
    return log_binomial(n, c) + xlogy(c, p) + xlog1py(n - c, -p)


def fit_logit_normal(counts: Counts, start: LogitNormal | None = None) -> LogitNormal:
    """Maximum likelihood by L-BFGS-B, from several starts or from `start` alone.

    Raises
    ------
    CannotFit
        as `beta_binomial.fit`.
    """
    check_spread(counts)
    x = _grid(counts.n.max())
    likelihoods = np.exp(log_likelihoods(counts.n, counts.c, expit(x)))

    def negative(point: np.ndarray) -> tuple[float, np.ndarray]:
        mean, deviation = point[0], np.exp(point[1])
        z = (x - mean) / deviation
        prior = softmax(-(z**2) / 2)
        joint = likelihoods * prior
        # Far from the data a narrow prior leaves nothing of a likelihood that double precision could hold.
        total = np.maximum(joint.sum(axis=1), np.finfo(float).tiny)
        # How much likelier each node is once the counts are known, times the problems that say so.
        change = (counts.problems / total) @ joint - counts.problems.sum() * prior
        return -counts.problems @ np.log(total), -np.array([change @ z / deviation, change @ z**2])

    starts = _starts(counts) if start is None else [(start.mean, start.log_deviation)]
    bounds = [MEAN_BOUNDS, LOG_DEVIATION_BOUNDS]
    results = [minimize(negative, point, jac=True, method="L-BFGS-B", bounds=bounds) for point in starts]
    mean, log_deviation = min(results, key=lambda result: result.fun).x
    at_bound = any(
        min(value - low, high - value) < NEAR_BOUND
        for value, (low, high) in zip((mean, log_deviation), bounds, strict=True)
    )
    weights = softmax(-(((x - mean) / np.exp(log_deviation)) ** 2) / 2)
    return LogitNormal(expit(x), weights, at_bound, float(mean), float(log_deviation))


def fit_free(counts: Counts) -> Mixture:
    """The likeliest distribution of p on a fixed grid that holds 0 and 1, by expectation maximisation."""
    p = np.concatenate([[0.0], expit(np.linspace(-FREE_REACH, FREE_REACH, FREE_NODES)), [1.0]])
    likelihoods = np.exp(log_likelihoods(counts.n, counts.c, p))
    share = counts.problems / counts.problems.sum()
    weights = np.full(len(p), 1 / len(p))
    for _ in range(FREE_ITERATIONS):
        weights = weights * ((share / (likelihoods @ weights)) @ likelihoods)
    return Mixture(p, weights)


def _starts(counts: Counts) -> list[tuple[float, float]]:
    """Mean and spread of the problems' own logits, and a spread half and twice as wide."""
    logits = logit((counts.c + 0.5) / (counts.n + 1))
    mean = np.average(logits, weights=counts.problems)
    deviation = np.sqrt(np.average((logits - mean) ** 2, weights=counts.problems))
    return [(mean, float(np.clip(np.log(deviation * factor), *LOG_DEVIATION_BOUNDS))) for factor in (0.5, 1, 2)]


def _grid(n: float) -> np.ndarray:
    """Values of logit p, at most half as far apart as the likelihood of n samples is wide."""
    step = min(COARSEST_STEP, 1 / np.sqrt(n))
    return np.arange(-REACH, REACH + step / 2, step)
