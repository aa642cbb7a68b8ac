"""What each panel of a figure shows: the SFT models of one study, with labels and the errors of their outcomes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quagmires.config.analysis_settings import AnalysisSettings, StudySettings
from quagmires.config.labels import NO_SFT, recipe_labels
from quagmires.config.subset_names import ALL, BASE, parse_subset
from quagmires.prediction.outcomes import outcome_errors, with_outcome


@dataclass(frozen=True)
class Panel:
    """One study. `models` is its rows of metrics.parquet, maybe none, with the columns of `with_drawn_columns`."""

    name: str
    study: StudySettings
    models: pd.DataFrame

    @property
    def finished(self) -> pd.DataFrame:
        """The models that have been through RL."""
        return self.models[self.models["outcome"].notna()]


def study_panels(metrics: pd.DataFrame, settings: AnalysisSettings) -> dict[str, Panel]:
    """The panel of every study of the settings, with the outcome they ask for."""
    kind = settings.analysis.outcome
    return {
        name: Panel(name, study, with_drawn_columns(metrics[metrics["study"] == name].reset_index(drop=True), kind))
        for name, study in settings.studies.items()
    }


def with_drawn_columns(models: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Models with `label`, `rule`, and `outcome_error`.

    `outcome_error` is the standard error of the outcome with all its sources, or that of question sampling where the
    others are not known (one RL run).
    """
    if models.empty:
        return models.assign(label=[], rule=[], outcome_error=[])
    total = outcome_errors(models, outcome)["total"].to_numpy(float)
    models = with_outcome(models, outcome)
    return models.assign(
        label=recipe_labels(models),
        rule=[selection_rule(subset) for subset in models["subset"]],
        outcome_error=np.where(np.isfinite(total), total, models["outcome_se"].to_numpy(float)),
    )


def selection_rule(subset: str) -> str:
    """How a subset was picked, without its size: `longest-10k+shortest-10k` -> `longest + shortest`."""
    if subset == BASE:
        return NO_SFT
    return ALL if subset == ALL else " + ".join(part.rule for part in parse_subset(subset))


def titles(panels: Sequence[Panel]) -> list[str]:
    """What tells the panels apart: the models' names, or these and the level, or else the studies' titles."""
    models = [panel.study.model_title for panel in panels]
    levels = [f"{panel.study.model_title}, {panel.study.level}\N{NO-BREAK SPACE}level" for panel in panels]
    studies = [panel.study.title for panel in panels]
    return next((names for names in (models, levels) if len(set(names)) == len(panels)), studies)
