"""How training went, run by run: losses of SFT and rewards of GRPO, each with a line as high as its row (Tufte's
sparklines): dozens or hundreds of runs are compared at a glance, and the one that went astray is seen.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from quagmires.common.files import read_record
from quagmires.config.labels import recipe_labels
from quagmires.reporting.html.blocks import Gap, Part, Span, Table, plain
from quagmires.reporting.html.figures import svg_uri
from quagmires.reporting.html.tables import shown

POINTS = 80  # of a line: more would not be seen
WIDTH, HEIGHT = 120, 22  # CSS pixels


def sft_part(results: Path, sheet: pd.DataFrame) -> Part:
    """The losses of all SFT runs of a run sheet, each once."""
    labels, rows = _labels(sheet), []
    for run in sheet.drop_duplicates(["model", "recipe"]).to_dict("records"):
        trained = read_record(results / run["model"] / run["recipe"] / "sft" / "model" / "training.json")
        losses = [point["loss"] for point in trained.get("loss_curve", []) if "loss" in point]
        if losses:
            names = labels[run["study"], run["recipe"]], run["model"], duration(trained.get("seconds"))
            rows.append([*names, trained["steps"], trained["tokens_seen"], losses[0], losses[-1], losses])
    header = ["SFT set", "model", "time", "steps", "tokens", "first loss", "last loss", "loss by step"]
    if not rows:
        return Part("sft-losses", "SFT runs", [Gap(f"{results} holds no record of an SFT run.", "sft_models")])
    return Part("sft-losses", "SFT runs", [with_lines(header, rows, "SFT runs")])


def grpo_part(path: Path, sheet: pd.DataFrame) -> Part:
    """The rewards of all GRPO runs, of grpo_training.parquet, as the studies of the run sheet have them."""
    if not path.is_file():
        return Part("grpo-rewards", "GRPO runs", [Gap(f"There is no record of GRPO runs ({path}).", "all")])
    labels, rows = _labels(sheet), []
    for (study, recipe, run), steps in pd.read_parquet(path).groupby(["study", "recipe", "run"], sort=False):
        rewards = steps["reward"].to_numpy(float)
        names = labels.get((study, recipe), recipe), study, duration(steps["seconds"].sum())
        tokens = round(steps["response_tokens"].iloc[-1])
        rows.append([*names, str(run), len(steps), tokens, rewards[0], rewards[-1], rewards])
    header = ["SFT set", "study", "time", "run", "steps", "last response tokens", "first reward", "last reward"]
    header += ["reward by step"]
    return Part("grpo-rewards", "GRPO runs", [with_lines(header, rows, "GRPO runs")])


def _labels(sheet: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(study, recipe) -> what the recipe is called there."""
    return {
        (study, recipe): label
        for study, models in sheet.groupby("study", sort=False)
        for recipe, label in zip(models["recipe"], recipe_labels(models), strict=True)
    }


def with_lines(header: Sequence[str], rows: Iterable[Sequence], name: str) -> Table:
    """A table of two columns of names, columns of numbers, and a line through values."""
    cells = [[plain(_text(value)) for value in row[:-1]] + [[sparkline(row[-1])]] for row in rows]
    numeric = [1 < place < len(header) - 1 for place in range(len(header))]
    return Table([plain(title) for title in header], cells, numeric, name)


def sparkline(values: Sequence[float]) -> Span:
    """A line through values at even distances, means of neighbours where there are many; its ends in words."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Span("–")
    words = f"from {values[0]:.3g} to {values[-1]:.3g}"
    means = np.array([part.mean() for part in np.array_split(values, min(POINTS, len(values)))])
    x = np.linspace(2, WIDTH - 2, len(means)) if len(means) > 1 else np.array([WIDTH / 2])
    spread = np.ptp(means)
    y = HEIGHT - 3 - (means - means.min()) / spread * (HEIGHT - 6) if spread else np.full(len(means), HEIGHT / 2)
    points = " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(x, y, strict=True))
    # This blue is legible on white and on black.
    return Span(
        words,
        "line",
        svg_uri(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
            f'<polyline points="{points}" fill="none" stroke="#2f81c7" stroke-width="1.5"/>'
            f'<circle cx="{x[-1]:.1f}" cy="{y[-1]:.1f}" r="2" fill="#2f81c7"/></svg>'
        ),
    )


def duration(seconds: float | None) -> str:
    """
    >>> duration(8), duration(140), duration(30_000), duration(None)
    ('8 s', '2.3 min', '8.3 h', '–')
    """
    if seconds is None:
        return "–"
    unit, size = next(((unit, size) for unit, size in (("h", 3600), ("min", 60)) if seconds >= size), ("s", 1))
    return f"{seconds / size:.1f} {unit}" if size > 1 else f"{seconds:.0f} s"


def _text(value: object) -> str:
    """As in other tables, but numbers of a column with the same decimals."""
    return f"{value:.3f}" if isinstance(value, float) else shown(value)
