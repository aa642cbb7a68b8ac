"""SFT by LLaMA-Factory: how it is launched and resumed, and what it did."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from quagmires.common import provenance
from quagmires.common.errors import UserError
from quagmires.common.files import read_json, whole_directory, write_json
from quagmires.common.processes import SCRIPTS, Stop
from quagmires.common.terminal import Progress
from quagmires.config.schema import SFTShared
from quagmires.data.prompts import load_tokenizer
from quagmires.training.base import Conversation, Job, Launch, RunToCheck
from quagmires.training.llamafactory.checkpoints import discard_broken_checkpoints, newest_step
from quagmires.training.llamafactory.settings import (
    complete_settings,
    read_deepspeed,
    read_settings,
    refuse_owned,
    with_engine,
    write_run,
)
from quagmires.training.runs import SFTRunSettings

# Files of a LLaMA-Factory output directory that are the model; the rest is training state.
MODEL_FILES = (
    "*.safetensors",
    "*.safetensors.index.json",
    "*.jinja",
    "*.model",
    "merges.txt",
    "vocab.json",
    "added_tokens.json",
)
MODEL_JSON = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
)


class LLaMAFactory:
    """See `training.base.Trainer`."""

    title: str = "LLaMA-Factory"
    environment: str = "sft"
    packages: tuple[str, ...] = (
        "llamafactory",
        "transformers",
        "torch",
        "accelerate",
        "trl",
        "datasets",
        "deepspeed",
        "flash-attn",
    )
    run_settings: type[SFTRunSettings] = SFTRunSettings

    def read_settings(self, path: str | Path, shared: SFTShared) -> dict[str, Any]:
        refuse_owned(shared.engine, "sft.engine")
        return read_settings(path)

    def check(self, run: RunToCheck[SFTRunSettings]) -> None:
        # It imports LLaMA-Factory.
        from quagmires.training.llamafactory.checks import check_run

        with tempfile.TemporaryDirectory() as work:
            check_run(run, Path(work))

    def tokenized(
        self, model: Path, messages: Sequence[Conversation], response: str, template: str | None
    ) -> tuple[list[list[int]], list[int]]:
        """By the template that LLaMA-Factory would train with."""
        from llamafactory.data.template import get_template_and_fix_tokenizer
        from llamafactory.hparams import DataArguments

        tokenizer = load_tokenizer(str(model))
        try:
            chosen = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template))
        except ValueError as error:
            raise UserError(
                f"LLaMA-Factory template {template}: {error}; correct `template` in the SFT settings"
            ) from None
        answer = {"role": "assistant", "content": response}
        pairs = [chosen.encode_oneturn(tokenizer, [*message, answer]) for message in messages]
        return [list(prompt) for prompt, _ in pairs], list(pairs[0][1])

    def identity(self, job: Job[SFTRunSettings]) -> dict[str, Any]:
        settings = _settings(job)
        identity = {
            "settings": settings,
            "run": {**job.run.as_dict(), "model": str(job.model)},
            "model": provenance.model_fingerprint(job.model),
            "data": provenance.sha256_file(job.data),
        }
        if "deepspeed" in settings:
            identity["deepspeed"] = read_deepspeed(settings["deepspeed"])
        return identity

    def newest_checkpoint(self, job: Job[SFTRunSettings]) -> int | None:
        broken = discard_broken_checkpoints(_output(job), job.run.devices)
        if broken:
            print(f"{job.name}: discarded half-written {', '.join(broken)}", file=sys.stderr)
        return newest_step(_output(job))

    def launch(self, job: Job[SFTRunSettings], resumed: int | None) -> Launch:
        settings = _settings(job)
        complete = complete_settings(settings, job.run, job.model, job.work, job.save_steps)
        config = write_run(job.work, complete, job.data)
        stop = Stop(job.work / "stop", job.grace_seconds)
        arguments, environment = command(settings, job.run.devices)
        environment |= {
            # What is compiled at run time looks for its tools on PATH.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(SCRIPTS),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return Launch([*arguments, str(config), str(stop.file)], environment, stop)

    def read_progress(self, job: Job[SFTRunSettings]) -> Progress | None:
        return read_progress(_output(job))

    def tidy(self, job: Job[SFTRunSettings]) -> None:
        """Nothing: LLaMA-Factory removes older checkpoints itself."""

    def write_models(self, job: Job[SFTRunSettings], resumed: int | None, record: Callable[[], dict[str, Any]]) -> None:
        with whole_directory(job.output) as directory:
            copy_model(_output(job), directory)
            own = {
                "method": "sft",
                **training_record(_output(job)),
                "resumed_from": resumed and f"checkpoint-{resumed}",
            }
            write_json(directory / "training.json", {**own, **record()})


def _settings(job: Job[SFTRunSettings]) -> dict[str, Any]:
    return with_engine(read_settings(job.settings), job.run.engine)


def _output(job: Job[SFTRunSettings]) -> Path:
    return job.work / "output"


def command(settings: Mapping[str, Any], devices: int) -> tuple[list[str], dict[str, str]]:
    """The command that runs `process.py` on all devices, without its arguments, and its environment.

    On GPUs by torchrun, also on a single one: DeepSpeed wants it, and LLaMA-Factory refuses several visible GPUs
    without it.
    """
    if devices == 1 and settings.get("use_cpu"):
        return [sys.executable, "-m", "quagmires.training.llamafactory.process"], {}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices)]
    environment = {
        # torchrun would end its workers at the SIGTERM that they are to survive until they have saved. Two names: that
        # of its option, and that of what the option sets.
        "PET_SIGNALS_TO_HANDLE": "SIGINT",
        "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGINT",
        # As LLaMA-Factory's own launcher sets them.
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "TORCH_NCCL_AVOID_RECORD_STREAMS": "1",
    }
    return [*torchrun, "-m", "quagmires.training.llamafactory.process"], environment


def read_progress(output: Path) -> Progress | None:
    """Progress from LLaMA-Factory's own trainer_log.jsonl."""
    try:
        lines = (output / "trainer_log.jsonl").read_text(encoding="utf-8").splitlines()
        last = json.loads(lines[-1])
        return Progress(
            last["current_steps"], last["total_steps"], f"loss {last['loss']:.3f}" if "loss" in last else ""
        )
    except (OSError, IndexError, ValueError, KeyError):
        return None


def training_record(output: Path) -> dict[str, Any]:
    """Steps, tokens and the loss curve, from the trainer's state (its summary is wrong after a resume)."""
    state = read_json(output / "trainer_state.json")
    curve = [
        {"step": entry["step"], "loss": entry["loss"], "learning_rate": entry.get("learning_rate")}
        for entry in state["log_history"]
        if "loss" in entry
    ]
    return {
        "steps": state["global_step"],
        "epochs": state["epoch"],
        "tokens_seen": int(state["num_input_tokens_seen"]),
        "loss_curve": curve,
    }


def copy_model(source: Path, target: Path) -> None:
    """Copy weights, config and tokenizer, without training state."""
    for pattern in (*MODEL_FILES, *MODEL_JSON):
        for path in source.glob(pattern):
            shutil.copy(path, target / path.name)
