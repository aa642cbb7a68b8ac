"""Answers that are made of others: lists, tuples, intervals and matrices."""

import re
from dataclasses import dataclass

from quagmires.grading.math.extraction import normalise
from quagmires.grading.math.numbers import unnamed

_AND = r"(?:\\text\{\s*(?:,\s*)?(?:and|or)\s*\}|\b(?:and|or)\b)"
# Not the spaces `\,` and `\;`.
_SEPARATORS = re.compile(rf"(?<!\\),(?:\s|\\[,;! ]|\\q?quad)*{_AND}?|(?<!\\);|{_AND}")
_OPEN, _CLOSE = "([{", ")]}"
_SIZES = re.compile(r"\\(?:left|right)(?![a-zA-Z])")
_MATRIX = re.compile(r"\\begin\{([pbvB]?matrix)\}(.*)\\end\{\1\}")


@dataclass(frozen=True)
class Elements:
    """The elements of a tuple, an interval or a matrix, and what holds them together: `()`, `[)`, `2x3`."""

    frame: str
    items: list[str]


def parts(answer: str) -> list[str]:
    """The parts of a list of answers, cut at commas, `and`, `or` outside brackets; one part if it is no list.

    A pair of brackets around everything is a tuple or an interval, not a list; braces of a set are dropped.

    >>> parts("1, 2"), parts(r"(1,2) \\text{ and } (3,4)"), parts("x = 5 or x = -2")
    (['1', '2'], ['(1,2)', '(3,4)'], ['x = 5', 'x = -2'])
    >>> parts(r"\\{1, 2\\}"), parts("(1,2)")
    (['1', '2'], ['(1,2)'])
    """
    text = answer.strip().strip("$").strip()
    text = text.removeprefix("\\left")
    if text.startswith("\\{") and text.endswith("\\}"):
        text = text[2:-2].removesuffix("\\right")
    pieces, depth, begin, position = [], 0, 0, 0
    while position < len(text):
        character = text[position]
        depth += (character in _OPEN) - (character in _CLOSE)
        match = _SEPARATORS.match(text, position) if depth == 0 else None
        if match:
            pieces.append(text[begin:position])
            begin = position = match.end()
        else:
            position += 1
    pieces.append(text[begin:])
    return [piece.strip().strip("$").strip() for piece in pieces if piece.strip()]


def elements(answer: str) -> Elements | None:
    """The elements of an answer that is one tuple, interval or matrix; None if it is not.

    >>> elements(r"x \\in \\left( 0, \\frac12 \\right]")
    Elements(frame='(]', items=['0', '\\\\frac{1}{2}'])
    >>> elements(r"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}")
    Elements(frame='2x2', items=['1', '2', '3', '4'])
    >>> elements("(1,2),(3,4)") is None, elements("7") is None
    (True, True)
    """
    text = unnamed(normalise(answer))
    matrix = _MATRIX.fullmatch(text)
    if matrix:
        rows = [row.split("&") for row in matrix[2].removesuffix("\\\\").split("\\\\")]
        return Elements(f"{len(rows)}x{len(rows[0])}", [cell for row in rows for cell in row])
    text = re.sub(r"^[a-zA-Z]\\in", "", text)
    if len(text) < 5 or text[0] not in "([" or text[-1] not in ")]" or _closes_before_the_end(text):
        return None
    items = parts(text[1:-1])
    return Elements(text[0] + text[-1], items) if len(items) > 1 else None


def _closes_before_the_end(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth == 0:
            return position < len(text) - 1
    return True
