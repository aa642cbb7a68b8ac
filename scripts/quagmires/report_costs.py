"""What the experiment was planned to cost, and what its finished jobs took (plan.json, Snakemake's benchmarks)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quagmires import throughput
from quagmires.errors import UserError
from quagmires.experiment import Experiment
from quagmires.plan import unit
from quagmires.plan_text import amount, duration, hours, size
from quagmires.planned_jobs import planned_jobs
from quagmires.report_blocks import Block, Gap, Links, Part, Text, complete, plain
from quagmires.report_decisions import decision_table
from quagmires.report_record import content
from quagmires.spending import spent


def costs(results: Path, logs: Path | None, experiment: Experiment) -> Iterator[Block]:
    """Planned against spent, then the plan of all."""
    yield Part("spent", "Spent, against what was planned", complete(spending(results, logs, experiment)))
    plan = content(results / "decisions" / "plan.json")
    blocks = complete(planned(plan)) if plan else [Gap("There is no plan (decisions/plan.json).", "plan")]
    yield Part("planned", "Planned in all", blocks)


def spending(results: Path, logs: Path | None, experiment: Experiment) -> Iterator[Block]:
    """By stage: finished jobs, what they were planned to take and what they took, in hours of a device."""
    config = experiment.config
    try:
        # By the speeds known before: those measured in this experiment would agree with what was spent by themselves.
        jobs = planned_jobs(experiment, throughput.read(config, config.costs.throughput))
    except UserError as error:
        yield Gap(f"What was planned is not known: {error}.")
        return
    rows = spent(jobs, logs / "benchmarks", results) if logs else []
    if not rows:
        yield Gap(f"Nothing was spent here as far as is known: {logs or 'logs'} has no benchmarks of finished jobs.")
        return
    name = unit(config)
    header = ["stage", "jobs", "finished", f"{name} planned for those", f"{name} spent", "spent / planned"]
    total: dict[str, Any] = {"title": "all", **{key: sum(row[key] for row in rows) for key in _SUMMED}}
    cells = [
        [
            row["title"],
            f"{row['jobs']:,}",
            f"{row['finished']:,}",
            hours(row["planned_device_hours"]),
            hours(row["spent_device_hours"]),
            _ratio(row),
        ]
        for row in [*rows, total]
    ]
    yield decision_table(header, cells, "Spent by stage", texts=("stage",))
    money = total["spent_device_hours"] * config.costs.price_per_gpu_hour if name == "GPU-hours" else 0.0
    if money:
        yield Text(plain(f"That is {money:,.0f} {config.costs.currency} at the configured price."))
    yield Text(
        plain(
            "Hours of a job times its devices. Finished attempts are on record: those that were cut off, the"
            " generalization loss and the start of a sampling job are not."
        ),
        "note",
    )


_SUMMED = ("jobs", "finished", "planned_device_hours", "spent_device_hours")


def _ratio(row: dict[str, Any]) -> str:
    planned = row["planned_device_hours"]
    return f"{row['spent_device_hours'] / planned:.2f}" if planned else "–"


def planned(plan: dict[str, Any]) -> Iterator[Block]:
    """The plan by stage and by study, wall time, disk and money."""
    totals, name, currency = plan["totals"], plan["unit"], plan["currency"]
    costs_money = plan["price_per_device_hour"] > 0
    header = ["jobs", "SFT tokens", "GRPO steps", "responses", name, "disk", *([currency] if costs_money else [])]

    def cells(row: dict[str, Any]) -> list[str]:
        return [
            f"{row['jobs']:,}",
            amount(row["sft_tokens"]),
            amount(row["grpo_steps"]),
            amount(row["responses"]),
            hours(row["device_hours"]),
            size(row["disk_bytes"]),
            *([f"{row['money']:,.0f}"] if costs_money else []),
        ]

    devices = f"{plan['devices']:,} {plan['device']} GPUs" if costs_money else f"{plan['devices']} jobs at a time"
    money = f"; {totals['money']:,.0f} {currency}" if costs_money else ""
    yield Text(
        plain(
            f"{hours(totals['device_hours'])} {name} in {totals['jobs']:,} jobs; {duration(totals['wall_hours'])} with"
            f" {devices}, without queue or failures; at most {size(totals['peak_disk_bytes'])} on disk{money}."
        )
    )
    stages = [[row["title"], *cells(row)] for row in plan["stages"]]
    yield decision_table(["stage", *header], [*stages, ["all", *cells(totals)]], "Plan by stage", texts=("stage",))
    studies = [[row["title"], *cells(row)] for row in plan["studies"]]
    yield decision_table(["study", *header], [*studies, ["all", *cells(totals)]], "Plan by study", texts=("study",))
    yield Text(plain("A job that several studies share counts for the first of them."), "note")
    yield Links({"plan (CSV)": "decisions/plan.csv", "plan (text, with speeds and sensitivity)": "decisions/plan.txt"})
