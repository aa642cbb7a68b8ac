"""Answers that are made of others: lists, tuples, intervals, sets, vectors and matrices."""

import itertools
import re
from dataclasses import dataclass
from functools import lru_cache

from quagmires.grading.math.numbers import unnamed
from quagmires.grading.math.spelling import LONGEST, normalise

_AND = r"(?:\\text\{\s*(?:,\s*)?(?:and|or|\\&)\s*\}|\b(?:and|or)\b|\\&|\\lor(?![a-zA-Z]))"
# Not the spaces `\,` and `\;`.
_SEPARATORS = re.compile(rf"(?<!\\),(?:\s|\\[,;! ]|\\q?quad)*{_AND}?|(?<!\\);|{_AND}")
_TEXT = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}\.?")
# `9 \text{ chickens and } 10`
_SEPARATED = re.compile(r"\\text\s*\{([^{}]*[^{},\s])\s*(,|,?\s*\band\b|,?\s*\bor\b)\s*\}")
_NAMED_TUPLE = re.compile(r"\(\s*([a-zA-Z](?:\s*,\s*[a-zA-Z])+)\s*\)\s*=\s*\(([^()]*)\)")
_OPEN, _CLOSE = "([{", ")]}"
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])")
_MATRIX = re.compile(r"\\begin\{([pbvBV]?)(?:small)?matrix\}(.*)\\end\{\1(?:small)?matrix\}")
_TRANSPOSED = re.compile(r"(.*[)\]]|.*\\end\{[a-zA-Z]+\})\^(?:T|\{T\}|\{\\mathsf\{T\}\}|\\mathsf\{T\})")
# `P(3,4)`, `\text{Point } (3,4)`; not `f(3,4)`.
_POINT = re.compile(r"(?:[A-Z](?:_\d|')?|(?:the\s*)?[Pp]oints?\s*[A-Z]?|[Vv]ector|[Vv]ertex|[Cc]enter)\s*[=:]?(?=\()")
_UNIT_VECTORS = re.compile(
    r"(?P<factor>[^ijk]*?)\\?(?:hat|mathbf|vec|boldsymbol)?\{?\\?(?:mathbf)?\{?(?P<axis>[ijk])\}*"
)
# A list of numbers of which some have thousands commas: there the commas of the list have a space.
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\.?\d|,\d)")
_SIGNS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")


@dataclass(frozen=True)
class Elements:
    """The elements of a tuple, an interval or a matrix, and what holds them together: `()`, `[)`, `2x3`, `|2x2`."""

    frame: str
    items: list[str]

    @property
    def is_vector(self) -> bool:
        """Whether these are the components of a vector: in round brackets, or in one column or row."""
        return self.frame == "()" or bool(re.fullmatch(r"1x\d+|\d+x1", self.frame))


@lru_cache(maxsize=20_000)
def _parts(answer: str) -> tuple[str, ...]:
    if len(answer) > LONGEST:
        return (answer,)
    text = _one_thousands_comma(_SIZES.sub("", answer.strip().strip("$")).strip())
    wrapped = _TEXT.fullmatch(text)
    # A list in one wrapper; the words of its parts stay words.
    text = wrapped[1] if wrapped and _SEPARATORS.search(wrapped[1]) else text
    named = _NAMED_TUPLE.fullmatch(text)
    if named and named[1].count(",") == named[2].count(","):
        # `(x, y) = (2, 3)`
        return tuple(
            f"{name.strip()}={value.strip()}"
            for name, value in zip(named[1].split(","), named[2].split(","), strict=True)
        )
    text = _SEPARATED.sub(r"\\text{\1} \2 ", text)
    if text.startswith("\\{") and text.endswith("\\}") and "\\}" not in text[:-2]:
        text = text[2:-2]
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
    return tuple(piece.strip().strip("$").strip() for piece in pieces if piece.strip())


def parts(answer: str) -> list[str]:
    """The parts of a list of answers, cut at commas, `and`, `or` outside brackets; one part if it is no list.

    A pair of brackets around everything is a tuple or an interval, not a list; braces of a set are dropped.

    >>> parts("1, 2"), parts(r"(1,2) \\text{ and } (3,4)"), parts("x = 5 or x = -2")
    (['1', '2'], ['(1,2)', '(3,4)'], ['x = 5', 'x = -2'])
    >>> parts(r"\\{1, 2\\}"), parts("(1,2)"), parts("1,234, 5,678")
    (['1', '2'], ['(1,2)'], ['1234', '5678'])
    """
    return list(_parts(answer))


def _one_thousands_comma(text: str) -> str:
    """`1,234, 5,678` -> `1234, 5678`: where other commas separate with a space or a word, those without"
    " are thousands."""
    if not _THOUSANDS.search(text):
        return text
    rest = _THOUSANDS.sub("", text)
    if re.search(r",\s|\band\b|\bor\b|;", rest) and not re.search(r",(?=[^\s])", rest):
        return _THOUSANDS.sub(lambda found: found[0].replace(",", ""), text)
    return text


def is_set(answer: str) -> bool:
    """Whether an answer is written as one set of listed members."""
    text = _SIZES.sub("", unnamed(answer.strip().strip("$"))).strip()
    text = re.sub(r"^[a-zA-Z]\s*\\in(?![a-zA-Z])\s*", "", text)
    return text.startswith("\\{") and text.endswith("\\}") and "\\}" not in text[:-2]


_BUILDER = re.compile(r"(?:\\\{|\{)\s*(?P<what>.+?)\s*(?:\\mid|\\vert|\\colon|\||:)\s*(?P<says>.+?)\s*\\?\}")


def builder(answer: str) -> str | None:
    """A set by its members and their condition, in one spelling; None if it is none.

    >>> builder(r"\\{x \\mid x = 3k, k \\in \\mathbb{Z}\\}") == builder(r"\\{3k | k \\in \\mathbb{Z}\\}")
    True
    """
    found = _BUILDER.fullmatch(_SIZES.sub("", answer.strip().strip("$")).strip())
    if found is None:
        return None
    what, says = normalise(found["what"]), normalise(found["says"])
    defined = re.match(rf"{re.escape(what)}=([^,=]+),", says)
    if defined and re.fullmatch(r"[a-zA-Z]", what):
        what, says = defined[1], says[defined.end() :]
    return f"{{{what}|{says}}}"


def members(answer: str) -> str:
    """`n \\in \\{1, 3\\}` -> `\\{1, 3\\}`."""
    return re.sub(r"^\s*\\?[a-zA-Z]+(?:_\w)?\s*\\in(?![a-zA-Z])\s*(?=\\\{)", "", answer)


@lru_cache(maxsize=20_000)
def elements(answer: str) -> Elements | None:
    """The elements of an answer that is one tuple, interval, vector or matrix; None if it is not.

    >>> elements(r"x \\in \\left( 0, \\frac12 \\right]")
    Elements(frame='(]', items=['0', '\\\\frac{1}{2}'])
    >>> elements(r"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}")
    Elements(frame='2x2', items=['1', '2', '3', '4'])
    >>> elements("(1,2),(3,4)") is None, elements("7") is None, elements(r"\\langle 1, 2 \\rangle").items
    (True, True, ['1', '2'])
    """
    if len(answer) > LONGEST:
        return None
    text = unnamed(normalise(_one_thousands_comma(answer)))
    transposed = _TRANSPOSED.fullmatch(text)
    text = transposed[1] if transposed else text
    matrix = _MATRIX.fullmatch(
        re.sub(r"^[(\[](\\begin\{(?:small)?matrix\}.*\\end\{(?:small)?matrix\})[)\]]$", r"\1", text)
    )
    if matrix:
        rows = [row.split("&") for row in matrix[2].removesuffix("\\\\").split("\\\\")]
        if len({len(row) for row in rows}) > 1:
            return None
        if transposed:
            rows = [list(column) for column in zip(*rows, strict=True)]
        determinant = "|" if matrix[1] in ("v", "V") else ""
        return Elements(f"{determinant}{len(rows)}x{len(rows[0])}", [cell for row in rows for cell in row])
    text = re.sub(r"^\\?[a-zA-Z]+\\in(?![a-zA-Z])", "", text)
    text = _POINT.sub("", text, count=1) if _POINT.match(text) else text
    if text.startswith("\\langle") and text.endswith("\\rangle"):
        text = f"({text[7:-7]})"
    if text[:1] == "]" or (text[-1:] == "[" and text[:1] in "[]"):
        # `]0,1[` are the French brackets of an open interval.
        text = {"]": "(", "[": "["}.get(text[0], text[0]) + text[1:-1] + {"[": ")", "]": "]"}.get(text[-1], text[-1])
    if len(text) < 5 or text[0] not in "([" or text[-1] not in ")]" or _closes_before_the_end(text):
        return None
    items = parts(text[1:-1])
    frame = text[0] + text[-1]
    if transposed and frame in ("()", "[]"):
        frame = f"{len(items)}x1"
    return Elements(frame, items) if len(items) > 1 else None


def components(answer: str) -> Elements | None:
    """The components of a vector that is a sum of unit vectors: `\\mathbf{i} + 2\\mathbf{j}` is (1, 2).

    >>> components(r"\\mathbf{i}-2\\mathbf{j}").items, components("i+1") is None
    (['1', '-2'], True)
    """
    if not re.search(r"\\(?:mathbf|hat|vec|boldsymbol|bm)\s*\{?\\?[a-z]*\{?[ijk]", answer):
        return None
    text = re.sub(r"\\(?:mathbf|hat|vec|boldsymbol|bm)\s*", "", answer).replace(" ", "")
    text = re.sub(r"\{+([ijk])\}+", r"\1", text)
    pieces = re.findall(r"([+-]?[^ijk+-]*)([ijk])", text)
    if "".join(a + b for a, b in pieces) != text or len({axis for _, axis in pieces}) != len(pieces):
        return None
    factors = {axis: {"": "1", "+": "1", "-": "-1"}.get(factor, factor.removeprefix("+")) for factor, axis in pieces}
    axes = "ijk" if "k" in factors else "ij"
    return Elements("()", [factors.get(axis, "0") for axis in axes])


def determinant(matrix: Elements | None) -> str | None:
    """The determinant of two or three rows as a formula; None for all else.

    >>> determinant(Elements("|2x2", ["a", "b", "c", "d"]))
    '(a)(d)-(b)(c)'
    """
    if matrix is None or matrix.frame not in ("|2x2", "|3x3"):
        return None
    if matrix.frame == "|2x2":
        a, b, c, d = matrix.items
        return f"({a})({d})-({b})({c})"
    a, b, c, d, e, f, g, h, i = (f"({item})" for item in matrix.items)
    return f"{a}{e}{i}+{b}{f}{g}+{c}{d}{h}-{c}{e}{g}-{b}{d}{i}-{a}{f}{h}"


def with_signs(part: str) -> list[str]:
    """The values that `\\pm` stands for, each sign by itself; `\\mp` is the other sign of the `\\pm` before it.

    >>> with_signs(r"\\frac{1 \\pm \\sqrt{3}}{2}")
    ['\\\\frac{1 + \\\\sqrt{3}}{2}', '\\\\frac{1 - \\\\sqrt{3}}{2}']
    """
    found = [one[1] for one in _SIGNS.finditer(part)]
    count = found.count("pm") or 1
    if not found or count > 3:
        return [part]
    values = []
    for signs in itertools.product("+-", repeat=count):
        number = -1
        text, position = "", 0
        for one in _SIGNS.finditer(part):
            number += one[1] == "pm" or number < 0
            sign = signs[number] if one[1] == "pm" else {"+": "-", "-": "+"}[signs[number]]
            text += part[position : one.start()] + sign
            position = one.end()
        values.append((text + part[position:]).strip())
    return values


def _closes_before_the_end(text: str) -> bool:
    depth = 0
    for position, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth == 0:
            return position < len(text) - 1
    return True
