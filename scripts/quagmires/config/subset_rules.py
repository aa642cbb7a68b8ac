"""The rules by which a subset of a pool is picked: `random`, `shortest`, `longest`.

A rule is a registered function that puts traces in the order in which the rule takes them. `random-10k` is the first
10,000 traces of that order, so a subset of a rule is contained in every larger subset of the same rule. To add a rule:

    @subset_rule("middle", look=Look("#E69F00", "v"))
    def middle(traces):
        distance = np.abs(traces.response_tokens - np.median(traces.response_tokens))
        return np.lexsort((traces.random_keys, distance))

This is the only place that names the rules. Four others look them up in `SUBSET_RULES`: the names of subsets
(subset_names.py), the selection (data/subsets.py), plans and time limits (planning/resources.py), and figures
(reporting/figures/style.py). The registry lies in config/ because the names of subsets are checked there. It needs
nothing but numpy.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Traces:
    """The traces that a rule may pick from, as arrays of one entry a trace, in the order of the pool.

    Parameters
    ----------
    problems
        uint64, (traces,): a hash of the problem's text; traces of one problem share it.
    prompt_tokens, response_tokens
        int64, (traces,): lengths in tokens.
    random_keys
        uint64, (traces,): sorting by them gives the seeded random order. Break ties by them, so that every rule picks
        alike among equal traces and the order of the pool does not matter.
    """

    problems: np.ndarray
    prompt_tokens: np.ndarray
    response_tokens: np.ndarray
    random_keys: np.ndarray


@dataclass(frozen=True)
class Look:
    """How figures draw the points of a rule: `colour` as #RRGGBB, `marker` as matplotlib calls it."""

    colour: str
    marker: str


def mean_of_pool(mean: int, cutoff: int) -> float:
    """The expected tokens of an example that is as long as the pool's mean."""
    return min(mean, cutoff)


def as_long_as_allowed(mean: int, cutoff: int) -> float:
    """The expected tokens of an example that is as long as the cutoff."""
    return cutoff


@dataclass(frozen=True)
class SubsetRule:
    """A registered rule: see `subset_rule`."""

    name: str
    order: Callable[[Traces], np.ndarray]
    expected_tokens: Callable[[int, int], float]
    look: Look | None

    def first(self, traces: Traces, size: int) -> np.ndarray:
        """The positions of the `size` traces that the rule takes first, (size,), in the order it takes them.

        Raises
        ------
        ValueError
            the rule's function did not give an order of the traces.
        """
        order = np.asarray(self.order(traces))
        count = len(traces.random_keys)
        if order.shape != (count,) or not np.array_equal(np.sort(order), np.arange(count)):
            raise ValueError(
                f"subset rule {self.name}: its function must return every position of {count} traces once; got an array"
                f" of shape {order.shape}"
            )
        return order[:size]


SUBSET_RULES: dict[str, SubsetRule] = {}


def subset_rule(
    name: str, expected_tokens: Callable[[int, int], float] = mean_of_pool, look: Look | None = None
) -> Callable[[Callable[[Traces], np.ndarray]], Callable[[Traces], np.ndarray]]:
    """Register the decorated function, `Traces` -> order of their positions (traces,), as a subset rule.

    Parameters
    ----------
    name
        of the rule in subsets such as `<name>-10k`: lower-case letters.
    expected_tokens
        (mean tokens of an example of the pool, cutoff) -> expected tokens of an example that the rule picks. Plans and
        time limits count with it, as they are made before lengths are measured.
    look
        of the rule in figures. Without it a figure gives the rule the next colour and marker that are free.

    Raises
    ------
    ValueError
        the name is taken, or has other than lower-case letters.
    """
    if not re.fullmatch("[a-z]+", name):
        raise ValueError(f"subset rule {name!r}: a name has lower-case letters only")
    if name in SUBSET_RULES:
        raise ValueError(f"there is a subset rule {name} already; choose another name")

    def register(function: Callable[[Traces], np.ndarray]) -> Callable[[Traces], np.ndarray]:
        SUBSET_RULES[name] = SubsetRule(name, function, expected_tokens, look)
        return function

    return register


# The colours are the first three of the palette of figures (reporting/figures/style.py).
@subset_rule("random", look=Look("#0072B2", "o"))
def random(traces: Traces) -> np.ndarray:
    """The seeded random order."""
    return np.argsort(traces.random_keys, kind="stable")


@subset_rule("shortest", look=Look("#009E73", "^"))
def shortest(traces: Traces) -> np.ndarray:
    """The shortest responses first."""
    return np.lexsort((traces.random_keys, traces.response_tokens))


# The longest traces of a large pool fill the cutoff.
@subset_rule("longest", expected_tokens=as_long_as_allowed, look=Look("#D55E00", "s"))
def longest(traces: Traces) -> np.ndarray:
    """The longest responses first."""
    return np.lexsort((traces.random_keys, -traces.response_tokens))
