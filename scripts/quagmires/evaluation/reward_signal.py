"""How much an RL set would teach a model: estimated from n responses to each prompt, c of them right.

GRPO compares the g responses of a group, and learns nothing from a group whose rewards are all equal. p is a prompt's
probability of a right response, and c is binomial with n and p.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from quagmires.evaluation.pass_at_k import entry_columns, mean_with_error, pass_at_k, stored_entry


def informative_share(n: np.ndarray, c: np.ndarray, group_size: int) -> np.ndarray:
    """1 - p^g - (1 - p)^g of each prompt: the probability that a group of g has right and wrong responses.

    The estimate is 1 - C(c, g) / C(n, g) - C(n - c, g) / C(n, g): the share of mixed groups among all that can be
    drawn from the n responses without replacement. It is unbiased, as that of Pass@k (Chen et al. 2021, arXiv
    2107.03374).

    Parameters
    ----------
    n, c
        (prompts,).
    group_size
        1 <= g <= every n: with fewer responses there is no unbiased estimate, as only polynomials in p of a degree up
        to n have one.

    Returns
    -------
    array of shape (prompts,), values in [0, 1]

    Raises
    ------
    ValueError
        g is larger than an n.

    >>> informative_share(np.array([4, 4]), np.array([2, 4]), 2).round(3)
    array([0.667, 0.   ])
    """
    return pass_at_k(n, c, group_size) + pass_at_k(n, n - c, group_size) - 1


def success_variance(n: np.ndarray, c: np.ndarray) -> np.ndarray:
    """p (1 - p) of each prompt, unbiased: c (n - c) / (n (n - 1)); every n >= 2.

    Times (g - 1) / g it is the expected variance of the rewards within a group of g (Aphale and Liu 2026, arXiv
    2606.18487).

    >>> success_variance(np.array([4]), np.array([2])).round(3)
    array([0.333])
    """
    return c * (n - c) / (n * (n - 1.0))


def success_deviation(n: np.ndarray, c: np.ndarray) -> np.ndarray:
    """sqrt(p (1 - p)) of each prompt, by the jackknife (Quenouille 1956, doi:10.1093/biomet/43.3-4.353).

    It is no polynomial in p, so no estimate is unbiased. The plain one, sqrt(c (n - c)) / n, is too small: by 0.029
    with 16 responses where p is uniform and the mean is 0.393. The jackknife subtracts the bias of order 1 / n, and
    0.001 is left there. With T of all n responses and T_i of all but the i-th it is n T - (n - 1) mean(T_i). Where most
    p are below 0.05 both are too small. A value may lie a little above 1/2, so that the mean is right.

    Parameters
    ----------
    n, c
        (prompts,); every n >= 2.

    Returns
    -------
    array of shape (prompts,)

    >>> success_deviation(np.array([4, 4]), np.array([2, 0])).round(3)
    array([0.586, 0.   ])
    """

    def plug_in(n: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(c * (n - c), 0)) / n

    without_one = (c * plug_in(n - 1, c - 1) + (n - c) * plug_in(n - 1, c)) / n
    return n * plug_in(n, c) - (n - 1) * without_one


def reward_signal(counts: pd.DataFrame, group_size: int) -> dict[str, Any]:
    """The means over one RL set's prompts, each with its standard error over prompts.

    Parameters
    ----------
    counts
        one row per prompt: n, c; every n >= 1.
    group_size
        rollouts of a prompt in RL.

    Returns
    -------
    `prompts`, `samples`, `group_size`, and as value and standard error `pass_at_1`, `informative_share`,
    `success_variance` and `success_deviation`; None for what the number of samples does not allow
    """
    n, c = counts["n"].to_numpy(), counts["c"].to_numpy()
    samples = int(n.min())
    return {
        "prompts": len(counts),
        "samples": samples,
        "group_size": group_size,
        "pass_at_1": _entry(c / n),
        "informative_share": _entry(informative_share(n, c, group_size)) if samples >= group_size else None,
        "success_variance": _entry(success_variance(n, c)) if samples >= 2 else None,
        "success_deviation": _entry(success_deviation(n, c)) if samples >= 2 else None,
    }


def signal_columns(signal: Mapping[str, Any] | None) -> dict[str, float]:
    """What `reward_signal` returned as columns of the metrics; nan where there is nothing."""
    found = signal or {}
    columns = {f"rl_{name}": found.get(name, np.nan) for name in ("prompts", "samples", "group_size")}
    for name in ("pass_at_1", "informative_share", "success_variance", "success_deviation"):
        columns |= entry_columns(f"rl_{name}", found.get(name))
    return columns


def _entry(values: np.ndarray) -> dict[str, float | None]:
    return stored_entry(*mean_with_error(values))
