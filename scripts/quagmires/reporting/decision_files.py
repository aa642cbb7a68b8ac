"""The files of a decision: a text to read, a table to compute with, and a document that has both in full."""

import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from quagmires.common.files import whole_file, write_json, write_text
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.metrics_file import read_metrics

WIDTH = 116


def studies_of(path: Path, settings: AnalysisSettings) -> dict[str, pd.DataFrame]:
    """The models of each study of the settings that metrics.parquet has, in the settings' order.

    Raises
    ------
    UserError
        see `metrics_file.read_metrics`.
    """
    metrics = read_metrics(path, settings)
    studies = {name: metrics[metrics["study"] == name] for name in settings.studies}
    return {name: models for name, models in studies.items() if len(models)}


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON can hold them: what is not known is null."""

    def plain(value: Any) -> Any:
        if pd.isna(value):
            return None
        return value.item() if hasattr(value, "item") else value

    return [{name: plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def publish(folder: Path, name: str, table: pd.DataFrame, document: Any, show: Callable[[Console], None]) -> None:
    """Write <name>.csv, .json and .txt, and print the text.

    Parameters
    ----------
    folder, name
        of the files.
    table
        for the CSV.
    document
        for the JSON.
    show
        prints the text on a console. That of the file is ASCII, whatever the terminal can do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = StringIO()
    show(Console(file=text, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False))
    with whole_file(folder / f"{name}.csv") as temporary:
        table.to_csv(temporary, index=False)
    write_json(folder / f"{name}.json", document)
    write_text(folder / f"{name}.txt", text.getvalue())
    if sys.stdout.isatty():
        show(Console(markup=False, highlight=False, emoji=False))
    else:
        print(text.getvalue(), end="")
