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
from quagmires.common.files import link_or_copy, read_json, whole_directory, write_json
from quagmires.common.processes import SCRIPTS, Stop
from quagmires.common.terminal import Progress
from quagmires.config.schema import SFTShared
from quagmires.data.prompts import load_tokenizer
from quagmires.training.base import Conversation, Job, Launch, RunToCheck
from quagmires.training.llamafactory.checkpoints import (
    STATE,
    WEIGHTS,
    discard_broken_checkpoints,
    mend_rungs,
    newest_step,
    rung_folder,
)
from quagmires.training.llamafactory.settings import (
    complete_settings,
    read_deepspeed,
    read_settings,
    refuse_owned,
    with_engine,
    write_run,
)
from quagmires.training.runs import SFTRunSettings

# Files of a LLaMA-Factory output directory that are the model, beside its weights; the rest is training state.
MODEL_FILES = (
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
    keeps_epochs: bool = True

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
        past = mend_rungs(_output(job), _rungs(job), job.run.evaluate_at[:-1])
        if past:
            print(f"{job.name}: discarded {', '.join(past)}: a model to keep before it is lost", file=sys.stderr)
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
        # The last model is the run's own, at its end.
        rungs = [str(_rungs(job)), *map(str, job.run.evaluate_at[:-1])] if job.run.evaluate_at else []
        return Launch([*arguments, str(config), str(stop.file), *rungs], environment, stop)

    def read_progress(self, job: Job[SFTRunSettings]) -> Progress | None:
        return read_progress(_output(job))

    def tidy(self, job: Job[SFTRunSettings]) -> None:
        """Nothing: LLaMA-Factory removes older checkpoints itself."""

    def write_models(self, job: Job[SFTRunSettings], resumed: int | None, record: Callable[[], dict[str, Any]]) -> None:
        attempt = {"resumed_from": resumed and f"checkpoint-{resumed}"}
        with whole_directory(job.output) as directory:
            *rungs, last = job.run.evaluate_at or (None,)
            for epoch in rungs:
                weights = rung_folder(_rungs(job), epoch)
                write_rung(weights, _output(job), directory / f"epoch{epoch}", {**attempt, **record()})
            final = directory / f"epoch{last}" if last else directory
            final.mkdir(exist_ok=True)
            copy_model(_output(job), final)
            own = {"method": "sft", **training_record(_output(job)), **attempt, **record()}
            write_json(final / "training.json", own)
            if last:
                write_json(directory / "training.json", own)


def _settings(job: Job[SFTRunSettings]) -> dict[str, Any]:
    return with_engine(read_settings(job.settings), job.run.engine)


def _output(job: Job[SFTRunSettings]) -> Path:
    return job.work / "output"


def _rungs(job: Job[SFTRunSettings]) -> Path:
    return job.work / "rungs"


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
    state = read_json(output / STATE)
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


def write_rung(weights: Path, output: Path, target: Path, record: Mapping[str, Any]) -> None:
    """Write a model from the middle of a training, and its record up to there.

    Parameters
    ----------
    weights
        as `keep_weights` left them.
    output
        of the whole training, whose tokenizer and config it has.
    record
        of the whole training; its seconds are not those of this model alone.

    Raises
    ------
    UserError
        there are no such weights.
    """
    if not weights.is_dir():
        raise UserError(f"{weights}: the training has ended without this model; remove {output.parent} and train again")
    target.mkdir()
    copy_model(output, target, weights)
    whole = read_json(output / STATE)
    schedule = {"scheduled_epochs": whole["epoch"], "scheduled_steps": whole["global_step"]}
    others = {key: value for key, value in record.items() if key != "seconds"}
    seconds = {"seconds_of_all_epochs": record["seconds"]}
    write_json(target / "training.json", {"method": "sft", **training_record(weights), **schedule, **seconds, **others})


def copy_model(source: Path, target: Path, weights: Path | None = None) -> None:
    """Copy weights, config and tokenizer, without training state; `weights` are those of another folder."""
    for pattern in (*MODEL_FILES, *MODEL_JSON):
        for path in source.glob(pattern):
            shutil.copy(path, target / path.name)
    for pattern in WEIGHTS:
        for path in (weights or source).glob(pattern):
            link_or_copy(path, target / path.name)
