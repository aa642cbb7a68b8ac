"""Curation: token lengths, the validation split, and deterministic subsets by length, at random or mixed.

All of it works on a table with one row per trace and the columns `id`, `problem`, `prompt_tokens`, `response_tokens`.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from quagmires.errors import UserError
from quagmires.subsets import ALL, parse_subset

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def measure_lengths(pool: pd.DataFrame, tokenizer: Any, instruction: str) -> pd.DataFrame:
    """Token counts of every prompt and of every response with its end token, by the model's own tokenizer.

    A prompt is counted as the chat template renders it, a response as it is trained on.
    """
    from quagmires.prompts import prompt_ids

    problems = pool["problem"].unique()
    prompt_tokens = {problem: len(prompt_ids(tokenizer, problem, instruction)) for problem in problems}
    encoded = tokenizer(pool["response"].tolist(), add_special_tokens=False)["input_ids"] if len(pool) else []
    return pd.DataFrame(
        {
            "id": pool["id"].to_numpy(),
            "problem": pool["problem"].to_numpy(),
            "prompt_tokens": pool["problem"].map(prompt_tokens).to_numpy(),
            "response_tokens": [len(ids) + 1 for ids in encoded],
        }
    )


def within_cutoff(lengths: pd.DataFrame, cutoff: int) -> pd.DataFrame:
    """The traces whose prompt and response together fit `cutoff` tokens."""
    return lengths[lengths["prompt_tokens"] + lengths["response_tokens"] <= cutoff]


def random_order(ids: Sequence[str], seed: int) -> np.ndarray:
    """Positions of `ids` in an order that depends on the seed and each id alone.

    So a subset of N is contained in every larger one, and adding or removing a trace moves no other.
    """
    keys = [hashlib.sha256(f"{seed}\0{id_}".encode()).digest() for id_ in ids]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=int)


def split_validation(lengths: pd.DataFrame, examples: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold out whole problems, in seeded order, until at least `examples` traces are held out.

    Returns (training pool, validation), both in the order of `lengths`; no problem is in both. Validation is cut to
    exactly `examples` traces; further traces of its last problem are used in neither.
    """
    problems = lengths["problem"].drop_duplicates().tolist()
    counts = lengths["problem"].value_counts()
    held: list[str] = []
    total = 0
    for position in random_order(problems, seed):
        if total >= examples:
            break
        held.append(problems[position])
        total += int(counts[problems[position]])
    in_validation = lengths["problem"].isin(held)
    if total < examples or in_validation.all():
        raise UserError(
            f"{examples} validation traces leave none to train on (the pool has {len(lengths)}); hold out fewer"
        )
    order = {problem: rank for rank, problem in enumerate(held)}
    validation = lengths[in_validation]
    kept = validation["problem"].map(order).sort_values(kind="stable").index[:examples]
    return lengths[~in_validation], validation.loc[validation.index.isin(kept)]


def select(pool: pd.DataFrame, subset: str, seed: int) -> pd.DataFrame:
    """The rows of a subset such as `random-10k` or `longest-500+shortest-500`, in the order of the pool.

    Ties in length are broken by the seeded random order, so that equal traces are picked alike by every rule. The
    parts of a mixture never overlap: each picks from what the parts before it left.
    """
    if subset == ALL:
        return pool
    order = pd.Series(np.arange(len(pool)), index=pool.index[random_order(pool["id"].tolist(), seed)])
    ranked = pool[["response_tokens"]].assign(order=order)
    chosen: list[Any] = []
    for part in parse_subset(subset):
        left = ranked.drop(chosen)
        if part.size > len(left):
            raise UserError(
                f"subset {subset}: {part.rule}-{part.size} asks for more traces than are left ({len(left)});"
                " make it smaller"
            )
        if part.rule == "random":
            left = left.sort_values("order")
        else:
            left = left.sort_values(["response_tokens", "order"], ascending=[part.rule == "shortest", True])
        chosen += left.index[: part.size].tolist()
    return pool.loc[pool.index.isin(chosen)]


def manifest(
    subset: pd.DataFrame, *, name: str, seed: int, cutoff: int, dropped: int, source: dict[str, Any]
) -> dict[str, Any]:
    """What a subset is: counts, tokens, quantiles, source, seed, and a hash of its ids in order."""
    tokens = subset["response_tokens"].to_numpy()
    digest = hashlib.sha256("\n".join(subset["id"]).encode()).hexdigest()
    return {
        "subset": name,
        "examples": len(subset),
        "problems": int(subset["problem"].nunique()),
        "response_tokens": int(tokens.sum()),
        "prompt_tokens": int(subset["prompt_tokens"].sum()),
        "response_token_quantiles": {str(q): float(np.quantile(tokens, q)) for q in QUANTILES} if len(tokens) else {},
        "cutoff_tokens": cutoff,
        "dropped_over_cutoff": dropped,
        "seed": seed,
        "source": source,
        "ids_sha256": digest,
    }
