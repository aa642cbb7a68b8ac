"""Curves of runs: Pass@k by k, and what RL logs at each step."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quagmires.config.labels import recipe_label
from quagmires.reporting.figures.panels import Panel
from quagmires.reporting.figures.point_coding import NAMED
from quagmires.reporting.figures.registry import figure
from quagmires.reporting.figures.style import BLACK, LEGEND_LINE, TEXT, WIDTHS, Series, say_empty, series_styles, style

STAGES = {"SFT": "after SFT", "SFT + RL": "after SFT and RL"}
TRAINING = {"reward": "mean reward of rollouts", "response_tokens": "mean response length (tokens)"}
# Points of a line of training.
POINTS = 40


@figure("pass_at_k")
def pass_at_k(panels: Sequence[Panel], curves: pd.DataFrame) -> Figure:
    """Unbiased Pass@k of every model before and at the end of RL, a row for each study.

    Parameters
    ----------
    curves
        study, recipe, subset, epochs, stage, k, pass_at_k, standard_error; several rows of a k are runs.
    """

    def draw(
        panel: Panel, axes: Sequence[Axes], tables: Mapping[str, pd.DataFrame], styles: Mapping[str, Series]
    ) -> None:
        for axis, (stage, name) in zip(axes, STAGES.items(), strict=True):
            axis.set_title(name)
            for label, table in tables.items():
                _draw_curve(axis, table[table["stage"] == stage], label, styles[label])
            if not axis.lines:
                say_empty(axis)
                continue
            axis.set_xscale("log", base=2)
            axis.xaxis.set_major_formatter("{x:.0f}")
            axis.set_xlabel("k")
        axes[0].set_ylabel("Pass@k")

    return _rows(panels, curves, draw)


@figure("grpo_training")
def grpo_training(panels: Sequence[Panel], training: pd.DataFrame) -> Figure:
    """Mean reward and response length over RL steps, a row for each study; single runs are thin lines.

    Parameters
    ----------
    training
        study, recipe, subset, epochs, run, step, reward, response_tokens.
    """

    def draw(
        panel: Panel, axes: Sequence[Axes], tables: Mapping[str, pd.DataFrame], styles: Mapping[str, Series]
    ) -> None:
        for axis, (column, name) in zip(axes, TRAINING.items(), strict=True):
            for label, table in tables.items():
                _draw_training(axis, table, column, label, styles[label], single_runs=len(tables) <= NAMED)
            if not axis.lines:
                say_empty(axis)
            axis.set_xlabel(f"{panel.study.algorithm} step")
            axis.set_ylabel(name)

    return _rows(panels, training, draw)


def evaluation_curves(scores: dict, title: str) -> Figure:
    """Pass@k of one model by benchmark, with 90 % intervals over problems, from the content of scores.json."""
    with style():
        figure = Figure(figsize=(0.7 * WIDTHS[2], 2.8), layout="constrained")
        axis = figure.subplots()
        curves = {**scores["benchmarks"], "average": scores["macro"]}
        styles = {**series_styles(list(scores["benchmarks"])), "average": Series(BLACK, "*")}
        for name, one in curves.items():
            ks = np.array(sorted(map(int, one["pass_at_k"])))
            points = [one["pass_at_k"][str(k)] for k in ks]
            look = styles[name]
            width = 1.8 if name == "average" else 1.0
            axis.plot(
                ks,
                [point["value"] for point in points],
                color=look.colour,
                marker=look.marker,
                linestyle=look.line,
                linewidth=width,
                label=name,
            )
            if points[0]["low"] is not None:
                low, high = ([point[end] for point in points] for end in ("low", "high"))
                axis.fill_between(ks, low, high, color=look.colour, alpha=0.12, linewidth=0)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.set(xlabel="k", ylabel="Pass@k", ylim=(0, 1.02), title=title)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return figure


def _draw_curve(axis: Axes, rows: pd.DataFrame, label: str, look: Series) -> None:
    """The mean over RL runs."""
    if rows.empty:
        return
    curve = rows.groupby("k")[["pass_at_k", "standard_error"]].mean()
    value, error = (curve[column].to_numpy(float) for column in curve)
    axis.plot(curve.index, value, color=look.colour, marker=look.marker, linestyle=look.line, markersize=3, label=label)
    axis.fill_between(curve.index, value - error, value + error, color=look.colour, alpha=0.1, linewidth=0)


def _draw_training(axis: Axes, rows: pd.DataFrame, column: str, label: str, look: Series, single_runs: bool) -> None:
    rows = rows.dropna(subset=[column])
    if rows.empty:
        return
    runs = [run for _, run in rows.groupby("run")]
    if single_runs and len(runs) > 1:
        for run in runs:
            axis.plot(run["step"], run[column], color=look.colour, linewidth=0.4, alpha=0.45)
    mean = _thinned(rows, column)
    # Enough markers to know a line by.
    every = max(1, len(mean) // 8)
    axis.plot(
        mean["step"], mean[column], color=look.colour, marker=look.marker, markersize=3.2, markevery=every, label=label
    )


def _thinned(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over runs, and over neighbouring steps where there are more than `POINTS`."""
    steps = np.sort(rows["step"].unique())
    block = np.searchsorted(steps, rows["step"]) * min(POINTS, len(steps)) // len(steps)
    return rows.groupby(block)[["step", column]].mean()


def _rows(
    panels: Sequence[Panel],
    table: pd.DataFrame,
    draw: Callable[[Panel, Sequence[Axes], Mapping[str, pd.DataFrame], Mapping[str, Series]], None],
) -> Figure:
    """Two panels for each study and a legend; `draw` gets a panel, its axes, each model's rows, and looks."""
    tables = [_by_label(panel, table[table["study"] == panel.name]) for panel in panels]
    heights = [max(2.1, 0.6 + LEGEND_LINE * len(models)) for models in tables]
    figure = Figure(figsize=(WIDTHS[2], sum(heights)), layout="constrained")
    parts = figure.subfigures(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, panel, models in zip(parts, panels, tables, strict=True):
        if len(panels) > 1:
            part.suptitle(panel.study.title, fontsize=TEXT, weight="bold", x=0.01, ha="left")
        axes = part.subplots(1, 2)
        draw(panel, axes, models, series_styles(list(models)))
        handles: dict[str, Artist] = {}
        for axis in axes:
            handles.update(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        if handles:
            axes[1].legend(handles.values(), handles, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _by_label(panel: Panel, rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows of each model by its label, which names its learning rate where the metrics know the model."""
    labels = dict(zip(panel.models["recipe"], panel.models["label"], strict=True))
    return {
        labels.get(recipe) or recipe_label(models["subset"].iloc[0], models["epochs"].iloc[0]): models
        for recipe, models in rows.groupby("recipe", sort=False)
    }
