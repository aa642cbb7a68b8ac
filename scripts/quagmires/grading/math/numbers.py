"""Plain numbers with or without a unit, as exact values, so that most answers need no computer algebra."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from quagmires.grading.math.spelling import normalise, respelled
from quagmires.grading.math.units import Unit, read_unit

# Longer text and larger powers of ten than these are left to the worker, which is bounded in time and memory.
_MOST_CHARACTERS = 300
_LARGEST_EXPONENT = 400
# Decimals count to six significant digits (docs/grading.md).
SIGNIFICANT_DIGITS = 6
RELATIVE_TOLERANCE = Fraction(1, 10**SIGNIFICANT_DIGITS)
# Up to this size a difference of one part in a million is no more than rounding.
_ROUNDED_BELOW = 1_000

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
    )""",
    re.VERBOSE,
)
# `0.1\overline{6}`, `0.\dot{2}\dot{7}`, and `0.333\ldots`, whose repeated digits stand there twice at least.
_REPEATING = re.compile(
    r"([+-]?\d*)\.(\d*)(?:\\(?:overline|bar|dot)\{?(\d+)\}?(?:(\d*)\\dot\{?(\d)\}?)?|(?:\.\.+|\\ldots))"
)
_PERIOD = re.compile(r"(\d*?)(\d+?)\2+")
# Money before a number.
_MONEY = re.compile(
    r"\s*(?:\\\$|[€£¥₹₩]|\\(?:pounds|euro|yen)(?![a-zA-Z])\s*"
    r"|\\(?:text|mathrm)\s*\{\s*[€£¥₹₩]\s*\}\s*|(?:\\(?:text|mathrm)\s*\{\s*)?(?:USD|US\\?\$|Rs|EUR|GBP"
    r"|INR|RMB|CNY|JPY|HK\\?\$|[AC]\\?\$)\.?(?:\s*\}(?:\s*\\\$)?|(?=\s|\d|\\ )|\s)(?:\s|\\ )*"
    r"|\\(?:text|mathrm)\s*\{\s*(?:US|HK|[AC])\s*\}\s*\\\$)"
)
# A word before a number that says nothing of it, or its sign.
_ABOUT = re.compile(
    r"\s*(?:\\text\s*\{\s*)?(?:about|approximately|approx\.?|around|roughly|exactly|only|nearly|ca\.?"
    r"|circa|total(?: of)?)"
    r"\s*\}?[\s~:]*(?:\\[,;: ])*(?=[\d\\.$+-])|\s*\\(?:sim|simeq|thickapprox|cong)(?![a-zA-Z])\s*(?=[\d\\.+-])",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"\s*(?:\\text\s*\{\s*)?(?:negative|minus)\s*\}?\s*(?=\d|\\frac)", re.IGNORECASE)
_SIGNED = re.compile(r"\s*\\(?:text|mathrm)\s*\{\s*(-?\d[\d.,]*)\s*\}")
# Where the number may end and the unit begin.
_ENDS = re.compile(r"[\d}.]|%(?!\w)")
_ORDINAL = re.compile(r"(?<=\d)\^?\{?(?:\\(?:text|mathrm|textrm)\s?\{)?(?:th|st|nd|rd)\}*\Z")
# Symbols, functions of one letter and subscripts: what stands before `=` when a value is named.
_NAMED = re.compile(
    r"\s*(?:(?P<name>\\?[a-zA-Z]+(?:_(?:\w|\{[^{}]*\}))?)\s*(?:\(\s*[a-zA-Z]\s*\))?\s*(?:=|\\approx|\\simeq|\\sim)"
    r"|\\approx|\\sim(?![a-z])|\\simeq)(?=[^=])"
)
_UP_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_BY_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ONES, _TENS = _UP_TO_NINETEEN.split(), dict(zip(_BY_TENS.split(), range(20, 100, 10), strict=True))
_LARGE = {"hundred": 100, "thousand": 1_000, "million": 10**6}


@dataclass(frozen=True)
class Value:
    """A plain number.

    Parameters
    ----------
    number
        as it is written, without its unit.
    exact
        whether it is no decimal.
    place
        of a decimal the value of one in its last digit; None otherwise.
    digits
        significant digits of a decimal.
    scientific
        whether it is written with a power of ten.
    unit
        what stands beside it.
    """

    number: Fraction
    exact: bool
    place: Fraction | None = None
    digits: int = 0
    scientific: bool = False
    unit: Unit = Unit()


def parse_value(answer: str) -> Value | None:
    """The value of an answer that is a plain number, with or without a unit; None if it is anything else.

    >>> parse_value("0.5").number, parse_value(r"1\\frac12").number, parse_value("4.5e3").number
    (Fraction(1, 2), Fraction(3, 2), Fraction(4500, 1))
    >>> parse_value(r"15,000 \\text{ kcal m}^{-2}").number, parse_value("x = 3 apples").number
    (Fraction(15000, 1), Fraction(3, 1))
    >>> parse_value(r"0.1\\overline{6}").number, parse_value("twelve").number, parse_value("2x") is None
    (Fraction(1, 6), Fraction(12, 1), True)
    """
    return _parse_value(answer) if len(answer) <= _MOST_CHARACTERS else None


@lru_cache(maxsize=50_000)
def _parse_value(answer: str) -> Value | None:
    text = respelled(answer)
    if not any(character.isdigit() for character in text):
        return _in_words(text)
    if not any(character.isalpha() or character in "\\$%°€£¥₹₩¢'" for character in text):
        return _plain_value(text)
    text = _from_name(text)
    text = _ABOUT.sub("", text, count=1) if _ABOUT.match(text) else text
    sign = -1 if _NEGATIVE.match(text) else 1
    if sign < 0:
        text = _NEGATIVE.sub("", text, count=1)
    money = _MONEY.match(text)
    if money:
        text = text[money.end() :]
    signed = _SIGNED.match(text)
    text = signed[1] + text[signed.end() :] if signed else text
    value = _with_unit(text)
    if value is None:
        return None
    unit = value.unit
    if money and not unit.dimension:
        unit = replace(unit, dimension=_currency(money.group()))
    return Value(sign * value.number, value.exact, value.place, value.digits, value.scientific, unit)


def _currency(sign: str) -> tuple[tuple[str, int], ...]:
    """The dimension of money that is written before a number."""
    name = re.search(r"[A-Z]{3}|Rs|pounds|euro|yen|[€£¥₹$]", sign)
    unit = read_unit(f"\\text{{{'£' if name[0] == 'pounds' else name[0]}}}") if name else None
    return unit.dimension if unit else ()


def _from_name(text: str) -> str:
    """A text from the value on, where it names the value: `\\text{Area} = 73`."""
    text = unnamed(text)
    words = re.match(
        r"\s*\\text\s*\{[^{}=\d]*(?:\}\s*(?:=|:|\\approx)|:\s*\})\s*(?=[^=])|\s*[A-Za-z]{3,}\s*:\s*(?=[\d.+-])", text
    )
    return text[words.end() :] if words else text


def _with_unit(text: str) -> Value | None:
    """The longest number at the beginning whose rest is a unit."""
    value = _plain_value(_ORDINAL.sub("", text))
    if value is not None:
        return value
    wrapped = re.fullmatch(r"\s*\\(?:text|textrm|textbf|mathrm|mbox)\s*\{(.*)\}[\s.]*", text, re.DOTALL)
    if wrapped and "{" not in wrapped[1]:
        inner = re.match(r"\s*[+-]?\d[\d,. ]*", wrapped[1])
        if inner is None:
            return None
        # What stood in one wrapper: the words are words.
        text = f"{inner.group().rstrip(' ,.')}\\text{{{wrapped[1][len(inner.group().rstrip(' ,.')) :]}}}"
    ends = [found.end() for found in _ENDS.finditer(text)][-40:]
    for end in reversed(ends):
        head, rest = text[:end], text[end:]
        if not rest.strip() or head.endswith("%"):
            continue
        value = _plain_value(head)
        if value is None:
            continue
        unit = read_unit(_without_ordinal(rest))
        if unit is None:
            return None
        return Value(value.number, value.exact, value.place, value.digits, value.scientific, unit)
    return None


def _without_ordinal(rest: str) -> str:
    return re.sub(r"^\s*\^?\{?(?:\\(?:text|mathrm)\s?\{)?(?:th|st|nd|rd)\}*(?=[\s}]|$)", "", rest)


def _in_words(text: str) -> Value | None:
    """`twelve`, `\\text{negative five}`, `forty-two`."""
    plain = re.sub(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}", r"\1", text).strip().lower().strip(".")
    if not plain or len(plain) > 40 or not re.fullmatch(r"[a-z\s-]+", plain):
        return None
    words = re.split(r"[\s-]+", plain)
    sign = -1 if words[0] in ("negative", "minus") else 1
    words = words[1:] if sign < 0 else words
    if "of" in words:
        # `one of them`
        return None
    if (
        len(words) > 1
        and words[-1] not in _ONES
        and words[-1] not in _TENS
        and words[-1] not in _LARGE
        and len(words) < 5
    ):
        counted = _in_words(" ".join(words[:-1]))
        unit = read_unit(f"\\text{{ {words[-1]}}}")
        return (
            None
            if counted is None or unit is None or unit.factor != 1
            else replace(counted, number=sign * counted.number, unit=unit)
        )
    number = _spelled_out(words)
    return None if number is None else Value(Fraction(sign * number), True)


def _spelled_out(words: list[str]) -> int | None:
    """`two hundred and fifty` as 250; None where words are no numeral."""
    for name, size in reversed(_LARGE.items()):
        if name not in words:
            continue
        place = words.index(name)
        count, rest = _spelled_out(words[:place]), words[place + 1 :]
        rest = rest[1:] if rest[:1] == ["and"] else rest
        lower = _spelled_out(rest) if rest else 0
        return None if not count or lower is None or lower >= size else count * size + lower
    if len(words) == 1 and words[0] in _ONES:
        return _ONES.index(words[0])
    if words and words[0] in _TENS and (len(words) == 1 or (len(words) == 2 and words[1] in _ONES[1:10])):
        return _TENS[words[0]] + (_ONES.index(words[1]) if len(words) == 2 else 0)
    return None


def _plain_value(text: str) -> Value | None:
    """A number alone."""
    plain = normalise(text)
    repeating = _REPEATING.fullmatch(plain)
    if repeating:
        number = _repeating(repeating)
        if number is not None:
            return Value(number, True)
    percent = plain.endswith("%")
    plain = plain.removesuffix("%").removesuffix("\\").strip() if percent else plain
    match = _NUMBER.fullmatch(re.sub(r"(?<=\d)(?:\\ldots|\.\.+)$", "", plain))
    if match is None:
        return None
    try:
        number = _number(match)
    except (ValueError, ZeroDivisionError):
        return None
    if number is None:
        return None
    written = next((match[name] for name in ("decimal", "mantissa", "mantissa2") if match[name]), "")
    exponent = int(match["e"] or match["power"] or match["power2"] or 0)
    scientific = match["e"] is not None or match["power"] is not None or match["power2"] is not None
    exact = "." not in written and match["e"] is None and not (match["power"] or "").startswith("-")
    places = len(written.partition(".")[2])
    return Value(
        number=-number if match["sign"] == "-" else number,
        exact=exact,
        place=None if exact else Fraction(10) ** (exponent - places),
        digits=len(written.replace(".", "").lstrip("0")),
        scientific=scientific,
        unit=Unit(percent=percent),
    )


def _repeating(match: re.Match[str]) -> Fraction | None:
    whole, fixed = match[1], match[2]
    period = f"{match[3] or ''}{match[4] or ''}{match[5] or ''}"
    if not period:
        # Digits before the dots: those that repeat at their end.
        found = next((one for start in range(len(fixed)) if (one := _PERIOD.fullmatch(fixed[start:]))), None)
        if found is None or len(found[2]) * 2 > len(fixed) or found[2] == "0":
            return None
        fixed, period = fixed[: len(fixed) - len(found[0])] + found[1], found[2]
    sign = -1 if whole.startswith("-") else 1
    digits = int((whole.lstrip("+-") or "0") + fixed or "0")
    tail = Fraction(int(period), 10 ** len(period) - 1)
    return sign * (digits + tail) / Fraction(10) ** len(fixed)


def _number(match: re.Match[str]) -> Fraction | None:
    top, bottom = match["top"] or match["top2"], match["bottom"] or match["bottom2"]
    if top is not None and bottom is not None:
        whole = Fraction(match["whole"] or match["whole2"] or 0)
        return whole + Fraction(top) / Fraction(bottom)
    exponent = int(match["e"] or match["power"] or match["power2"] or 0)
    if abs(exponent) > _LARGEST_EXPONENT:
        return None
    return Fraction(match["mantissa"] or match["mantissa2"] or match["decimal"] or 1) * Fraction(10) ** exponent


def same_value(gold: Value, answer: Value, tolerance: float | None = None) -> bool:
    """Whether two numbers are one value: integers and fractions exactly, decimals to six significant digits, or within
    the gold's own absolute tolerance.

    A percent sign is a unit: golds of `what percent` leave it out. Where only one side has it, the number or the value
    may agree; but a gold below 2 that is no integer is a share, of which 0.5 and 0.5 % are two.

    >>> half, tiny = parse_value("0.5"), parse_value("1.3e-27")
    >>> same_value(parse_value(r"\\frac{1}{2}"), half), same_value(tiny, parse_value("3.3e-22"))
    (True, False)
    >>> same_value(parse_value("50"), parse_value("50%")), same_value(half, parse_value("50%"))
    (True, True)
    >>> same_value(half, parse_value("0.5%")), same_value(parse_value("3 km"), parse_value("3 m"))
    (False, False)
    """
    if not gold.unit.agrees(answer.unit):
        return False
    scale = Fraction(1)
    if gold.unit.dimension and answer.unit.dimension:
        scale = answer.unit.size / gold.unit.size
    percents = gold.unit.percent, answer.unit.percent
    pairs = [(_share(gold) * gold.unit.factor, _share(answer) * answer.unit.factor * scale)]
    share = gold.number.denominator != 1 and abs(gold.number) < 2
    if percents[0] != percents[1] and not (percents[1] and share):
        pairs.append((gold.number, answer.number))
    return any(close(left, right, gold, answer, tolerance) for left, right in pairs)


def _share(value: Value) -> Fraction:
    return value.number / 100 if value.unit.percent else value.number


def close(left: Fraction, right: Fraction, gold: Value, answer: Value, tolerance: float | None = None) -> bool:
    """Whether two numbers are one, as `gold` and `answer` are written."""
    difference = abs(left - right)
    if tolerance is not None:
        return difference <= Fraction(tolerance).limit_denominator(10**12)
    if (gold.exact and answer.exact) or left.denominator == right.denominator == 1:
        return difference == 0
    size = min(abs(left), abs(right))
    if not (gold.scientific or answer.scientific):
        # A decimal near a large integer is not that integer.
        size = min(size, Fraction(1 if gold.exact and left.denominator == 1 else _ROUNDED_BELOW))
    if difference <= RELATIVE_TOLERANCE * size:
        return True
    # The one with fewer digits is the other, rounded.
    coarse = max((one for one in (gold, answer) if one.place is not None), key=lambda one: one.place or 0, default=None)
    if coarse is None or coarse.place is None or coarse.digits < SIGNIFICANT_DIGITS or coarse.unit.percent:
        return False
    return (gold.exact or answer.exact or gold.place != answer.place) and 2 * difference <= coarse.place


def canonical(answer: str) -> str:
    """Text under which answers of one value vote together: plain numbers by value, all others as normalised.

    >>> canonical("0.50") == canonical(r"\\frac12") == canonical("x = 1/2") == "1/2"
    True
    """
    value = parse_value(answer)
    if value is None:
        return unnamed(normalise(respelled(answer)))
    number = value.number * value.unit.factor
    return f"{number}%" if value.unit.percent else str(number)


def unnamed(text: str) -> str:
    """`x=3` -> `3`, `\\approx 3` -> `3`; nothing else that holds an equals sign changes."""
    match = _named(text)
    return text[match.end() :] if match else text


def name_of(text: str) -> str | None:
    """What a value is called: `x` in `x=3` and `x(t) = 3`, None in `3`."""
    match = _named(text)
    return match["name"] if match and match["name"] else None


def _named(text: str) -> re.Match[str] | None:
    return (
        _NAMED.match(text) if text.count("=") + len(re.findall(r"\\approx|\\sim(?![a-z])|\\simeq", text)) == 1 else None
    )
