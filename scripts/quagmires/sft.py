"""Supervised fine-tuning by LLaMA-Factory: the YAML of a run, checkpoints to resume from, and what the run did."""

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import yaml

from quagmires.engines import Progress
from quagmires.errors import UserError
from quagmires.files import read_json, remove, write_json

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
    taken = sorted(OWNED & set(settings))
    if taken:
        raise UserError(f"{path}: {taken[0]} is set by the workflow from the `sft` block of the config; remove it here")
    return settings


def write_run(work: Path, settings: dict[str, Any], run: dict[str, Any], data: Path) -> Path:
    """Write the run's YAML and dataset_info.json into `work`; return the YAML's path."""
    info = {
        "train": {
            "file_name": str(data.resolve()),
            "formatting": "alpaca",
            "columns": {"prompt": "prompt", "response": "response"},
        }
    }
    write_json(work / "dataset_info.json", info)
    complete = {
        **settings,
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
        "save_steps": run["save_steps"],
        "save_total_limit": 1,
        "save_only_model": False,
        "include_num_input_tokens_seen": "non_padding",
    }
    path = work / "llamafactory.yaml"
    path.write_text(yaml.safe_dump(complete, sort_keys=False), encoding="utf-8")
    return path


def discard_broken_checkpoints(output: Path) -> list[str]:
    """Remove checkpoints that a killed run left half-written; return their names.

    LLaMA-Factory resumes from the newest checkpoint and fails on a broken one; it does not fall back.
    """
    broken = [path for path in sorted(output.glob("checkpoint-*")) if not is_whole_checkpoint(path)]
    for path in broken:
        remove(path)
    return [path.name for path in broken]


def is_whole_checkpoint(path: Path) -> bool:
    """Whether a checkpoint holds a readable trainer state and weights of the full declared length."""
    try:
        json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    weights = list(path.glob("*.safetensors"))
    # DeepSpeed keeps its shards in a folder that `latest` names once all of them are written.
    sharded = (path / "latest").is_file()
    plain = bool(weights) and (path / "optimizer.pt").is_file() and (path / "scheduler.pt").is_file()
    return (plain or sharded) and all(has_full_length(file) for file in weights)


def has_full_length(safetensors: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    with open(safetensors, "rb") as content:
        prefix = content.read(8)
        if len(prefix) < 8:
            return False
        length = struct.unpack("<Q", prefix)[0]
        try:
            header = json.loads(content.read(length))
        except ValueError:
            return False
    end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
    return safetensors.stat().st_size == 8 + length + end


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
