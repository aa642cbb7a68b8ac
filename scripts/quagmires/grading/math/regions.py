"""Regions of the real line: intervals, unions of them, and the inequalities that say the same."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from quagmires.grading.math.closed_form import closed_form
from quagmires.grading.math.spelling import normalise

_RELATION = re.compile(r"(\\(?:leq|geq|neq)(?![a-zA-Z])|<|>)")
_FLIPPED = {"<": ">", ">": "<", "\\leq": "\\geq", "\\geq": "\\leq"}
_UNION, _BOTH = re.compile(r"\\(?:cup|lor)(?![a-zA-Z])"), re.compile(r"\\land(?![a-zA-Z])")
_WORD = re.compile(r"\\text\s*\{\s*,?\s*(or|and)\s*\}|(?<![a-zA-Z\\{])(or|and)(?![a-zA-Z}])")
_VARIABLE = re.compile(
    r"(?:[a-zA-Z]|\\(?:alpha|beta|gamma|theta|lambda|mu|phi|varphi|omega|sigma|rho|tau))(?:_\{?\w+\}?)?"
)
_BUILDER = re.compile(
    r"\\\{\s*(?P<name>\\?[a-zA-Z]+(?:_\w)?)\s*(?:\\in\s*\\mathbb\{?R\}?\s*)?(?:\\mid|\\vert|\\colon|[|:])(?P<says>.*)\\\}"
)
_REALS = re.compile(
    r"\\mathbb\{?R\}?|(?:all|any|every)\s*reals?\s*(?:numbers?|values?)?(?:\s*of\s*x)?|\\text\{\s*[Aa]ll\s+reals?(?:\s+numbers?)?\s*\}"
    r"|[Aa]ll\s+reals?(?:\s+numbers?)?"
)
# Parts of the line: `\\mathbb{R}^+` is (0, oo), as `\\mathbb{R}_{>0}`; with an index 0 or \\geq the end belongs to it.
_HALF = re.compile(
    r"\\mathbb\{R\}(?:[_^]\{?(?P<sign>[+-])\}?(?P<zero>[_^]\{?0\}?)?"
    r"|[_^]\{?(?P<relation>>|<|\\geq|\\leq)\s*0\}?|(?P<zero2>_\{?0\}?)\^\{?(?P<sign2>[+-])\}?)"
)
# The same in words.
_REAL = (
    r"(?:(?:the\s+)?(?:set\s+of\s+)?(?:all|any|every)\s+)?"
    r"(?:(?P<sign>positive|negative|non-?negative|non-?positive)\s+)?reals?"
)
_SPOKEN = re.compile(
    rf"{_REAL}(?:\s+(?:numbers?|values?))?(?:\s+(?P<name>[a-zA-Z]))?(?:\s+(?:of\s+[a-zA-Z]|that\s+are|which\s+are))?"
    r"(?:,?\s*(?P<than>(?:strictly\s+)?(?:less|smaller|greater|larger|more)\s+than(?P<equal>\s+or\s+equal\s+to)?|at\s+least|at\s+most"
    r"|except|other\s+than|not\s+equal\s+to|between)\s*(?P<limit>.+))?",
    re.IGNORECASE,
)
_WRAPPED = re.compile(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}")
_MEMBER = re.compile(r"^\s*(\\?[a-zA-Z]+(?:_\w)?)\s*\\in(?![a-zA-Z])\s*")
_BARS = re.compile(r"(?P<zero>0<)?\|(?P<name>[^|]+)\|(?P<relation><|>|\\leq|\\geq)\s*(?P<limit>[^<>,]+)")
_INFINITY, _MINUS_INFINITY = "\\infty", "-\\infty"


@dataclass(frozen=True)
class Piece:
    """An interval: its ends as normalised LaTeX, and whether they belong to it."""

    low: str
    high: str
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True)
class Region:
    """A union of intervals in rising order; `name` is the variable, and `by_inequality` whether it was written so."""

    pieces: tuple[Piece, ...]
    name: str | None = None
    by_inequality: bool = False


_EVERYTHING = Piece(_MINUS_INFINITY, _INFINITY, False, False)


@lru_cache(maxsize=20_000)
def read_region(answer: str) -> Region | None:
    """The region that an answer says; None if it says none.

    >>> read_region(r"-5 < x \\leq 3").pieces == read_region("(-5, 3]").pieces
    True
    >>> read_region(r"x \\neq 0").pieces == read_region(r"(-\\infty,0)\\cup(0,\\infty)").pieces
    True
    >>> read_region("x = 3") is None, read_region("a < b < c") is None
    (True, True)
    """
    if len(answer) > 300:
        return None
    spoken = _spoken(answer)
    if spoken is not None:
        return spoken
    # Normalised text has lost which letters were words.
    text = normalise(_WORD.sub(lambda word: f" \\l{word[1] or word[2]} ", answer))
    builder = _BUILDER.fullmatch(text)
    if builder:
        region = read_region(builder["says"])
        return region if region and region.name == builder["name"] else None
    text = re.sub(r"^(\\?[a-zA-Z]+)\\in\\mathbb\{R\},(?=.*[<>]|.*\\[lgn]eq)", "", _without_bars(text))
    member = _MEMBER.match(text)
    name = member[1] if member else None
    text = text[member.end() :] if member else text
    if _REALS.fullmatch(text):
        return Region((_EVERYTHING,), name)
    half = _HALF.fullmatch(text.removesuffix("\\cup\\{0\\}"))
    if half:
        relation = half["relation"] or ">"
        positive = (half["sign"] or half["sign2"] or "+") == "+" and relation in (">", "\\geq")
        closed = bool(half["zero"] or half["zero2"] or relation.endswith("eq") or text.endswith("\\cup\\{0\\}"))
        return Region((_half(positive, "0", closed),), name)
    return _by_brackets(text, name) or _by_inequalities(text)


def _half(above: bool, limit: str, closed: bool) -> Piece:
    return Piece(limit, _INFINITY, closed, False) if above else Piece(_MINUS_INFINITY, limit, False, closed)


def _spoken(answer: str) -> Region | None:
    """`all real numbers less than 3`, `all nonnegative reals`."""
    if "real" not in answer.lower():
        return None
    text = re.sub(r"\s+", " ", _WRAPPED.sub(r"\1", re.sub(r"\\[,;: ]|~", " ", answer)).replace("$", "")).strip(" .")
    found = _SPOKEN.fullmatch(text)
    if found is None or not (found["sign"] or found["than"]):
        return None
    sign = (found["sign"] or "").lower().replace("-", "")
    whole = _half(sign in ("positive", "nonnegative"), "0", sign.startswith("non")) if sign else _EVERYTHING
    if not found["than"]:
        return Region((whole,), found["name"])
    than, limit = found["than"].lower(), normalise(found["limit"])
    listed = normalise(re.sub(r"\b(?:and|or)\b", ",", found["limit"]))
    limits = [re.sub(r"^[a-zA-Z](?:=|\\neq)", "", one) for one in listed.split(",") if one]
    if any(_value(one) is None for one in limits):
        return None
    if than.startswith(("except", "other", "not")):
        return _without(Region((whole,), found["name"]), limits)
    if sign or len(limits) != (2 if than == "between" else 1):
        return None
    if than == "between":
        return Region((Piece(limits[0], limits[1], False, False),), found["name"])
    above = than.startswith(("greater", "larger", "more", "at least")) or "greater" in than or "larger" in than
    return Region((_half(above, limit, bool(found["equal"]) or than.startswith("at")),), found["name"])


def chain(answer: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The terms and relations of an inequality, from the smaller side on; None if it is none, or of two directions.

    >>> chain("c > b \\\\geq a")
    (('a', 'b', 'c'), ('\\\\leq', '<'))
    """
    text = normalise(answer)
    pieces = _RELATION.split(text)
    terms, relations = [term.strip() for term in pieces[::2]], pieces[1::2]
    if not relations or not all(terms) or "=" in text or "\\neq" in relations:
        return None
    rising = [relation in ("<", "\\leq") for relation in relations]
    if len(set(rising)) > 1:
        return None
    if not rising[0]:
        terms, relations = terms[::-1], [_FLIPPED[relation] for relation in relations[::-1]]
    return tuple(terms), tuple(relations)


def _without_bars(text: str) -> str:
    """`|x|<a` as `-a<x<a`, and `|x|>a` as `x<-a` or `x>a`."""
    found = _BARS.fullmatch(text)
    if found is None or not _VARIABLE.fullmatch(found["name"]):
        return text
    name, relation, limit = found["name"], found["relation"], found["limit"]
    if relation in ("<", "\\leq"):
        inside = f"-{limit}{relation} {name}{relation} {limit}"
        return f"{inside},{name}\\neq 0" if found["zero"] else inside
    if found["zero"]:
        return text
    return f"{name}{_FLIPPED[relation]} -{limit}\\lor {name}{relation} {limit}"


def _by_brackets(text: str, name: str | None) -> Region | None:
    """`(0,4)\\cup(4,9)`, `(0,9), x \\neq 4`, `\\mathbb{R}\\setminus\\{1\\}`."""
    without = re.fullmatch(r"(.+?)(?:\\setminus|\\backslash|-)\\\{(.+)\\\}", text)
    if without:
        region = read_region(without[1])
        return _without(region, without[2].split(",")) if region else None
    conditions = re.fullmatch(r"(.+[)\]]),?(?:\\text\{\s*(?:where|with|and|,)?\s*\})?(\\?[a-zA-Z]+)\\neq(.+)", text)
    if conditions:
        region = read_region(conditions[1])
        return _without(region, conditions[3].split(",")) if region else None
    pieces = []
    for part in _UNION.split(text):
        found = re.fullmatch(r"([(\[\]])(.+?),(.+)([)\]\[])", part)
        if found is None or not _balanced(found[2]) or not _balanced(found[3]):
            return None
        if "," in re.sub(r"\{[^{}]*\}", "", found[3]):
            return None
        low_closed, high_closed = found[1] == "[", found[4] == "]"
        pieces.append(Piece(found[2], found[3].replace("+\\infty", _INFINITY), low_closed, high_closed))
    return Region(_sorted(pieces), name)


def _balanced(text: str) -> bool:
    return all(text.count(left) == text.count(right) for left, right in ("()", "[]", "{}"))


def _by_inequalities(text: str) -> Region | None:
    """`x<2 or x>3`, `x>0 and x<5`, `-1<x<3, x \\neq 2`."""
    both = _BOTH.split(text)
    if len(both) == 2:
        first, second = (_by_inequalities(one) for one in both)
        return _intersection(first, second) if first and second else None
    alternatives = _UNION.split(text)
    if len(alternatives) == 1 and "," in text and _balanced(text.split(",")[0]):
        head, *rest = text.split(",")
        excepted = re.fullmatch(r"(?P<name>[^<>\\]+)\\neq(?P<point>.+)", head)
        if excepted and _VARIABLE.fullmatch(excepted["name"].strip()) and not any(map(_RELATION.search, rest)):
            # `x \\neq -1, 2`
            region = _one_inequality(head)
            return _without(region, rest) if region else None
        region = _one_inequality(head)
        others = [_one_inequality(one) for one in rest]
        if region is None or not all(others):
            return None
        for other in others:
            assert other is not None
            points = [piece.high for piece in other.pieces[:-1]]
            if other.name != region.name:
                return None
            if len(other.pieces) > 1 and all(
                not one.high_closed and not two.low_closed and one.high == two.low
                for one, two in zip(other.pieces, other.pieces[1:], strict=False)
            ):
                region = _without(region, points)
            else:
                # `x < -1, x > 1` is a union where both cannot be.
                region = _either(region, other)
            if region is None:
                return None
        return region
    regions = [_one_inequality(one) for one in alternatives]
    found = [one for one in regions if one is not None]
    if len(found) < len(regions) or len({one.name for one in found}) > 1:
        return None
    return Region(_sorted([piece for one in found for piece in one.pieces]), found[0].name, True)


def _one_inequality(text: str) -> Region | None:
    pieces = _RELATION.split(text.strip())
    terms, relations = [term.strip() for term in pieces[::2]], pieces[1::2]
    if not 1 <= len(relations) <= 2 or not all(terms) or "=" in text:
        return None
    names = [index for index, term in enumerate(terms) if _VARIABLE.fullmatch(term) and term not in ("e", "\\pi")]
    if len(names) != 1 or (len(terms) == 3 and names[0] != 1):
        return None
    name = terms[names[0]]
    if any(re.search(rf"(?<![a-zA-Z\\]){re.escape(name)}(?![a-zA-Z])", term) for term in terms if term != name):
        return None
    if "\\neq" in relations:
        if len(relations) > 1:
            return None
        return _without(Region((_EVERYTHING,), name, True), [terms[1 - names[0]]])
    piece = _EVERYTHING
    for index, relation in enumerate(relations):
        # The variable on the left of the relation, or on its right.
        left = names[0] == index
        other = terms[index + 1] if left else terms[index]
        upper = (relation in ("<", "\\leq")) == left
        closed = relation in ("\\leq", "\\geq")
        if upper:
            piece = replace(piece, high=other, high_closed=closed)
        else:
            piece = replace(piece, low=other, low_closed=closed)
    return Region((piece,), name, True)


def _intersection(first: Region, second: Region) -> Region | None:
    """Of two half-lines that look at each other."""
    if len(first.pieces) != 1 or len(second.pieces) != 1 or first.name != second.name:
        return None
    one, two = first.pieces[0], second.pieces[0]
    if one.high == _INFINITY and two.low == _MINUS_INFINITY:
        return Region((Piece(one.low, two.high, one.low_closed, two.high_closed),), first.name, True)
    if two.high == _INFINITY and one.low == _MINUS_INFINITY:
        return Region((Piece(two.low, one.high, two.low_closed, one.high_closed),), first.name, True)
    return None


def _either(first: Region, second: Region) -> Region | None:
    """The union of two that cannot hold at once, the part of both else."""
    if len(first.pieces) == len(second.pieces) == 1:
        one, two = first.pieces[0], second.pieces[0]
        low, high = (one, two) if one.low == _MINUS_INFINITY else (two, one)
        limits = _value(low.high), _value(high.low)
        if low.low == _MINUS_INFINITY and high.high == _INFINITY and None not in limits:
            assert limits[0] is not None and limits[1] is not None
            if limits[0] < limits[1]:
                return Region((low, high), first.name, True)
            return _intersection(first, second)
    return None


def _without(region: Region, points: list[str]) -> Region | None:
    """A region without points; None where they cannot be put in order with its ends."""
    pieces = list(region.pieces)
    for point in points:
        place = _value(point)
        result = []
        for piece in pieces:
            low, high = _value(piece.low), _value(piece.high)
            if piece.low == _MINUS_INFINITY and piece.high == _INFINITY:
                inside = True
            elif place is None or low is None or high is None:
                return None
            else:
                inside = low < place < high
            if inside:
                result += [replace(piece, high=point, high_closed=False), replace(piece, low=point, low_closed=False)]
            elif place == low and piece.low_closed:
                result.append(replace(piece, low_closed=False))
            elif place == high and piece.high_closed:
                result.append(replace(piece, high_closed=False))
            else:
                result.append(piece)
        pieces = result
    return replace(region, pieces=_sorted(pieces))


def _value(end: str) -> Fraction | None:
    form = closed_form(end)
    if form is None:
        return None
    if form.infinite:
        return Fraction(10) ** 400 * form.infinite
    return form.approximation()


def _sorted(pieces: list[Piece]) -> tuple[Piece, ...]:
    values = [_value(piece.low) for piece in pieces]
    if None in values:
        return tuple(pieces)
    return tuple(piece for _, piece in sorted(zip(values, pieces, strict=True), key=lambda pair: pair[0] or 0))
