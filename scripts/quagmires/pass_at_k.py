"""Pass@k from n samples per problem, c of them right: the unbiased estimator, and its standard error by problem."""

from collections.abc import Sequence

import numpy as np


def pass_at_k(n: np.ndarray | int, c: np.ndarray | int, k: int) -> np.ndarray:
    """Unbiased Pass@k per problem: 1 - C(n - c, k) / C(n, k), in log space (Chen et al. 2021, arXiv 2107.03374).

    Parameters
    ----------
    n, c
        samples and right samples per problem, broadcastable, shape (problems,).
    k
        1 <= k <= every n.

    Returns
    -------
    array of shape (problems,), values in [0, 1]

    >>> pass_at_k(np.array([4, 4]), np.array([1, 3]), 2)
    array([0.5, 1. ])
    """
    n, c = np.broadcast_arrays(np.asarray(n, dtype=float), np.asarray(c, dtype=float))
    if n.size and not 1 <= k <= n.min():
        raise ValueError(f"k must satisfy 1 <= k <= n (n={n.min():g}); got k={k}")
    if ((c < 0) | (c > n)).any():
        raise ValueError(f"c must satisfy 0 <= c <= n; got c up to {c.max():g} with n={n.max():g}")
    # C(n - c, k) / C(n, k) = prod over j < k of 1 - c / (n - j). Logarithms of gamma functions would lose digits.
    share = c[..., None] / (n[..., None] - np.arange(k))
    possible = n - c >= k
    log_failure = np.log1p(-np.where(possible[..., None], share, 0.0)).sum(axis=-1)
    return np.where(possible, -np.expm1(log_failure), 1.0)


def powers_of_two(n: int) -> list[int]:
    """1, 2, 4, ... up to n, and n itself.

    >>> powers_of_two(12)
    [1, 2, 4, 8, 12]
    """
    ks = [2**i for i in range(n.bit_length()) if 2**i <= n]
    return ks if ks[-1] == n else [*ks, n]


def mean_with_error(values: np.ndarray) -> tuple[float, float]:
    """The mean over problems and its standard error, problems being the clusters (Miller 2024, arXiv 2411.00640).

    With one problem the error is not defined: nan.
    """
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)


def macro_average(means: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """The unweighted mean over benchmarks and its standard error, benchmarks being independent."""
    means, errors = np.asarray(means, dtype=float), np.asarray(errors, dtype=float)
    return float(means.mean()), float(np.sqrt((errors**2).sum()) / len(errors))
