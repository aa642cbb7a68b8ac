"""A table to be read: its layout, and that as JSON, as Markdown and as LaTeX (booktabs).

Names of models, studies and recipes come from configs: nothing in them may end a cell or start a command, so texts are
escaped for Markdown and for LaTeX. The JSON (results/<experiment>/tables/<table>.json) has them as they are, for the
report and for programs of others:

    {
      "columns": [{"title": "model", "left": true}, {"title": "Pass@1"}, {"title": "Pass@1", "group": "published"}],
      "rows": [[{"text": "Llama"}, {"text": "0.95 (+0.20)", "bold": true}, {"text": "0.97"}]],
      "notes": ["In parentheses: the gain over Pass@1."]
    }

Without `group` a column is in none; `left` (for texts), `wrapped` (for long ones) and `bold` are false, and `notes`
empty, unless they are there.

tabulate and pandas' Styler write such tables too. But tabulate does not escape Markdown, and Styler leaves a `[` as it
is, which LaTeX takes for an argument after the end of a row.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from quagmires.common.errors import UserError
from quagmires.common.files import write_text

# The group of columns that hold the paper's values.
PUBLISHED = "published"
# A float that is longer than a page is cut off.
LONG = 35

TEX = {
    "\\": r"\textbackslash{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "√": r"$\surd$",
    "²": "$^2$",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "–": "--",
    "−": "$-$",
    # After the end of a row these would be arguments of it.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "\n": " ",
}


@dataclass(frozen=True)
class Cell:
    """A text of a table, bold if it is the best of its row."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Column:
    """A heading, and the group of columns it belongs to; `left` for texts, `wrapped` for those of several lines."""

    title: str
    group: str = ""
    left: bool = False
    wrapped: bool = False

    @property
    def whole_title(self) -> str:
        """With its group, for formats whose header is one line."""
        return f"{self.group}: {self.title}" if self.group else self.title


@dataclass(frozen=True)
class TableLayout:
    """What a reader sees of a table: columns, rows of as many cells, and notes below."""

    # How pydantic reads the JSON: no other keys, and no text where a list should be.
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells for {len(self.columns)} columns")


_JSON = TypeAdapter(TableLayout)


def write_layout(path: Path, layout: TableLayout) -> None:
    """Write a layout as JSON, whole or not at all."""
    write_text(path, _JSON.dump_json(layout, indent=1, exclude_defaults=True).decode() + "\n")


def read_layout(path: Path) -> TableLayout:
    """The layout that `write_layout` wrote.

    Raises
    ------
    UserError
        no such file, or one of another shape.
    """
    try:
        return _JSON.validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `snakemake tables` writes it") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in [".".join(map(str, first["loc"]))] if part)
        raise UserError(f"{path}: {where}{first['msg']}; remove it, `snakemake tables` writes it anew") from None


def markdown(layout: TableLayout) -> str:
    """A Markdown table, its columns aligned for reading as plain text, and its notes as a list."""
    header = [_escape_markdown(column.whole_title) for column in layout.columns]
    rows = [[_markdown_cell(cell) for cell in row] for row in layout.rows]
    # A rule is a dash and a colon at least.
    widths = [max(2, *map(len, column)) for column in zip(header, *rows, strict=True)]
    shapes = [(width, column.left) for width, column in zip(widths, layout.columns, strict=True)]
    lines = [
        [text.ljust(width) if left else text.rjust(width) for text, (width, left) in zip(line, shapes, strict=True)]
        for line in (header, *rows)
    ]
    rule = ["-" * width if left else "-" * (width - 1) + ":" for width, left in shapes]
    table = "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
    notes = "\n".join(f"- {_escape_markdown(note)}" for note in layout.notes)
    return f"{table}\n\n{notes}\n" if notes else f"{table}\n"


def _markdown_cell(cell: Cell) -> str:
    text = _escape_markdown(cell.text)
    return f"**{text}**" if cell.bold else text


def _escape_markdown(text: str) -> str:
    """Escapes only what would be markup where it stands, so that the source stays readable.

    >>> print(_escape_markdown("a_b | *x* < 2B <b>"))
    a_b \\| \\*x\\* < 2B \\<b>
    """
    text = re.sub(r"[\\`*|]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)|(?<!\w)_|_(?!\w)|\[(?=[^][]*\]\()", r"\\\g<0>", text)
    return " ".join(text.split())


def latex(layout: TableLayout, name: str, caption: str) -> str:
    """A LaTeX table with booktabs: a float, or a longtable if it is longer than a page.

    Parameters
    ----------
    layout
        columns, rows and notes.
    name
        of the table, for its `\\label`.
    caption
        plain text.
    """
    title = f"\\caption{{{escape_tex(caption)}}}\\label{{tab:{re.sub(r'[^A-Za-z0-9-]', '-', name)}}}"
    head = [r"\toprule", *_tex_header(layout.columns), r"\midrule"]
    body = [" & ".join(_tex_cell(cell) for cell in row) + r" \\" for row in layout.rows]
    wrapped = sum(column.wrapped for column in layout.columns)
    alignment = "".join(_tex_alignment(column, wrapped) for column in layout.columns)
    write = _longtable if len(body) > LONG else _float
    notes = [rf"\par\smallskip {escape_tex(note)}" for note in layout.notes]
    return "\n".join(write(title, alignment, head, body, notes)) + "\n"


def _tex_alignment(column: Column, wrapped: int) -> str:
    """Columns that wrap share the width of the page; LaTeX would set a text of several lines on one."""
    if column.wrapped:
        return rf"p{{{0.95 / wrapped:.2f}\textwidth}}"
    return "l" if column.left else "r"


def _float(title: str, alignment: str, head: list[str], body: list[str], notes: list[str]) -> Iterable[str]:
    yield from (r"% \usepackage{booktabs,adjustbox}", r"\begin{table}[t]", r"\centering", title)
    yield from (r"\begin{adjustbox}{max width=\textwidth}", rf"\begin{{tabular}}{{{alignment}}}")
    yield from (*head, *body, r"\bottomrule", r"\end{tabular}", r"\end{adjustbox}")
    yield from (r"\begin{minipage}{\textwidth}\footnotesize", *notes, r"\end{minipage}") if notes else ()
    yield r"\end{table}"


def _longtable(title: str, alignment: str, head: list[str], body: list[str], notes: list[str]) -> Iterable[str]:
    yield from (r"% \usepackage{booktabs,longtable}", r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}")
    yield from (rf"\begin{{longtable}}{{{alignment}}}", title + r" \\", *head, r"\endfirsthead", *head, r"\endhead")
    yield from (*body, r"\bottomrule", r"\end{longtable}")
    yield from (*notes, r"\par\endgroup")


def _tex_header(columns: Sequence[Column]) -> list[str]:
    titles = " & ".join(escape_tex(column.title) for column in columns) + r" \\"
    if not any(column.group for column in columns):
        return [titles]
    spans, rules, first = [], [], 1
    for group, members in groupby(columns, key=lambda column: column.group):
        count = len(list(members))
        last = first + count - 1
        spans.append(rf"\multicolumn{{{count}}}{{c}}{{{escape_tex(group)}}}" if group else " & ".join([""] * count))
        rules += [rf"\cmidrule(lr){{{first}-{last}}}"] if group else []
        first += count
    return [" & ".join(spans) + r" \\", "".join(rules), titles]


def _tex_cell(cell: Cell) -> str:
    text = escape_tex(cell.text)
    return rf"\textbf{{{text}}}" if cell.bold else text


def escape_tex(text: str) -> str:
    r"""Plain text for LaTeX; a minus before a digit is set as one.

    >>> print(escape_tex("R² 50% of_x & -1.00 ± 0.5"))
    R$^2$ 50\% of\_x \& $-$1.00 $\pm$ 0.5
    """
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", " ".join(text.split()))
    return "".join(TEX.get(character, character) for character in text)
