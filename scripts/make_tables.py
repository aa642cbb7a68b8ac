"""All tables of an experiment from its metrics alone, as CSV, Markdown and LaTeX, published values beside ours."""

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
from quagmires.prediction.outcome_errors import with_outcome
from quagmires.reporting.captions import CAPTIONS, table_caption
from quagmires.reporting.tables.formats import Layout, latex, markdown
from quagmires.reporting.tables.models import models_frame, outcomes_frame, predictors_frame
from quagmires.reporting.tables.models_layout import models_layout, outcomes_layout, predictors_layout
from quagmires.reporting.tables.prediction import prediction_frame
from quagmires.reporting.tables.prediction_layout import prediction_layout
from quagmires.reporting.tables.published import Published


class Table(NamedTuple):
    """A table: its numbers and what is shown of them."""

    name: str
    frame: pd.DataFrame
    layout: Layout


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
        write_text(options.output / f"{name}.md", label + markdown(layout))
        write_text(options.output / f"{name}.tex", latex(layout, name, caption))
        sections.append(f"## {title(name)}\n\n{caption}\n\n{markdown(layout)}")
    write_text(options.output / "tables.md", label + "\n".join(sections))


def tables(metrics: pd.DataFrame, settings: AnalysisSettings, published: Published) -> Iterator[Table]:
    """Those of the settings, then those of every experiment, the longest last."""
    for name, table in settings.tables.items():
        frame = prediction_frame(metrics, table, settings, published)
        yield Table(name, frame, prediction_layout(frame, table, settings, published, metrics))
    predictors = predictors_frame(metrics, settings)
    yield Table("predictors", predictors, predictors_layout(predictors, settings))
    outcomes = outcomes_frame(metrics, settings)
    yield Table("outcomes", outcomes, outcomes_layout(outcomes, metrics, settings))
    models = models_frame(metrics, settings)
    yield Table("models", models, models_layout(models, settings))


def title(name: str) -> str:
    """`table10` -> `Table 10`, `r2_by_fitting_size` -> `R2 by fitting size`."""
    return re.sub(r"^(table)(?=\d+$)", r"\1 ", name).replace("_", " ").capitalize()


if __name__ == "__main__":
    command_line(main)
