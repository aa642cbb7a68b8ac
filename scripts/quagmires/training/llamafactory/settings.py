"""Supervised fine-tuning by LLaMA-Factory: the settings of a run, how it is launched, and what it did."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from quagmires.common.errors import UserError
from quagmires.common.files import read_json, write_json
from quagmires.common.terminal import Progress

ROOT = Path(__file__).resolve().parents[4]

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
# What the workflow decides; a settings file that sets one of these would be overruled in silence.
OWNED = frozenset(
    [
        "stage",
        "do_train",
        "model_name_or_path",
        "dataset",
        "dataset_dir",
        "eval_dataset",
        "output_dir",
        "overwrite_output_dir",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "learning_rate",
        "num_train_epochs",
        "cutoff_len",
        "seed",
        "data_seed",
        "save_steps",
        "save_strategy",
        "save_total_limit",
        "save_only_model",
        "include_num_input_tokens_seen",
        "resume_from_checkpoint",
    ]
)


def accumulation_steps(global_batch_size: int, per_device_batch_size: int, devices: int) -> int:
    """Gradient accumulation that makes exactly the global batch.

    >>> accumulation_steps(128, 2, 8)
    8
    """
    steps, rest = divmod(global_batch_size, per_device_batch_size * devices)
    if rest or not steps:
        raise UserError(
            f"sft.global_batch_size {global_batch_size} is not a multiple of per_device_batch_size"
            f" {per_device_batch_size} x devices {devices}; change one of them"
        )
    return steps


def read_settings(path: str | Path) -> dict[str, Any]:
    """The LLaMA-Factory settings file, without any key that the workflow sets itself."""
    settings = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    refuse_owned(settings, str(path))
    return settings


def refuse_owned(settings: Mapping[str, Any], where: str) -> None:
    """Refuse what the workflow sets itself."""
    taken = sorted(OWNED & set(settings))
    if taken:
        raise UserError(
            f"{where}: {taken[0]} is set by the workflow from the `sft` block of the config; remove it here"
        )


def with_engine(settings: Mapping[str, Any], engine: Mapping[str, Any]) -> dict[str, Any]:
    """`engine` of the config's `sft` block laid over a settings file; null removes a key.

    >>> with_engine({"flash_attn": "fa2", "deepspeed": "z.json"}, {"deepspeed": None, "template": "llama3"})
    {'flash_attn': 'fa2', 'template': 'llama3'}
    """
    refuse_owned(engine, "sft.engine")
    return {key: value for key, value in {**settings, **engine}.items() if value is not None}


def read_deepspeed(path: str | Path) -> dict[str, Any]:
    """A DeepSpeed file, relative to the repository's root; refused where DeepSpeed would lose gradients."""
    path = ROOT / path
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise UserError(
            f"deepspeed: {path} is not a readable JSON file ({error}); correct the path or the file"
        ) from None
    zero = content.get("zero_optimization", {})
    device = zero.get("offload_optimizer", {}).get("device", "none")
    if zero.get("stage") in (1, 2) and device != "none":
        raise UserError(
            f"deepspeed: {path}: ZeRO stage {zero['stage']} with offload_optimizer drops the gradients of micro-batches"
            " (DeepSpeed PRs 7967, 7981); use stage 3, or no offloading"
        )
    return content


def complete_settings(settings: Mapping[str, Any], run: Mapping[str, Any], work: Path, save_steps: int) -> dict:
    """All of a run's LLaMA-Factory settings: the file's (with `engine` laid over it) and the workflow's.

    `run` holds model, learning_rate, epochs, global_batch_size, per_device_batch_size, devices, cutoff_tokens, seed.
    """
    file_paths = {"deepspeed": str(ROOT / settings["deepspeed"])} if "deepspeed" in settings else {}
    return {
        **settings,
        **file_paths,
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": run["model"],
        "dataset": "train",
        "dataset_dir": str(work),
        "output_dir": str(work / "output"),
        "per_device_train_batch_size": run["per_device_batch_size"],
        "gradient_accumulation_steps": accumulation_steps(
            run["global_batch_size"], run["per_device_batch_size"], run["devices"]
        ),
        "learning_rate": run["learning_rate"],
        "num_train_epochs": float(run["epochs"]),
        "cutoff_len": run["cutoff_tokens"],
        "seed": run["seed"],
        "data_seed": run["seed"],
        "save_strategy": "steps",
        "save_steps": save_steps,
        "save_total_limit": 1,
        "save_only_model": False,
        # The mask of packed examples is of numbers to add (-1e38 for "not seen"), so its sum is none of tokens; packs
        # are full.
        "include_num_input_tokens_seen": "all" if settings.get("neat_packing") else "non_padding",
    }


def write_run(work: Path, complete: Mapping[str, Any], data: Path) -> Path:
    """Write the run's YAML and dataset_info.json into `work`; return the YAML's path."""
    info = {
        "train": {
            "file_name": str(data.resolve()),
            "formatting": "alpaca",
            "columns": {"prompt": "prompt", "response": "response"},
        }
    }
    write_json(work / "dataset_info.json", info)
    path = work / "llamafactory.yaml"
    path.write_text(yaml.safe_dump(dict(complete), sort_keys=False), encoding="utf-8")
    return path


def launch(settings: Mapping[str, Any], devices: int) -> tuple[list[str], dict[str, str]]:
    """The command that runs `process.py` on all devices, without its arguments, and its environment.

    On GPUs by torchrun, also on a single one: DeepSpeed wants it, and LLaMA-Factory refuses several visible GPUs
    without it.
    """
    if devices == 1 and settings.get("use_cpu"):
        return [sys.executable, "-m", "quagmires.training.llamafactory.process"], {}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(devices)]
    environment = {
        # torchrun would end its workers at the SIGTERM that they are to survive until they have saved. Two names: that
        # of its option, and that of what the option sets.
        "PET_SIGNALS_TO_HANDLE": "SIGINT",
        "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGINT",
        # As LLaMA-Factory's own launcher sets them.
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
        "TORCH_NCCL_AVOID_RECORD_STREAMS": "1",
    }
    return [*command, "-m", "quagmires.training.llamafactory.process"], environment


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
