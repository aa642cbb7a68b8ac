"""verl's checkpoints: which can be resumed from, and which files are still needed.

A checkpoint takes 12 bytes a parameter: float32 weights, and two moments of the optimizer, which only resuming needs.
Kept are the weights of the wanted steps, all of the newest checkpoint to resume from, and whatever is newer, which may
be half-written. verl's own limit forgets what it kept before a resume (verl #7395).
"""

import os
from pathlib import Path

from quagmires.common.files import remove

_DISCARDED = ".discarded-"


def saved_steps(checkpoints: Path) -> list[int]:
    """The steps of all checkpoints, whole or not, in order."""
    return sorted(int(path.name.rpartition("_")[2]) for path in checkpoints.glob("global_step_*"))


def has_weights(checkpoint: Path) -> bool:
    """Whether all weights were written; `data.pt` is written after all ranks' files."""
    return (checkpoint / "data.pt").is_file() and any((checkpoint / "actor").glob("model_world_size_*.pt"))


def has_optimizer(checkpoint: Path) -> bool:
    """Whether every rank's optimizer is there beside its weights."""
    weights = list((checkpoint / "actor").glob("model_world_size_*.pt"))
    return all(path.with_name(path.name.replace("model_", "optim_", 1)).is_file() for path in weights)


def repair_tracker(checkpoints: Path, logged: set[int]) -> int | None:
    """Point verl's `latest_checkpointed_iteration.txt` at the newest checkpoint to resume from; return its step.

    verl writes a checkpoint's files first, the tracker next and the metrics of the step last; a kill can come between
    any two. Removed are checkpoints that are not whole, or newer than the last of the steps `logged` without a gap.
    """
    for path in checkpoints.glob(f"{_DISCARDED}*"):
        remove(path)
    for step in saved_steps(checkpoints):
        if not has_weights(_folder(checkpoints, step)) or not _is_logged(step, logged):
            remove(_folder(checkpoints, step))
    newest = newest_resumable(checkpoints, logged)
    tracker = checkpoints / "latest_checkpointed_iteration.txt"
    if newest is None:
        tracker.unlink(missing_ok=True)
    else:
        tracker.write_text(str(newest))
    return newest


def newest_resumable(checkpoints: Path, logged: set[int]) -> int | None:
    """The newest step that is whole, with its optimizer, and whose metrics and those before it are logged."""
    for step in reversed(saved_steps(checkpoints)):
        folder = _folder(checkpoints, step)
        if has_weights(folder) and has_optimizer(folder) and _is_logged(step, logged):
            return step
    return None


def prune(checkpoints: Path, wanted: list[int], logged: set[int]) -> None:
    """Remove what is no longer needed before the newest checkpoint to resume from."""
    newest = newest_resumable(checkpoints, logged)
    for step in saved_steps(checkpoints):
        folder = _folder(checkpoints, step)
        if newest is None or step >= newest:
            return
        if step in wanted:
            for path in (folder / "actor").glob("optim_world_size_*.pt"):
                path.unlink()
        else:
            # Renamed first: a removal that is cut off must not leave what looks like a checkpoint.
            discarded = checkpoints / f"{_DISCARDED}{step}"
            os.replace(folder, discarded)
            remove(discarded)


def _folder(checkpoints: Path, step: int) -> Path:
    return checkpoints / f"global_step_{step}"


def _is_logged(step: int, logged: set[int]) -> bool:
    return logged.issuperset(range(1, step + 1))
