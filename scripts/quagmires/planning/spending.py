"""What finished jobs took: from Snakemake's benchmarks (SFT, RL) and from the records of sampling.

Snakemake's benchmark is of the attempt that finished. Not on record are attempts that were cut off, the generalization
loss, and the start of sampling jobs, so what is spent is a little more.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quagmires.planning.jobs import STAGES, Job

_RECORDED = ("sft", "samples_before", "grpo", "samples_after")
_DRAWN = ("samples_before", "samples_after")


def spent(
    jobs: Sequence[Job], benchmarks: Path, results: Path, titles: Mapping[str, str] = STAGES
) -> list[dict[str, Any]]:
    """One row for each stage that keeps a record and has a finished job: planned and spent device-hours of those.

    Both are without the start of sampling jobs.

    Parameters
    ----------
    benchmarks
        Snakemake's benchmarks of the experiment, logs/<experiment>/benchmarks.
    results
        results/<experiment>.
    titles
        what stages are called (jobs.stage_titles).
    """
    rows = []
    for stage in _RECORDED:
        own = [job for job in jobs if job.stage == stage]
        took = [(job, seconds) for job in own if (seconds := _seconds(job, benchmarks, results)) is not None]
        if took:
            rows.append(
                {
                    "stage": stage,
                    "title": titles[stage],
                    "jobs": len(own),
                    "finished": len(took),
                    "planned_device_hours": sum(_planned_hours(job) for job, _ in took),
                    "spent_device_hours": sum(job.devices * seconds / 3600 for job, seconds in took),
                }
            )
    return rows


def _planned_hours(job: Job) -> float:
    """What was planned of that which is on record."""
    if job.stage not in _DRAWN:
        return job.device_hours
    assert job.work is not None
    return job.devices * job.work.seconds / 3600


def _seconds(job: Job, benchmarks: Path, results: Path) -> float | None:
    """What a job took, or None if it is not done or left no record."""
    if job.stage in _DRAWN:
        each = [drawing_seconds(results / path / "eval" / "samples.json") for path in job.samples_of]
        return None if None in each else sum(filter(None, each))
    if job.stage == "sft":
        return benchmark_seconds(benchmarks / "sft" / f"{job.name.removesuffix('/sft')}.tsv")
    # <model>/<recipe>/<algorithm>/<rl>/run<n> -> <algorithm>/<model>/<recipe>.<rl>.run<n>
    model, recipe, algorithm, rl_dataset, run = job.name.split("/")
    return benchmark_seconds(benchmarks / algorithm / model / f"{recipe}.{rl_dataset}.{run}.tsv")


def benchmark_seconds(path: Path) -> float | None:
    """The wall-clock seconds of a Snakemake benchmark (column `s`), or None where there are none."""
    try:
        with open(path, encoding="utf-8", newline="") as lines:
            return sum(float(row["s"]) for row in csv.DictReader(lines, delimiter="\t")) or None
    except (OSError, KeyError, TypeError, ValueError):
        return None


def drawing_seconds(path: Path) -> float | None:
    """The seconds that a sampling job drew for, or None where it found all samples there already, or is not done."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["drawn"]["seconds"]) or None
    except (OSError, KeyError, TypeError, ValueError):
        return None
