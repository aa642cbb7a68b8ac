"""One vLLM engine that lives on from checkpoint to checkpoint: the next weights are loaded into it."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from quagmires.common import watchdog
from quagmires.common.files import read_json
from quagmires.common.provenance import sha256_json
from quagmires.evaluation import engine_folder
from quagmires.evaluation.engine_folder import EngineFolder

SHUTDOWN_SECONDS = 1
STOP_WITHIN_SECONDS = 20
DEFAULT_MAX_NUM_SEQS = 256
# Finished requests give their memory back a moment after their last token is here.
RESET_TRIES, RESET_EVERY_SECONDS = 100, 0.05
# Of the model's own distribution: log-softmax of the logits before temperature and top-p. vLLM's default; a config that
# says otherwise would change nothing but the meaning of what is stored.
LOGPROBS = {"logprobs_mode": "raw_logprobs"}

# What of config.json an engine does not ask for after its start: who wrote it, training's settings, and the special
# tokens, which are read anew for each checkpoint.
_NOT_OF_THE_ENGINE = (
    *("_name_or_path", "transformers_version", "use_cache"),
    *("bos_token_id", "eos_token_id", "pad_token_id"),
)
_DTYPE = ("dtype", "torch_dtype")


def kind(model: Path, tokenizer: Any, settings: dict[str, Any]) -> str:
    """What two checkpoints must have in common for one engine, as hex digits.

    That is config.json but for a few keys, the tokens and their ids, the end-of-turn token and the engine's settings.
    """
    config = {key: value for key, value in read_json(model / "config.json").items() if key not in _NOT_OF_THE_ENGINE}
    if settings.get("dtype", "auto") != "auto":
        config = {key: value for key, value in config.items() if key not in _DTYPE}
    return sha256_json([config, sorted(tokenizer.get_vocab().items()), tokenizer.eos_token_id, settings])


class Engine:
    """vLLM's asynchronous engine with one checkpoint's weights at a time.

    Parameters
    ----------
    settings
        arguments of vLLM's engine, without the model.
    cache
        the node's own directory for caches.
    keep_days
        how long caches that nobody uses are kept; 0 removes them at the end.
    """

    def __init__(self, settings: dict[str, Any], cache: Path, keep_days: float):
        self.settings, self.cache, self.keep_days = settings, cache, keep_days
        self.starts = 0
        self._llm: Any = None
        self._kind = ""
        self._folder: EngineFolder | None = None
        self._own_variables: set[str] = set()

    @property
    def llm(self) -> Any:
        """vLLM's engine; there is one after `load`."""
        assert self._llm is not None
        return self._llm

    @property
    def sequences(self) -> int:
        """How many sequences it works on at a time, on all devices."""
        return self.settings.get("max_num_seqs", DEFAULT_MAX_NUM_SEQS) * self.settings.get("data_parallel_size", 1)

    def takes(self, kind: str) -> bool:
        """Whether checkpoints of a kind can be loaded into the engine that is there, or none is there yet."""
        return self._llm is None or kind == self._kind

    async def load(self, model: Path, kind: str) -> None:
        """Make `model` the one that is sampled from: in the living engine if it is of its kind, else in a new one."""
        started = time.monotonic()
        how = "loaded into the running engine"
        if self._llm is None or kind != self._kind or not await self._reload(model):
            other = self._llm is not None and kind != self._kind
            how = "of another architecture, tokenizer or dtype: a new engine started" if other else "an engine started"
            self._start(model, kind)
        print(f"{model}: {how} in {time.monotonic() - started:.2f} s", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the engine and its processes."""
        if self._llm is not None:
            self._llm.shutdown(timeout=SHUTDOWN_SECONDS)
            self._llm = None
        if self._folder is not None:
            self._folder.release()
            self._folder = None

    def _start(self, model: Path, kind: str) -> None:
        self.close()
        self._folder, self._kind = engine_folder.take(self.cache, kind, self.keep_days), kind
        self._folder.point_to(model)
        for name, value in self._folder.variables().items():
            # What the user has set stays.
            if name not in os.environ or name in self._own_variables:
                self._own_variables.add(name)
                os.environ[name] = value
        self._llm = start_engine(self._folder.model, self.settings)
        self.starts += 1
        self._use_stop_tokens(model)

    async def _reload(self, model: Path) -> bool:
        """Load weights into the living engine; False if its cache of prefixes cannot be emptied."""
        llm, folder = self.llm, self._folder
        assert folder is not None
        asleep = self.settings.get("enable_sleep_mode", False)
        if not await _forget_prefixes(llm):
            return False
        if asleep:
            # Both old weights and the cache leave the GPU before new ones come.
            await llm.sleep(level=2)
            await llm.wake_up(tags=["weights"])
        folder.point_to(model)
        # From the path it was started with, so the key of the compile cache stays too.
        await llm.collective_rpc("load_checkpoint")
        if asleep:
            await llm.wake_up(tags=["kv_cache"])
        # What was cached while old weights were still there.
        if not await _forget_prefixes(llm):
            return False
        self._use_stop_tokens(model)
        return True

    def _use_stop_tokens(self, model: Path) -> None:
        """Each checkpoint's own generation_config.json; vLLM adds its stop tokens to each request."""
        self.llm.input_processor.generation_config_fields = generation_fields(model)


async def _forget_prefixes(llm: Any) -> bool:
    for _ in range(RESET_TRIES):
        if await llm.reset_prefix_cache():
            return True
        await asyncio.sleep(RESET_EVERY_SECONDS)
    return False


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
        model=str(model),
        trust_remote_code=False,
        disable_log_stats=True,
        enable_log_requests=False,
        worker_extension_cls="quagmires.evaluation.engine_worker.CheckpointLoading",
        **{**settings, **LOGPROBS},
    )
    return AsyncLLM.from_engine_args(arguments)


def generation_fields(model: Path) -> dict[str, Any]:
    """What generation_config.json says, or config.json where there is none, as `ModelConfig.try_get_generation_config`
    of vLLM reads it at an engine's start.
    """
    from vllm.transformers_utils.config import try_get_generation_config

    found = try_get_generation_config(str(model), trust_remote_code=False)
    return found.to_diff_dict() if found is not None else {}


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run what uses an engine to its end. Whatever ends it, vLLM's processes are ended too."""
    guard = watchdog.start(os.getpid(), str(Path(__file__).resolve().parents[2]))
    try:
        asyncio.run(_interruptible(work))
    finally:
        watchdog.stop(guard)


async def _interruptible(work: Coroutine[Any, Any, None]) -> None:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    # `asyncio.run` runs it as one.
    assert task is not None
    stopped: list[int] = []

    def stop(number: int, _frame: Any) -> None:
        stopped.append(number)
        loop.call_soon_threadsafe(task.cancel)
        # A loop that does not come to it, such as one that starts an engine, must not hold up a node. The watchdog ends
        # the engines then.
        last_resort = threading.Timer(STOP_WITHIN_SECONDS, os._exit, (128 + number,))
        last_resort.daemon = True
        last_resort.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        # The engine lives in processes of its own, which must end with this one.
        signal.signal(number, stop)
    try:
        await work
    except asyncio.CancelledError:
        raise SystemExit(128 + stopped[0] if stopped else 1) from None
    except ExceptionGroup as group:
        # All others were cancelled because of the first.
        raise group.exceptions[0] from None
