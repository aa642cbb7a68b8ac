"""Which figures an experiment has, and drawing them from stored metrics."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.figure_names import GENERAL, OF_TABLES

# Importing a module registers its figures.
from quagmires.reporting.figures import growth, predictors, relations, runs  # noqa: F401
from quagmires.reporting.figures.panels import Panel, study_panels
from quagmires.reporting.figures.registry import FIGURES, needs
from quagmires.reporting.figures.style import finish, save, style


@dataclass(frozen=True)
class Results:
    """What figures are drawn from.

    `curves` (pass_at_k.parquet) and `training` (grpo_training.parquet) are optional: without them there are no figures
    of them.
    """

    settings: AnalysisSettings
    panels: dict[str, Panel]
    curves: pd.DataFrame | None = None
    training: pd.DataFrame | None = None

    @classmethod
    def of(
        cls,
        settings: AnalysisSettings,
        metrics: pd.DataFrame,
        curves: pd.DataFrame | None = None,
        training: pd.DataFrame | None = None,
    ) -> "Results":
        """From the tables as they are stored; raises as `study_panels`."""
        return cls(settings, study_panels(metrics, settings), curves, training)

    @property
    def compared(self) -> list[Panel]:
        """The studies that predictors are judged on."""
        return [self.panels[name] for name in self.settings.compared_studies]


def figure_names(results: Results) -> list[str]:
    """The figures of the settings, then those of any experiment."""
    given = [name for name, table in OF_TABLES.items() if getattr(results, table) is not None]
    return list(dict.fromkeys([*results.settings.figures, *GENERAL, *given]))


def draw(name: str, results: Results) -> Figure:
    """Draw one of `figure_names`, with the experiment's label."""
    settings = results.settings
    block = settings.figures.get(name)
    given = {
        "panels": [results.panels[study] for study in block.studies] if block else results.compared,
        "columns": block and block.columns,
        "confidence": settings.analysis.confidence,
        "seed": settings.seed,
        "curves": results.curves,
        "training": results.training,
    }
    function = FIGURES[block.kind if block else name]
    with style():
        figure = function(**{argument: given[argument] for argument in needs(function)})
        return finish(figure, settings.label)


def draw_and_save(name: str, results: Results, folder: Path) -> None:
    """Draw one figure into <folder>/<name>.pdf, .svg and .png."""
    save(draw(name, results), folder, name)
