"""Performance after SFT, and how much RL adds to it: by number of examples, epochs, or recipe (paper, Figures 1, 2, 4,
and 6 to 10).

SFT is open or hatched, RL filled. The best model at each of the two stages is outlined in black: that they often differ
is the paper's point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.typing import LineStyleType

from quagmires.config.labels import NO_SFT, examples_label, ladder_epochs, recipe_labels
from quagmires.config.subset_names import BASE
from quagmires.reporting.figures.panels import Panel, titles
from quagmires.reporting.figures.registry import figure
from quagmires.reporting.figures.style import (
    BLACK,
    COLOURS,
    ERROR_BARS,
    FAINT,
    GREY,
    NOTE,
    TEXT,
    WIDTHS,
    Series,
    legend_below,
    panel_axes,
    say_empty,
    series_styles,
    side_by_side,
    wrapped,
)

# Gains are written beside so many models of a panel at most.
ANNOTATED = 12
# Inches that a label of the x axis needs, and that lines of a panel are set apart so that their bars do not overlap.
TICK_LABEL, DODGE = 0.3, 0.19
BEST: dict[str, Any] = {
    "marker": "o",
    "markersize": 9,
    "fillstyle": "none",
    "color": BLACK,
    "markeredgewidth": 0.9,
    "linestyle": "none",
}


@dataclass(frozen=True)
class Stage:
    """A stage of training: its columns of the metrics and its look."""

    name: str
    value: str
    error: str
    filled: bool
    line: LineStyleType
    size: float


STAGES = (
    Stage("after SFT", "pass_at_1", "pass_at_1_se", False, "--", 3.6),
    Stage("after SFT and RL", "outcome", "outcome_error", True, "-", 4.6),
)


@figure("subsets")
def subsets(panels: Sequence[Panel], columns: int) -> Figure:
    """Pass@1 by number of SFT examples on a log axis, a line for each rule they were selected by."""

    def place(models: pd.DataFrame) -> pd.Series:
        """Decades of examples; no SFT stands to the left of the smallest subset."""
        decades = np.log10(models["examples"].where(models["rule"] != NO_SFT))
        gap = max(0.3, 0.15 * np.ptp(decades.dropna())) if decades.notna().any() else 0
        return decades.fillna(decades.min() - gap if decades.notna().any() else 0)

    def without_size(models: pd.DataFrame) -> pd.DataFrame:
        rules = [rule.replace(" ", "") for rule in models["rule"]]
        return models.assign(subset=np.where(models["subset"] == BASE, BASE, rules))

    def series(models: pd.DataFrame) -> list[str]:
        return recipe_labels(without_size(models))

    return _lines(panels, columns, place, series, "SFT examples", lambda model: examples_label(model.examples))


@figure("epochs")
def epochs(panels: Sequence[Panel], columns: int) -> Figure:
    """Pass@1 by number of epochs over the same examples, a line for each subset, and one for each ladder."""

    def series(models: pd.DataFrame) -> list[str]:
        names = recipe_labels(models.assign(epochs=1, scheduled_epochs=1))
        ladders = zip(names, ladder_epochs(models), strict=True)
        return [f"{name}, in one run of {epochs:g}" if epochs > 0 else name for name, epochs in ladders]

    return _lines(
        panels,
        columns,
        lambda models: models["epochs"].where(models["rule"] != NO_SFT, 0),
        series,
        "epochs of SFT",
        lambda model: f"{model.epochs:g}",
    )


def _lines(
    panels: Sequence[Panel],
    columns: int,
    place: Callable[[pd.DataFrame], pd.Series],
    series_of: Callable[[pd.DataFrame], list[str]],
    x_label: str,
    tick: Callable[[pd.Series], str],
) -> Figure:
    """A panel for each study; models that `series_of` calls the same are one line."""
    per_row = side_by_side(len(panels), columns)
    width = WIDTHS[columns] / per_row - 0.5
    figure, axes = panel_axes(len(panels), columns, 2.4, per_row)
    names = [series_of(panel.models) for panel in panels]
    styles = series_styles(sum(names, []))
    for axis, panel, title, series in zip(axes, panels, titles(panels), names, strict=True):
        axis.set_title(wrapped(title, width))
        if panel.models.empty:
            say_empty(axis)
            continue
        models = panel.models.assign(series=series, x=place(panel.models))
        # Units of x in an inch.
        unit = (np.ptp(models["x"]) or 1) / width
        _x_axis(axis, models, tick, x_label, unit)
        _draw_lines(axis, models, styles, unit)
    axes[0].set_ylabel("Pass@1")
    legend_below(figure, *_line_legend(styles))
    return figure


def _x_axis(axis: Axes, models: pd.DataFrame, tick: Callable[[pd.Series], str], label: str, unit: float) -> None:
    """Ticks where there are models, with labels where there is room for them."""
    places = models.drop_duplicates("x").sort_values("x", ascending=False)
    last = np.inf
    labelled = []
    for model in places.itertuples():
        if last - model.x >= TICK_LABEL * unit:
            labelled.append((model.x, NO_SFT if model.rule == NO_SFT else tick(model)))
            last = model.x
    axis.set_xticks(*zip(*labelled, strict=True))
    axis.set_xticks(places["x"], minor=True)
    axis.tick_params(axis="x", which="minor", size=2.5)
    axis.set_xlabel(label)
    axis.grid(axis="x", visible=False)


def _draw_lines(axis: Axes, models: pd.DataFrame, styles: dict[str, Series], unit: float) -> None:
    """Both stages of each line, joined by the gain of each model; the level of the model without SFT goes across."""
    models = models.assign(x=_apart(models, unit)).sort_values("x")
    for stage in STAGES:
        for level in models.loc[models["series"] == NO_SFT, stage.value].dropna():
            axis.axhline(level, color=GREY, linewidth=0.7, linestyle=":", zorder=1)
        for name, line in models.groupby("series", sort=False):
            _draw_stage(axis, line, stage, styles[name])
        if models[stage.value].notna().any():
            best = models.loc[models[stage.value].idxmax()]
            axis.plot(best["x"], best[stage.value], zorder=6, **BEST)
    _draw_gains(axis, models)
    margin = 0.25 * unit
    axis.set_xlim(models["x"].min() - margin, models["x"].max() + margin)


def _apart(models: pd.DataFrame, unit: float) -> pd.Series:
    """The places of models, those at the same one set apart in the order of their lines, never past the next."""
    order = models["series"].map({name: place for place, name in enumerate(dict.fromkeys(models["series"]))})
    rank = order.groupby(models["x"]).rank(method="first")
    counts = models["x"].value_counts().sort_index()
    room = np.diff(counts.index) / ((counts.to_numpy()[1:] + counts.to_numpy()[:-1]) / 2)
    step = min(DODGE * unit, room.min(initial=np.inf))
    return models["x"] + (rank - rank.groupby(models["x"]).transform("mean")) * step


def _draw_stage(axis: Axes, line: pd.DataFrame, stage: Stage, style: Series) -> None:
    axis.errorbar(
        line["x"],
        line[stage.value],
        yerr=line[stage.error],
        color=style.colour,
        marker=style.marker,
        markersize=stage.size * (1.5 if style.marker == "*" else 1),
        markerfacecolor=style.colour if stage.filled else "white",
        linestyle=stage.line,
        zorder=4,
        **ERROR_BARS,
    )


def _draw_gains(axis: Axes, models: pd.DataFrame) -> None:
    """A line from SFT to RL for each model, with the gain on it."""
    annotated = len(models) <= ANNOTATED
    for model in models[models["gain"].notna()].itertuples():
        axis.plot([model.x, model.x], [model.pass_at_1, model.outcome], color=FAINT, linewidth=0.8, zorder=2)
        if annotated:
            axis.annotate(
                f"{model.gain:+.2f}",
                (model.x, (model.pass_at_1 + model.outcome) / 2),
                xytext=(5.5, 0),
                textcoords="offset points",
                rotation=90,
                fontsize=NOTE,
                ha="center",
                va="center",
                color=GREY,
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
                zorder=5,
            )


def _line_legend(styles: dict[str, Series]) -> list[list[Line2D]]:
    lines = [
        Line2D([], [], color=style.colour, marker=style.marker, linestyle="none", label=name)
        for name, style in styles.items()
    ]
    stages = [
        Line2D(
            [], [], color=GREY, marker="o", linestyle=stage.line, markersize=stage.size, label=stage.name,
            markerfacecolor=GREY if stage.filled else "white",
        )
        for stage in STAGES
    ]  # fmt: skip
    return [lines, [*stages, Line2D([], [], label="best at its stage", **BEST)]]


@figure("bars")
def bars(panels: Sequence[Panel], columns: int) -> Figure:
    """Pass@1 of each recipe after SFT and after RL, with the gain."""
    per_row = side_by_side(len(panels), columns)
    rows = max(len(panel.models) for panel in panels)
    step = 0.32 if rows <= ANNOTATED else 0.24
    figure, axes = panel_axes(len(panels), columns, max(1.6, 0.75 + step * rows), per_row)
    # One list of recipes on the left serves all panels of a row that have the same.
    same = len({tuple(panel.models["label"]) for panel in panels}) == 1
    for place, (axis, panel, title) in enumerate(zip(axes, panels, titles(panels), strict=True)):
        axis.set_title(wrapped(title, WIDTHS[columns] / per_row - 0.7))
        if panel.models.empty:
            say_empty(axis)
            continue
        _draw_bars(axis, panel.models)
        if same and place % per_row:
            axis.set_yticklabels([])
    legend_below(figure, _bar_legend())
    return figure


BAR_LOOKS: tuple[dict[str, Any], ...] = (
    {"facecolor": "#CFE3F1", "hatch": "//////", "edgecolor": COLOURS[0], "linewidth": 0.6},
    {"facecolor": COLOURS[0], "edgecolor": COLOURS[0], "linewidth": 0.6},
)
BEST_BAR: dict[str, Any] = {"facecolor": "none", "edgecolor": BLACK, "linewidth": 1.4}


def _draw_bars(axis: Axes, models: pd.DataFrame) -> None:
    rows = np.arange(len(models))
    for stage, offset, look in zip(STAGES, (-0.19, 0.19), BAR_LOOKS, strict=True):
        values = models[stage.value].to_numpy(float)
        axis.barh(
            rows + offset,
            values,
            0.38,
            xerr=models[stage.error],
            error_kw={**ERROR_BARS, "ecolor": BLACK, "zorder": 4},
            zorder=2,
            **look,
        )
        if np.isfinite(values).any():
            best = int(np.nanargmax(values))
            axis.barh(rows[best] + offset, values[best], 0.38, zorder=3, **BEST_BAR)
    for row, model in enumerate(models.itertuples()):
        if np.isfinite(model.gain):
            end = model.outcome + np.nan_to_num(model.outcome_error)
            axis.annotate(
                f"{model.gain:+.3f}",
                (end, row + 0.19),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=NOTE,
                color=GREY,
            )
    axis.set_yticks(rows, [_in_lines(label) for label in models["label"]])
    axis.set_ylim(len(models) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    top = np.nanmax(models[["pass_at_1", "outcome"]].to_numpy(float), initial=0.01)
    # Room for the gains.
    axis.set_xlim(0, 1.38 * top)
    axis.set_xlabel("Pass@1")
    axis.grid(axis="y", visible=False)


def _in_lines(label: str) -> str:
    """A recipe's label in two lines where it is long, broken between its parts."""
    text = label.replace(" ", "\N{NO-BREAK SPACE}")
    for end in (",", "\N{NO-BREAK SPACE}+"):
        text = text.replace(f"{end}\N{NO-BREAK SPACE}", f"{end} ")
    return wrapped(text, 1.25, TEXT)


def _bar_legend() -> list[Patch]:
    stages = [Patch(label=stage.name, **look) for stage, look in zip(STAGES, BAR_LOOKS, strict=True)]
    return [*stages, Patch(label="best at its stage", **BEST_BAR)]
