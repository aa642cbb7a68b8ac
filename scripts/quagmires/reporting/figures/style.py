"""The house style of figures: a paper's column widths, series that grey print and colour-blind readers tell apart, and
files of which the same data give the same bytes.

Colour never stands alone: series differ in marker, hatch or line as well. Text in SVG is drawn as paths, because a
reader's machine may lack the font, and another one's widths would make labels overlap.
"""

import itertools
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from quagmires.common.files import whole_file
from quagmires.config.subset_rules import SUBSET_RULES

# Okabe and Ito's palette, safe for colour-blind readers. Its order: those two apart, which share a marker in
# `cycled_styles`, differ in lightness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
LINES = ("-", "--", "-.", ":")
BLACK, GREY, FAINT = "#000000", "#5a5a5a", "#b8b8b8"

# Inches, of one and two columns of a paper; points, as printed.
WIDTHS = {1: 3.4, 2: 7.0}
TITLE, TEXT, NOTE = 8, 7, 6
STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": TEXT,
    "axes.titlesize": TITLE,
    "axes.labelsize": TEXT,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "legend.fontsize": TEXT,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 0.9,
    "legend.labelspacing": 0.35,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlepad": 4,
    "grid.linewidth": 0.4,
    "grid.color": "#e3e3e3",
    "lines.linewidth": 1.1,
    "lines.markersize": 4.2,
    "lines.markeredgewidth": 0.9,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0,
    "hatch.linewidth": 0.6,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    # Titles and labels come from the config: a `$` in them is no formula.
    "text.parse_math": False,
    # Laid out at the resolution of the PNG: hinted text is not equally wide at all.
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "svg.hashsalt": "quagmires",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
}
# By suffix, without dates. PNG comes first: the others set the figure's resolution to theirs.
FORMATS = {
    "png": (FigureCanvasAgg, {"Software": None}),
    "svg": (FigureCanvasSVG, {"Date": None}),
    "pdf": (FigureCanvasPdf, {"CreationDate": None}),
}
# Inches of a line of a legend.
LEGEND_LINE = 0.145
ERROR_BARS: dict[str, Any] = {"elinewidth": 0.7, "capsize": 1.5, "capthick": 0.7}


@dataclass(frozen=True)
class Series:
    """How one series of points looks."""

    colour: str
    marker: str
    line: str = "-"


# What the paper draws beside single subset rules always looks the same too.
OTHER_SELECTIONS = {
    "longest + shortest": Series(COLOURS[3], "D"),
    "no SFT": Series(BLACK, "*"),
}


def selection_styles() -> dict[str, Series]:
    """The styles that are the same in every figure: of the subset rules that have a look, and of the others."""
    rules = {rule.name: Series(rule.look.colour, rule.look.marker) for rule in SUBSET_RULES.values() if rule.look}
    return rules | OTHER_SELECTIONS


def style() -> AbstractContextManager:
    """The house style and nothing of the user's own settings, for drawing and saving."""
    return matplotlib.style.context(STYLE, after_reset=True)


def series_styles(names: Sequence[str]) -> dict[str, Series]:
    """A style for each name, the known ones first; 24 others differ, of more the first come again."""
    names = list(dict.fromkeys(names))
    known = selection_styles()
    styles = {name: known[name] for name in names if name in known}
    taken = {(one.colour, one.marker) for one in styles.values()}
    free = itertools.cycle(one for one in cycled_styles() if (one.colour, one.marker) not in taken)
    return {name: styles.get(name) or next(free) for name in names}


def cycled_styles() -> list[Series]:
    """24 styles: colour, marker and line each go round at their own pace."""
    return [
        Series(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)], LINES[i // len(COLOURS) % len(LINES)])
        for i in range(24)
    ]


def side_by_side(count: int, columns: int) -> int:
    """How many of `count` panels stand in a row, in so many paper columns: one in one, three in two."""
    return min(count, 2 * columns - 1)


def panel_axes(count: int, columns: int, height: float, per_row: int) -> tuple[Figure, list[Axes]]:
    """A figure of `columns` paper columns with `count` panels, each row `height` inches high (and a legend below)."""
    per_row = min(per_row, count)
    rows = ceil(count / per_row)
    figure = Figure(figsize=(WIDTHS[columns], rows * height), layout="constrained")
    return figure, [figure.add_subplot(rows, per_row, place + 1) for place in range(count)]


def wrapped(text: str, inches: float, size: float = TITLE) -> str:
    """Text broken into lines that fit a width; matplotlib itself breaks at the edge of a whole figure alone."""
    letters = max(8, int(inches / _width(1, size)))
    return "\n".join(textwrap.wrap(text, letters, break_on_hyphens=False, break_long_words=False)) or text


def _width(letters: float, size: float) -> float:
    """Inches of a text: a letter is half of the font's size wide on average."""
    return letters * 0.5 * size / 72


def legend_below(figure: Figure, *groups: Sequence[Artist]) -> None:
    """A legend below the panels, for which the figure grows.

    Parameters
    ----------
    groups
        labelled handles; each group has a row of its own, if they fit the width.
    """
    rows_of_handles = [list(group) for group in groups if group]
    if not rows_of_handles:
        return
    columns = max(map(len, rows_of_handles))
    blank = Line2D([], [], linestyle="none", label="")
    # Legends are filled column by column.
    entries = [(group + [blank] * columns)[column] for column in range(columns) for group in rows_of_handles]
    if not _fit(figure, entries, columns):
        entries = sum(rows_of_handles, [])
        columns = next((count for count in range(len(entries), 1, -1) if _fit(figure, entries, count)), 1)
    rows = ceil(len(entries) / columns)
    figure.set_figheight(figure.get_figheight() + LEGEND_LINE * (rows + 0.7))
    figure.legend(handles=entries, loc="outside lower center", ncols=columns, handlelength=_handle(entries))


def _fit(figure: Figure, entries: Sequence[Artist], columns: int) -> bool:
    letters = [len(str(entry.get_label())) for entry in entries]
    longest = [part.max() for part in np.array_split(letters, columns)]
    # Handle, its distance to the text, and that between columns.
    beside = (_handle(entries) + 0.8 + STYLE["legend.columnspacing"]) * TEXT / 72
    return sum(_width(letters, TEXT) + beside for letters in longest) <= figure.get_figwidth() - 0.1


def _handle(entries: Sequence[Artist]) -> float:
    """Length of a legend's handles in font sizes: markers alone need less."""
    markers = all(isinstance(entry, Line2D) and entry.get_linestyle() == "None" for entry in entries)
    return 1.0 if markers else STYLE["legend.handlelength"]


def say_empty(axis: Axes, text: str = "no results yet") -> None:
    """Words in place of data."""
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set_color(FAINT)
    axis.text(0.5, 0.5, text, transform=axis.transAxes, ha="center", va="center", color=GREY, style="italic")


def corner_text(axis: Axes, text: str, x: float = 0.03, y: float = 0.97, size: float = TEXT) -> None:
    """Numbers in a corner of a panel; white behind them keeps them legible on grid and lines."""
    axis.text(
        x,
        y,
        text,
        transform=axis.transAxes,
        ha="left" if x < 0.5 else "right",
        va="top" if y > 0.5 else "bottom",
        fontsize=size,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        zorder=6,
    )


def finish(figure: Figure, label: str) -> Figure:
    """Put the experiment's label, e.g. `simulated, not measured`, on a figure."""
    if label:
        figure.suptitle(label, x=0.99, ha="right", fontsize=TEXT, color="#A33B00", style="italic", weight="bold")
    return figure


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PNG, SVG and PDF."""
    with style():
        # Laid out once, so that the three are the same. Canvases write at once where `savefig` draws all of it twice.
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for suffix, (canvas, metadata) in FORMATS.items():
            with whole_file(folder / f"{name}.{suffix}") as temporary:
                getattr(canvas(figure), f"print_{suffix}")(temporary, metadata=metadata)
