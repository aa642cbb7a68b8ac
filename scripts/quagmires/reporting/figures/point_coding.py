"""How points of a scatter plot say which SFT model they are.

A few models have a colour, a marker and a name each. Of more, colour and marker stand for what differs between them:
the rule their examples were selected by, or where that is one, the number of examples and of epochs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from quagmires.config.labels import (
    NO_SFT,
    epochs_label,
    examples_label,
    is_from_longer_run,
    learning_rate_label,
    usual_learning_rate,
)
from quagmires.reporting.figures.style import BLACK, GREY, MARKERS, OTHER_SELECTIONS, Series, series_styles

# Up to here each model has a name of its own.
NAMED = 8
SIZES = (3.2, 7.0)
# Of a model from the middle of a longer training.
HALF = {"fillstyle": "left", "markerfacecoloralt": "white"}


@dataclass(frozen=True)
class Coding:
    """`look` gives a model (row) its arguments of `Axes.errorbar`; `legend` explains them in groups."""

    look: Callable[[pd.Series], dict]
    legend: list[list[Line2D]]


def code(models: pd.DataFrame, largest: int) -> Coding:
    """The coding of the models of a figure's panels together, of which the largest has `largest` models."""
    if largest <= NAMED:
        return by_name(models)
    return by_rule(models) if _trained(models)["rule"].nunique() > 1 else by_size(models)


def by_name(models: pd.DataFrame) -> Coding:
    """Each recipe for itself."""
    styles = series_styles(list(models["label"]))
    legend = [_entry(name, color=style.colour, marker=style.marker) for name, style in styles.items()]
    return Coding(lambda model: _of_series(styles[model["label"]]), [legend])


def by_rule(models: pd.DataFrame) -> Coding:
    """Colour and marker by selection rule; the larger the point, the more examples."""
    styles = series_styles(list(models["rule"]))
    examples = np.log(_trained(models)["examples"].astype(float))
    low, span = examples.min(), np.ptp(examples) or 1.0

    def look(model: pd.Series) -> dict:
        if model["rule"] == NO_SFT:
            return _of_series(OTHER_SELECTIONS[NO_SFT])
        share = (np.log(model["examples"]) - low) / span
        return {**_of_series(styles[model["rule"]]), "markersize": SIZES[0] + share * (SIZES[1] - SIZES[0])}

    legend = [_entry(name, color=style.colour, marker=style.marker) for name, style in styles.items()]
    return Coding(look, [legend, [_entry("larger: more examples", marker="")]])


def by_size(models: pd.DataFrame) -> Coding:
    """Colour by number of examples, darker for fewer; marker by epochs; and the marks of `_with_marks`."""
    trained = _trained(models)
    colours = _shades(trained["examples"])
    markers = dict(zip(sorted(trained["epochs"].unique()), MARKERS, strict=False))
    sizes = [_entry(examples_label(size), color=colour, marker="s") for size, colour in colours.items()]
    epochs = [_entry(epochs_label(count), color=GREY, marker=marker) for count, marker in markers.items()]
    return _with_marks(
        models,
        lambda model: {"color": colours[model["examples"]], "marker": markers.get(model["epochs"], MARKERS[-1])},
        [sizes, epochs if len(markers) > 1 else []],
    )


def by_epochs(models: pd.DataFrame) -> Coding:
    """Colour and marker by epochs; and the marks of `_with_marks`."""
    colours = _shades(_trained(models)["epochs"])
    looks = {
        count: {"color": colour, "marker": MARKERS[place % len(MARKERS)]}
        for place, (count, colour) in enumerate(colours.items())
    }
    legend = [_entry(epochs_label(count), **look) for count, look in looks.items()]
    return _with_marks(models, lambda model: looks[model["epochs"]], [legend])


def _with_marks(models: pd.DataFrame, look: Callable[[pd.Series], dict], legend: list[list[Line2D]]) -> Coding:
    """The coding with open markers for learning rates other than the usual one, half-filled ones for models from the
    middle of a longer training, and a star for no SFT.
    """
    usual = usual_learning_rate(models)
    others = sorted(set(_trained(models)["learning_rate"]) - {usual})
    added = []
    if others:
        name = learning_rate_label(others[0]) if len(others) == 1 else "other learning rate"
        added.append(_entry(name, color=GREY, marker="o", markerfacecolor="white"))
    if is_from_longer_run(models).any():
        added.append(_entry("part of a longer run", color=GREY, marker="o", **HALF))
    if (models["rule"] == NO_SFT).any():
        added.append(_entry(NO_SFT, color=BLACK, marker="*"))

    def full_look(model: pd.Series) -> dict:
        if model["rule"] == NO_SFT:
            return _of_series(OTHER_SELECTIONS[NO_SFT])
        open_marker = {"markerfacecolor": "white"} if model["learning_rate"] in others else {}
        half_filled = HALF if is_from_longer_run(model.to_frame().T).any() else {}
        return look(model) | open_marker | half_filled

    return Coding(full_look, [*legend[:-1], [*legend[-1], *added]])


def _trained(models: pd.DataFrame) -> pd.DataFrame:
    return models[models["rule"] != NO_SFT]


def _shades(values: pd.Series) -> dict[float, tuple]:
    """A colour for each distinct value in rising order, from dark to light: an order in grey as well."""
    distinct = sorted(values.unique())
    return dict(zip(distinct, matplotlib.colormaps["viridis"](np.linspace(0, 0.85, len(distinct))), strict=True))


def _of_series(style: Series) -> dict:
    return {"color": style.colour, "marker": style.marker, "markersize": 7 if style.marker == "*" else 4.6}


def _entry(name: str, **look: Any) -> Line2D:
    return Line2D([], [], linestyle="none", label=name, **look)
