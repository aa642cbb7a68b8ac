"""Joint bootstrap draws: what a model's scores would be on other problems, the same problems for all models.

Models are compared on the same problems, and problems differ far more than models do. The spread of one model's draws
is its standard error; the spread of the difference of two models' draws is the error of their difference, in which
problems that are hard for both cancel (paired: Miller 2024, arXiv 2411.00640).
"""

from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

import numpy as np
import pandas as pd

from quagmires.evaluation.pass_at_k import pass_at_k

DRAWS = 200
EXAMPLES = "validation examples"


def joint_draws(counts: Mapping[str, pd.DataFrame], k: int, seed: int) -> np.ndarray:
    """Macro-averaged Pass@k on resampled problems.

    Draw b of a benchmark takes the same problems whatever the model and k, provided the models were evaluated on the
    same ones.

    Parameters
    ----------
    counts
        by benchmark: problem_id, n samples, c right ones.
    k
        1 <= k <= every n.
    seed
        of the resampling.

    Returns
    -------
    float32 array, (DRAWS,): nan if a benchmark has one problem, whose error is not defined

    Raises
    ------
    ValueError
        no benchmark, or a k out of its range.
    """
    if not counts:
        raise ValueError("there are no benchmarks to average over")
    means = []
    for benchmark, table in counts.items():
        # By problem: tables of two models may be in different orders.
        table = table.sort_values("problem_id")
        values = pass_at_k(table["n"].to_numpy(), table["c"].to_numpy(), k)
        means.append(_weights(benchmark, len(table), seed) @ values)
    return np.mean(means, axis=0).astype(np.float32)


def loss_draws(nll: np.ndarray, tokens: np.ndarray, seed: int) -> np.ndarray:
    """Generalization loss, sum(nll) / sum(tokens), on resampled validation examples.

    Parameters
    ----------
    nll, tokens
        negative log-likelihood in nats and number of tokens of each example, (examples,), in one order for all models.
    seed
        of the resampling.

    Returns
    -------
    float32 array, (DRAWS,), nats per token: nan with one example
    """
    weights = _weights(EXAMPLES, len(nll), seed)
    nll, tokens = np.asarray(nll, float), np.asarray(tokens, float)
    return (weights @ nll / (weights @ tokens)).astype(np.float32)


@lru_cache(maxsize=32)
def _weights(name: str, size: int, seed: int) -> np.ndarray:
    """(DRAWS, size): each draw's weights of `size` problems, of sum 1.

    A draw takes one problem fewer than there are. Means of that many have the variance of the usual standard error,
    which divides by size - 1; a bootstrap of `size` falls short by that (Rao and Wu 1988, doi:10.2307/2288945).
    """
    if size < 2:
        return np.full((DRAWS, size), np.nan)
    generator = np.random.default_rng([seed, crc32(name.encode()), size])
    weights = generator.multinomial(size - 1, np.full(size, 1 / size), size=DRAWS) / (size - 1)
    weights.setflags(write=False)
    return weights
