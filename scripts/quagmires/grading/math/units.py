"""Units and words after a number: `12\\,\\mathrm{kg\\,m/s^2}`, `15 \\text{ cm}^2`, `3 apples`, `5 \\text{ halves}`.

A unit is a product of powers of known units (SI, those of school books, money), compared by dimension and size. Other
words are counted things: `3 \\text{ red}` is 3, but not `3 \\text{ blue}`. Some words change the number.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from quagmires.grading.math.spelling import closing_brace

# By dimension: m, kg, s, A, K, mol, cd; angles, money and information by names of their own.
_SI: dict[str, tuple[dict[str, int], Fraction | int]] = {
    "m": ({"m": 1}, 1), "g": ({"kg": 1}, Fraction(1, 1000)), "s": ({"s": 1}, 1), "A": ({"A": 1}, 1),
    "K": ({"K": 1}, 1), "mol": ({"mol": 1}, 1), "cd": ({"cd": 1}, 1), "Hz": ({"s": -1}, 1),
    "N": ({"kg": 1, "m": 1, "s": -2}, 1), "Pa": ({"kg": 1, "m": -1, "s": -2}, 1),
    "J": ({"kg": 1, "m": 2, "s": -2}, 1), "W": ({"kg": 1, "m": 2, "s": -3}, 1), "C": ({"A": 1, "s": 1}, 1),
    "V": ({"kg": 1, "m": 2, "s": -3, "A": -1}, 1), "Ω": ({"kg": 1, "m": 2, "s": -3, "A": -2}, 1),
    "F": ({"kg": -1, "m": -2, "s": 4, "A": 2}, 1), "T": ({"kg": 1, "s": -2, "A": -1}, 1),
    "H": ({"kg": 1, "m": 2, "s": -2, "A": -2}, 1), "Wb": ({"kg": 1, "m": 2, "s": -2, "A": -1}, 1),
    "S": ({"kg": -1, "m": -2, "s": 3, "A": 2}, 1), "eV": ({"kg": 1, "m": 2, "s": -2}, Fraction("1.602176634e-19")),
    "pc": ({"m": 1}, Fraction("3.0856775814913673e16")), "L": ({"m": 3}, Fraction(1, 1000)),
    "l": ({"m": 3}, Fraction(1, 1000)), "bar": ({"kg": 1, "m": -1, "s": -2}, 100_000),
    "cal": ({"kg": 1, "m": 2, "s": -2}, Fraction("4.184")), "Jy": ({"kg": 1, "s": -2}, Fraction("1e-26")),
    "Bq": ({"s": -1}, 1), "lm": ({"cd": 1}, 1), "lx": ({"cd": 1, "m": -2}, 1), "M": ({"mol": 1, "m": -3}, 1000),
    "byte": ({"bit": 1}, 8), "bit": ({"bit": 1}, 1),
}  # fmt: skip
_PREFIXES = {
    "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "c": -2, "d": -1, "m": -3, "µ": -6, "n": -9, "p": -12, "f": -15,
    "h": 2, "a": -18, "E": 18,
}  # fmt: skip
_NAMES = {
    "meter": "m", "metre": "m", "gram": "g", "gramme": "g", "second": "s", "sec": "s", "ampere": "A", "amp": "A",
    "kelvin": "K", "mole": "mol", "candela": "cd", "hertz": "Hz", "newton": "N", "pascal": "Pa", "joule": "J",
    "watt": "W",
    "coulomb": "C", "volt": "V", "ohm": "Ω", "farad": "F", "tesla": "T", "henry": "H", "weber": "Wb",
    "electronvolt": "eV",
    "parsec": "pc", "liter": "L", "litre": "L", "calorie": "cal",
}  # fmt: skip
_LONG_PREFIXES = {
    "kilo": 3, "mega": 6, "giga": 9, "tera": 12, "centi": -2, "deci": -1, "milli": -3, "micro": -6, "nano": -9,
    "pico": -12,
}  # fmt: skip
_INCH, _POUND, _DAY = Fraction("0.0254"), Fraction("0.45359237"), 86_400
_ANGLE, _MONEY = "rad", "dollar"
# The number 1 of an angle in degrees stands for pi / 180; only ratios of angles are compared here.
_OTHERS: dict[str, tuple[dict[str, int], Fraction | int]] = {
    "min": ({"s": 1}, 60), "minute": ({"s": 1}, 60), "h": ({"s": 1}, 3600), "hr": ({"s": 1}, 3600),
    "hour": ({"s": 1}, 3600), "day": ({"s": 1}, _DAY), "week": ({"s": 1}, 7 * _DAY),
    "month": ({"month": 1}, 1), "yr": ({"month": 1}, 12), "year": ({"month": 1}, 12), "decade": ({"month": 1}, 120),
    "century": ({"month": 1}, 1200), "centurie": ({"month": 1}, 1200),
    "in": ({"m": 1}, _INCH), "inch": ({"m": 1}, _INCH), "inche": ({"m": 1}, _INCH), "ft": ({"m": 1}, 12 * _INCH),
    "foot": ({"m": 1}, 12 * _INCH), "feet": ({"m": 1}, 12 * _INCH), "yd": ({"m": 1}, 36 * _INCH),
    "yard": ({"m": 1}, 36 * _INCH), "mi": ({"m": 1}, 63_360 * _INCH), "mile": ({"m": 1}, 63_360 * _INCH),
    "Å": ({"m": 1}, Fraction("1e-10")), "angstrom": ({"m": 1}, Fraction("1e-10")),
    "AU": ({"m": 1}, 149_597_870_700), "ly": ({"m": 1}, 9_460_730_472_580_800), "micron": ({"m": 1}, Fraction("1e-6")),
    "acre": ({"m": 2}, 43_560 * (12 * _INCH) ** 2), "hectare": ({"m": 2}, 10_000), "ha": ({"m": 2}, 10_000),
    "gal": ({"m": 3}, 231 * _INCH**3), "gallon": ({"m": 3}, 231 * _INCH**3),
    "quart": ({"m": 3}, Fraction(231, 4) * _INCH**3),
    "pint": ({"m": 3}, Fraction(231, 8) * _INCH**3), "cup": ({"m": 3}, Fraction(231, 16) * _INCH**3),
    "cc": ({"m": 3}, Fraction(1, 10**6)),
    "lb": ({"kg": 1}, _POUND), "pound": ({"kg": 1}, _POUND), "oz": ({"kg": 1}, _POUND / 16),
    "ounce": ({"kg": 1}, _POUND / 16), "ton": ({"ton": 1}, 1), "tonne": ({"kg": 1}, 1000),
    "amu": ({"kg": 1}, Fraction("1.66053906660e-27")), "u": ({"kg": 1}, Fraction("1.66053906660e-27")),
    "mph": ({"m": 1, "s": -1}, 63_360 * _INCH / 3600), "kph": ({"m": 1, "s": -1}, Fraction(1000, 3600)),
    "rpm": ({"turn": 1, "s": -1}, Fraction(1, 60)), "knot": ({"m": 1, "s": -1}, Fraction(1852, 3600)),
    "erg": ({"kg": 1, "m": 2, "s": -2}, Fraction("1e-7")), "dyn": ({"kg": 1, "m": 1, "s": -2}, Fraction("1e-5")),
    "dyne": ({"kg": 1, "m": 1, "s": -2}, Fraction("1e-5")), "atm": ({"kg": 1, "m": -1, "s": -2}, 101_325),
    "Torr": ({"kg": 1, "m": -1, "s": -2}, Fraction(101_325, 760)), "G": ({"kg": 1, "s": -2, "A": -1}, Fraction("1e-4")),
    "gauss": ({"kg": 1, "s": -2, "A": -1}, Fraction("1e-4")), "statvolt": ({"statvolt": 1}, 1), "esu": ({"esu": 1}, 1),
    "M⊙": ({"M⊙": 1}, 1), "L⊙": ({"L⊙": 1}, 1), "R⊙": ({"R⊙": 1}, 1), "M⊕": ({"M⊕": 1}, 1), "R⊕": ({"R⊕": 1}, 1),
    "rad": ({_ANGLE: 1}, 1), "radian": ({_ANGLE: 1}, 1), "sr": ({"sr": 1}, 1), "steradian": ({"sr": 1}, 1),
    "°": ({"degree": 1}, 1), "deg": ({"degree": 1}, 1), "degree": ({"degree": 1}, 1),
    "arcsec": ({"degree": 1}, Fraction(1, 3600)), "arcsecond": ({"degree": 1}, Fraction(1, 3600)),
    "'": ({"degree": 1}, Fraction(1, 60)), "''": ({"degree": 1}, Fraction(1, 3600)),
    "as": ({"degree": 1}, Fraction(1, 3600)), "arcmin": ({"degree": 1}, Fraction(1, 60)),
    "arcminute": ({"degree": 1}, Fraction(1, 60)), "mas": ({"degree": 1}, Fraction(1, 3_600_000)),
    "°C": ({"°C": 1}, 1), "℃": ({"°C": 1}, 1), "°F": ({"°F": 1}, 1), "℉": ({"°F": 1}, 1), "celsius": ({"°C": 1}, 1),
    "fahrenheit": ({"°F": 1}, 1),
    "$": ({_MONEY: 1}, 1), "dollar": ({_MONEY: 1}, 1), "USD": ({_MONEY: 1}, 1), "buck": ({_MONEY: 1}, 1),
    "cent": ({_MONEY: 1}, Fraction(1, 100)), "¢": ({_MONEY: 1}, Fraction(1, 100)),
    "penny": ({_MONEY: 1}, Fraction(1, 100)), "pennie": ({_MONEY: 1}, Fraction(1, 100)),
    "€": ({"euro": 1}, 1), "euro": ({"euro": 1}, 1), "EUR": ({"euro": 1}, 1), "£": ({"£": 1}, 1), "GBP": ({"£": 1}, 1),
    "¥": ({"yen": 1}, 1), "yen": ({"yen": 1}, 1), "JPY": ({"yen": 1}, 1), "yuan": ({"yuan": 1}, 1),
    "RMB": ({"yuan": 1}, 1),
    "CNY": ({"yuan": 1}, 1), "₹": ({"rupee": 1}, 1), "Rs": ({"rupee": 1}, 1), "rupee": ({"rupee": 1}, 1),
    "INR": ({"rupee": 1}, 1), "kWh": ({"kg": 1, "m": 2, "s": -2}, 3_600_000), "Wh": ({"kg": 1, "m": 2, "s": -2}, 3600),
    "c": ({"m": 1, "s": -1}, 299_792_458),
    "GB": ({"bit": 1}, 8 * 10**9), "MB": ({"bit": 1}, 8 * 10**6), "kB": ({"bit": 1}, 8000), "KB": ({"bit": 1}, 8000),
    "TB": ({"bit": 1}, 8 * 10**12), "₩": ({"won": 1}, 1), "KRW": ({"won": 1}, 1), "unit": ({}, 1),
    "B": ({"bit": 1}, 8), "dB": ({"dB": 1}, 1),
}  # fmt: skip
# Bare, a single letter is a variable; these are read as units after a space.
_BARE_LETTERS = frozenset("mgsJNWKVLhÅΩ°$¢€£¥₹₩'")
# Words that make another number.
FACTORS = {
    "dozen": Fraction(12), "hundred": Fraction(100), "thousand": Fraction(1_000), "million": Fraction(10**6),
    "billion": Fraction(10**9), "trillion": Fraction(10**12), "half": Fraction(1, 2), "halve": Fraction(1, 2),
    "third": Fraction(1, 3), "quarter": Fraction(1, 4), "fourth": Fraction(1, 4), "fifth": Fraction(1, 5),
    "sixth": Fraction(1, 6), "seventh": Fraction(1, 7), "eighth": Fraction(1, 8), "ninth": Fraction(1, 9),
    "tenth": Fraction(1, 10), "hundredth": Fraction(1, 100), "thousandth": Fraction(1, 1000),
    "millionth": Fraction(1, 10**6), "k": Fraction(1000),
}  # fmt: skip
_PERCENT = Fraction(1, 100)
# Words that no unit has: they say that there is more than one number, or not quite this one.
_OTHER_NUMBER = re.compile(
    r"(?:squared|cubed|factorial|plus|minus|times|over|divided|below|under|above|beyond|between|power|root|mod|modulo|to|or"
    r"|and|not?|if|only|more|less|fewer|than|at|least|most|up|down(?=\s+to)|exclusive|inclusive|remainder|R|r|zero"
    r"|[a-z]*teen|[a-z]*ty|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|constant|infinity|even|odd"
    r"|wrong|incorrect|false|doubled|tripled|halved|inverse|gross|negative|base|greater|least|approximately)"
)
# Words that say nothing of what is counted.
_FILLERS = (
    "the a an of in is are total altogether each per all and respectively about approximately approx exactly answer"
)
_EMPTY = frozenset(_FILLERS.split())
_TOKEN = re.compile(
    r"(?P<power>\^\s*\{?\s*[+-]?\d+\s*\}?)|(?P<word>(?:[^\W\d_]|[°$¢€£¥₹₩⊙⊕'´])+\.?)"
    r"|(?P<slash>/)|(?P<open>[({])|(?P<close>[)}])"
    r"|(?P<percent>\\?%)|(?P<dot>[·.*,;:]|\\cdot|\\times)|(?P<other>\S)"
)
_WRAPPER = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mathit|mbox|rm|operatorname\*?)\s*(?=\{)")
_SPACE = re.compile(r"\\[,;:! ]|\\q?quad(?![a-zA-Z])|~")
_SYMBOL = {
    "\\mu": "µ", "\\Omega": "Ω", "\\ohm": "Ω", "\\AA": "Å", "\\circ": "°", "\\pounds": "£", "\\euro": "€", "\\$": "$",
    "\\cents": "¢", "\\yen": "¥",
}  # fmt: skip
_SYMBOLS = re.compile(rf"({'|'.join(map(re.escape, sorted(_SYMBOL, key=len, reverse=True)))})(?![a-zA-Z])\s*")
# `\\kilo\\gram` of siunitx.
_COMMAND = re.compile(
    r"\\(kilo|mega|giga|centi|milli|micro|nano)(?=\s*\\[a-z])|\\(meter|metre|gram|second|joule|watt|newton|volt|ohm|pascal|hertz|mole|kelvin)(?![a-zA-Z])"
)
_SUN = re.compile(r"([MLR])_\{?\s*\\(odot|oplus|bigodot)\s*\}?|([MLR])_\{?\s*([⊙⊕])\s*\}?")
_FRACTION = re.compile(r"\\frac\s*\{((?:[^{}]|\{[^{}]*\})*)\}\s*\{((?:[^{}]|\{[^{}]*\})*)\}")


_ANY_DEGREE = (("degree", 1),)
_DEGREES = {(("degree", 1),), (("°C", 1),), (("°F", 1),)}


@dataclass(frozen=True)
class Unit:
    """What stands after a number.

    Parameters
    ----------
    dimension
        powers of basic units that are not zero, sorted; empty for a bare number.
    size
        in basic units.
    words
        counted things, in the singular and in lower case.
    percent
        whether there is a percent sign.
    factor
        of words such as `million` and `halves`.
    """

    dimension: tuple[tuple[str, int], ...] = ()
    size: Fraction = Fraction(1)
    words: tuple[str, ...] = ()
    percent: bool = False
    factor: Fraction = field(default=Fraction(1))

    def agrees(self, other: "Unit") -> bool:
        """Whether numbers with these units can be compared: one has none, or both the same dimension and things."""
        if self.dimension and other.dimension and self.dimension != other.dimension:
            # `25^\\circ` may be of temperature.
            return {self.dimension, other.dimension} <= _DEGREES and _ANY_DEGREE in (self.dimension, other.dimension)
        if (self.percent and other.dimension) or (other.percent and self.dimension):
            return False
        if bool(self.dimension) != bool(other.dimension) and (self.words or other.words):
            # A unit on one side, a thing on the other: `2 \\text{ min}`, `2 \\text{ (max)}`.
            return bool(self.words) == bool(self.dimension)
        mine, others = set(self.words), set(other.words)
        # `red balls` are balls, and no green ones; `north of east` is not `east of north`.
        return self.words == other.words if mine == others else not (mine and others) or mine < others or others < mine


@lru_cache(maxsize=20_000)
def read_unit(text: str) -> Unit | None:
    """The unit or the words in a text that follows a number; None if it is anything else.

    >>> read_unit(r"\\,\\mathrm{kg\\,m/s^2}") == read_unit(r" \\text{ N}"), read_unit(r"\\text{ apples}").words
    (True, ('apple',))
    >>> read_unit("x^2") is None, read_unit(" abc") is None, read_unit(r"\\text{ squared}") is None
    (True, True, True)
    """
    plain, wrapped = _flattened(text)
    if len(plain) > 200:
        return None
    try:
        return _Reader(plain, wrapped).unit()
    except (_NoUnit, OverflowError):
        return None


def _flattened(text: str) -> tuple[str, list[bool]]:
    """A text without LaTeX, and for each character whether it stood in \\text or \\mathrm."""
    text = _SUN.sub(lambda sun: f"\\mathrm{{{sun[1] or sun[3]}{_sun(sun[2] or sun[4])}}}", text)
    text = _SYMBOLS.sub(lambda found: f"\\mathrm{{{_SYMBOL[found[1]]}}}", text.replace("^\\circ", "\\circ"))
    text = (
        text.replace("^{\\circ}", "\\mathrm{°}")
        .replace("\\mathrm{°}C", "\\mathrm{°C}")
        .replace("\\mathrm{°}F", "\\mathrm{°F}")
    )
    text = re.sub(r"\\mathrm\{°\}\s*(?:\\(?:text|mathrm)\{\s*)([CF])\s*\}", r"\\mathrm{°\1}", text)
    for _ in range(3):
        text = _FRACTION.sub(r"(\1)/(\2)", text)
    text = re.sub(r"\\(?:odot|bigodot)", "⊙", text)
    text = _COMMAND.sub(lambda found: found[1] if found[2] is None else found[2], text)
    text = _SPACE.sub(" ", text)
    if "\\" not in text:
        return text, [False] * len(text)
    plain: list[str] = []
    wrapped: list[bool] = []
    # Where the wrappers that are open close.
    ends: list[int] = []
    position = 0
    while position < len(text):
        found = _WRAPPER.match(text, position)
        end = closing_brace(text, found.end()) if found else None
        if found and end is not None:
            ends.append(end)
            position = found.end() + 1
            continue
        if ends and position == ends[-1]:
            ends.pop()
        else:
            plain.append(text[position])
            wrapped.append(bool(ends))
        position += 1
    return "".join(plain), wrapped


def _sun(symbol: str) -> str:
    return "⊕" if symbol in ("oplus", "⊕") else "⊙"


class _NoUnit(Exception):
    """Not a unit."""


class _Reader:
    """Reads a product of powers of units, from the left."""

    def __init__(self, text: str, wrapped: list[bool]):
        self.text, self.wrapped = text, wrapped
        self.dimension: Counter[str] = Counter()
        self.size, self.factor = Fraction(1), Fraction(1)
        self.words: list[str] = []
        self.percent = False

    def unit(self) -> Unit:
        tokens = list(_TOKEN.finditer(self.text))
        sign, power_of_next, in_bracket, last = 1, 1, False, None
        for token in tokens:
            kind, value = token.lastgroup, token.group()
            if kind == "other":
                raise _NoUnit
            if kind == "slash":
                sign = -1
            elif kind == "open":
                in_bracket = True
            elif kind == "close":
                in_bracket, sign = False, 1
            elif kind == "percent":
                self.percent = True
            elif kind == "power":
                if last is None:
                    raise _NoUnit
                self._power(last, int(re.sub(r"[^\d+-]", "", value)))
                last = None
            elif kind == "word":
                word = value.rstrip(".")
                if word.lower() in ("per", "an") and word.lower() == "per":
                    sign = -1
                    continue
                if word.lower() in ("square", "sq", "cubic", "cu"):
                    power_of_next = 2 if word.lower() in ("square", "sq") else 3
                    continue
                if word.lower() in ("squared", "cubed") and last is not None:
                    self._power(last, 2 if word.lower() == "squared" else 3)
                    continue
                last = self._word(word, token.start(), sign * power_of_next)
                power_of_next = 1
                if not in_bracket:
                    sign = 1
        if power_of_next != 1:
            # `9 square`
            raise _NoUnit
        dimension = tuple(sorted((name, power) for name, power in self.dimension.items() if power))
        return Unit(dimension, self.size, tuple(self.words), self.percent, self.factor)

    def _word(self, word: str, position: int, power: int) -> tuple[Mapping[str, int], Fraction, int] | None:
        known = unit_of(word)
        bare = not all(self.wrapped[position : position + len(word)])
        # `\\mathrm{MeV}/c^2`
        below = power < 0 and bool(self.dimension)
        if known is not None and bare and len(word) == 1 and word not in _BARE_LETTERS and not below:
            known = None
        # `5m` may be five times m.
        if known is not None and bare and len(word) == 1 and word.isalpha() and position == 0:
            known = None
        if known is not None:
            dimension, size = known
            self._multiply(dimension, size, power)
            return dimension, size, power
        lower = singular(word.lower())
        if word.lower() == "percent":
            self.percent = True
        elif lower in FACTORS and (lower != "k" or not bare):
            self.factor *= FACTORS[lower]
        elif _OTHER_NUMBER.fullmatch(word) or _OTHER_NUMBER.fullmatch(lower):
            raise _NoUnit
        elif lower in _EMPTY and not (bare and len(word) == 1):
            pass
        elif (
            looks_like_a_word(word)
            if bare
            else (len(word) > 1 or not word.isascii()) and word.replace("'", "").isalpha()
        ):
            self.words.append(lower)
        else:
            raise _NoUnit
        return None

    def _multiply(self, dimension: Mapping[str, int], size: Fraction, power: int) -> None:
        for name, exponent in dimension.items():
            self.dimension[name] += exponent * power
        self.size *= Fraction(size**power)

    def _power(self, last: tuple[Mapping[str, int], Fraction, int], exponent: int) -> None:
        """`s^{-1}` after `s` was counted once."""
        if abs(exponent) > 12:
            raise _NoUnit
        dimension, size, power = last
        self._multiply(dimension, size, power * exponent - power)


def unit_of(word: str) -> tuple[Mapping[str, int], Fraction] | None:
    """Dimension and size of one unit: `km`, `kilometers`, `mph`."""
    for spelled in dict.fromkeys((word, singular(word), singular(word.lower()))):
        if spelled in _OTHERS:
            dimension, size = _OTHERS[spelled]
            return dimension, Fraction(size)
    lower = singular(word.lower())
    for prefix, exponent in (("", 0), *_LONG_PREFIXES.items()):
        name = lower.removeprefix(prefix) if lower.startswith(prefix) else ""
        if name in _NAMES:
            dimension, size = _SI[_NAMES[name]]
            return dimension, Fraction(size) * _ten(exponent)
    for length in (0, 1):
        prefix, symbol = word[:length], word[length:]
        if symbol in _SI and prefix in _PREFIXES:
            dimension, size = _SI[symbol]
            return dimension, Fraction(size) * _ten(_PREFIXES[prefix])
    return None


def _ten(exponent: int) -> Fraction:
    return Fraction(10**exponent) if exponent >= 0 else Fraction(1, 10**-exponent)


def singular(word: str) -> str:
    """`apples` -> `apple`; nothing is done to `s`, `gas` and `class`.

    >>> singular("apples"), singular("boxes"), singular("s"), singular("class")
    ('apple', 'boxe', 's', 'class')
    """
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def looks_like_a_word(text: str) -> bool:
    """Whether letters are a word and not a product of variables.

    >>> [looks_like_a_word(one) for one in ("apples", "Evelyn", "abc", "xyz", "def", "red", "SRAC")]
    [True, True, False, False, False, True, False]
    """
    letters = text.replace("'", "")
    if len(letters) < 3 or not letters.isalpha():
        return False
    lower = letters.lower()
    if not re.search("[aeiouy]", lower) or (letters[1:] != lower[1:]):
        return False
    # Products are written in the order of the alphabet.
    return list(lower) != sorted(lower) or len(lower) > 4


def words_of(text: str) -> Iterator[str]:
    """The words of an answer, in lower case and in the singular, without those that say nothing."""
    plain, wrapped = _flattened(
        re.sub(r"\\(?!text|mathrm|mbox|textrm|textbf|textit|rm|operatorname)[a-zA-Z]+", " ", text)
    )
    for found in re.finditer(r"[A-Za-z][A-Za-z']*", plain):
        word = found.group()
        inside = all(wrapped[found.start() : found.end()])
        if (inside and len(word) > 1) or looks_like_a_word(word):
            lower = singular(word.lower())
            if lower not in _EMPTY:
                yield lower
