"""LLaMA-Factory's checkpoints: which of them are whole, can be resumed from, and are kept as models of a ladder."""

import json
from collections.abc import Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from quagmires.common.files import link_or_copy, read_json, remove, whole_directory

WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
STATE = "trainer_state.json"


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
        json.loads((path / STATE).read_text(encoding="utf-8"))
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


def keep_weights(checkpoint: Path, rung: Path) -> None:
    """Keep a checkpoint's weights and trainer state as `rung`, whole or not at all, beyond the checkpoint's end."""
    with whole_directory(rung) as directory:
        for path in (path for pattern in (*WEIGHTS, STATE) for path in checkpoint.glob(pattern)):
            link_or_copy(path, directory / path.name)


def rung_folder(rungs: Path, epoch: int) -> Path:
    """Where the weights after an epoch are kept while the training goes on."""
    return rungs / f"epoch{epoch}"


def mend_rungs(output: Path, rungs: Path, epochs: Sequence[int]) -> list[str]:
    """Before a run is resumed: see to it that the weights after each of the epochs will be there.

    A checkpoint of the very end of an epoch whose weights were not kept yet has them. Checkpoints later than an epoch
    whose weights are lost are removed, and returned by name: the run goes back.
    """
    missing = [epoch for epoch in epochs if not rung_folder(rungs, epoch).exists()]
    checkpoints = output.glob("checkpoint-*") if missing else ()
    ended = {read_json(path / STATE)["epoch"]: path for path in checkpoints}
    for epoch in missing:
        if epoch in ended:
            keep_weights(ended[epoch], rung_folder(rungs, epoch))
    lost = min((epoch for epoch in missing if epoch not in ended), default=float("inf"))
    past = [path for epoch, path in sorted(ended.items()) if epoch > lost]
    for path in past:
        remove(path)
    if past and len(past) == len(ended):
        # Nothing is left to resume from, and LLaMA-Factory refuses a folder in which there is something else.
        remove(output)
    return [path.name for path in past]
