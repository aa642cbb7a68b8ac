"""What it costs to measure a predictor: sampling, losses and parts of RL runs, of all SFT models of a study.

Of stored metrics, costs are those of the experiment's plan (decisions/plan.json, which the rule `costs` writes): tokens
over throughput, by measured speeds where there are any. SFT itself is no cost, as the models are there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, TypeAdapter, ValidationError

from quagmires.common.errors import UserError
from quagmires.config.experiment import COMMON
from quagmires.prediction.early_rl import FITTED, SCORED

NO_PLAN = "no plan of the experiment (decisions/plan.json) beside the metrics"
COMMON_LOSS = f"/loss.{COMMON}"


@dataclass(frozen=True)
class Costs:
    """Of all models of a study: by `predictors.MEASUREMENTS`, and of all RL under `rl`; `unknown` says why others lack.

    `unit` is that of all of them, such as GPU-hours.
    """

    unit: str = ""
    amounts: Mapping[str, float] = field(default_factory=dict)
    unknown: str = "not given"

    def of(self, needs: Sequence[str]) -> float | None:
        """The cost of several measurements together, None where one is not known."""
        if any(name not in self.amounts for name in needs):
            return None
        return float(sum(self.amounts[name] for name in needs))


class _Job(BaseModel):
    name: str
    stage: str
    studies: list[str]
    device_hours: float
    responses: int

    @property
    def checkpoint(self) -> str:
        """The model and the recipe that the job is for, as `llama/random-10k`."""
        return "/".join(self.name.split("/")[:2])


class _Plan(BaseModel):
    unit: str
    jobs: list[_Job]


def planned_costs(path: Path, study: str, models: pd.DataFrame) -> Costs:
    """The costs of a study by an experiment's plan.

    Parameters
    ----------
    path
        plan.json.
    study
        its name in the plan.
    models
        rows of metrics.parquet: how many RL prompts each was sampled on, and how many checkpoints RL has.

    Returns
    -------
    GPU-hours, or CPU-minutes, in which a job counts as one CPU. Sampling of benchmarks and of RL prompts is one job,
    shared out by responses. The score at the first of k evenly spaced checkpoints takes a k-th of RL and of the
    sampling after it.

    Raises
    ------
    UserError
        the file is no plan.
    """
    if not path.is_file():
        return Costs(unknown=NO_PLAN)
    try:
        plan = TypeAdapter(_Plan).validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise UserError(f"{path}: not a plan ({str(error).splitlines()[0]}); run `snakemake plan` again") from None
    names = set(models["model"] + "/" + models["recipe"])
    jobs = [job for job in plan.jobs if study in job.studies and job.checkpoint in names]
    if not jobs:
        return Costs(unknown=f"the experiment's plan has no models of {study}")
    unit, factor = ("GPU-hours", 1.0) if plan.unit == "GPU-hours" else ("CPU-minutes", 60.0)
    by_rl_prompts = _share_of_rl_prompts(jobs, models)
    sampling, losses = (
        [job for job in jobs if job.stage == "samples_before"],
        [job for job in jobs if job.stage == "loss"],
    )
    rl, scoring = (sum(job.device_hours for job in jobs if job.stage == stage) for stage in ("grpo", "samples_after"))
    hours = {
        "samples": sum(job.device_hours * (1 - by_rl_prompts.get(job.checkpoint, 0.0)) for job in sampling),
        "rl_samples": sum(job.device_hours * by_rl_prompts.get(job.checkpoint, 0.0) for job in sampling),
        "loss": sum(job.device_hours for job in losses if not job.name.endswith(COMMON_LOSS)),
        "common_loss": sum(job.device_hours for job in losses if job.name.endswith(COMMON_LOSS)),
        "early_score": (rl + scoring) / models["checkpoints"].max(),
        "early_reward": SCORED * rl,
        "early_curve": FITTED * rl,
        "rl": rl + scoring,
    }
    # What takes no time in the plan was not planned.
    amounts = {name: factor * value for name, value in hours.items() if value > 0}
    return Costs(unit, amounts, "the experiment's plan has no such job")


def _share_of_rl_prompts(jobs: Iterable[_Job], models: pd.DataFrame) -> dict[str, float]:
    """By model, the share of its responses before RL that are to RL prompts."""
    counts = models.reindex(columns=["rl_prompts", "rl_samples"]).fillna(0.0).prod(axis=1)
    to_prompts = dict(zip(models["model"] + "/" + models["recipe"], counts, strict=True))
    return {
        job.checkpoint: min(1.0, to_prompts[job.checkpoint] / job.responses)
        for job in jobs
        if job.stage == "samples_before" and job.responses
    }
