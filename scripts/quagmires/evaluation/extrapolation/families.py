"""The families of difficulty that Pass@k is extrapolated with, and how well each explains problems held out."""

from typing import Protocol

import numpy as np

from quagmires.evaluation.extrapolation import beta_binomial
from quagmires.evaluation.extrapolation.beta_binomial import BetaBinomial, Counts
from quagmires.evaluation.extrapolation.mixtures import LogitNormal, fit_free, fit_logit_normal

# Names of the families and their number of parameters.
PARAMETERS = {"beta_binomial": 2, "zero_inflated": 3, "logit_normal": 2}
FREE = "free_mixture"
FOLDS = 5


class Difficulty(Protocol):
    """A fitted distribution of a problem's probability of a right sample."""

    @property
    def at_bound(self) -> bool: ...

    def log_probability(self, n: np.ndarray, c: np.ndarray) -> np.ndarray: ...
    def pass_at_k(self, k: np.ndarray) -> np.ndarray: ...
    def pass_at_k_given(self, n: np.ndarray, c: np.ndarray, k: np.ndarray) -> np.ndarray: ...


def fit(name: str, counts: Counts, start: Difficulty | None = None) -> Difficulty:
    """Fit the family `name`; from `start` alone, a fit of it, where there is one, as for a resample of the problems.

    Raises
    ------
    CannotFit
        as `beta_binomial.fit`.
    """
    if name == FREE:
        return fit_free(counts)
    if name == "logit_normal":
        assert isinstance(start, LogitNormal | None)
        return fit_logit_normal(counts, start)
    assert isinstance(start, BetaBinomial | None)
    return beta_binomial.fit(counts, zero_inflated=name == "zero_inflated", start=start)


def cross_validate(n: np.ndarray, c: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Log-likelihood of each problem under models fitted on the other folds of problems, shape (problems,), by model.

    Problems are held out, and not samples of each problem: half the samples say much less about the problems near
    p = 0, where the families differ.
    """
    fold = generator.permutation(len(n)) % FOLDS
    result = {name: np.empty(len(n)) for name in (*PARAMETERS, FREE)}
    for held in range(min(FOLDS, len(n))):
        rest = Counts.of(n[fold != held], c[fold != held])
        inside = fold == held
        for name, values in result.items():
            values[inside] = fit(name, rest).log_probability(n[inside].astype(float), c[inside].astype(float))
    return result


def lead(first: np.ndarray, second: np.ndarray) -> float:
    """By how many standard errors `first` explains the problems better than `second`: paired, over problems."""
    difference = first - second
    error = difference.std() * np.sqrt(len(difference))
    return float(difference.sum() / error) if error > 0 else 0.0
