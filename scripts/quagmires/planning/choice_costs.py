"""What choosing one SFT model of a study costs: measuring all of them, and how much RL is then not paid for.

SFT of all models is paid either way. What finished jobs took is taken from their records (spending.py), the rest from
the plan.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from quagmires.config.experiment import Experiment
from quagmires.planning.costs import on_gpus
from quagmires.planning.jobs import Job
from quagmires.planning.spending import spent

# Measurement (predictors.MEASUREMENTS), of those that predictors of decisions need -> the stage that makes it.
MEASURING = {"samples": "samples_before", "loss": "loss"}
RL_STAGES = ("grpo", "samples_after")
MINUTES = 60
_COMBINATIONS = [needed for count in (1, 2) for needed in combinations(MEASURING, count)]


def choice_costs(
    experiment: Experiment, jobs: Sequence[Job], benchmarks: Path | None = None, results: Path = Path()
) -> dict[str, Any]:
    """What plan.json says of choosing one model: by study, whether or not other studies share its jobs.

    Parameters
    ----------
    experiment, jobs
        and all its jobs.
    benchmarks, results
        see `spending.spent`; without `benchmarks` everything is as planned.

    Returns
    -------
    `unit` of all costs: GPU-hours, or where there is no GPU CPU-minutes (a job has one thread); `studies`, each with
    study; models; rl_runs and rl_cost of all of them, with the evaluation after RL; rl_runs_of_one and rl_cost_of_one,
    of the mean model; rl_runs_saved and rl_cost_saved, if one model alone is taken through RL; measuring, what each of
    `MEASURING` costs for all models, and both together (`samples+loss`); and recorded, whether all RL runs are on
    record, so that their cost is measured.
    """
    gpus = on_gpus(experiment.config)
    studies = []
    for name in experiment.config.studies:
        own = [job for job in jobs if name in job.studies]
        hours, recorded = _hours(own, benchmarks, results)
        cost = {stage: (1 if gpus else MINUTES) * of_stage for stage, of_stage in hours.items()}
        models, runs = (sum(job.stage == stage for job in own) for stage in ("samples_before", "grpo"))
        rl_cost = sum(cost.get(stage, 0.0) for stage in RL_STAGES)
        studies.append(
            {
                "study": name,
                "models": models,
                "rl_runs": runs,
                "rl_cost": rl_cost,
                "rl_runs_of_one": runs / models,
                "rl_cost_of_one": rl_cost / models,
                "rl_runs_saved": runs - runs / models,
                "rl_cost_saved": rl_cost - rl_cost / models,
                "measuring": {
                    "+".join(needed): sum(cost.get(MEASURING[what], 0.0) for what in needed) for needed in _COMBINATIONS
                },
                "recorded": recorded,
            }
        )
    return {"unit": "GPU-hours" if gpus else "CPU-minutes", "studies": studies}


def _hours(jobs: Sequence[Job], benchmarks: Path | None, results: Path) -> tuple[dict[str, float], bool]:
    """Device-hours by stage, of finished jobs as recorded; and whether all RL runs are finished."""
    hours: dict[str, float] = {}
    for job in jobs:
        hours[job.stage] = hours.get(job.stage, 0.0) + job.device_hours
    finished = 0
    for row in spent(jobs, benchmarks, results) if benchmarks else ():
        hours[row["stage"]] += row["spent_device_hours"] - row["planned_device_hours"]
        finished += row["finished"] * (row["stage"] == "grpo")
    return hours, 0 < finished == sum(job.stage == "grpo" for job in jobs)
