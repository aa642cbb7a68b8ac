"""How well predictors foretell the outcome of RL, and which outcome that is: figures that any experiment has."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quagmires.prediction.outcomes import outcome_errors
from quagmires.prediction.predictors import Predictor, applicable
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import choice, leave_one_out
from quagmires.reporting.figures.panels import Panel, titles
from quagmires.reporting.figures.registry import figure
from quagmires.reporting.figures.style import (
    COLOURS,
    ERROR_BARS,
    GREY,
    NOTE,
    TEXT,
    WIDTHS,
    Series,
    corner_text,
    legend_below,
    panel_axes,
    say_empty,
    wrapped,
)

OUTCOMES = {
    "best": ("best of all", Series(COLOURS[0], "o")),
    "mean_of_run_best": ("mean of the runs' best", Series(COLOURS[2], "^")),
    "last": ("mean of the runs' last", Series(COLOURS[1], "s")),
}


@figure("predictors")
def predictors(panels: Sequence[Panel]) -> Figure:
    """Leave-one-out predictions against actual outcomes: a row for each study, a column for each predictor."""
    shown = _shown(panels)
    columns = 1 if len(shown) <= 2 else 2
    width = (WIDTHS[columns] - 0.7) / len(shown)
    height = min(width, 1.7)
    figure = Figure(figsize=(WIDTHS[columns], 0.8 + height * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), len(shown), squeeze=False)
    for row, panel, title in zip(grid, panels, titles(panels), strict=True):
        _draw_predictions(row, panel, shown)
        row[0].set_ylabel(f"{wrapped(title, height, TEXT)}\nPass@1 after RL")
    models = pd.concat([panel.models for panel in panels])
    for axis, predictor in zip(grid[0], shown, strict=True):
        axis.set_title(_heading(predictor, models, width - 0.15), fontsize=TEXT)
    figure.supxlabel("Pass@1 after RL, predicted by a fit on the other models", fontsize=TEXT)
    return figure


def _shown(panels: Sequence[Panel]) -> list[Predictor]:
    """The predictors that apply to any of the studies, in the order they were registered."""
    return applicable(*(panel.study.level for panel in panels))


def _heading(predictor: Predictor, models: pd.DataFrame, inches: float) -> str:
    """The predictor's title in lines, broken before its bracket rather than in it."""
    title = predictor.title(models)
    return wrapped(
        re.sub(r"\(.*\)", lambda bracket: bracket[0].replace(" ", "\N{NO-BREAK SPACE}"), title), inches, TEXT
    )


def _draw_predictions(row: Sequence[Axes], panel: Panel, shown: Sequence[Predictor]) -> None:
    """One study's panels, all on the same scale, each with a diagonal on which the prediction is right."""
    models = panel.finished
    results = {one.name: leave_one_out(models, one) for one in applicable(panel.study.level)}
    values = np.concatenate([models["outcome"], *(result.predictions for result in results.values())])
    low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (0.0, 1.0)
    margin = 0.12 * (high - low or 0.1)
    # More above, for the numbers in the corner.
    limits = (low - margin, high + 2 * margin)
    for place, (axis, predictor) in enumerate(zip(row, shown, strict=True)):
        result = results.get(predictor.name)
        if result is None or result.mae is None:
            few = "no results yet" if models.empty else "too few models"
            say_empty(axis, "does not apply" if result is None else few)
            continue
        axis.errorbar(
            result.predictions,
            models["outcome"],
            yerr=models["outcome_error"],
            color=COLOURS[0],
            marker="o",
            markersize=2.8,
            linestyle="none",
            zorder=3,
            **{**ERROR_BARS, "capsize": 0},
        )
        axis.plot(limits, limits, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        axis.set(xlim=limits, ylim=limits, aspect="equal")
        axis.tick_params(labelleft=place == 0)
        axis.locator_params(nbins=4)
        r2 = "undefined" if result.r2 is None else f"{result.r2:.2f}".replace("-", "−")
        corner_text(axis, f"R² {r2}\nMAE {result.mae:.3f}", size=NOTE)


@figure("ranks")
def ranks(panels: Sequence[Panel], confidence: float, seed: int) -> Figure:
    """Spearman's rho of each predictor with its interval, a panel for each study, and what choosing by it costs."""
    shown = _shown(panels)
    columns = 1 if len(panels) == 1 else 2
    per_row = min(len(panels), 4)
    figure, axes = panel_axes(len(panels), columns, 0.8 + 0.26 * len(shown), per_row)
    for place, (axis, panel, title) in enumerate(zip(axes, panels, titles(panels), strict=True)):
        axis.set_title(wrapped(title, (WIDTHS[columns] - 1.7) / per_row, TEXT), fontsize=TEXT)
        if panel.finished.empty:
            say_empty(axis)
            axis.set_ylim(len(shown) - 0.5, -0.5)
        else:
            _draw_ranks(axis, panel, shown, confidence, seed)
        if place % per_row == 0:
            axis.set_yticks(range(len(shown)), [_heading(one, panel.models, 1.7) for one in shown])
    return figure


def _draw_ranks(axis: Axes, panel: Panel, shown: Sequence[Predictor], confidence: float, seed: int) -> None:
    beside: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": NOTE}
    lowest = 0.0
    for row, predictor in enumerate(shown):
        applies = predictor in applicable(panel.study.level)
        result = rank_agreement(panel.finished, predictor, seed, confidence) if applies else None
        if result is None or result.spearman is None:
            words = "too few models" if applies else "does not apply"
            axis.text(0.5, row, words, ha="center", color=GREY, style="italic", **beside)
            continue
        low, high = result.spearman_low, result.spearman_high
        # A rho has an interval.
        assert low is not None and high is not None
        lowest = min(lowest, low)
        axis.plot([low, high], [row, row], color=COLOURS[0], linewidth=1.6)
        axis.plot(result.spearman, row, marker="o", color=COLOURS[0])
        axis.text(1.04, row, f"{choice(panel.finished, predictor).regret_at_1:.3f}", **beside)
    axis.text(1.04, -0.8, "cost", color=GREY, **beside)
    axis.axvline(0, color=GREY, linewidth=0.7)
    left, ticks = (-1.05, [-1, 0, 1]) if lowest < 0 else (-0.05, [0, 0.5, 1])
    axis.set(xlim=(left, 1.05), ylim=(len(shown) - 0.5, -0.5), xticks=ticks, xlabel="Spearman's ρ")
    axis.set_yticks(range(len(shown)), [])
    axis.tick_params(axis="y", length=0)


@figure("outcomes")
def outcomes(panels: Sequence[Panel]) -> Figure:
    """Best, last, and mean of the runs' best of each model, in the order of the best."""
    largest = max(len(panel.finished) for panel in panels)
    columns = 1 if len(panels) == 1 else 2
    figure, axes = panel_axes(len(panels), columns, 0.75 + max(4, largest) * 0.17, per_row=2)
    for axis, panel, title in zip(axes, panels, titles(panels), strict=True):
        axis.set_title(wrapped(title, 2.1))
        if panel.finished.empty:
            say_empty(axis)
        else:
            _draw_outcomes(axis, panel)
    handles = next((axis.get_legend_handles_labels() for axis in axes if axis.lines), ([], []))
    legend_below(figure, handles[0])
    return figure


def _draw_outcomes(axis: Axes, panel: Panel) -> None:
    models = panel.finished.sort_values("outcome_best", ascending=False)
    rows = np.arange(len(models))
    for offset, (kind, (name, look)) in zip((-0.22, 0, 0.22), OUTCOMES.items(), strict=True):
        axis.errorbar(
            models[f"outcome_{kind}"],
            rows + offset,
            xerr=outcome_errors(models, kind)["total"],
            color=look.colour,
            marker=look.marker,
            markersize=3,
            markerfacecolor=look.colour if kind == "best" else "white",
            linestyle="none",
            label=name,
            **{**ERROR_BARS, "capsize": 0},
        )
    axis.set_yticks(rows, models["label"], fontsize=NOTE)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(len(models) - 0.4, -0.6)
    axis.locator_params(axis="x", nbins=5)
    axis.set_xlabel("Pass@1 after SFT and RL")
