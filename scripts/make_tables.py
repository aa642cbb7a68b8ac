"""All tables of an experiment from its metrics alone, published values beside ours.

A table is a CSV of all its numbers, and of what a reader sees JSON (for the report), Markdown and LaTeX.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from quagmires.common.errors import command_line
from quagmires.common.files import whole_file, write_text
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.metrics_file import read_metrics
from quagmires.prediction.outcomes import with_outcome
from quagmires.reporting.captions import CAPTIONS, table_caption
from quagmires.reporting.tables.claims import claims_frame, claims_layout
from quagmires.reporting.tables.formats import TableLayout, latex, markdown, write_layout
from quagmires.reporting.tables.general import (
    models_frame,
    models_layout,
    outcomes_frame,
    outcomes_layout,
    predictors_frame,
    predictors_layout,
)
from quagmires.reporting.tables.prediction import prediction_frame
from quagmires.reporting.tables.prediction_layout import prediction_layout
from quagmires.reporting.tables.published import Published


class ExperimentTable(NamedTuple):
    """A table of an experiment: its numbers and what is shown of them."""

    name: str
    frame: pd.DataFrame
    layout: TableLayout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json")
    parser.add_argument("--published", type=Path, required=True, help="the paper's values, CSV")
    parser.add_argument("--captions", type=Path, default=CAPTIONS)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    options = parser.parse_args()

    settings = AnalysisSettings.read(options.analysis)
    metrics = with_outcome(read_metrics(options.metrics, settings), settings.analysis.outcome)
    label = f"*{settings.label}*\n\n" if settings.label else ""
    sections = []
    for name, frame, layout in tables(metrics, settings, Published.read(options.published)):
        caption = table_caption(name, settings, options.captions)
        with whole_file(options.output / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False, float_format="%.6g")
        write_layout(options.output / f"{name}.json", layout)
        write_text(options.output / f"{name}.md", label + markdown(layout))
        write_text(options.output / f"{name}.tex", latex(layout, name, caption))
        sections.append(f"## {title(name)}\n\n{caption}\n\n{markdown(layout)}")
    write_text(options.output / "tables.md", label + "\n".join(sections))


def tables(metrics: pd.DataFrame, settings: AnalysisSettings, published: Published) -> Iterator[ExperimentTable]:
    """Those of the settings, then those of every experiment, the longest last."""
    for name, table in settings.tables.items():
        if table.statistic == "claims":
            claims = claims_frame(metrics, table, settings)
            yield ExperimentTable(name, claims, claims_layout(claims))
            continue
        frame = prediction_frame(metrics, table, settings, published)
        yield ExperimentTable(name, frame, prediction_layout(frame, table, settings, published, metrics))
    predictors = predictors_frame(metrics, settings)
    yield ExperimentTable("predictors", predictors, predictors_layout(predictors, settings))
    outcomes = outcomes_frame(metrics, settings)
    yield ExperimentTable("outcomes", outcomes, outcomes_layout(outcomes, metrics, settings))
    models = models_frame(metrics, settings)
    yield ExperimentTable("models", models, models_layout(models, settings))


def title(name: str) -> str:
    """`table10` -> `Table 10`, `r2_by_fitting_size` -> `R2 by fitting size`."""
    return re.sub(r"^(table)(?=\d+$)", r"\1 ", name).replace("_", " ").capitalize()


if __name__ == "__main__":
    command_line(main)
