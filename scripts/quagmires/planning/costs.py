"""What an experiment costs before anything runs: tokens, device-hours, wall time, disk, jobs and money.

A job that several studies share is counted once, for the first of them in the config; so totals are sums.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from quagmires.common.errors import UserError
from quagmires.config.experiment import Experiment
from quagmires.config.schema import Config
from quagmires.planning import throughput
from quagmires.planning.jobs import PRIORITIES, STAGES, Job, planned_jobs, stage_titles
from quagmires.planning.schedule import Task, Timetable, timetable
from quagmires.planning.throughput import OPERATIONS, Throughput

# Stages whose work is in proportion to the length of responses.
SAMPLING = ("samples_before", "grpo", "samples_after")
# Factors that the assumptions are least sure of: responses of 2,500 tokens become 1,250 to 6,000.
LENGTHS, SPEEDS = (0.5, 1.0, 1.6, 2.4), (0.5, 1.0, 2.0)


def make_plan(experiment: Experiment, speeds: Throughput, jobs: Sequence[Job], devices: int) -> dict[str, Any]:
    """The whole plan, as it is written to plan.json, of an experiment's `jobs` with `devices` at the same time.

    Hours are hours, sizes bytes; `device_hours` are GPU-hours, or on a CPU (which costs nothing) hours of jobs, as
    `unit` says.

    Returns
    -------
    `totals`, `stages`, `studies` and `study_stages` have the same columns: jobs, sft_tokens, grpo_steps, responses
    (drawn in evaluation, or rolled out in RL: steps x batch_size x rollouts), response_tokens, device_hours, money,
    disk_bytes. A study also has models, new_models, models_from, wall_hours and alone. `speeds` lists every number
    used, with source and date; `sensitivity` is the total by length of responses and speed; `jobs` has each job with
    its studies, its start and its end in the schedule. The command adds `spent`: planned_device_hours and
    spent_device_hours of finished jobs by stage.

    Raises
    ------
    UserError
        A job takes more devices than there are.
    """
    config = experiment.config
    times = _timetable(jobs, devices)
    totals = sums(jobs, config)
    return {
        "experiment": config.experiment,
        "title": config.title,
        "device": speeds.device,
        "unit": unit(config),
        "devices": devices,
        "price_per_device_hour": price(config),
        "currency": config.costs.currency,
        "max_gpu_hours": config.costs.max_gpu_hours,
        "totals": {
            **totals,
            "models": _models(jobs),
            "wall_hours": times.hours,
            "critical_path_hours": times.critical_path,
            "work_hours": totals["device_hours"] / devices,
            "peak_disk_bytes": peak_disk(jobs, times),
            "longest_job_hours": max(job.hours for job in jobs),
            "jobs_over_max_hours": sum(job.hours > config.cluster.max_hours for job in jobs) if on_gpus(config) else 0,
        },
        "stages": [
            {"stage": stage, "title": title, **sums([job for job in jobs if job.stage == stage], config)}
            for stage, title in stage_titles(experiment).items()
        ],
        "studies": [_study(name, jobs, config, devices) for name in config.studies],
        "study_stages": study_stages(jobs, config),
        "speeds": speed_rows(experiment, speeds),
        "sensitivity": [
            {"response_length": length, "speed": speed, "device_hours": scaled_hours(jobs, length, speed)}
            for length in LENGTHS
            for speed in SPEEDS
        ],
        "jobs": [_job_row(job, start, end) for job, start, end in zip(jobs, times.starts, times.ends, strict=True)],
    }


def check_budget(experiment: Experiment, jobs: Sequence[Job] | None = None) -> None:
    """Refuse an experiment whose jobs, all together, are expected to take more than `costs.max_gpu_hours`.

    Jobs that are done already count too. Without GPUs nothing is refused.

    Raises
    ------
    UserError
        It takes more; the message names the three biggest study and stage.
    """
    config = experiment.config
    limit = config.costs.max_gpu_hours
    if limit is None or not on_gpus(config):
        return
    jobs = planned_jobs(experiment, throughput.of(config)) if jobs is None else jobs
    total = sum(job.device_hours for job in jobs)
    if total <= limit:
        return
    items: defaultdict[tuple[str, str], float] = defaultdict(float)
    titles = stage_titles(experiment)
    for job in jobs:
        items[job.study, titles[job.stage]] += job.device_hours
    most = sorted(items.items(), key=lambda item: item[1], reverse=True)[:3]
    biggest = ", ".join(f"{study} {stage} {hours:,.0f}" for (study, stage), hours in most)
    raise UserError(
        f"costs.max_gpu_hours: the plan is {total:,.0f} GPU-hours, the limit {limit:,.0f}; the biggest items are"
        f" {biggest}; take out studies or recipes, lower rl.runs, or raise the limit (`snakemake plan` shows all)"
    )


def on_gpus(config: Config) -> bool:
    """Whether devices are GPUs, which cost money."""
    return config.accelerator == "cuda"


def unit(config: Config) -> str:
    """What `device_hours` are called."""
    return "GPU-hours" if on_gpus(config) else "job-hours"


def price(config: Config) -> float:
    """Of a device for an hour."""
    return config.costs.price_per_gpu_hour if on_gpus(config) else 0.0


def sums(jobs: Iterable[Job], config: Config) -> dict[str, float]:
    """Totals of some jobs; `responses` and `response_tokens` are sampled by vLLM in evaluation and in RL."""
    jobs = list(jobs)
    hours = sum(job.device_hours for job in jobs)
    return {
        "jobs": sum(job.in_queue for job in jobs),
        "sft_tokens": sum(job.tokens for job in jobs if job.stage == "sft"),
        "grpo_steps": sum(job.steps for job in jobs),
        "responses": sum(job.responses for job in jobs),
        "response_tokens": sum(job.tokens for job in jobs if job.stage in SAMPLING),
        "device_hours": hours,
        "money": hours * price(config),
        "disk_bytes": sum(job.disk for job in jobs),
    }


def study_stages(jobs: Iterable[Job], config: Config) -> list[dict[str, Any]]:
    """Totals of each stage of each study: the rows of plan.csv. They add up to the totals of all."""
    groups: dict[tuple[str, str], list[Job]] = {(study, stage): [] for study in config.studies for stage in STAGES}
    for job in jobs:
        groups[job.study, job.stage].append(job)
    return [{"study": study, "stage": stage, **sums(own, config)} for (study, stage), own in groups.items()]


def scaled_hours(jobs: Iterable[Job], length: float, speed: float) -> float:
    """Device-hours if responses were `length` times as long, and all devices `speed` times as fast, as planned."""
    return sum(
        job.devices * (job.work.start_seconds + job.work.seconds * (length if job.stage in SAMPLING else 1) / speed)
        for job in jobs
        if job.work
    ) / 3600  # fmt: skip


def peak_disk(jobs: Sequence[Job], times: Timetable) -> float:
    """The most bytes there are at one time, checkpoints of running jobs and models that wait to be sampled included."""
    last_use = {job.name: end for job, end in zip(jobs, times.ends, strict=True)}
    for job, end in zip(jobs, times.ends, strict=True):
        if job.stage == "samples_after":
            for before in job.after:
                last_use[before] = max(last_use[before], end)
    changes = []
    for job, start, end in zip(jobs, times.starts, times.ends, strict=True):
        changes += [(start, job.temporary), (end, job.disk + job.until_sampled - job.temporary)]
        changes.append((last_use[job.name], -job.until_sampled))
    most = now = 0.0
    # What comes at a time is there before what goes: models are merged before checkpoints are removed.
    for _, change in sorted(changes, key=lambda one: (one[0], -one[1])):
        now += change
        most = max(most, now)
    return most


def speed_rows(experiment: Experiment, speeds: Throughput) -> list[dict[str, Any]]:
    """Every speed that the plan counts with, and whether it was measured."""
    models = dict.fromkeys(study.model for study in experiment.config.studies.values())
    rows = []
    for model in models:
        for kind in OPERATIONS:
            speed = speeds.speed(model, kind)
            rows.append(
                {
                    "model": model,
                    "kind": kind,
                    "tokens_per_second": speed.tokens_per_second,
                    "source": speed.source,
                    "how": speed.how,
                    "date": speed.date and speed.date.isoformat(),
                }
            )
    return rows


def _study(name: str, jobs: Sequence[Job], config: Config, devices: int) -> dict[str, Any]:
    """What a study adds to those before it, and what it would be alone."""
    own = [job for job in jobs if job.study == name]
    needed = [job for job in jobs if name in job.studies]
    alone = sums(needed, config)
    elsewhere = Counter(job.study for job in needed if job.stage == "samples_before" and job.study != name)
    return {
        "study": name,
        "title": config.studies[name].title,
        **sums(own, config),
        "models": _models(needed),
        "new_models": _models(own),
        "wall_hours": _timetable(own, devices).hours,
        "models_from": dict(elsewhere),
        "alone": {**alone, "wall_hours": _timetable(needed, devices).hours},
    }


def _models(jobs: Iterable[Job]) -> int:
    """Starting points of RL: SFT models, and base models."""
    return sum(job.stage == "samples_before" for job in jobs)


def _timetable(jobs: Sequence[Job], devices: int) -> Timetable:
    """When each job runs; what is not among the jobs is done already."""
    position = {job.name: number for number, job in enumerate(jobs)}
    tasks = [
        Task(
            job.hours,
            job.devices,
            tuple(position[name] for name in job.after if name in position),
            PRIORITIES.get(job.stage, 0),
        )
        for job in jobs
    ]
    return timetable(tasks, devices)


def _job_row(job: Job, start: float, end: float) -> dict[str, Any]:
    return {
        "name": job.name,
        "stage": job.stage,
        "studies": job.studies,
        "devices": job.devices,
        "tokens": job.tokens,
        "steps": job.steps,
        "responses": job.responses,
        "device_hours": job.device_hours,
        "measured": job.work.measured if job.work else None,
        "start_hour": start,
        "end_hour": end,
        "disk_bytes": job.disk,
    }
