"""What verl logs at every step of an RL run, in a file of its own for every attempt."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from quagmires.common.terminal import Progress


def metric_files(work: Path) -> list[Path]:
    """The metric logs of all attempts, oldest first."""
    return sorted(work.glob("metrics*.jsonl"))


def read_metrics(files: Sequence[Path]) -> list[dict[str, float]]:
    """The metrics of every step from the logs of all attempts; a step trained again after a resume counts once."""
    by_step: dict[int, dict[str, float]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut off by a kill; the step was repeated
            numbers = {k: v for k, v in entry["data"].items() if isinstance(v, int | float)}
            by_step[entry["step"]] = {"step": entry["step"], **numbers}
    return [by_step[step] for step in sorted(by_step)]


def logged_steps(work: Path) -> set[int]:
    """The steps whose metrics were written."""
    return {int(row["step"]) for row in read_metrics(metric_files(work))}


def read_progress(files: Sequence[Path], total: int) -> Progress | None:
    """Progress from the metrics written so far."""
    metrics = read_metrics(files)
    if not metrics:
        return None
    reward = metrics[-1].get("critic/score/mean", math.nan)
    return Progress(int(metrics[-1]["step"]), total, f"mean reward {reward:.3f}")
