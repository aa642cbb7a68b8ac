"""Pass@k from n samples per problem, c of them right: the unbiased estimator, its standard error and its interval."""

from collections.abc import Mapping, Sequence

import numpy as np

BOOTSTRAPS = 1_000
# Resamples are counted in blocks of this many, so that memory stays small with thousands of problems.
BLOCK = 100
CONFIDENCE = 0.90


def pass_at_k(n: np.ndarray | int, c: np.ndarray | int, k: int) -> np.ndarray:
    """Unbiased Pass@k per problem: 1 - C(n - c, k) / C(n, k), in log space (Chen et al. 2021, arXiv 2107.03374).

    Its time and memory are those of one cumulative sum of length n for each distinct n, whatever k is. By hand because
    `scipy.stats.hypergeom.sf(0, n, c, k)` differs in the last digit, and so would stored scores.

    Parameters
    ----------
    n, c
        samples and right samples per problem, broadcastable, shape (problems,).
    k
        1 <= k <= every n.

    Returns
    -------
    array of shape (problems,), values in [0, 1]

    Raises
    ------
    ValueError
        k or a c out of its range.

    >>> pass_at_k(np.array([4, 4]), np.array([1, 3]), 2)
    array([0.5, 1. ])
    """
    n, c = np.broadcast_arrays(np.asarray(n, dtype=np.int64), np.asarray(c, dtype=np.int64))
    if n.size and not 1 <= k <= n.min():
        raise ValueError(f"k must satisfy 1 <= k <= n (n={n.min()}); got k={k}")
    if ((c < 0) | (c > n)).any():
        raise ValueError(f"c must satisfy 0 <= c <= n; got c from {c.min()} to {c.max()} with n up to {n.max()}")
    result = np.ones(n.shape)
    for size in np.unique(n):
        possible = (n == size) & (size - c >= k)
        if possible.any():
            result[possible] = -np.expm1(_log_failure(int(size), k, int(c[possible].max()))[c[possible]])
    return result


def _log_failure(n: int, k: int, most: int) -> np.ndarray:
    """log of C(n - c, k) / C(n, k) for c = 0, ..., most; most <= n - k.

    As a function of c it is the product over j < c of (n - k - j) / (n - j). All terms of the sum have one sign, so
    nothing cancels; logarithms of gamma functions would, and lose digits.
    """
    j = np.arange(most)
    return np.concatenate([[0.0], np.cumsum(np.log1p(-k / (n - j)))])


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


def ratio_with_error(numerators: np.ndarray, denominators: np.ndarray) -> tuple[float, float]:
    """sum(numerators) / sum(denominators) over problems and its standard error, problems being the clusters.

    The error is that of a ratio of means, to first order (Cochran 1977, Sampling Techniques, chapter 6). With one
    problem it is not defined: nan.
    """
    total, problems = float(np.sum(denominators)), len(denominators)
    ratio = float(np.sum(numerators)) / total
    residuals = np.asarray(numerators, dtype=float) - ratio * np.asarray(denominators, dtype=float)
    error = np.sqrt(problems * residuals.var(ddof=1)) / total if problems > 1 else np.nan
    return ratio, float(error)


def stored_entry(value: float, error: float) -> dict[str, float | None]:
    """An estimate as scores.json has it, `value` and `standard_error`; nan is not JSON, so an unknown error is None."""
    return {"value": value, "standard_error": None if np.isnan(error) else float(error)}


def entry_columns(name: str, stored: Mapping[str, float | None] | None) -> dict[str, float]:
    """A `stored_entry` as two columns of a table, `name` and `name_se`; nan where there is nothing.

    >>> entry_columns("x", stored_entry(0.5, np.nan)), entry_columns("x", None)
    ({'x': 0.5, 'x_se': nan}, {'x': nan, 'x_se': nan})
    """
    found = {column: (stored or {}).get(key) for column, key in ((name, "value"), (f"{name}_se", "standard_error"))}
    return {column: np.nan if value is None else value for column, value in found.items()}


def macro_average(means: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """The unweighted mean over benchmarks and its standard error, benchmarks being independent."""
    variances = np.asarray(errors, dtype=float) ** 2
    return float(np.asarray(means, dtype=float).mean()), float(np.sqrt(variances.sum()) / len(variances))


def bootstrap_means(values: np.ndarray, generator: np.random.Generator, draws: int = BOOTSTRAPS) -> np.ndarray:
    """Means of `values` over problems drawn with replacement: a problem goes in with all its samples or not at all.

    Counts are multiplied by values; `scipy.stats.bootstrap` would copy the values for every resample.

    Parameters
    ----------
    values
        shape (problems, columns); one resample of problems serves all columns.

    Returns
    -------
    array of shape (draws, columns)
    """
    values = np.asarray(values, dtype=float)
    problems = len(values)
    equal = np.full(problems, 1 / problems)
    blocks = [
        generator.multinomial(problems, equal, size=min(BLOCK, draws - start)) @ values
        for start in range(0, draws, BLOCK)
    ]
    return np.concatenate(blocks) / problems


def percentile_interval(draws: np.ndarray, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper percentile bound over the first axis of `draws`, ignoring nan."""
    tail = 50 * (1 - confidence)
    low, high = np.nanpercentile(draws, [tail, 100 - tail], axis=0)
    return low, high
