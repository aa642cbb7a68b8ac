"""The token lengths of a pool's traces, counted by a model's own tokenizer and chat template."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.common.files import whole_file
from quagmires.data.pools import content_sha256, open_pool, short_hash
from quagmires.data.prompts import conversation, load_tokenizer, prompt_ids, response_ids

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
        """Tokens of each prompt as the chat template renders it, and of each response with its end token.

        Returns
        -------
        Two int32 arrays, (texts,).
        """
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
