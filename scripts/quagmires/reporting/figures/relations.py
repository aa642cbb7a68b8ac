"""One number of SFT models against another, with a fitted line: performance after RL against that after SFT, and gain
against generalization loss (paper, Figures 3 and 5).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from statsmodels.regression.linear_model import OLS

from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.rank_correlation import FEWEST_MODELS, bootstrap_interval, spearman
from quagmires.reporting.figures.panels import Panel, titles
from quagmires.reporting.figures.point_coding import Coding, by_epochs, code
from quagmires.reporting.figures.registry import figure
from quagmires.reporting.figures.style import (
    ERROR_BARS,
    GREY,
    WIDTHS,
    corner_text,
    legend_below,
    panel_axes,
    say_empty,
    side_by_side,
    wrapped,
)


@figure("linear_fit")
def linear_fit(panels: Sequence[Panel], columns: int, confidence: float) -> Figure:
    """Performance after RL against that after SFT, with the least-squares line, its band and R2."""
    figure, axes = _points(panels, columns, _coding(panels), "pass_at_1", "outcome")
    for axis, panel in zip(axes, panels, strict=True):
        if len(panel.finished):
            r2 = draw_fit(axis, panel.finished["pass_at_1"], panel.finished["outcome"], confidence)
            count = f"n = {len(panel.finished)}"
            corner_text(axis, count if r2 is None else f"R² = {r2:.2f}, {count}")
            axis.set_xlabel("Pass@1 after SFT")
    axes[0].set_ylabel("Pass@1 after SFT and RL")
    return figure


@figure("loss_and_gain")
def loss_and_gain(panels: Sequence[Panel], columns: int, confidence: float, seed: int) -> Figure:
    """The gain of Pass@1 through RL against generalization loss, with the line and Spearman's rho.

    At a level where the loss is no predictor there are points alone: losses on different distributions cannot be
    compared (paper, Section 4.3).
    """
    models = pd.concat([panel.finished for panel in panels])
    one_rule = models["rule"].nunique() == 1 and models["epochs"].nunique() > 1
    coding = by_epochs(models) if one_rule else _coding(panels)
    figure, axes = _points(panels, columns, coding, "generalization_loss", "gain")
    for axis, panel in zip(axes, panels, strict=True):
        known = panel.finished.dropna(subset=["generalization_loss", "gain"])
        if len(known):
            loss, gain = known["generalization_loss"].to_numpy(float), known["gain"].to_numpy(float)
            if panel.study.level in PREDICTORS["generalization_loss"].levels:
                draw_fit(axis, loss, gain, confidence)
                corner_text(axis, _spearman(loss, gain, confidence, seed), x=0.97)
            else:
                corner_text(axis, f"losses on different data:\nnot comparable, n = {len(loss)}", x=0.97)
            axis.set_xlabel("generalization loss (nats per token)")
    axes[0].set_ylabel("gain of Pass@1 through RL")
    return figure


def _coding(panels: Sequence[Panel]) -> Coding:
    return code(pd.concat([panel.finished for panel in panels]), max(len(panel.finished) for panel in panels))


# The error of a column of the metrics.
ERRORS = {
    "pass_at_1": "pass_at_1_se",
    "outcome": "outcome_error",
    "generalization_loss": "generalization_loss_se",
    "gain": "gain_se",
}


def _points(panels: Sequence[Panel], columns: int, coding: Coding, x: str, y: str) -> tuple[Figure, list[Axes]]:
    """The models of every panel by two columns, with their errors."""
    per_row = side_by_side(len(panels), columns)
    figure, axes = panel_axes(len(panels), columns, 2.5, per_row)
    for axis, panel, title in zip(axes, panels, titles(panels), strict=True):
        axis.set_title(wrapped(title, WIDTHS[columns] / per_row - 0.5))
        if panel.finished.empty:
            say_empty(axis)
            continue
        for _, model in panel.finished.iterrows():
            errors = {"xerr": model[ERRORS[x]], "yerr": model[ERRORS[y]]}
            axis.errorbar(model[x], model[y], linestyle="none", zorder=3, **errors, **coding.look(model), **ERROR_BARS)
        # Room for the numbers in the corner.
        axis.margins(x=0.08, y=0.14)
    legend_below(figure, *coding.legend)
    return figure, axes


def draw_fit(axis: Axes, x: np.ndarray | pd.Series, y: np.ndarray | pd.Series, confidence: float) -> float | None:
    """Draw the least-squares line of y on x and the confidence band of its mean; return R2, None if there is no line.

    Two points give a line without a band and without an R2, which would be one.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < 2 or np.ptp(x) == 0:
        return None
    if len(x) == 2:
        order = np.argsort(x)
        axis.plot(x[order], y[order], color=GREY, linewidth=1, zorder=2)
        return None
    fit = OLS(y, np.column_stack([np.ones_like(x), x])).fit()
    grid = np.linspace(x.min(), x.max(), 50)
    line = fit.get_prediction(np.column_stack([np.ones_like(grid), grid]))
    low, high = line.conf_int(alpha=1 - confidence).T
    axis.plot(grid, line.predicted, color=GREY, linewidth=1, zorder=2)
    axis.fill_between(grid, low, high, color=GREY, alpha=0.15, linewidth=0, zorder=1)
    return float(fit.rsquared) if np.ptp(y) > 0 else None


def _spearman(x: np.ndarray, y: np.ndarray, confidence: float, seed: int) -> str:
    if len(x) < FEWEST_MODELS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return f"n = {len(x)}"
    low, high = bootstrap_interval(x, y, seed, confidence)
    return f"ρ = {spearman(x, y):.2f} [{low:.2f}, {high:.2f}], n = {len(x)}".replace("-", "−")
