"""Quality against cost: Spearman's rho of each predictor with its interval, by what measuring it costs."""

from math import ceil, floor
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quagmires.prediction.arena import CHANCE
from quagmires.prediction.predictors import PREDICTORS
from quagmires.reporting.figures.style import (
    ERROR_BARS,
    GREY,
    NOTE,
    TEXT,
    WIDTHS,
    Series,
    cycled_styles,
    legend_below,
    panel_axes,
    say_empty,
    style,
    wrapped,
)

HEIGHT = 2.3
# Where predictors of unknown cost stand, beside an axis of known costs from 0 to 1.
UNKNOWN = (1.13, 1.5)
MARGIN = 0.07
# Costs that are nearer than this on the axis count as like.
APART = 0.035


def arena_figure(frame: pd.DataFrame) -> Figure:
    """A panel for each study that was judged; published values, whose studies have no models, are not drawn.

    Parameters
    ----------
    frame
        of `arena.judge`.
    """
    styles = dict(zip(PREDICTORS, cycled_styles(), strict=False))
    studies = list(frame["study"].unique())
    columns = 1 if len(studies) == 1 else 2
    with style():
        figure, axes = panel_axes(len(studies), columns, HEIGHT, per_row=2)
        for axis, study in zip(axes, studies, strict=True):
            lines = frame[frame["study"] == study]
            title = f"{study} ({lines['origin'].iloc[0]}), {lines['with_outcome'].iloc[0]} models"
            axis.set_title(wrapped(title, WIDTHS[columns] / min(2, len(studies)) - 0.6), fontsize=TEXT)
            drawn = lines[lines["rho"].notna() & (lines["predictor"] != CHANCE)]
            if drawn.empty:
                say_empty(axis, "no predictor could be computed")
                continue
            _draw(axis, drawn, styles)
        shown = frame[frame["rho"].notna() & (frame["predictor"] != CHANCE)].drop_duplicates("predictor")
        order = [name for name in styles if name in set(shown["predictor"])]
        handles = [
            axes[0].plot([], [], linestyle="none", marker=styles[name].marker, color=styles[name].colour,
                         label=PREDICTORS[name].title(pd.DataFrame()))[0]
            for name in order
        ]  # fmt: skip
        if handles:
            legend_below(figure, handles)
    return figure


def _draw(axis: Axes, lines: pd.DataFrame, styles: dict[str, Series]) -> None:
    known = lines["cost"].notna()
    of_rl = (lines["cost"] / lines["cost_share"]).where(lines["cost_share"] > 0).max()
    places, ticks, of_rl_place = _places(lines["cost"].to_numpy(float), of_rl)
    for place, line in zip(places, lines.to_dict("records"), strict=True):
        look = styles[line["predictor"]]
        reach = [[line["rho"] - line["rho_low"]], [line["rho_high"] - line["rho"]]]
        bars = {**ERROR_BARS, "linestyle": "none", "zorder": 3}
        axis.errorbar(place, line["rho"], yerr=np.maximum(reach, 0), color=look.colour, marker=look.marker, **bars)
    axis.axhline(0, color=GREY, linewidth=0.7)
    words: dict[str, Any] = {"fontsize": NOTE, "color": GREY, "style": "italic", "ha": "center", "va": "bottom"}
    words["transform"] = axis.get_xaxis_transform()
    if np.isfinite(of_rl_place):
        axis.axvline(of_rl_place, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        axis.text(of_rl_place, 0.02, "all RL ", **{**words, "ha": "right"})
    left, right = (-0.08 if known.any() else UNKNOWN[0] - MARGIN), (1.05 if known.all() else UNKNOWN[1] + MARGIN)
    if not known.all():
        axis.axvspan(UNKNOWN[0] - MARGIN, right, color="#f0f0f0", zorder=0)
        axis.text(sum(UNKNOWN) / 2, 0.02, "cost not known", **words)
    axis.set_xlim(left, right)
    axis.set_ylim(max(-1.05, min(0.0, float(lines["rho_low"].min())) - 0.14), 1.05)
    axis.set_xticks(list(ticks), [f"{cost:,g}" if cost < 1e6 else f"{cost:.0e}" for cost in ticks.values()])
    axis.set_ylabel("Spearman's ρ")
    units = lines.loc[known, "cost_unit"]
    axis.set_xlabel(f"cost of measuring, {units.iloc[0]}" if len(units) else " ")


def _places(costs: np.ndarray, of_rl: float) -> tuple[np.ndarray, dict[float, float], float]:
    """Where each predictor stands, the cost at each tick, and where the cost of all RL is; nan where not known.

    Powers of ten of the known costs lie between 0 and 1. Predictors of like cost stand side by side around it.
    """
    known, places = np.isfinite(costs), np.empty(len(costs))
    places[~known] = np.linspace(*UNKNOWN, (~known).sum()) if (~known).sum() > 1 else np.mean(UNKNOWN)
    if not known.any():
        return places, {}, np.nan
    logs, end = np.log10(costs[known]), np.log10(of_rl)
    low, high = floor(logs.min()), ceil(np.nanmax([*logs, end]))
    high = max(high, low + 1)
    on_axis = (logs - low) / (high - low)
    places[known] = _spread(on_axis)
    ticks = {(power - low) / (high - low): 10.0**power for power in range(low, high + 1)}
    return places, ticks, (end - low) / (high - low)


def _spread(places: np.ndarray) -> np.ndarray:
    """Places moved apart by at least `APART`; those that were nearer stay centred on their mean.

    >>> _spread(np.array([0.5, 0.1, 0.5])).round(4).tolist()
    [0.4825, 0.1, 0.5175]
    """
    groups = [[place] for place in np.argsort(places, kind="stable")]

    def own(group: list[int]) -> np.ndarray:
        return places[group].mean() + (np.arange(len(group)) - (len(group) - 1) / 2) * APART

    number = 0
    while number < len(groups) - 1:
        if own(groups[number + 1])[0] - own(groups[number])[-1] < APART - 1e-9:
            groups[number : number + 2] = [groups[number] + groups[number + 1]]
            # The joined group may reach the one before it.
            number = max(0, number - 1)
        else:
            number += 1
    spread = np.empty_like(places)
    for group in groups:
        spread[group] = own(group)
    return spread
