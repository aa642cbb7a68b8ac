"""What the experiment was planned to cost, and what its finished jobs took: both as plan.json has them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quagmires.common.files import read_record
from quagmires.common.shown_numbers import MISSING, amount, device_hours, planned_time, size
from quagmires.reporting.html.blocks import Block, Gap, Links, Part, Text, complete, from_rows, plain
from quagmires.reporting.plan_text import rl_title


def costs(results: Path) -> Iterator[Block]:
    """Planned against spent, then the plan of all."""
    plan = read_record(results / "decisions" / "plan.json")
    yield Part("spent", "Spent, against what was planned", complete(spending(plan)))
    gap = Gap("There is no plan (decisions/plan.json).", "plan")
    yield Part("planned", "Planned in all", complete(planned(plan)) if plan else [gap])


def spending(plan: dict[str, Any]) -> Iterator[Block]:
    """By stage: finished jobs, what they were planned to take and what they took, in hours of a device."""
    rows = plan.get("spent")
    if not rows:
        yield Gap("Nothing was spent here as far as is known: the plan has no records of finished jobs.")
        return
    name = plan["unit"]
    header = ["stage", "jobs", "finished", f"{name} planned for those", f"{name} spent", "spent / planned"]
    total: dict[str, Any] = {"title": "all", **{key: sum(row[key] for row in rows) for key in _SUMMED}}
    cells = [
        [
            row["title"],
            f"{row['jobs']:,}",
            f"{row['finished']:,}",
            device_hours(row["planned_device_hours"]),
            device_hours(row["spent_device_hours"]),
            _ratio(row),
        ]
        for row in [*rows, total]
    ]
    yield from_rows(header, cells, "Spent by stage", texts=("stage",))
    if money := total["spent_device_hours"] * plan["price_per_device_hour"]:
        yield Text(plain(f"That is {money:,.0f} {plan['currency']} at the configured price."))
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
    return f"{row['spent_device_hours'] / planned:.2f}" if planned else MISSING


def planned(plan: dict[str, Any]) -> Iterator[Block]:
    """The plan by stage and by study, wall time, disk and money."""
    totals, name, currency = plan["totals"], plan["unit"], plan["currency"]
    costs_money = plan["price_per_device_hour"] > 0
    header = ["jobs", "SFT tokens", f"{rl_title(plan)} steps", "responses", name, "disk"]
    header += [currency] if costs_money else []

    def cells(row: dict[str, Any]) -> list[str]:
        return [
            f"{row['jobs']:,}",
            amount(row["sft_tokens"]),
            amount(row["grpo_steps"]),
            amount(row["responses"]),
            device_hours(row["device_hours"]),
            size(row["disk_bytes"]),
            *([f"{row['money']:,.0f}"] if costs_money else []),
        ]

    devices = f"{plan['devices']:,} {plan['device']} GPUs" if costs_money else f"{plan['devices']} jobs at a time"
    money = f"; {totals['money']:,.0f} {currency}" if costs_money else ""
    yield Text(
        plain(
            f"{device_hours(totals['device_hours'])} {name} in {totals['jobs']:,} jobs;"
            f" {planned_time(totals['wall_hours'])} with {devices}, without queue or failures; at most"
            f" {size(totals['peak_disk_bytes'])} on disk{money}."
        )
    )
    stages = [[row["title"], *cells(row)] for row in plan["stages"]]
    yield from_rows(["stage", *header], [*stages, ["all", *cells(totals)]], "Plan by stage", texts=("stage",))
    studies = [[row["title"], *cells(row)] for row in plan["studies"]]
    yield from_rows(["study", *header], [*studies, ["all", *cells(totals)]], "Plan by study", texts=("study",))
    yield Text(plain("A job that several studies share counts for the first of them."), "note")
    yield Links({"plan (CSV)": "decisions/plan.csv", "plan (text, with speeds and sensitivity)": "decisions/plan.txt"})
