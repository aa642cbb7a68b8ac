"""Curation: token lengths, the validation split, and deterministic subsets by length, at random or mixed.

Selection works on ids and numbers alone, never on texts: about 100 bytes a trace.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.common.files import whole_file
from quagmires.config.subset_names import ALL, parse_subset
from quagmires.data.pools import content_sha256, open_pool, short_hash
from quagmires.data.prompts import conversation, load_tokenizer, prompt_ids, response_ids

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SCHEMA = pa.schema(
    [("id", pa.string()), ("problem", pa.uint64()), ("prompt_tokens", pa.int32()), ("response_tokens", pa.int32())]
)
# Encoded at once: a token takes some hundred bytes until it is counted.
BATCH_CHARACTERS = 400_000
# Rows of a batch counted a second time in the plain way.
PROBES = 3


class TokenCounter:
    """Counts tokens by a model's own tokenizer and chat template, as many texts at a time as memory allows."""

    def __init__(self, model: str, instruction: str) -> None:
        if not Path(model, "tokenizer_config.json").is_file():
            raise UserError(f"{model}: no tokenizer_config.json; give the directory of a model with its tokenizer")
        self.tokenizer = load_tokenizer(model)
        if not self.tokenizer.chat_template:
            raise UserError(f"{model}: the tokenizer has no chat template; set `chat_template` of the model")
        self.instruction = instruction
        self._backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if self._backend is not None:
            self._backend.no_truncation()
            self._backend.no_padding()

    def count(self, problems: Sequence[str], responses: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of each prompt as the chat template renders it, and of each response with its end token."""
        distinct = list(dict.fromkeys(problems))
        rendered = self.tokenizer.apply_chat_template(
            [conversation(problem, self.instruction) for problem in distinct],
            add_generation_prompt=True,
            tokenize=False,
        )
        of_prompt = dict(zip(distinct, self._lengths(rendered), strict=True))
        prompts = [of_prompt[problem] for problem in problems]
        answers = [length + 1 for length in self._lengths(responses)]
        for row in np.unique(np.linspace(0, len(problems) - 1, PROBES, dtype=int)) if problems else ():
            if (prompts[row], answers[row]) != self._plainly(problems[row], responses[row]):
                # A tokenizer that does more than its fast backend: counted one by one, slowly.
                counts = [self._plainly(*pair) for pair in zip(problems, responses, strict=True)]
                prompts, answers = map(list, zip(*counts, strict=True))
                break
        return np.array(prompts, np.int32), np.array(answers, np.int32)

    def _plainly(self, problem: str, response: str) -> tuple[int, int]:
        return (
            len(prompt_ids(self.tokenizer, problem, self.instruction)),
            len(response_ids(self.tokenizer, response)),
        )

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        lengths: list[int] = []
        for batch in _batches(texts):
            if self._backend is None:
                lengths += map(len, self.tokenizer(batch, add_special_tokens=False)["input_ids"])
            else:
                # The ids stay in Rust: as Python lists they cost a third of the time.
                lengths += map(len, self._backend.encode_batch_fast(batch, add_special_tokens=False))
        return lengths


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        batch.append(text)
        characters += len(text)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def measure_lengths(pool: Path, model: str, instruction: str, workers: int, output: Path) -> tuple[int, int]:
    """Write the token lengths of every trace of a pool, in its order, and return (traces, response tokens).

    A row group at a time in each of `workers` processes; the output does not depend on their number. `problem` is a
    hash of the problem's text. The pool's fingerprint goes into the file's metadata.

    Raises
    ------
    UserError
        There is no pool or no tokenizer, or a worker process died.
    """
    if workers < 1:
        raise UserError(f"workers: {workers} is too few; give at least 1")
    with open_pool(pool) as content:
        groups, fingerprint = content.num_row_groups, content_sha256(content)
    schema = SCHEMA.with_metadata({"pool_content_sha256": fingerprint})
    traces = tokens = 0
    with whole_file(output) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for batch in _measured((str(pool), model, instruction), groups, workers):
            writer.write_batch(batch)
            traces += batch.num_rows
            tokens += int(np.sum(batch["response_tokens"].to_numpy(), dtype=np.int64))
    return traces, tokens


def _measured(setting: tuple[str, str, str], groups: int, workers: int) -> Iterator[pa.RecordBatch]:
    if workers == 1:
        _set_up(*setting)
        yield from map(_measure_group, range(groups))
        return
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, initializer=_set_up, initargs=setting) as executor:
            yield from executor.map(_measure_group, range(groups))
    except BrokenProcessPool:
        raise UserError("token lengths: a worker process was killed, likely for memory; use fewer --workers") from None


# One a process: opening a tokenizer takes seconds.
_setting: tuple[str, str, str] | None = None
_counter: TokenCounter | None = None


def _set_up(pool: str, model: str, instruction: str) -> None:
    global _setting, _counter
    # One core a process: the tokenizer's own threads would compete with the other processes.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    _setting, _counter = (pool, model, instruction), None


def _measure_group(group: int) -> pa.RecordBatch:
    global _counter
    assert _setting is not None
    pool, model, instruction = _setting
    if _counter is None:
        # Not in _set_up, where an error would only say that the pool of processes broke.
        _counter = TokenCounter(model, instruction)
    with open_pool(Path(pool)) as content:
        table = content.read_row_group(group)
    problems, responses = (table[name].to_pylist() for name in ("problem", "response"))
    prompt_tokens, response_tokens = _counter.count(problems, responses)
    hashes = np.fromiter(map(short_hash, problems), np.uint64, len(problems))
    columns = [table["id"].combine_chunks(), *map(pa.array, (hashes, prompt_tokens, response_tokens))]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


@dataclass(frozen=True, eq=False)
class Lengths:
    """Traces by id, hash of the problem and tokens; `positions` are their rows in the pool, ascending."""

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
        numbers = [table[name].to_numpy() for name in SCHEMA.names[1:]]
        return cls(pa.concat_arrays(table["id"].chunks or [pa.array([], pa.string())]), *numbers, np.arange(len(table)))

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

    Ties in length are broken by the seeded random order, so that equal traces are picked alike by every rule. The
    parts of a mixture never overlap: each picks from what the parts before it left.
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
        tokens = lengths.response_tokens[left].astype(np.int64)
        by_length = {"random": (), "shortest": (tokens,), "longest": (-tokens,)}[part.rule]
        taken[left[np.lexsort((keys[left], *by_length))[: part.size]]] = True
    return lengths.where(taken)


def _mask(size: int, positions: np.ndarray) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[positions] = True
    return mask


def manifest(
    subset: Lengths, *, name: str, seed: int, cutoff: int, dropped: int, source: dict[str, Any]
) -> dict[str, Any]:
    """What a subset is: counts, tokens, quantiles, source, seed, and a hash of its ids in order."""
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
