"""A table to be read, as Markdown and as LaTeX (booktabs): the same texts, each escaped for its language.

Names of models, studies and recipes come from configs: nothing in them may end a cell or start a command.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

MISSING = "–"
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
    """A heading, and the group of columns it belongs to; `left` for texts."""

    title: str
    group: str = ""
    left: bool = False


@dataclass(frozen=True)
class Layout:
    """A table: columns, rows of as many cells, and notes below."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)


def number(value: float | None, decimals: int = 2) -> str:
    """A number as the paper rounds it, never a negative zero, without false precision where it is large.

    >>> [number(value) for value in (0.934, -0.004, -132.47, -123456.7, float("nan"), None, -3.2e9)]
    ['0.93', '0.00', '-132', '-123,457', '–', '–', '-3e+09']
    """
    if value is None or value != value:
        return MISSING
    if abs(value) >= 1e6:
        return f"{value:.0e}"
    text = f"{value:,.0f}" if abs(value) >= 10 else f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def signed(value: float, decimals: int = 2) -> str:
    """A difference with its sign.

    >>> signed(0.221), signed(-0.05), signed(-0.001)
    ('+0.22', '-0.05', '+0.00')
    """
    text = number(value, decimals)
    return text if text.startswith(("-", MISSING)) else f"+{text}"


def with_error(value: float | None, error: float | None, decimals: int = 2) -> str:
    """`0.57 ± 0.29`; the value alone where the error is not known."""
    texts = number(value, decimals), number(error, decimals)
    return texts[0] if MISSING in texts else " ± ".join(texts)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """`0.75 [0.42, 0.93]`; the value alone where the interval is not known."""
    texts = number(value), number(low), number(high)
    return texts[0] if MISSING in texts else "{} [{}, {}]".format(*texts)


def markdown(layout: Layout) -> str:
    """A Markdown table, its columns aligned for reading as plain text, and its notes as a list."""
    header = [_escape_markdown(_whole_title(column)) for column in layout.columns]
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


def _whole_title(column: Column) -> str:
    return f"{column.group}: {column.title}" if column.group else column.title


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


def latex(layout: Layout, name: str, caption: str) -> str:
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
    alignment = "".join("l" if column.left else "r" for column in layout.columns)
    write = _longtable if len(body) > LONG else _float
    notes = [rf"\par\smallskip {escape_tex(note)}" for note in layout.notes]
    return "\n".join(write(title, alignment, head, body, notes)) + "\n"


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
