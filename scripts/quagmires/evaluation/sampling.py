"""Draw responses from one vLLM engine, shard by shard.

vLLM spreads the requests over the devices of the node itself (`data_parallel_size`), in processes of its own. Only as
many requests are handed over as keep it busy: shards finish one after the other, a killed job loses few, and a slow
response holds up its own shard alone.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quagmires.common.files import whole_file
from quagmires.common.processes import REPORT_EVERY_SECONDS
from quagmires.evaluation.shards import Shard, request_seed

# Sequences handed to the engine, in multiples of what it runs at a time: the rest is its queue.
IN_FLIGHT = 2
LOOK_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn. `max_tokens` counts prompt and response together."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int


@dataclass
class Tally:
    """What has been drawn so far. `unfinished_tokens` belong to responses that the engine is still at."""

    responses: int = 0
    tokens: int = 0
    unfinished_tokens: int = 0
    truncated: int = 0
    seconds: float = 0.0


class Draw:
    """One drawing of missing shards.

    Parameters
    ----------
    name
        how the checkpoint is called; its seeds depend on it.
    prompts
        (benchmark, problem id) -> token ids.
    tokenizer
        of transformers; turns the drawn tokens into text.
    output
        the checkpoint's eval folder.
    report
        called with the tally now and then, and at the end.
    """

    def __init__(
        self,
        name: str,
        prompts: dict[tuple[str, str], list[int]],
        sampling: Sampling,
        tokenizer: Any,
        output: Path,
        report: Callable[[Tally], None],
    ):
        self.name, self.prompts, self.sampling = name, prompts, sampling
        self.tokenizer, self.output, self.report = tokenizer, output, report
        self.tally = Tally()
        self._rows: dict[Shard, list[dict]] = {}
        self._waiting: dict[Shard, int] = {}

    async def run(self, llm: Any, missing: list[Shard], sequences: int) -> Tally:
        """Draw `missing` shards with vLLM's engine and write each when it is whole.

        Cancelled, it leaves finished shards, and no request in the engine.

        Parameters
        ----------
        sequences
            how many the engine works on at a time.
        """
        started = time.monotonic()
        ticker = asyncio.create_task(self._tick(llm, started))
        try:
            await self._draw(llm, missing, IN_FLIGHT * sequences)
        finally:
            ticker.cancel()
            self.tally.seconds, self.tally.unfinished_tokens = time.monotonic() - started, 0
        self.report(self.tally)
        return self.tally

    async def _tick(self, llm: Any, started: float) -> None:
        """Report even while nothing is finished: long responses take minutes."""
        while True:
            await asyncio.sleep(REPORT_EVERY_SECONDS)
            states = llm.output_processor.request_states.values()
            self.tally.unfinished_tokens = sum(state.detokenizer.num_output_tokens() for state in states)
            self.tally.seconds = time.monotonic() - started
            self.report(self.tally)

    async def _draw(self, llm: Any, missing: list[Shard], sequences: int) -> None:
        requests = [
            (shard, problem_id)
            for shard in missing
            for benchmark, problem_id in self.prompts
            if benchmark == shard.benchmark
        ]
        for shard, _ in requests:
            self._waiting[shard] = self._waiting.get(shard, 0) + 1
        # A failing request cancels the others and ends the group.
        async with asyncio.TaskGroup() as group:
            for key, (shard, problem_id) in enumerate(requests):
                # Responses and not requests are counted: one long response holds up its request, not the engine.
                while llm.output_processor.get_num_unfinished_requests() >= sequences:
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
                group.create_task(self._respond(llm, f"{self.name} {key}", shard, problem_id))
                # Hand it over before counting again.
                await asyncio.sleep(0)

    async def _respond(self, llm: Any, key: str, shard: Shard, problem_id: str) -> None:
        """Draw one problem's block of repetitions."""
        ids = self.prompts[shard.benchmark, problem_id]
        seed = request_seed(self.sampling.seed, self.name, shard.benchmark, problem_id, shard.first)
        parameters = sampling_parameters(self.sampling, shard.repetitions, len(ids), seed)
        async for result in llm.generate({"prompt_token_ids": ids}, parameters, key):
            # There is one result, with all repetitions.
            outputs = result.outputs
        rows = await asyncio.to_thread(response_rows, self.tokenizer, shard, problem_id, seed, outputs)
        self._rows.setdefault(shard, []).extend(rows)
        self.tally.responses += len(rows)
        self.tally.tokens += sum(row["n_tokens"] for row in rows)
        self.tally.truncated += sum(row["finish_reason"] == "length" for row in rows)
        self._waiting[shard] -= 1
        if self._waiting[shard] == 0:
            await asyncio.to_thread(write_shard, shard.path(self.output), self._rows.pop(shard))


def sampling_parameters(sampling: Sampling, repetitions: int, prompt_tokens: int, seed: int) -> Any:
    """vLLM's parameters of one request: `repetitions` responses that share the prompt.

    The stop tokens are the model's own: vLLM adds those of generation_config.json.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        n=repetitions,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens - prompt_tokens,
        seed=seed,
        output_kind=RequestOutputKind.FINAL_ONLY,
        # Once at the end instead of token by token: one process serves all engines of a node.
        detokenize=False,
        # The sampled token's log-probability and no other's; in flat lists, as an object for each token costs memory.
        logprobs=0,
        flat_logprobs=True,
    )


def response_rows(tokenizer: Any, shard: Shard, problem_id: str, seed: int, outputs: list) -> list[dict]:
    """The rows of one problem's block of repetitions.

    `logprob_sum` is ln p(response | prompt) in nats, over all `n_tokens` tokens, the stop token included. p is the
    model's own distribution, before temperature and top-p (vllm/v1/sample/sampler.py, mode `raw_logprobs`).
    """
    # Without stop strings a response that stopped ends in a stop token, which is not part of its text.
    kept = [list(one.token_ids[:-1] if one.finish_reason == "stop" else one.token_ids) for one in outputs]
    texts = tokenizer.batch_decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [
        {
            "problem_id": problem_id,
            "repetition": shard.first + one.index,
            "response": text,
            "finish_reason": one.finish_reason,
            "n_tokens": len(one.token_ids),
            "logprob_sum": one.cumulative_logprob,
            # vLLM gives repetition i of a request its seed plus i.
            "seed": seed + one.index,
        }
        for one, text in zip(outputs, texts, strict=True)
    ]


def write_shard(path: Path, rows: list[dict]) -> None:
    """Write one shard as parquet, ordered by problem and repetition."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows.sort(key=lambda row: (row["problem_id"], row["repetition"]))
    with whole_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows), temporary, compression="zstd")


def end_process() -> None:
    """vLLM's threads can keep the interpreter from ending; everything is written by now."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
