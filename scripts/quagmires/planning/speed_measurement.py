"""Speeds of finished runs, from what they recorded: the entries of an experiment's own throughput table.

- SFT (training.json): seconds are a start, and tokens at some speed, fitted over the runs of a model. A run that was
  resumed is left out: its seconds are those of the last attempt, its tokens all.
- Sampling (samples.json): tokens by the seconds of drawing; the start of such a job is not on record.
- RL (metrics.jsonl): of each step's seconds the log-probabilities and the update make one speed, all else (rollouts,
  rewards, weights to vLLM, saving) the other. verl's own `timing_s/gen` is only what it waited for rollouts.
"""

import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from quagmires.common.files import read_record
from quagmires.config.experiment import Experiment
from quagmires.config.subset_names import BASE
from quagmires.planning.throughput import Drawing, Entry, Kind, Stage

_UPDATE = ("timing_s/old_log_prob", "timing_s/ref", "timing_s/update_actor")
# Start and speed can be told apart by runs of different length only.
_RUNS_TO_FIT, _SPREAD_TO_FIT = 3, 2.0


@dataclass
class _Found:
    """What one stage's finished jobs of a model say."""

    speeds: dict[Kind, float] = field(default_factory=dict)
    start: dict[Stage, float] = field(default_factory=dict)
    length: dict[Drawing, float] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    hardware: set[str] = field(default_factory=set)


def measured_entries(experiment: Experiment, results: Path) -> dict[str, Entry]:
    """Model -> what its finished runs below `results` say; a model without one is left out."""
    entries = {}
    for model in dict.fromkeys(study.model for study in experiment.config.studies.values()):
        stages = {name: stage(experiment, model, results) for name, stage in _STAGES.items()}
        found = [one for one in stages.values() if one.files]
        if not found:
            continue
        newest = max(path.stat().st_mtime for one in found for path in one.files)
        hardware = sorted(set().union(*(one.hardware for one in found)))
        entries[model] = Entry(
            source="measured",
            how=f"finished runs of {experiment.config.experiment} on {' and '.join(hardware) or 'unknown hardware'}",
            date=datetime.datetime.fromtimestamp(newest, datetime.UTC).date(),
            tokens_per_second={kind: value for one in found for kind, value in one.speeds.items()},
            start_seconds={stage: value for one in found for stage, value in one.start.items()},
            response_tokens={stage: value for one in found for stage, value in one.length.items()},
            runs={name: len(one.files) for name, one in stages.items() if one.files},
        )
    return entries


def start_and_speed(tokens: np.ndarray, seconds: np.ndarray) -> tuple[float, float]:
    """Seconds to start, and tokens a second, of runs that took `seconds` for `tokens` (both (runs,)).

    Non-negative least squares of seconds = start + tokens / speed. With few runs, runs of like length, or times that do
    not grow with tokens, the start is part of the speed, and 0 beside it.
    """
    if len(tokens) >= _RUNS_TO_FIT and tokens.max() >= _SPREAD_TO_FIT * tokens.min():
        (start, per_token), _ = nnls(np.column_stack([np.ones_like(tokens), tokens]), seconds)
        if per_token > 0:
            return float(start), float(1 / per_token)
    return 0.0, float(tokens.sum() / seconds.sum())


def _sft(experiment: Experiment, model: str, results: Path) -> _Found:
    found, tokens, seconds = _Found(), [], []
    for run in experiment.sft_runs.values():
        path = results / run.checkpoint / "model" / "training.json"
        if run.model != model or run.subset == BASE or not (record := read_record(path)):
            continue
        # A packed run of an older version counted its tokens wrongly.
        if record.get("resumed_from") is None and record.get("tokens_seen", 0) > 0 and record.get("seconds", 0) > 0:
            found.files.append(path)
            found.hardware |= _hardware(record)
            tokens.append(record["tokens_seen"])
            seconds.append(record["seconds"])
    if tokens:
        start, speed = start_and_speed(np.array(tokens, dtype=float), np.array(seconds, dtype=float))
        found.speeds["sft"] = speed / experiment.sft[model].devices
        found.start["sft"] = start
    return found


def _sampling(experiment: Experiment, model: str, results: Path) -> _Found:
    found, tokens, seconds, responses = _Found(), 0.0, 0.0, 0
    for checkpoint in experiment.checkpoints.values():
        path = results / checkpoint.path / "eval" / "samples.json"
        if checkpoint.model != model or not (record := read_record(path)):
            continue
        drawn = record.get("drawn", {})
        # A job that found all samples there drew nothing.
        if drawn.get("tokens", 0) > 0 and drawn.get("seconds", 0) > 0:
            found.files.append(path)
            found.hardware |= _hardware(record)
            tokens, seconds, responses = (
                tokens + drawn["tokens"],
                seconds + drawn["seconds"],
                responses + drawn["responses"],
            )
    if tokens:
        found.speeds["sampling"] = tokens / seconds / experiment.evaluation[model].devices
        found.length["sampling"] = tokens / responses
    return found


def _rl(experiment: Experiment, model: str, results: Path) -> _Found:
    found, settings = _Found(), experiment.rl[model]
    a_step = settings.batch_size * settings.rollouts
    tokens = update = other = steps = 0.0
    starts = []
    for run in experiment.rl_runs.values():
        path = results / run.path / "metrics.jsonl"
        if run.sft.model != model or not (rows := _steps(path)):
            continue
        found.files.append(path)
        took = sum(row["timing_s/step"] for row in rows)
        own = sum(row.get(name, 0.0) for row in rows for name in _UPDATE)
        tokens += a_step * sum(row["response_length/mean"] for row in rows)
        update, other, steps = update + own, other + took - own, steps + len(rows)
        # The last checkpoint is merged last; it may be gone once it was sampled from.
        record = read_record(results / run.checkpoint(settings.checkpoints) / "model" / "checkpoint.json")
        found.hardware |= _hardware(record)
        if record and record.get("resumed_from_step") is None and record.get("seconds", 0) > took:
            starts.append(record["seconds"] - took)
    if tokens and update > 0 and other > 0:
        found.speeds["grpo_sampling"] = tokens / other / settings.devices
        found.speeds["grpo_update"] = tokens / update / settings.devices
        found.length["grpo"] = tokens / (steps * a_step)
        if starts:
            found.start["grpo"] = float(np.mean(starts))
    return found


_STAGES = {"sft": _sft, "sampling": _sampling, "grpo": _rl}


def _steps(path: Path) -> list[dict[str, float]]:
    """The steps of a finished RL run; none where there is no such file, or it lacks what is needed."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []
    return rows if all(row.get("timing_s/step") and row.get("response_length/mean") for row in rows) else []


def _hardware(record: dict[str, Any]) -> set[str]:
    """`{"NVIDIA A100-SXM4-80GB"}`, or the processor's cores."""
    hardware = record.get("hardware") or {}
    if hardware.get("accelerators"):
        return set(hardware["accelerators"])
    return {f"{hardware['cores']} {hardware['machine']} cores"} if {"cores", "machine"} <= set(hardware) else set()
