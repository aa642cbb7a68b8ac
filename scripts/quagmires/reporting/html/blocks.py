"""What the report is put together from: sections of texts, tables, figures and gaps, for the template to set.

Nothing here is HTML: the template escapes it all.
Names of recipes, data sets and labels come from configs and results of others.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple


class Span(NamedTuple):
    """A piece of text and how it is set; a `line` is a small picture, `source` its data URI, with its text in words."""

    text: str
    mark: Literal["", "strong", "em", "code", "line"] = ""
    source: str = ""


Cell = list[Span]


@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` says how it is set. Items that follow each other are a list."""

    spans: Cell
    kind: Literal["paragraph", "heading", "item", "answer", "warning", "note"] = "paragraph"

    @property
    def words(self) -> str:
        """Without marks."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True)
class Table:
    """A header, rows of the same length, and for each column whether it holds numbers (set to the right)."""

    kind: ClassVar = "table"
    header: list[Cell]
    rows: list[list[Cell]]
    numeric: list[bool]
    name: str = "Table"

    @property
    def published(self) -> list[bool]:
        """For each column whether its values are the paper's and not ours."""
        return [bool(title) and title[0].text.startswith("published") for title in self.header]

    @property
    def is_long(self) -> bool:
        """Whether it scrolls within a part of the page, under a header that stays."""
        return len(self.rows) > 40

    @property
    def is_wide(self) -> bool:
        """Whether its columns are so many that they are set smaller, and break where they may."""
        return len(self.header) > 8


@dataclass(frozen=True)
class Picture:
    """An image and its caption. `source` is a data URI; `width` and `height` are in CSS pixels."""

    kind: ClassVar = "picture"
    name: str
    caption: str
    source: str
    width: int
    height: int

    @property
    def is_wide(self) -> bool:
        """Whether it takes the whole width; beside a narrower one stands its caption."""
        return self.width > 600


@dataclass(frozen=True)
class Gap:
    """A part that is not there: a sentence, and the target that makes it."""

    kind: ClassVar = "gap"
    what: str
    target: str = ""


@dataclass(frozen=True)
class Links:
    """Files beside the report, relative to it, by their label."""

    kind: ClassVar = "links"
    files: dict[str, str]


@dataclass(frozen=True)
class Preformatted:
    """A text whose lines and columns matter."""

    kind: ClassVar = "preformatted"
    text: str


@dataclass(frozen=True)
class Fold:
    """Details that are closed until they are asked for."""

    kind: ClassVar = "fold"
    title: str
    blocks: "list[Block]"


@dataclass(frozen=True)
class Part:
    """A titled part of a section; `short` is its title in the contents, where it is long."""

    kind: ClassVar = "part"
    anchor: str
    title: str
    blocks: "list[Block]"
    short: str = ""


Block = Text | Table | Picture | Gap | Links | Preformatted | Fold | Part


@dataclass(frozen=True)
class Section:
    """A section of the report, with a place in its contents."""

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def parts(self) -> list[Part]:
        """Its titled parts, for the contents."""
        return [block for block in self.blocks if isinstance(block, Part)]


def plain(text: str) -> Cell:
    """A text without marks."""
    return [Span(text)] if text else []


def complete(blocks: Iterable[Block]) -> list[Block]:
    """All blocks of a section; of results that are not what this version writes, those up to there and a sentence."""
    found: list[Block] = []
    try:
        found.extend(blocks)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"{type(error).__name__}: {error}"
        found.append(
            Gap(f"The rest of this section cannot be read: its files are of another version, or damaged ({what}).")
        )
    return found
