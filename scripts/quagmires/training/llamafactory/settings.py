"""The settings of an SFT run by LLaMA-Factory: its own file, and what the workflow lays over it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from quagmires.common.errors import UserError
from quagmires.common.files import read_json, write_json
from quagmires.training.runs import SFTRunSettings

ROOT = Path(__file__).resolve().parents[4]

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


def complete_settings(
    settings: Mapping[str, Any], run: SFTRunSettings, model: str | Path, work: Path, save_steps: int
) -> dict[str, Any]:
    """All of a run's LLaMA-Factory settings: the file's (with `engine` laid over it) and the workflow's."""
    if run.evaluate_at and "max_steps" in settings:
        raise UserError("max_steps overrules the epochs that evaluate_at counts; remove it from the SFT settings")
    file_paths = {"deepspeed": str(ROOT / settings["deepspeed"])} if "deepspeed" in settings else {}
    return {
        **settings,
        **file_paths,
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(model),
        "dataset": "train",
        "dataset_dir": str(work),
        "output_dir": str(work / "output"),
        "per_device_train_batch_size": run.per_device_batch_size,
        "gradient_accumulation_steps": accumulation_steps(
            run.global_batch_size, run.per_device_batch_size, run.devices
        ),
        "learning_rate": run.learning_rate,
        "num_train_epochs": float(run.epochs),
        "cutoff_len": run.cutoff_tokens,
        "seed": run.seed,
        "data_seed": run.seed,
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
