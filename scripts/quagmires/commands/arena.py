"""Judge every registered predictor on every study that has outcomes, by one protocol, and leave none out.

    quagmires arena --metrics results/study/metrics.parquet --studies mine.csv --output results/arena

Writes arena.csv (all numbers), arena.md (the table, and which predictors could not be computed, and why), arena.json
and arena.tex (the table), and the figure as arena.png, .svg and .pdf. docs/arena.md says how to read them, and how to
add a study.
"""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.common import terminal
from quagmires.common.errors import UserError
from quagmires.common.files import whole_file, write_text
from quagmires.prediction.arena import judge
from quagmires.prediction.arena_studies import Study, check_names, metrics_studies, table_studies
from quagmires.prediction.outcomes import KINDS
from quagmires.prediction.predictors import BASELINE, PREDICTORS
from quagmires.reporting.figures.arena import arena_figure
from quagmires.reporting.figures.style import save
from quagmires.reporting.tables.arena import arena_layout, missing_layout, published_rows
from quagmires.reporting.tables.formats import latex, markdown, write_layout
from quagmires.reporting.tables.published import Published

# What is judged where nothing is named, as far as it is there.
METRICS = ("results/study*/metrics.parquet", "results/demo/metrics.parquet")
STUDIES = ("results/published/*/*.csv",)
PUBLISHED = Path("results/published/tables.csv")
CAPTION = "How well each predictor foretells the outcome of RL, and what measuring it costs."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument(
        "--metrics", type=Path, nargs="*", help=f"stored metrics; default: those that are there of {', '.join(METRICS)}"
    )
    parser.add_argument(
        "--studies", type=Path, nargs="*", help=f"studies as CSV; default: those that are there of {', '.join(STUDIES)}"
    )
    parser.add_argument(
        "--published", type=Path, help=f"the paper's values, for reference; default: {PUBLISHED}, if it is there"
    )
    parser.add_argument("--outcome", choices=KINDS, default="best", help="of stored metrics; default: best")
    parser.add_argument("--against", default=BASELINE, help=f"what predictors are compared with; default: {BASELINE}")
    parser.add_argument("--seed", type=int, default=42, help="of resamples and permutations; default: 42")
    parser.add_argument("--confidence", type=float, default=0.9, help="of intervals; default: 0.9")
    parser.add_argument("--output", type=Path, default=Path("results/arena"), help="folder; default: results/arena")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if options.against not in PREDICTORS:
        raise UserError(f"--against: there is no {options.against!r}; choose one of {', '.join(PREDICTORS)}")
    if not 0 < options.confidence < 1:
        raise UserError(f"--confidence: {options.confidence:g} is not between 0 and 1; give 0.9, for example")
    if options.seed < 0:
        raise UserError(f"--seed: {options.seed} is below 0; give 0 or more")
    studies = given_studies(options)
    judged = judge(studies, options.seed, options.confidence, options.against)
    published = options.published or (PUBLISHED if PUBLISHED.is_file() else None)
    reference = [published_rows(Published.read(published))] if published else []
    frame = pd.concat([judged, *reference], ignore_index=True)
    layout, missing = arena_layout(frame, options.confidence), missing_layout(frame)
    figure = arena_figure(judged)
    options.output.mkdir(parents=True, exist_ok=True)
    with whole_file(options.output / "arena.csv") as temporary:
        frame.to_csv(temporary, index=False)
    write_layout(options.output / "arena.json", layout)
    write_text(options.output / "arena.tex", latex(layout, "arena", CAPTION))
    parts = ["# The arena of predictors", CAPTION, markdown(layout).strip()]
    parts += ["## Not computed", markdown(missing).strip()] if missing.rows else []
    text = "\n\n".join(parts) + "\n"
    write_text(options.output / "arena.md", text)
    save(figure, options.output, "arena")
    print(text)
    print(f"{len(PREDICTORS)} predictors, {len(studies)} studies judged: {options.output}", file=terminal.stream)


def given_studies(options: argparse.Namespace) -> list[Study]:
    """The studies that the options name, or those that are there.

    Raises
    ------
    UserError
        there are none, two have one name, or one cannot be read.
    """
    metrics = _there(METRICS) if options.metrics is None else options.metrics
    tables = _there(STUDIES) if options.studies is None else options.studies
    studies = [study for path in metrics for study in metrics_studies(path, options.outcome)]
    studies += [study for path in tables for study in table_studies(path)]
    if not studies:
        raise UserError("no studies: give --metrics results/<experiment>/metrics.parquet, or --studies with a CSV")
    check_names(studies)
    return studies


def _there(patterns: tuple[str, ...]) -> list[Path]:
    found = [path for pattern in patterns for path in sorted(Path().glob(pattern))]
    return [path for path in found if not path.name.endswith(".curves.csv")]
