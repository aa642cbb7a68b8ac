"""Pictures of the report, each in the page itself: the figures, and for each training run a line as high as its row.

An SVG is embedded as an image, not as markup: a browser runs no script in an image and lets it load nothing, whatever
the names of recipes put into it; and ids of several figures cannot clash. By lines beside each other (Tufte's
sparklines) hundreds of runs are compared at a glance, and the one that went astray is seen.
"""

import base64
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from quagmires.common.files import read_record
from quagmires.common.shown_numbers import MISSING, as_text, measured_time
from quagmires.config.labels import recipe_labels
from quagmires.reporting.html.blocks import Block, Gap, Links, Part, Picture, ReportTable, Span, plain

# One column of a paper is 3.4 inches; a screen is read from further away.
MAGNIFICATION = 1.4
POINTS = 80  # of a line: more would not be seen
WIDTH, HEIGHT = 120, 22  # of a line, in CSS pixels
PIXELS = {"pt": 96 / 72, "in": 96, "px": 1, "": 1}


def figure_part(folder: Path, name: str, title: str, caption: str) -> Part:
    """A figure with its caption and links to its files, or what is missing."""
    blocks: list[Block] = []
    path = folder / f"{name}.svg"
    if not path.is_file():
        blocks.append(Gap(f"{title} is not there ({path}).", "figures"))
    else:
        try:
            blocks.append(picture(path, title, caption))
        except (OSError, ValueError):
            blocks.append(Gap(f"{path} is no whole SVG; remove it.", "figures"))
    files = {suffix.upper(): f"figures/{name}.{suffix}" for suffix in ("pdf", "svg", "png")}
    present = {label: file for label, file in files.items() if (folder / Path(file).name).is_file()}
    return Part(f"figure-{name}", title, [*blocks, *([Links(present)] if present else [])])


def picture(path: Path, title: str, caption: str) -> Picture:
    """An SVG as a data URI, in the size it was drawn for.

    Raises
    ------
    ValueError
        it states no width and height, or is cut off.
    """
    text = path.read_text(encoding="utf-8")
    opening = re.search(r"<svg\b[^>]*>", text)
    if opening is None or not text.rstrip().endswith("</svg>"):
        raise ValueError(f"{path}: not a whole SVG")
    width, height = (_pixels(opening.group(), side) for side in ("width", "height"))
    return Picture(title, caption, svg_uri(text), width, height)


def svg_uri(text: str) -> str:
    """An SVG as the source of an image."""
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def _pixels(opening: str, side: str) -> int:
    found = re.search(rf'\b{side}="([0-9.]+)(pt|in|px|)"', opening)
    if found is None:
        raise ValueError(f"an SVG without {side}")
    return round(float(found[1]) * PIXELS[found[2]] * MAGNIFICATION)


def sft_part(results: Path, sheet: pd.DataFrame) -> Part:
    """The losses of all SFT runs of a run sheet, each once."""
    labels, rows = _labels(sheet), []
    for run in sheet.drop_duplicates(["model", "recipe"]).to_dict("records"):
        trained = read_record(results / run["model"] / run["recipe"] / "sft" / "model" / "training.json")
        losses = [point["loss"] for point in trained.get("loss_curve", []) if "loss" in point]
        if losses:
            names = labels[run["study"], run["recipe"]], run["model"], measured_time(trained.get("seconds"))
            rows.append([*names, trained["steps"], trained["tokens_seen"], losses[0], losses[-1], losses])
    header = ["SFT set", "model", "time", "steps", "tokens", "first loss", "last loss", "loss by step"]
    if not rows:
        return Part("sft-losses", "SFT runs", [Gap(f"{results} holds no record of an SFT run.", "sft_models")])
    return Part("sft-losses", "SFT runs", [with_lines(header, rows, "SFT runs")])


def rl_part(path: Path, sheet: pd.DataFrame, algorithm: str) -> Part:
    """The rewards of all RL runs, of grpo_training.parquet, as the studies of the run sheet have them."""
    title = f"{algorithm} runs"
    if not path.is_file():
        return Part("rl-rewards", title, [Gap(f"There is no record of {title} ({path}).", "all")])
    labels, rows = _labels(sheet), []
    for (study, recipe, run), steps in pd.read_parquet(path).groupby(["study", "recipe", "run"], sort=False):
        rewards = steps["reward"].to_numpy(float)
        names = labels.get((study, recipe), recipe), study, measured_time(steps["seconds"].sum())
        tokens = round(steps["response_tokens"].iloc[-1])
        rows.append([*names, str(run), len(steps), tokens, rewards[0], rewards[-1], rewards])
    header = ["SFT set", "study", "time", "run", "steps", "last response tokens", "first reward", "last reward"]
    header += ["reward by step"]
    return Part("rl-rewards", title, [with_lines(header, rows, title)])


def _labels(sheet: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(study, recipe) -> what the recipe is called there."""
    return {
        (study, recipe): label
        for study, models in sheet.groupby("study", sort=False)
        for recipe, label in zip(models["recipe"], recipe_labels(models), strict=True)
    }


def with_lines(header: Sequence[str], rows: Iterable[Sequence], name: str) -> ReportTable:
    """A table of two columns of names, columns of numbers, and a line through values."""
    cells = [[plain(_text(value)) for value in row[:-1]] + [[sparkline(row[-1])]] for row in rows]
    numeric = [1 < place < len(header) - 1 for place in range(len(header))]
    return ReportTable([plain(title) for title in header], cells, numeric, [False] * len(header), name)


def sparkline(values: Sequence[float]) -> Span:
    """A line through values at even distances, means of neighbours where there are many; its ends in words.

    An SVG of matplotlib's would be three times as long, and a page has hundreds.
    """
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if len(known) == 0:
        return Span(MISSING)
    words = f"from {known[0]:.3g} to {known[-1]:.3g}"
    means = np.array([part.mean() for part in np.array_split(known, min(POINTS, len(known)))])
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


def _text(value: object) -> str:
    """As in other tables, but numbers of a column with the same decimals."""
    return f"{value:.3f}" if isinstance(value, float) else as_text(value)
