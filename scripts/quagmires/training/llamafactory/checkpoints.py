"""LLaMA-Factory's checkpoints: which of them are whole, and can be resumed from."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from quagmires.common.files import remove


def discard_broken_checkpoints(output: Path, devices: int) -> list[str]:
    """Remove checkpoints that a killed run left half-written; return their names.

    LLaMA-Factory resumes from the newest checkpoint and fails on a broken one; it does not fall back.
    """
    broken = [path for path in sorted(output.glob("checkpoint-*")) if not is_whole_checkpoint(path, devices)]
    for path in broken:
        remove(path)
    return [path.name for path in broken]


def is_whole_checkpoint(path: Path, devices: int) -> bool:
    """Whether a checkpoint holds a readable trainer state, weights of the full declared length, and an optimizer.

    The trainer state is written last by the first process; the random state of another one may come later still.
    """
    try:
        json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    random_states = [path / f"rng_state_{rank}.pth" for rank in range(devices)]
    if devices > 1 and not all(file.is_file() for file in random_states):
        return False
    weights = list(path.glob("*.safetensors"))
    plain = bool(weights) and (path / "optimizer.pt").is_file() and (path / "scheduler.pt").is_file()
    return (plain or has_all_shards(path, devices)) and all(has_full_length(file) for file in weights)


def newest_step(output: Path) -> int | None:
    """The step of the checkpoint that LLaMA-Factory will resume from.

    As transformers' `get_last_checkpoint`, which fails where there is no folder yet.
    """
    return max((int(path.name.rpartition("-")[2]) for path in output.glob("checkpoint-*")), default=None)


def has_all_shards(path: Path, devices: int) -> bool:
    """Whether DeepSpeed's folder, which `latest` names once all ranks have written, holds every rank's optimizer."""
    try:
        folder = path / (path / "latest").read_text(encoding="utf-8").strip()
    except OSError:
        return False
    return len(list(folder.glob("*_optim_states.pt"))) == devices


def has_full_length(safetensors: Path) -> bool:
    """Whether a safetensors file is as long as its header says; no weights are read."""
    try:
        with safe_open(safetensors, framework="np"):
            return True
    except SafetensorError:
        return False
