"""A plan (costs.py) as tables for a terminal of 120 columns."""

import io
import textwrap
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from quagmires.common.shown_numbers import amount, device_hours, planned_time, size
from quagmires.planning.costs import LENGTHS, SPEEDS
from quagmires.planning.throughput import OPERATIONS

WIDTH = 120
_KINDS = {
    "sft": "SFT",
    "loss": "loss",
    "sampling": "sampling",
    "grpo_sampling": "{} sampling",
    "grpo_update": "{} update",
}


def plan_text(plan: dict[str, Any]) -> str:
    """All tables and notes of a plan, as plain text of `WIDTH` columns; a table with longer numbers is wider."""
    unit = plan["unit"]
    parts: list[str | Table] = [
        f"Plan of {plan['experiment']}: {plan['title']}",
        "Studies. What several share counts for the first of them: `new` are models that no study above has, `alone` is"
        f" {unit} of a study with all that it shares.",
        _studies(plan),
        *_shared(plan),
        "Stages.",
        _stages(plan),
        f"Responses are drawn in evaluation and rolled out in {rl_title(plan)}: steps x problems of a step x rollouts"
        " of a problem.",
        "",
        *_notes(plan),
        "Tokens a second on one device (docs/plan.md says what each is).",
        _speeds(plan),
        f"{unit[0].upper()}{unit[1:]} if responses were longer, or devices faster, than planned.",
        _sensitivity(plan),
    ]
    if plan.get("spent"):
        parts += [
            "Spent so far, by the records of finished jobs, without attempts that were cut off. Planned for them by the"
            " table alone, before anything was measured here.",
            _spent(plan),
        ]
    return "".join(
        textwrap.fill(part, WIDTH, break_on_hyphens=False) + "\n" if isinstance(part, str) else _lines(part)
        for part in parts
    )


def rl_title(plan: dict[str, Any]) -> str:
    """What the plan's RL algorithm is called."""
    return next(row["title"] for row in plan["stages"] if row["stage"] == "grpo")


def _lines(table: Table) -> str:
    """A table as text, with a blank line around it."""
    output = io.StringIO()
    Console(file=output, width=10 * WIDTH, color_system=None, highlight=False, markup=False).print(table)
    lines = [line.rstrip() for line in output.getvalue().strip("\n").splitlines()]
    return "\n" + "\n".join(lines) + "\n\n"


def _studies(plan: dict[str, Any]) -> Table:
    unit, money, totals, steps = plan["unit"], plan["currency"], plan["totals"], f"{rl_title(plan)} steps"
    table = _table(["study", "new", "SFT tokens", steps, "responses", unit, "alone", "time", "disk", "jobs", money])
    for row in plan["studies"]:
        models = f"{row['new_models']:,}/{row['models']:,}"
        table.add_row(row["study"], models, *_costs(row, device_hours(row["alone"]["device_hours"])))
    table.add_section()
    table.add_row("all", f"{totals['models']:,}", *_costs(totals, ""))
    return table


def _shared(plan: dict[str, Any]) -> Iterator[str]:
    """Where the models of studies come from that are not new, and a blank line."""
    sharing = [row for row in plan["studies"] if row["models_from"]]
    for row in sharing:
        others = ", ".join(f"{count} from {study}" for study, count in row["models_from"].items())
        yield f"{row['study']} takes models: {others}."
    if sharing:
        yield ""


def _costs(row: dict[str, Any], alone: str) -> list[str]:
    return [
        amount(row["sft_tokens"]),
        amount(row["grpo_steps"]),
        amount(row["responses"]),
        device_hours(row["device_hours"]),
        alone,
        planned_time(row["wall_hours"]),
        size(row["disk_bytes"]),
        amount(row["jobs"]),
        f"{row['money']:,.0f}",
    ]


def _stages(plan: dict[str, Any]) -> Table:
    total, steps = plan["totals"], f"{rl_title(plan)} steps"
    table = _table(["stage", "jobs", "tokens", steps, "responses", plan["unit"], "share", "disk", plan["currency"]])
    for row in plan["stages"]:
        table.add_row(row["title"], *_stage_cells(row, total["device_hours"]))
    table.add_section()
    table.add_row("all", *_stage_cells(total, total["device_hours"]))
    return table


def _stage_cells(row: dict[str, Any], total: float) -> list[str]:
    return [
        amount(row["jobs"]),
        amount(row["sft_tokens"] + row["response_tokens"]),
        amount(row["grpo_steps"]),
        amount(row["responses"]),
        device_hours(row["device_hours"]),
        f"{row['device_hours'] / total:.0%}" if total else "",
        size(row["disk_bytes"]),
        f"{row['money']:,.0f}",
    ]


def _notes(plan: dict[str, Any]) -> Iterator[str]:
    totals, devices, on_gpus = plan["totals"], plan["devices"], plan["unit"] == "GPU-hours"
    what = f"{devices:,} {plan['device']} GPUs" if on_gpus else f"{devices:,} jobs at the same time"
    yield (
        f"Time: {planned_time(totals['wall_hours'])} with {what}, without queue and failures. At least"
        f" {planned_time(totals['work_hours'])} (all work shared out evenly) and"
        f" {planned_time(totals['critical_path_hours'])} (the longest chain of jobs)."
    )
    yield f"Disk: {size(totals['disk_bytes'])} stay, {size(totals['peak_disk_bytes'])} are there at most at one time."
    if on_gpus:
        yield f"Money: {plan['price_per_device_hour']:g} {plan['currency']} a GPU-hour."
    else:
        yield "Money: none without GPUs. Job-hours are the hours of jobs that run an engine."
    if totals["jobs_over_max_hours"]:
        count, longest = totals["jobs_over_max_hours"], planned_time(totals["longest_job_hours"])
        yield (
            f"Cut off: {count:,} jobs, the longest of {longest}, take longer than cluster.max_hours; they resume where"
            " they were."
        )
    yield ""


def _speeds(plan: dict[str, Any]) -> Table:
    table = _table(["model", *(_KINDS[kind].format(rl_title(plan)) for kind in OPERATIONS)])
    by_model: dict[str, list[str]] = {}
    for row in plan["speeds"]:
        by_model.setdefault(row["model"], []).append(f"{row['tokens_per_second']:,.0f} {row['source']}")
    for model, cells in by_model.items():
        table.add_row(model, *cells)
    return table


def _sensitivity(plan: dict[str, Any]) -> Table:
    table = _table(["", *(f"speed x {speed:g}" for speed in SPEEDS)])
    found = {(row["response_length"], row["speed"]): row["device_hours"] for row in plan["sensitivity"]}
    for length in LENGTHS:
        table.add_row(f"response length x {length:g}", *(device_hours(found[length, speed]) for speed in SPEEDS))
    return table


def _spent(plan: dict[str, Any]) -> Table:
    table = _table(["stage", "finished jobs", f"{plan['unit']} planned for them", "spent", "spent / planned"])
    for row in plan["spent"]:
        planned, own = row["planned_device_hours"], row["spent_device_hours"]
        finished = f"{row['finished']:,} of {row['jobs']:,}"
        table.add_row(row["title"], finished, device_hours(planned), device_hours(own), f"{own / planned:.2f}")
    return table


def _table(header: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for position, name in enumerate(header):
        table.add_column(name, justify="right" if position else "left", no_wrap=True)
    return table
