"""What the report is put together from: sections of texts, tables, pictures and gaps, for the template to set.

Nothing here is HTML: the template escapes it all. Names of recipes, data sets and labels come from configs and results
of others. Tables come from layouts that the workflow stored, from rows made here, and from CSV and TSV files.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from quagmires.common.shown_numbers import MISSING, as_text
from quagmires.reporting.tables.formats import PUBLISHED, Cell, TableLayout


class Span(NamedTuple):
    """A piece of text and how it is set; a `line` is a small picture, `source` its data URI, with its text in words."""

    text: str
    mark: Literal["", "strong", "line"] = ""
    source: str = ""


Spans = list[Span]


@dataclass(frozen=True)
class Text:
    """A paragraph; `kind` says how it is set. Items that follow each other are a list."""

    spans: Spans
    kind: Literal["paragraph", "item", "answer", "warning", "note"] = "paragraph"


@dataclass(frozen=True)
class ReportTable:
    """A header and rows of the same length; of each column whether it holds numbers (set to the right), and whether its
    values are the paper's and not ours.
    """

    kind: ClassVar = "table"
    header: list[Spans]
    rows: list[list[Spans]]
    numeric: list[bool]
    published: list[bool]
    name: str = "Table"

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


@dataclass(frozen=True)
class Card:
    """A study at a glance: facts by name, and a table below."""

    title: str
    facts: list[tuple[str, Spans]]
    table: ReportTable | None = None


@dataclass(frozen=True)
class Cards:
    """Cards beside each other, as many as fit."""

    kind: ClassVar = "cards"
    cards: list[Card]


Block = Text | ReportTable | Picture | Gap | Links | Preformatted | Fold | Part | Cards


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


def plain(text: str) -> Spans:
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


def from_layout(layout: TableLayout, name: str) -> ReportTable:
    """Of a table of the experiment; a column of texts, whatever its layout says, is set to the left."""
    columns = layout.columns
    numeric = [
        not column.left and _starts_with_numbers([row[place].text for row in layout.rows])
        for place, column in enumerate(columns)
    ]
    return ReportTable(
        header=[plain(column.whole_title) for column in columns],
        rows=[[_spans(cell, of_numbers) for cell, of_numbers in zip(row, numeric, strict=True)] for row in layout.rows],
        numeric=numeric,
        published=[column.group == PUBLISHED for column in columns],
        name=name,
    )


def _starts_with_numbers(texts: Sequence[str]) -> bool:
    """Whether most cells of a column start with a number: 0.72 [0.41, 0.89], 16 models, but not random 10k."""
    starts = [text[0] for text in texts if text]
    return 2 * sum(start in "+-−–<0123456789" for start in starts) > len(starts)


def _spans(cell: Cell, of_numbers: bool) -> Spans:
    """A cell of numbers breaks before an interval or a gain, but neither in an interval nor around ±."""
    text = re.sub(r"(?<=,) | (?=±)|(?<=±) ", "\N{NO-BREAK SPACE}", cell.text) if of_numbers else cell.text
    return [Span(text, "strong" if cell.bold else "")] if text else []


def from_rows(
    header: Sequence[str], rows: Iterable[Sequence[object]], name: str, texts: Sequence[str] | None = None
) -> ReportTable:
    """Of any values; what is missing is a dash.

    Parameters
    ----------
    header, rows, name
        titles, values of any kind, and how the table is called.
    texts
        titles of the columns that are set to the left. By default those that hold anything but numbers.

    >>> from_rows(["model", "score"], [["a", 0.51234], ["b", None]], "scores").numeric
    [False, True]
    """
    cells = [[as_text(value) for value in row] for row in rows]
    columns = list(zip(*cells, strict=True)) or [()] * len(header)
    numeric = map(_is_numeric, columns) if texts is None else (title not in texts for title in header)
    return ReportTable(
        header=[plain(title) for title in header],
        rows=[[plain(text) for text in row] for row in cells],
        numeric=list(numeric),
        published=[False] * len(header),
        name=name,
    )


def _is_numeric(column: Sequence[str]) -> bool:
    """Whether there is a number, and nothing else but numbers and what is missing."""
    present = [text for text in column if text not in ("", MISSING, "-")]
    return bool(present) and all(map(_is_number, present))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").removesuffix("%"))
    except ValueError:
        return False
    return True


def read_delimited(path: Path, delimiter: str, name: str) -> ReportTable:
    """Of a CSV or TSV file, its values as they stand there.

    Raises
    ------
    ValueError
        no text, no header, or a row of another length than the header.
    """
    with open(path, newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines, delimiter=delimiter))
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"{path}: no header, or rows of different lengths")
    return from_rows(rows[0], rows[1:], name)
