"""A validation set that is the same for all SFT pools of a model: held-out traces whose problems no pool trains on.

Each pool holds out whole problems of its own (data/subsets.py), told apart by their exact text. Another pool may have
the same problem, in the same or in another spelling, and train on it. So problems are compared across pools as
contamination compares them: as text without punctuation, white space, layout commands and other spellings of symbols.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.data import pools, subsets
from quagmires.data.subsets import Lengths
from quagmires.evaluation.contamination.ngrams import exact_key, plain


@dataclass(frozen=True)
class SplitPool:
    """A pool for one model: what subsets are selected from, and what is held out."""

    content: pq.ParquetFile
    training: Lengths
    held_out: Lengths


@dataclass(frozen=True)
class CommonValidation:
    """The chosen traces of each pool, and what is written down of them."""

    chosen: dict[str, Lengths]
    manifest: dict[str, Any]


def split_pool(content: pq.ParquetFile, lengths: Path, cutoff: int, validation_examples: int, seed: int) -> SplitPool:
    """Split a pool as its own subsets and its own validation set are split (scripts/select_subset.py)."""
    kept = subsets.within_cutoff(Lengths.read(lengths, content), cutoff)
    return SplitPool(content, *subsets.split_validation(kept, validation_examples, seed))


def problem_key(problem: str) -> bytes:
    """The same for two spellings of a problem."""
    return hashlib.blake2b(exact_key(plain(problem)).encode(), digest_size=16).digest()


def select_common(split: Mapping[str, SplitPool], wanted: Sequence[str], examples: int, seed: int) -> CommonValidation:
    """Choose `examples` held-out traces of each of the `wanted` pools, whose problems no pool of `split` trains on.

    A problem counts as trained on if any trace of it may be selected for training, by whatever recipe. The traces left
    are taken in the seeded random order, so a smaller set is part of a larger one.

    Parameters
    ----------
    split
        all pools that the model may be trained on, by name.

    Raises
    ------
    UserError
        too few traces of a pool are left.
    """
    keys = {name: _keys(split[name]) for name in wanted}
    candidates = {key for of_pool in keys.values() for key in of_pool}
    trained_on = {name: _trained(pool, candidates) for name, pool in split.items()}
    chosen, records = {}, {}
    for name in wanted:
        held_out = split[name].held_out
        where = [[other for other in split if key in trained_on[other]] for key in keys[name]]
        left = held_out.where(np.array([not found for found in where], dtype=bool))
        excluded = Counter(other for found in where for other in found)
        if len(left) < examples:
            others = ", ".join(f"{other} ({count})" for other, count in excluded.most_common())
            raise UserError(
                f"validation: {len(left)} held-out traces of {name} are left for {examples}: of its {len(held_out)} the"
                f" problems of {len(held_out) - len(left)} are trained on in {others or 'no pool'}; lower"
                " sft.validation.examples, or raise sft.validation_examples"
            )
        chosen[name] = subsets.select(left, f"random-{examples}", seed)
        records[name] = {
            "held_out": len(held_out),
            "excluded": len(held_out) - len(left),
            "excluded_by_pool": {other: excluded[other] for other in split},
            "examples": examples,
            "response_tokens": int(chosen[name].response_tokens.sum(dtype=np.int64)),
            "prompt_tokens": int(chosen[name].prompt_tokens.sum(dtype=np.int64)),
            "ids_sha256": hashlib.sha256("\n".join(chosen[name].ids.to_pylist()).encode()).hexdigest(),
        }
    of_key = {name: dict(zip(split[name].held_out.positions.tolist(), keys[name], strict=True)) for name in wanted}
    problems = {of_key[name][position] for name in wanted for position in chosen[name].positions.tolist()}
    manifest = {
        "from": list(wanted),
        "examples": examples * len(wanted),
        "problems": len(problems),
        "pools": records,
        "compared_with": {
            name: {
                "training_traces": len(pool.training),
                "training_problems": len(np.unique(pool.training.problems)),
                "content_sha256": pools.content_sha256(pool.content),
            }
            for name, pool in split.items()
        },
        "seed": seed,
    }
    return CommonValidation(chosen, manifest)


def rows(split: Mapping[str, SplitPool], chosen: Mapping[str, Lengths]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (pool, id, problem, response) of the chosen traces. An id starts with its pool, so none occurs twice."""
    for name, traces in chosen.items():
        for identity, problem, response in pools.texts(split[name].content, traces.positions):
            yield name, identity if identity.startswith(f"{name}/") else f"{name}/{identity}", problem, response


def _keys(pool: SplitPool) -> list[bytes]:
    """The key of the problem of each held-out trace."""
    return list(map(problem_key, pools.problem_texts(pool.content, pool.held_out.positions)))


def _trained(pool: SplitPool, candidates: set[bytes]) -> set[bytes]:
    """Those of the keys whose problems the pool may train on. Of the traces of one text one is read."""
    _, first = np.unique(pool.training.problems, return_index=True)
    positions = np.sort(pool.training.positions[first])
    return candidates & set(map(problem_key, pools.problem_texts(pool.content, positions)))
