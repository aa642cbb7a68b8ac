"""The report of an experiment: one HTML file with all that was run and found, made of the stored results alone.

A part whose file is not there says so and names the target that makes it: a report of half an experiment is a report.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import jinja2
import pandas as pd

from quagmires.common.errors import UserError
from quagmires.common.shown_numbers import MISSING
from quagmires.config import figure_names
from quagmires.config.analysis_settings import TABLES, AnalysisSettings
from quagmires.config.experiment import Experiment
from quagmires.reporting.captions import figure_caption, table_caption
from quagmires.reporting.html.blocks import (
    Block,
    Gap,
    Links,
    Part,
    Section,
    Text,
    complete,
    from_layout,
    plain,
    read_delimited,
)
from quagmires.reporting.html.costs import costs
from quagmires.reporting.html.decisions import Decisions, answers, decisions
from quagmires.reporting.html.figures import figure_part, rl_part, sft_part
from quagmires.reporting.html.first_screen import first_screen
from quagmires.reporting.html.record import what_was_run
from quagmires.reporting.tables.formats import Cell, Column, TableLayout, read_layout

TEMPLATE = Path(__file__).with_name("report.html.jinja")
CURVES = {"grpo_training": "grpo_training.parquet", "pass_at_k": "pass_at_k.parquet"}


@dataclass(frozen=True)
class Sources:
    """What a report is made of."""

    results: Path
    experiment: Experiment
    settings: AnalysisSettings
    captions: Path


def render(given: Sources) -> str:
    """The report as HTML. What is missing or damaged is no error: the report says so."""
    settings = given.settings
    return _template().render(title=settings.title, label=settings.label, lead=_lead(given), sections=sections(given))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE.name)


def _lead(given: Sources) -> str:
    """What the report is about, and of when the metrics are: not when it was written, so the same results give the same
    bytes.
    """
    question = f"Experiment “{given.settings.experiment}”. Which SFT model will be best after RL, and how sure is that?"
    path = given.results / "metrics.parquet"
    if not path.is_file():
        return question
    return f"{question} Metrics of {datetime.fromtimestamp(path.stat().st_mtime, UTC):%d %B %Y, %H:%M} UTC."


def sections(given: Sources) -> list[Section]:
    """All sections in their order, the answer first."""
    results, settings, config = given.results, given.settings, given.experiment.config
    metrics = read_metrics(results)
    decided, large_k = Decisions.read(results), config.evaluation.large_k
    return [
        Section(
            "answer",
            "Which SFT model is best after RL, and what would have found it",
            [*complete(first_screen(results)), *complete(answers(decided, large_k))],
        ),
        Section("decisions", "Ranking and predictions in full", complete(decisions(decided, large_k))),
        Section("runs", "What was run", complete(what_was_run(results, given.experiment, settings, metrics))),
        Section("sheet", "Run sheet", complete(run_sheet(results))),
        Section("contamination", "Contamination", complete(contamination(results))),
        Section("tables", "Tables", complete(tables(given))),
        Section("figures", "Figures", complete(figures(given, (*settings.figures, *figure_names.GENERAL)))),
        Section("training", "Training curves and Pass@k", complete(training(given))),
        Section("costs", "Cost: planned and spent", complete(costs(results))),
    ]


def read_metrics(results: Path) -> pd.DataFrame | None:
    """Which models are measured, and which have an outcome: of all, or while RL is not done, of those so far."""
    for path in (results / "metrics.parquet", results / "decisions" / "metrics.parquet"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            return pd.read_parquet(path, columns=["study", "recipe", "outcome"])
    return None


def run_sheet(results: Path) -> Iterator[Block]:
    """The expanded config."""
    yield Text(plain("The expanded config: one row for each study and SFT model."), "note")
    path = results / "run_sheet.tsv"
    yield from read(path, lambda path: [read_delimited(path, "\t", "Run sheet")], "The run sheet", "sheet")


def contamination(results: Path) -> Iterator[Block]:
    """How many benchmark problems stand in the sets that were trained on."""
    path = results / "tables" / "contamination.csv"
    yield Text(plain("Problems of each benchmark that were found in the SFT and RL sets, exactly or reworded."), "note")
    if path.is_file():
        yield from_layout(contamination_layout(path), "Contamination")
        yield Links({"CSV": "tables/contamination.csv"})
    else:
        yield Gap(
            f"The table of contamination is not there ({path}). It needs the data sets themselves, stored metrics are"
            " not enough.",
            path.as_posix(),
        )


def contamination_layout(path: Path) -> TableLayout:
    """A row for each benchmark, a column for each set; the share of problems that stand in any set after their number,
    where there are problems.

    Raises
    ------
    ValueError, KeyError
        not what contamination_table.py writes.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False).drop(columns="any_set_share")
    counts = zip(table["any_set"].astype(int), table["problems"].astype(int), strict=True)
    table["any_set"] = [f"{found} ({found / total:.1%})" if total else "" for found, total in counts]
    first, *others = table.columns
    columns = [Column(first, left=True), *(Column(name.replace("any_set", "any set")) for name in others)]
    return TableLayout(columns, [[Cell(text or MISSING) for text in row] for row in table.itertuples(index=False)])


def tables(given: Sources) -> Iterator[Block]:
    """Every table with its caption; published values stand in columns of their own."""
    for name in (*given.settings.tables, *TABLES):
        title, caption = captioned(name, table_caption, given)
        blocks: list[Block] = [Text(plain(caption), "note")] if caption else []
        blocks += read(given.results / "tables" / f"{name}.json", partial(table_blocks, title=title), title, "tables")
        yield Part(f"table-{name}", title, blocks)


def table_blocks(path: Path, title: str) -> list[Block]:
    """A table with its notes and links to its files, from the layout that make_tables.py stored."""
    layout = read_layout(path)
    notes = [Text(plain(note), "item") for note in layout.notes]
    files = {"CSV": f"tables/{path.stem}.csv", "LaTeX": f"tables/{path.stem}.tex"}
    return [from_layout(layout, title), *notes, Links(files)]


def figures(given: Sources, names: Iterable[str]) -> Iterator[Block]:
    """Figures with their captions."""
    for name in names:
        title, caption = captioned(name, figure_caption, given)
        yield figure_part(given.results / "figures", name, title, caption)


def training(given: Sources) -> Iterator[Block]:
    """How the runs went: losses of SFT, rewards of RL, Pass@k before and after RL."""
    yield from figures(given, [name for name, source in CURVES.items() if (given.results / source).is_file()])
    absent = [source for source in CURVES.values() if not (given.results / source).is_file()]
    if absent:
        yield Gap(f"Curves of training and of Pass@k come from {' and '.join(absent)}, not in {given.results}.", "all")
    yield sft_part(given.results, given.experiment.sheet)
    yield rl_part(given.results / "grpo_training.parquet", given.experiment.sheet, given.experiment.algorithm_title)


def captioned(name: str, caption: Callable[..., str], given: Sources) -> tuple[str, str]:
    """The title and the caption of a figure or table; where there is no caption, what is wrong with the captions."""
    named = title(name)
    if name == "grpo_training":
        named = named.replace("GRPO", given.experiment.algorithm_title)
    try:
        return named, caption(name, given.settings, given.captions)
    except UserError as error:
        return named, f"(No caption. {error})"


def title(name: str) -> str:
    """The name of a figure or table in words.

    >>> title("figure10"), title("r2_by_fitting_size"), title("sft_and_rl"), title("pass_at_k")
    ('Figure 10', 'R² by fitting size', 'SFT and RL', 'Pass@k')
    """
    words = re.sub(r"^(figure|table)(?=\d+$)", r"\1 ", name).replace("pass_at_", "Pass@").replace("_", " ")
    words = re.sub(r"\b(sft|rl|grpo)\b", lambda found: found[0].upper(), words)
    words = re.sub(r"\br2\b", "R²", words)
    return words[:1].upper() + words[1:]


def read(path: Path, reader: Callable[[Path], list[Block]], what: str, target: str) -> list[Block]:
    """What a file holds, or that it is missing or damaged."""
    if not path.is_file():
        return [Gap(f"{what} is not there ({path}).", target)]
    try:
        return reader(path)
    except UserError as error:
        return [Gap(f"{what} cannot be read: {error}.", target)]
    except (OSError, ValueError) as error:
        return [Gap(f"{what} cannot be read ({error}); remove {path}.", target)]
