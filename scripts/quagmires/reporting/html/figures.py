"""Figures of the report, each in the page itself.

An SVG is embedded as an image, not as markup: a browser runs no script in an image and lets it load nothing, whatever
the names of recipes put into it; and ids of several figures cannot clash.
"""

import base64
import re
from pathlib import Path

from quagmires.reporting.html.blocks import Block, Gap, Links, Part, Picture

# One column of a paper is 3.4 inches; a screen is read from further away.
MAGNIFICATION = 1.4
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
