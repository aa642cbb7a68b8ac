"""Numbers in closed form, `\\frac{3+\\sqrt{5}}{2}\\pi` or `\\frac{20!}{e^3}`, compared without computer algebra.

Rational numbers are compared exactly. Others are different where 30 digits say so, and the same where a thousand digits
do: floats may tell numbers apart, and never call two of them one.
"""

import math
import re
import threading
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from mpmath import MPContext

from quagmires.grading.math.trees import FUNCTIONS, Node, names, read_tree

# Of a power or a factorial that is computed exactly; of one that is computed at all.
_MOST_BITS, _LARGEST_FACTORIAL, _LARGEST_EXPONENT = 200_000, 5_000, 100_000
_FEW_DIGITS, MANY_DIGITS = 30, 1_000
# With decimals in it a number counts to six significant digits.
_APART_DECIMALS = Fraction(1, 10**6)


class _Unknown(Exception):
    """Not a number in closed form, or not one that can be computed here."""


@dataclass(frozen=True)
class ClosedForm:
    """A number in closed form: its tree, and whether decimals are in it."""

    tree: Node
    decimals: bool
    infinite: int = 0

    def fraction(self) -> Fraction | None:
        """The number, if it is rational and can be computed exactly."""
        if self.infinite:
            return None
        try:
            return _exact(self.tree)
        except (_Unknown, ArithmeticError, ValueError):
            return None

    def approximation(self) -> Fraction | None:
        """The number to 30 digits."""
        value = None if self.infinite else _computed(self.tree, _FEW_DIGITS)
        return None if value is None else _as_fraction(value)


@lru_cache(maxsize=20_000)
def closed_form(text: str) -> ClosedForm | None:
    """A normalised answer as a number in closed form; None if it is anything else.

    >>> closed_form(r"\\frac{1+\\sqrt{9}}{2}").fraction(), closed_form("2x") is None, closed_form(r"-\\infty").infinite
    (Fraction(2, 1), True, -1)
    """
    infinity = re.fullmatch(r"([+-]?)\\infty", text)
    if infinity:
        return ClosedForm(("constant", "infinity"), False, -1 if infinity[1] == "-" else 1)
    tree = read_tree(text)
    if tree is None or names(tree) or holds_i(tree):
        return None
    form = ClosedForm(tree, bool(re.search(r"\d\.\d|\.\d", text)))
    return form if form.approximation() is not None else None


def same_number(left: ClosedForm, right: ClosedForm) -> bool | None:
    """Whether two numbers are one; None where this cannot tell."""
    if left.infinite or right.infinite:
        return left.infinite == right.infinite
    exact = left.fraction(), right.fraction()
    if exact[0] is not None and exact[1] is not None and not (left.decimals or right.decimals):
        return exact[0] == exact[1]
    values = left.approximation(), right.approximation()
    if values[0] is None or values[1] is None:
        return None
    difference, size = abs(values[0] - values[1]), max(abs(values[0]), abs(values[1]))
    if left.decimals or right.decimals:
        return difference <= _APART_DECIMALS * size
    # Of what should cancel a rest is left, which looks like another number.
    if size > Fraction(1, 10 ** (_FEW_DIGITS - 8)) and difference > size / 10 ** (_FEW_DIGITS - 8):
        return False
    more = _computed(left.tree, MANY_DIGITS), _computed(right.tree, MANY_DIGITS)
    if more[0] is None or more[1] is None:
        return None
    numbers = context(MANY_DIGITS)
    larger = max(abs(more[0]), abs(more[1]))
    if larger == 0:
        return True
    gap = abs(more[0] - more[1]) / larger
    # Still a rest: of two numbers that are 0, for all that digits can say.
    if larger < numbers.mpf(10) ** (-MANY_DIGITS // 2):
        return None
    return bool(gap < numbers.mpf(10) ** (-MANY_DIGITS + 50))


def holds_i(tree: Node) -> bool:
    """Whether the imaginary unit is in a tree."""
    return tree == ("constant", "i") or any(holds_i(one) for one in tree[1:] if isinstance(one, tuple))


_local = threading.local()


def context(digits: int) -> Any:
    """mpmath's numbers to so many digits. One set for each thread: mpmath changes the precision while it computes."""
    contexts = getattr(_local, "contexts", None)
    if contexts is None:
        contexts = _local.contexts = {}
    if digits not in contexts:
        contexts[digits] = MPContext()
        contexts[digits].dps = digits
    return contexts[digits]


def _as_fraction(value: Any) -> Fraction | None:
    sign, mantissa, exponent, _ = value._mpf_
    if abs(exponent) > 400_000:
        return None
    number = Fraction(mantissa) * (Fraction(2) ** exponent)
    return -number if sign else number


def _computed(tree: Node, digits: int) -> Any:
    try:
        value = _number(tree, context(digits))
    except (_Unknown, ArithmeticError, ValueError, TypeError, NotImplementedError):
        return None
    return value if context(digits).isfinite(value) else None


def _exact(node: Node) -> Fraction:
    kind = node[0]
    if kind == "number":
        return node[1]
    if kind == "constant" or kind in FUNCTIONS or kind == "degrees":
        raise _Unknown
    values = [_exact(one) for one in node[1:]]
    if kind == "+":
        return values[0] + values[1]
    if kind == "-":
        return values[0] - values[1]
    if kind == "*":
        return values[0] * values[1]
    if kind == "/":
        return values[0] / values[1]
    if kind == "!":
        return Fraction(math.factorial(_small(values[0])))
    if kind == "binom":
        return Fraction(math.comb(_small(values[0]), _small(values[1])))
    if kind == "^":
        base, exponent = values
        if exponent.denominator != 1:
            return _root(base**exponent.numerator if abs(exponent.numerator) < 100 else base, exponent.denominator)
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(exponent.numerator) > _MOST_BITS:
            raise _Unknown
        return base**exponent.numerator
    return _root(values[0], _small(values[1]))


def _small(value: Fraction) -> int:
    if value.denominator != 1 or not 0 <= value <= _LARGEST_FACTORIAL:
        raise _Unknown
    return int(value)


def _root(value: Fraction, degree: int) -> Fraction:
    """A rational root; raises `_Unknown` where it is none."""
    if degree < 1 or degree > 64 or (value < 0 and degree % 2 == 0):
        raise _Unknown
    roots = []
    for part in (abs(value.numerator), value.denominator):
        root = math.isqrt(part) if degree == 2 else round(part ** (1 / degree)) if part < 2**1000 else -1
        if root**degree != part:
            raise _Unknown
        roots.append(root)
    return Fraction(roots[0], roots[1]) * (-1 if value < 0 else 1)


def _number(node: Node, numbers: Any) -> Any:
    kind = node[0]
    if kind == "number":
        return numbers.mpf(node[1].numerator) / node[1].denominator
    if kind == "constant":
        return +{"pi": numbers.pi, "e": numbers.e}[node[1]]
    values = [_number(one, numbers) for one in node[1:]]
    if kind in "+-*/":
        left, right = values
        return (
            left + right
            if kind == "+"
            else left - right
            if kind == "-"
            else left * right
            if kind == "*"
            else left / right
        )
    if kind == "degrees":
        return values[0] * numbers.pi / 180
    if kind == "!":
        _small(Fraction(int(values[0]))) if values[0] == int(values[0]) else _fail()
        return numbers.factorial(values[0])
    if kind == "binom":
        return numbers.binomial(values[0], values[1])
    if kind == "^":
        return _power(values[0], values[1], numbers)
    if kind == "root":
        return _power_of_root(values[0], values[1], numbers)
    if kind == "\\log":
        return numbers.log(values[0], values[1]) if len(values) > 1 else _fail()
    value = getattr(
        numbers, {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}.get(kind[1:], kind[1:])
    )(values[0])
    if not isinstance(value, numbers.mpf):
        raise _Unknown
    return value


def _fail() -> Any:
    raise _Unknown


def _power(base: Any, exponent: Any, numbers: Any) -> Any:
    if abs(exponent) > _LARGEST_EXPONENT or (base < 0 and exponent != int(exponent)):
        raise _Unknown
    return base**exponent


def _power_of_root(value: Any, degree: Any, numbers: Any) -> Any:
    if value < 0:
        if degree % 2 != 1:
            raise _Unknown
        return -numbers.root(-value, int(degree))
    return numbers.root(value, int(degree)) if degree == int(degree) and degree > 0 else _fail()
