"""Which figures an experiment has, and how each is drawn from stored metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from quagmires.config.analysis_settings import FIGURES, AnalysisSettings
from quagmires.reporting.figures import growth, predictors, relations, runs
from quagmires.reporting.figures.panels import Panel, study_panels
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
    optional = {"pass_at_k": results.curves, "grpo_training": results.training}
    given = [name for name, table in optional.items() if table is not None]
    return list(dict.fromkeys([*results.settings.figures, *FIGURES, *given]))


def draw(name: str, results: Results) -> Figure:
    """Draw one of `figure_names`, with the experiment's label."""
    with style():
        block = results.settings.figures.get(name)
        if block is None:
            figure = _general(name, results)
        else:
            panels = [results.panels[study] for study in block.studies]
            figure = _of_kind(block.kind, results.settings)(panels, block.columns)
        return finish(figure, results.settings.label)


def draw_and_save(name: str, results: Results, folder: Path) -> None:
    """Draw one figure into <folder>/<name>.pdf, .svg and .png."""
    save(draw(name, results), folder, name)


def _of_kind(kind: str, settings: AnalysisSettings) -> Callable[[Sequence[Panel], int], Figure]:
    confidence, seed = settings.analysis.confidence, settings.seed
    return {
        "subsets": growth.subsets,
        "epochs": growth.epochs,
        "bars": growth.bars,
        "linear_fit": lambda panels, columns: relations.linear_fit(panels, columns, confidence),
        "loss_and_gain": lambda panels, columns: relations.loss_and_gain(panels, columns, confidence, seed),
    }[kind]


def _general(name: str, results: Results) -> Figure:
    settings, panels = results.settings, results.compared
    return {
        "predictors": lambda: predictors.predictors(panels),
        "ranks": lambda: predictors.ranks(panels, settings.analysis.confidence, settings.seed),
        "outcomes": lambda: predictors.outcomes(panels),
        "pass_at_k": lambda: runs.pass_at_k(panels, results.curves),
        "grpo_training": lambda: runs.grpo_training(panels, results.training),
    }[name]()
