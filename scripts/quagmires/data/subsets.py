"""Curation: the validation split, and deterministic subsets of a pool's traces by the rules of config/subset_rules.py.

Selection works on ids and numbers alone, never on texts: about 100 bytes a trace.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.config.subset_names import ALL, parse_subset
from quagmires.config.subset_rules import SUBSET_RULES, Traces
from quagmires.data.lengths import SCHEMA
from quagmires.data.pools import content_sha256

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True, eq=False)
class Lengths:
    """Traces by id, hash of the problem and tokens; `positions` are their rows in the pool, ascending.

    All are (traces,); `problems` is uint64, the tokens are int32.
    """

    ids: pa.StringArray
    problems: np.ndarray
    prompt_tokens: np.ndarray
    response_tokens: np.ndarray
    positions: np.ndarray

    @classmethod
    def read(cls, path: Path, pool: pq.ParquetFile) -> "Lengths":
        """Read what measure_lengths wrote. Raises `UserError` if it was another pool that was measured."""
        table = pq.read_table(path)
        measured = (table.schema.metadata or {}).get(b"pool_content_sha256", b"").decode()
        if measured != content_sha256(pool):
            raise UserError(f"{path}: lengths of another pool; run measure_lengths.py on this one")
        ids = pa.concat_arrays(table["id"].chunks or [pa.array([], pa.string())])
        problems, prompt_tokens, response_tokens = (table[name].to_numpy() for name in SCHEMA.names[1:])
        return cls(ids, problems, prompt_tokens, response_tokens, np.arange(len(table)))

    def __len__(self) -> int:
        return len(self.positions)

    def where(self, chosen: np.ndarray) -> "Lengths":
        """The traces for which a boolean array is true."""
        numbers = (self.problems, self.prompt_tokens, self.response_tokens, self.positions)
        return Lengths(self.ids.filter(pa.array(chosen)), *(values[chosen] for values in numbers))


def within_cutoff(lengths: Lengths, cutoff: int) -> Lengths:
    """The traces whose prompt and response together fit `cutoff` tokens."""
    return lengths.where(lengths.prompt_tokens.astype(np.int64) + lengths.response_tokens <= cutoff)


def random_keys(names: Iterator[str], count: int, seed: int) -> np.ndarray:
    """For each name 64 bits of the sha256 of seed and name; sorting by them is the seeded random order.

    The place of a name depends on the seed and itself alone: a subset of N is contained in every larger one, and
    adding or removing a trace moves no other.
    """
    start = f"{seed}\0".encode()
    sha256 = hashlib.sha256
    return np.fromiter(
        (int.from_bytes(sha256(start + name.encode()).digest()[:8], "big") for name in names), np.uint64, count
    )


def _trace_keys(lengths: Lengths, seed: int) -> np.ndarray:
    slices = range(0, len(lengths), 65_536)
    names = (name for start in slices for name in lengths.ids.slice(start, 65_536).to_pylist())
    return random_keys(names, len(lengths), seed)


def split_validation(lengths: Lengths, examples: int, seed: int) -> tuple[Lengths, Lengths]:
    """Hold out whole problems, in seeded order, until at least `examples` traces are held out.

    Returns (training pool, validation), both in the order of `lengths`; no problem is in both. Validation is cut to
    exactly `examples` traces; further traces of its last problem are used in neither.

    Raises
    ------
    UserError
        no problem would be left to train on.
    """
    problems, problem_of, counts = np.unique(lengths.problems, return_inverse=True, return_counts=True)
    order = np.argsort(random_keys((f"{problem:016x}" for problem in problems.tolist()), len(problems), seed))
    enough = int(np.searchsorted(np.cumsum(counts[order]), examples)) + 1
    if enough >= len(problems):
        raise UserError(
            f"{examples} validation traces leave none to train on (the pool has {len(lengths)} within the cutoff);"
            " hold out fewer"
        )
    rank = np.empty(len(problems), np.int64)
    rank[order] = np.arange(len(problems))
    rank_of = rank[problem_of]
    held_out = np.flatnonzero(rank_of < enough)
    traces = lengths.where(rank_of < enough)
    first = np.lexsort((_trace_keys(traces, seed), rank_of[held_out]))[:examples]
    return lengths.where(rank_of >= enough), traces.where(_mask(len(traces), first))


def select(lengths: Lengths, subset: str, seed: int) -> Lengths:
    """The traces of a subset such as `random-10k` or `longest-500+shortest-500`, in the order of the pool.

    The rules are those of config/subset_rules.py. The parts of a mixture never overlap: each picks from what the
    parts before it left.

    Raises
    ------
    UserError
        there is no such subset, or a part asks for more traces than are left.
    """
    if subset == ALL:
        return lengths
    keys = _trace_keys(lengths, seed)
    taken = np.zeros(len(lengths), bool)
    for part in parse_subset(subset):
        left = np.flatnonzero(~taken)
        if part.size > len(left):
            raise UserError(
                f"subset {subset}: {part.rule}-{part.size} asks for {part.size} traces, {len(left)} are left after the"
                " cutoff, the validation split and the parts before it; make it smaller"
            )
        traces = Traces(
            problems=lengths.problems[left],
            prompt_tokens=lengths.prompt_tokens[left].astype(np.int64),
            response_tokens=lengths.response_tokens[left].astype(np.int64),
            random_keys=keys[left],
        )
        taken[left[SUBSET_RULES[part.rule].first(traces, part.size)]] = True
    return lengths.where(taken)


def _mask(size: int, positions: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[positions] = True
    return mask


def manifest(
    subset: Lengths, *, name: str, seed: int, cutoff: int, dropped: int, source: dict[str, Any]
) -> dict[str, Any]:
    """What a subset is: counts, tokens, quantiles of response tokens, source, seed, and a hash of its ids in order.

    Parameters
    ----------
    cutoff
        tokens that prompt and response together may have.
    dropped
        traces of the pool that are longer.
    """
    tokens = subset.response_tokens
    return {
        "subset": name,
        "examples": len(subset),
        "problems": len(np.unique(subset.problems)),
        "response_tokens": int(tokens.sum(dtype=np.int64)),
        "prompt_tokens": int(subset.prompt_tokens.sum(dtype=np.int64)),
        "response_token_quantiles": {str(q): float(np.quantile(tokens, q)) for q in QUANTILES} if len(tokens) else {},
        "cutoff_tokens": cutoff,
        "dropped_over_cutoff": dropped,
        "seed": seed,
        "source": source,
        "ids_sha256": hashlib.sha256("\n".join(subset.ids.to_pylist()).encode()).hexdigest(),
    }
