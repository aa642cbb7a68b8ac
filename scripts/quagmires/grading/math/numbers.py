"""Plain numbers as exact values, so that most answers need no computer algebra."""

import re
from dataclasses import dataclass
from fractions import Fraction

from quagmires.grading.math.extraction import normalise

# Longer text and larger powers of ten than these are left to the worker, which is bounded in time and memory.
_MOST_CHARACTERS = 300
_LARGEST_EXPONENT = 400
# Decimals count as equal to six significant digits, as in math-verify, but relative to their size: math-verify rounds
# to six decimals, by which 1.3e-27 is 3.3e-22.
RELATIVE_TOLERANCE = Fraction(1, 1_000_000)

_INTEGER = r"\d+"
_DECIMAL = r"(?:\d+\.\d*|\.\d+|\d+)"
_NUMBER = re.compile(
    rf"""(?P<sign>[+-]?)
    (?:
      (?:(?P<whole>{_INTEGER})[ ]?)?\\frac\{{(?P<top>[+-]?{_DECIMAL})\}}\{{(?P<bottom>[+-]?{_DECIMAL})\}}
    | (?:(?P<whole2>{_INTEGER})[ ])?(?P<top2>{_DECIMAL})/(?P<bottom2>{_DECIMAL})
    | (?P<mantissa>{_DECIMAL})(?:[eE](?P<e>[+-]?\d+))
    | (?:(?P<mantissa2>{_DECIMAL})(?:\\times|\\cdot|\*))?10\^(?:\{{(?P<power>[+-]?\d+)\}}|(?P<power2>\d))
    | (?P<decimal>{_DECIMAL})
    )
    (?P<percent>\\?%)?""",
    re.VERBOSE,
)
# What may follow a number without changing it: wrapped text without digits, words, common units, each to a power.
_UNIT = re.compile(
    r"""(?:\\[,;:!\ ]|[\s~/·.]|\\cdot(?![a-zA-Z]))*
    (?:\\(?:text|textrm|mathrm|mbox|textbf|rm)\s?\{[^{}\d\\]*\}
      |\s(?:[A-Za-z]{3,}|yr|[mgsJNWKVLh])(?![a-zA-Z])
      |(?:cm|mm|km|kg|mg|ms|mi|ft|in|hr|Hz|eV|Å|Ω)(?![a-zA-Z])
      |(?<=\d)(?:miles?|feet|inch(?:es)?|met(?:er|re)s?|degrees?|(?:hour|minute|second|day|year|dollar|cent|unit)s?)
      |(?:\^\{?\\circ\}?|°)\s?[CF]?
      |\^\{?(?:\s*\\prime){1,2}\s*\}?|(?<=\d)'{1,2})
    (?:\^\{?[+-]?\d\}?|[²³¹⁻]+)?[\s.]*\Z""",
    re.VERBOSE,
)
_WORDS = re.compile(
    r"""(?:\\[,;:!\ ]|[\s~/·.]|\\cdot(?![a-zA-Z]))*
    (?:\\(?:text|textrm|mathrm|mbox|rm)\s?\{[^{}\d\\]*\}|(?<=[\s~])(?:[A-Za-z]{3,}|cm|mm|km|kg|ft))
    (?:\^\{?[+-]?\d\}?)?[\s.]*\Z""",
    re.VERBOSE,
)
_WRAPPED = re.compile(r"\s*\\(?:text|textrm|mathrm|mbox|textbf|rm)\s?\{([^{}]*)\}[\s.]*")
_ORDINAL = re.compile(r"(?<=\d)\^?\{?(?:\\(?:text|mathrm|textrm)\s?\{)?(?:th|st|nd|rd)\}*\Z")
# They say that there is more than one number, or not quite this one.
_NO_UNIT = re.compile(r"\b(?:or|and|more|less|fewer|to|not?|if|least|most)\b")
# Words that stand for a factor.
_FACTORS = {
    "percent": Fraction(1, 100), "dozen": Fraction(12), "hundred": Fraction(100), "thousand": Fraction(1_000),
    "million": Fraction(10**6), "billion": Fraction(10**9), "trillion": Fraction(10**12),
}  # fmt: skip
_FACTOR = re.compile(rf"\b({'|'.join(_FACTORS)})\b")
# Symbols, functions of one letter and subscripts: what stands before `=` when a value is named.
_NAMED = re.compile(
    r"\s*(?:(?P<name>\\?[a-zA-Z]+(?:_(?:\w|\{[^{}]*\}))?)\s*(?:\(\s*[a-zA-Z]\s*\))?\s*(?:=|\\approx)|\\approx)(?=[^=])"
)


@dataclass(frozen=True)
class Value:
    """A plain number; whether it is exact; and the factor written after it: 1/100 for a percent sign, or a million."""

    number: Fraction
    exact: bool
    factor: Fraction = Fraction(1)


def parse_value(answer: str) -> Value | None:
    """The value of an answer that is a plain number, with or without a unit; None if it is anything else.

    >>> parse_value("0.5").number, parse_value(r"1\\frac12").number, parse_value("4.5e3").number
    (Fraction(1, 2), Fraction(3, 2), Fraction(4500, 1))
    >>> parse_value(r"15,000 \\text{ kcal m}^{-2}").number, parse_value("x = 3 apples").number
    (Fraction(15000, 1), Fraction(3, 1))
    >>> parse_value("2x") is None
    True
    """
    if len(answer) > _MOST_CHARACTERS:
        return None
    word = _FACTOR.search(answer)
    # After a number, not before it.
    if word and re.search(r"\d", answer[word.end() :]):
        return None
    text = unnamed(normalise(_without_unit(answer.replace(word[0], "", 1) if word else answer)))
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    try:
        number = _number(match)
    except (ValueError, ZeroDivisionError):
        return None
    if number is None:
        return None
    exact = not any("." in (match[name] or "") for name in ("decimal", "mantissa", "mantissa2"))
    exact = exact and match["e"] is None and not (match["power"] or "").startswith("-")
    factor = _FACTORS[word[0]] if word else _FACTORS["percent"] if match["percent"] else Fraction(1)
    return Value(-number if match["sign"] == "-" else number, exact, factor)


def _without_unit(answer: str) -> str:
    """An answer without the words and units at its end."""
    whole = _WRAPPED.fullmatch(answer)
    text = whole[1] if whole else answer
    for _ in range(6):
        match = _UNIT.search(text)
        if match is None or match.start() == 0 or _NO_UNIT.search(match.group()):
            break
        text = text[: match.start()]
    return _ORDINAL.sub("", text)


def without_words(answer: str) -> str:
    """An answer without the words and wrapped units at its end; single letters are kept, since they are variables.

    >>> without_words(r"2\\sqrt{3} \\text{ cm}^2"), without_words("2\\\\pi square feet"), without_words("6 m")
    ('2\\\\sqrt{3}', '2\\\\pi', '6 m')
    """
    text = answer
    for _ in range(6):
        match = _WORDS.search(text)
        if match is None or match.start() == 0 or _NO_UNIT.search(match.group()):
            break
        text = text[: match.start()]
    return text


def _number(match: re.Match) -> Fraction | None:
    top, bottom = match["top"] or match["top2"], match["bottom"] or match["bottom2"]
    if top is not None:
        whole = Fraction(match["whole"] or match["whole2"] or 0)
        return whole + Fraction(top) / Fraction(bottom)
    exponent = int(match["e"] or match["power"] or match["power2"] or 0)
    if abs(exponent) > _LARGEST_EXPONENT:
        return None
    return Fraction(match["mantissa"] or match["mantissa2"] or match["decimal"] or 1) * Fraction(10) ** exponent


def same_value(gold: Value, answer: Value, tolerance: float | None = None) -> bool:
    """Whether two numbers are one value: integers and fractions exactly, decimals to six significant digits, or within
    the gold's own absolute tolerance.

    A percent sign or the word million is a unit: golds of `what percent` leave it out. Where only one side has it, the
    number or the value may agree.

    >>> half, tiny = parse_value("0.5"), parse_value("1.3e-27")
    >>> same_value(parse_value(r"\\frac{1}{2}"), half), same_value(tiny, parse_value("3.3e-22"))
    (True, False)
    >>> same_value(parse_value("50"), parse_value("50%")), same_value(half, parse_value("50%"))
    (True, True)
    """
    numbers = (
        [(gold.number, answer.number)] if 1 in (gold.factor, answer.factor) or gold.factor == answer.factor else []
    )
    values = [(gold.number * gold.factor, answer.number * answer.factor)]
    exact = gold.exact, answer.exact
    return any(_close(left, right, exact, tolerance) for left, right in numbers + values)


def _close(gold: Fraction, answer: Fraction, exact: tuple[bool, bool], tolerance: float | None) -> bool:
    if tolerance is not None:
        return abs(gold - answer) <= Fraction(tolerance).limit_denominator(10**12)
    if all(exact) or gold.denominator == answer.denominator == 1:
        return gold == answer
    # A decimal near a large integer is not that integer.
    size = min(abs(gold), Fraction(1)) if exact[0] else abs(gold)
    return abs(gold - answer) <= RELATIVE_TOLERANCE * size


def canonical(answer: str) -> str:
    """Text under which answers of one value vote together: plain numbers by value, all others as normalised.

    >>> canonical("0.50") == canonical(r"\\frac12") == canonical("x = 1/2") == "1/2"
    True
    """
    value = parse_value(answer)
    if value is None:
        return unnamed(normalise(answer))
    return f"{value.number}%" if value.factor == _FACTORS["percent"] else str(value.number * value.factor)


def unnamed(text: str) -> str:
    """`x=3` -> `3`, `\\approx 3` -> `3`; nothing else that holds an equals sign changes."""
    match = _named(text)
    return text[match.end() :] if match else text


def name_of(text: str) -> str | None:
    """What a value is called: `x` in `x=3` and `X(t) = 3`, None in `3`."""
    match = _named(text)
    return match["name"].lower() if match and match["name"] else None


def _named(text: str) -> re.Match | None:
    return _NAMED.match(text) if text.count("=") + text.count("\\approx") == 1 else None
