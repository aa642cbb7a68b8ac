"""The figures, from stored metrics. One style: legible in grey and to colour-blind readers."""

from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from quagmires.files import whole_file  # noqa: E402
from quagmires.labels import recipe_label  # noqa: E402

# Okabe and Ito's palette, safe for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*X"
SFT_COLOUR, RL_COLOUR = "#9DB8CC", "#0072B2"
STYLE = {
    "figure.dpi": 150,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "quagmires",
    "svg.fonttype": "none",
}
WIDTH = 6.8  # inches: two columns of a paper
METADATA = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}


def draw_all(
    metrics: pd.DataFrame, curves: pd.DataFrame, training: pd.DataFrame, label: str
) -> Iterator[tuple[str, Figure]]:
    """Yield (name, figure) of every figure; `label` is shown on each."""
    metrics, curves, training = map(with_labels, (metrics, curves, training))
    with plt.rc_context(STYLE):
        yield "sft_and_rl", finish(sft_and_rl(metrics), label)
        yield "loss_and_gain", finish(loss_and_gain(metrics), label)
        yield "pass_at_k", finish(pass_at_k_curves(curves), label)
        yield "grpo_training", finish(grpo_training(training), label)


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PDF, SVG and PNG, and let go of it."""
    for suffix, metadata in METADATA.items():
        with whole_file(folder / f"{name}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)
    plt.close(figure)


def evaluation_curves(scores: dict, label: str) -> Figure:
    """Pass@k of one model by benchmark, with 90 % intervals over problems, from the content of scores.json."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(WIDTH * 0.75, 3.4))
        curves = {**scores["benchmarks"], "average": scores["macro"]}
        for number, (name, one) in enumerate(curves.items()):
            ks = np.array(sorted(map(int, one["pass_at_k"])))
            points = [one["pass_at_k"][str(k)] for k in ks]
            colour = "0" if name == "average" else COLOURS[number % (len(COLOURS) - 1)]
            axis.plot(
                ks,
                [point["value"] for point in points],
                color=colour,
                marker=MARKERS[number % len(MARKERS)],
                markersize=4,
                linewidth=2 if name == "average" else 1.2,
                label=name,
            )
            if points[0]["low"] is not None:
                low, high = ([point[end] for point in points] for end in ("low", "high"))
                axis.fill_between(ks, low, high, color=colour, alpha=0.12, linewidth=0)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:.0f}")
        axis.set(xlabel="k", ylabel="Pass@k", ylim=(0, 1.02))
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
        return finish(figure, label)


def with_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Add the column `label` with each recipe's name."""
    return table.assign(label=[recipe_label(*pair) for pair in zip(table["subset"], table["epochs"], strict=True)])


def finish(figure: Figure, label: str) -> Figure:
    """Put the label on a figure."""
    if label:
        figure.suptitle(label, x=0.995, ha="right", fontsize=8, color="0.4", style="italic")
    return figure


def sft_and_rl(metrics: pd.DataFrame) -> Figure:
    """Pass@1 after SFT and after SFT and RL, by recipe (paper, Figure 1)."""
    studies = list(metrics.groupby("study", sort=False))
    tallest = max(len(models) for _, models in studies)
    figure, axes = plt.subplots(1, len(studies), figsize=(WIDTH, 1.2 + 0.42 * tallest), squeeze=False)
    for axis, (study, models) in zip(axes[0], studies, strict=True):
        models = models.sort_values("outcome")
        rows = np.arange(len(models))
        error = {"error_kw": {"elinewidth": 1, "capsize": 2, "ecolor": "0.25"}}
        axis.barh(
            rows + 0.2,
            models["outcome"],
            0.4,
            xerr=models["outcome_se"],
            color=RL_COLOUR,
            label="after SFT and RL",
            **error,
        )
        axis.barh(
            rows - 0.2,
            models["pass_at_1"],
            0.4,
            xerr=models["pass_at_1_se"],
            color=SFT_COLOUR,
            label="after SFT",
            hatch="///",
            edgecolor="white",
            **error,
        )
        best = int(models["pass_at_1"].to_numpy().argmax())
        beside = models["pass_at_1"].iloc[best] + models["pass_at_1_se"].fillna(0).iloc[best]
        axis.annotate(
            "best after SFT",
            (beside, rows[best] - 0.2),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color="0.3",
        )
        axis.set_yticks(rows, models["label"])
        axis.set_xlabel("Pass@1, mean over benchmarks")
        axis.set_xlim(left=0)
        axis.set_title(study)
        axis.grid(axis="y", visible=False)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure


def loss_and_gain(metrics: pd.DataFrame) -> Figure:
    """Generalization loss against the gain of Pass@1 through RL (paper, Figure 5)."""
    studies = list(metrics.groupby("study", sort=False))
    figure, axes = plt.subplots(1, len(studies), figsize=(WIDTH, 3.6), squeeze=False)
    for axis, (study, models) in zip(axes[0], studies, strict=True):
        for index, model in enumerate(models.itertuples()):
            axis.errorbar(
                model.generalization_loss,
                model.gain,
                xerr=model.generalization_loss_se,
                yerr=model.gain_se,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                linestyle="none",
                elinewidth=0.8,
                label=model.label,
            )
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.set_xlabel("generalization loss on held-out traces (nats per token)")
        axis.set_ylabel("gain of Pass@1 through RL")
        axis.set_title(study)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return figure


def pass_at_k_curves(curves: pd.DataFrame) -> Figure:
    """Unbiased Pass@k before and after RL, one panel each."""
    stages = list(dict.fromkeys(curves["stage"]))
    figure, axes = plt.subplots(1, len(stages), figsize=(WIDTH, 3.4), sharey=True, squeeze=False)
    recipes = list(dict.fromkeys(zip(curves["study"], curves["label"], strict=True)))
    for axis, stage in zip(axes[0], stages, strict=True):
        for index, (study, label) in enumerate(recipes):
            rows = curves[(curves["stage"] == stage) & (curves["study"] == study) & (curves["label"] == label)]
            curve = rows.groupby("k")[["pass_at_k", "standard_error"]].mean()
            axis.plot(
                curve.index,
                curve["pass_at_k"],
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                markersize=4,
                linewidth=1.2,
                label=label,
            )
            axis.fill_between(
                curve.index,
                curve["pass_at_k"] - curve["standard_error"],
                curve["pass_at_k"] + curve["standard_error"],
                color=COLOURS[index % len(COLOURS)],
                alpha=0.1,
                linewidth=0,
            )
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda k, _: f"{k:g}"))
        axis.set_xlabel("k")
        axis.set_title(f"after {stage.replace('+', 'and')}")
    axes[0][0].set_ylabel("Pass@k, mean over benchmarks")
    axes[0][-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return figure


def grpo_training(training: pd.DataFrame) -> Figure:
    """Mean reward and response length at each GRPO step; thin lines are single runs."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 3.2))
    recipes = list(dict.fromkeys(zip(training["study"], training["label"], strict=True)))
    for axis, column, name in zip(
        axes, ("reward", "response_tokens"), ("mean reward of rollouts", "mean response length (tokens)"), strict=True
    ):
        for index, (study, label) in enumerate(recipes):
            rows = training[(training["study"] == study) & (training["label"] == label)]
            for _, run in rows.groupby("run"):
                axis.plot(
                    run["step"],
                    run[column],
                    color=COLOURS[index % len(COLOURS)],
                    linewidth=1.2,
                    label=label,
                    linestyle=("-", "--", "-.", ":")[index % 4],
                )
        axis.set_xlabel("GRPO step")
        axis.set_ylabel(name)
    handles, names = axes[1].get_legend_handles_labels()
    unique = dict(zip(names, handles, strict=True))
    axes[1].legend(unique.values(), unique.keys(), loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return figure
