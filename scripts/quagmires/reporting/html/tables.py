"""Tables of the report: from the Markdown that the workflow writes, from CSV and TSV files, from rows made here."""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from quagmires.reporting.html.blocks import Cell, Span, Table, Text, plain

# No raw HTML: it comes out as text. Links and images are read for their texts alone.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_MARKS = {"strong_open": "strong", "em_open": "em", "strong_close": "", "em_close": ""}
_KINDS = {"heading_open": "heading", "list_item_open": "item", "heading_close": "note", "list_item_close": "note"}


def read_markdown(text: str, name: str) -> list[Table | Text]:
    """The tables and paragraphs of a Markdown text, in its order; the tables are called `name`."""
    blocks: list[Table | Text] = []
    kind = "note"
    tokens = iter(_MARKDOWN.parse(text))
    for token in tokens:
        kind = _KINDS.get(token.type, kind)
        if token.type == "table_open":
            blocks.append(_table(tokens, name))
        elif token.type == "inline":
            blocks.append(Text(_spans(token), kind))
        elif token.type in ("fence", "code_block"):
            blocks.append(Text(plain(token.content.strip()), kind))
    return blocks


def _table(tokens: Iterator[Token], name: str) -> Table:
    """Of the tokens up to the end of a table."""
    rows: list[list[Cell]] = []
    numeric: list[bool] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            numeric.append("right" in str(token.attrs.get("style", "")))
        elif token.type == "inline":
            rows[-1].append(_spans(token))
    # Of Markdown's columns all but the first may be to the right, names of models too.
    numeric = [right and _starts_with_numbers(rows[1:], place) for place, right in enumerate(numeric)]
    return Table(rows[0], [list(map(_kept_together, row, numeric)) for row in rows[1:]], numeric, name)


def _kept_together(cell: Cell, numeric: bool) -> Cell:
    """A cell of numbers that breaks before an interval or a gain, but neither in an interval nor around ±."""
    if not numeric:
        return cell
    space = "\N{NO-BREAK SPACE}"
    return [span._replace(text=re.sub(r"(?<=,) | (?=±)|(?<=±) ", space, span.text)) for span in cell]


def _starts_with_numbers(rows: list[list[Cell]], place: int) -> bool:
    """Whether most cells of a column start with a number: 0.72 [0.41, 0.89], 16 models, but not random 10k."""
    starts = [row[place][0].text[:1] for row in rows if row[place]]
    return 2 * sum(start in "+-−–<0123456789" for start in starts) > len(starts)


def _spans(token: Token) -> Cell:
    spans, mark = [], ""
    for child in token.children or []:
        mark = _MARKS.get(child.type, mark)
        if child.type in ("softbreak", "hardbreak"):
            spans.append(Span(" ", mark))
        elif child.content:
            spans.append(Span(child.content, "code" if child.type == "code_inline" else mark))
    return spans


def from_rows(header: Sequence[str], rows: Iterable[Sequence[object]], name: str) -> Table:
    """Of any values; what is missing is a dash, and a column of numbers is one of numbers alone.

    >>> from_rows(["model", "score"], [["a", 0.51234], ["b", None]], "scores").numeric
    [False, True]
    """
    values = [list(row) for row in rows]
    columns = list(zip(*values, strict=True)) or [()] * len(header)
    return Table(
        header=[plain(title) for title in header],
        rows=[[plain(shown(value)) for value in row] for row in values],
        numeric=[_is_numeric(column) for column in columns],
        name=name,
    )


def read_delimited(path: Path, delimiter: str, name: str) -> Table:
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


def shown(value: object) -> str:
    """A value as text.

    >>> shown(1234567), shown(0.25), shown(float("nan")), shown(True), shown(2e-5), shown(1500.2)
    ('1,234,567', '0.25', '–', 'yes', '2e-05', '1,500')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"


def _is_numeric(column: Sequence[object]) -> bool:
    """Whether there is a number, and nothing else but numbers and what is missing."""
    texts = [shown(value) for value in column]
    present = [text for text in texts if text not in ("", "–", "-")]
    return bool(present) and all(map(_is_number, present))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").removesuffix("%"))
    except ValueError:
        return False
    return True
