"""Draw responses from one vLLM engine, shard by shard.

vLLM spreads the requests over the devices of the node itself (`data_parallel_size`), in processes of its own. Only as
many requests are handed over as keep it busy: shards finish one after the other, a killed job loses few, and a slow
response holds up its own shard alone.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quagmires.common import watchdog
from quagmires.common.files import whole_file
from quagmires.common.processes import REPORT_EVERY_SECONDS
from quagmires.evaluation.shards import Shard, request_seed

# Sequences handed to the engine, in multiples of what it runs at a time: the rest is its queue.
IN_FLIGHT = 2
LOOK_EVERY_SECONDS = 0.02
SHUTDOWN_SECONDS = 1
STOP_WITHIN_SECONDS = 20
DEFAULT_MAX_NUM_SEQS = 256
# Of the model's own distribution: log-softmax of the logits before temperature and top-p. vLLM's default; a config that
# says otherwise would change nothing but the meaning of what is stored.
LOGPROBS = {"logprobs_mode": "raw_logprobs"}


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

    def run(self, model: Path, engine: dict[str, Any], missing: list[Shard]) -> Tally:
        """Start the engine, draw `missing` shards and write each when it is whole.

        Whatever ends it, vLLM's processes are ended too, and finished shards are kept.
        """
        guard = watchdog.start(os.getpid(), str(Path(__file__).resolve().parents[2]))
        try:
            return asyncio.run(self._run(model, engine, missing))
        finally:
            watchdog.stop(guard)

    async def _run(self, model: Path, engine: dict[str, Any], missing: list[Shard]) -> Tally:
        settings = {"max_model_len": self.sampling.max_tokens, "seed": self.sampling.seed, **engine, **LOGPROBS}
        llm = start_engine(model, settings)
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        # `asyncio.run` runs it as one.
        assert task is not None
        stopped: list[int] = []

        def stop(number: int, _frame: Any) -> None:
            stopped.append(number)
            loop.call_soon_threadsafe(task.cancel)
            # A loop that does not come to it must not hold up a node. The watchdog ends the engines then.
            last_resort = threading.Timer(STOP_WITHIN_SECONDS, os._exit, (128 + number,))
            last_resort.daemon = True
            last_resort.start()

        for number in (signal.SIGTERM, signal.SIGINT):
            # The engine lives in processes of its own, which must end with this one.
            signal.signal(number, stop)
        try:
            started = time.monotonic()
            width = settings.get("max_num_seqs", DEFAULT_MAX_NUM_SEQS) * settings.get("data_parallel_size", 1)
            ticker = asyncio.create_task(self._tick(llm, started))
            try:
                await self._draw(llm, missing, IN_FLIGHT * width)
            finally:
                ticker.cancel()
            self.tally.seconds, self.tally.unfinished_tokens = time.monotonic() - started, 0
            self.report(self.tally)
        except asyncio.CancelledError:
            raise SystemExit(128 + stopped[0] if stopped else 1) from None
        except ExceptionGroup as group:
            # All others were cancelled because of the first.
            raise group.exceptions[0] from None
        finally:
            # All there is to keep is on disk.
            llm.shutdown(timeout=SHUTDOWN_SECONDS)
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
                group.create_task(self._respond(llm, str(key), shard, problem_id))
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


def start_engine(model: Path, settings: dict[str, Any]) -> Any:
    """vLLM's asynchronous engine on a model directory; code in the directory is never run."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    if current_platform.is_cpu() and settings.get("enforce_eager"):
        # Whoever wants log-probabilities gets ranks too, by a function that is compiled at the first token in spite of
        # `enforce_eager`: 18 s on one processor, 5 s where a cache has it. The engine's process reads this variable.
        os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    arguments = AsyncEngineArgs(
        model=str(model), trust_remote_code=False, disable_log_stats=True, enable_log_requests=False, **settings
    )
    return AsyncLLM.from_engine_args(arguments)


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
