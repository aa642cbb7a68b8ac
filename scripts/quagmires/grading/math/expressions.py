"""Whether two formulas with letters are one function, tried at a few points: far quicker than computer algebra.

Two functions that differ at a point are different; two analytic ones that agree at several points where nothing is
special are the same (the lemma of Schwartz and Zippel). What the points leave open is for computer algebra.
"""

import itertools
import re
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from random import Random
from typing import Any

from quagmires.grading.math.closed_form import MANY_DIGITS, context, holds_i
from quagmires.grading.math.trees import Node, holds, names, read_tree

_DIGITS = 50
# Below the first relative difference functions are equal, above the second different; decimals count to six digits.
_EQUAL, _EQUAL_DECIMALS, _APART = Fraction(1, 10**40), Fraction(1, 10**12), Fraction(2, 10**6)
# Whether letters are all positive at a point.
_POINTS = (True, True, False, False)
# Arbitrary constants, which an answer may number in another way.
_CONSTANT = re.compile(r"(?:[cCkK](?:_\{?\d+\}?)?|[ABD]_\{?\d+\}?)")
_NUMBERED, _MAY_BE_CONSTANT = re.compile(r"[cC]_\{?\d+\}?"), re.compile(r"[A-HJ-Z](?:_\{?\d+\}?)?|[ck]_\{?\d+\}?")
_MOST_CONSTANTS = 3
# `\\frac{dy}{dx}`, and `\\frac{d}{dx}`; not `\\frac{d+e}{de}`.
_DERIVATIVE = re.compile(r"\\frac\{d(?:\^\{?\w\}?)?\\?[a-zA-Z]*(?:_\w)?(?:\([^()]*\))?\}\{d|\\int|\\partial")
_NAMES = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "ln": "log"}


class _NoValue(Exception):
    """Not to be computed at this point."""


def same_expression(gold: str, answer: str) -> bool | None:
    """Whether two normalised formulas are one function of their letters; None where this cannot tell.

    >>> same_expression("(x+1)^2", "x^2+2x+1"), same_expression("2x", "2X"), same_expression("f(x)", "x")
    (True, False, None)
    """
    left, right = read_tree(gold), read_tree(answer)
    if left is None or right is None:
        return None
    if not (names(left) or names(right)):
        return _same_complex(left, right) if holds_i(left) or holds_i(right) else None
    if _is_unclear(gold, left, names(left) | names(right)) or _is_unclear(answer, right, names(left) | names(right)):
        return None
    decimals = bool(re.search(r"\d\.\d|\.\d", gold + answer))
    same = _same_at_points(left, right, {}, decimals)
    if same is True:
        return True
    for renaming in _renamings(left, right):
        if _same_at_points(left, right, renaming, decimals):
            return True
    return same


def same_equation(gold: tuple[str, str], answer: tuple[str, str]) -> bool | None:
    """Whether two equations, as normalised sides, are one. False is for two lines or planes alone.

    >>> same_equation(("x", "3"), ("2x", "6")), same_equation(("2x-y", "18"), ("2x-y", "36"))
    (True, False)
    >>> same_equation(("x^2", "4"), ("x", "2")) is None
    True
    """
    trees = [read_tree(side) for side in (*gold, *answer)]
    if any(tree is None for tree in trees):
        return None
    left, right = ("-", trees[0], trees[1]), ("-", trees[2], trees[3])
    letters = sorted(names(left) | names(right))
    if not letters or any(_is_unclear(text, ("number", Fraction(0)), frozenset(letters)) for text in (*gold, *answer)):
        return None
    ratios = []
    numbers = context(_DIGITS)
    for number, positive in enumerate(_POINTS):
        point = _point(letters, number, positive)
        values = _value(left, point), _value(right, point)
        if None in values or 0 in values:
            return None
        ratios.append(values[0] / values[1])
    decimals = bool(re.search(r"\d\.\d|\.\d", "".join((*gold, *answer))))
    limit = (
        numbers.mpf((_EQUAL_DECIMALS if decimals else _EQUAL).numerator)
        / (_EQUAL_DECIMALS if decimals else _EQUAL).denominator
    )
    if max(abs(one / ratios[0] - 1) for one in ratios) < limit:
        return True
    apart = max(abs(one / ratios[0] - 1) for one in ratios) > float(_APART)
    return False if apart and _is_linear(left, letters) and _is_linear(right, letters) else None


def _is_linear(tree: Node, letters: list[str], others: Mapping[str, Fraction] | None = None) -> bool:
    """Whether a tree is of the first degree in letters, all together: by its values at points and at their sums. Its
    other letters have the values `others`.
    """
    first, second = _point(letters, 5, False), _point(letters, 6, False)
    zero = {name: Fraction(0) for name in letters}
    both = {name: first[name] + second[name] for name in letters}
    values = [_value(tree, point | dict(others or {})) for point in (both, first, second, zero)]
    if None in values:
        return False
    rest = abs(values[0] - values[1] - values[2] + values[3])
    return bool(rest < context(_DIGITS).mpf(10) ** -30)


def _is_unclear(text: str, tree: Node, letters: frozenset[str]) -> bool:
    """Whether letters may be something else: a derivative, e between d and f, one word."""
    if _DERIVATIVE.search(text) or (len(letters & set("df")) == 2 and "e" in text):
        return True
    # A single letter may be a word or the name of an option.
    return tree[0] == "name" and len(letters) == 1 and len(text) == 1 and text.isupper()


def _same_at_points(left: Node, right: Node, renaming: Mapping[str, str], decimals: bool) -> bool | None:
    letters = sorted(names(left) | {renaming.get(name, name) for name in names(right)})
    differences, alike = [], True
    limit = _EQUAL_DECIMALS if decimals else _EQUAL
    for number, positive in enumerate(_POINTS):
        point = _point(letters, number, positive)
        values = _value(left, point), _value(right, {name: point[renaming.get(name, name)] for name in names(right)})
        if values[0] is None or values[1] is None:
            return None
        size = max(abs(values[0]), abs(values[1]))
        difference = abs(values[0] - values[1]) / size if size else context(_DIGITS).mpf(0)
        differences.append(difference)
        real = [abs(context(_DIGITS).im(value)) <= size * float(_EQUAL) for value in values]
        alike = alike and real[0] == real[1]
        if positive and difference > float(_APART):
            return False
    if max(differences) < float(limit):
        return True
    # Letters under a root or a logarithm are lengths, masses, numbers of things: positive. But where one side is a real
    # number and the other is none, they are two functions.
    positive_only = max(one for one, sign in zip(differences, _POINTS, strict=True) if sign)
    roots = all(holds(tree, "root", "\\ln", "\\log") or _has_fractional_power(tree) for tree in (left, right))
    logarithms = any(holds(tree, "\\ln", "\\log") for tree in (left, right))
    return True if (alike or logarithms) and roots and positive_only < float(limit) else None


def _has_fractional_power(tree: Node) -> bool:
    fractional = (
        tree[0] == "^"
        and bool(names(tree[1]))
        and (tree[2][0] == "/" or (tree[2][0] == "number" and tree[2][1].denominator > 1))
    )
    return fractional or any(_has_fractional_power(one) for one in tree[1:] if isinstance(one, tuple))


def _renamings(left: Node, right: Node) -> list[dict[str, str]]:
    """The answer's arbitrary constants called like the gold's, in every order."""
    wanted, given = (sorted(name for name in names(tree) if _CONSTANT.fullmatch(name)) for tree in (left, right))
    if left[0] == "name":
        return []
    if len(wanted) != len(given):
        wanted, given = _other_constants(left, right)
    if len(wanted) != len(given) or not 1 <= len(wanted) <= _MOST_CONSTANTS:
        return []
    return [dict(zip(given, order, strict=True)) for order in itertools.permutations(wanted) if list(order) != given]


def _other_constants(left: Node, right: Node) -> tuple[list[str], list[str]]:
    """Names that only one side has, if those of one are plainly arbitrary constants (C_1, C_2) and those of the other
    may be (A, B): the general solution of a differential equation, in which they stand linearly, or C added to an
    antiderivative.
    """
    only = sorted(names(left) - names(right)), sorted(names(right) - names(left))
    for plain, other, tree in ((*only, left), (*only[::-1], right)):
        numbered = len(plain) > 1 and all(_NUMBERED.fullmatch(name) for name in plain)
        added = len(plain) == 1 and plain[0][0] in "Cc" and _is_added(tree, plain[0])
        if plain and (numbered or added) and all(_MAY_BE_CONSTANT.fullmatch(name) for name in other):
            rest = sorted(names(tree) - set(plain))
            if rest and _is_linear(tree, plain, _point(rest, 7, True)):
                return only
    return [], []


def _is_added(tree: Node, name: str) -> bool:
    """Whether a name stands once, as a term of a sum."""
    if tree == ("name", name):
        return True
    return tree[0] == "+" and any(
        _is_added(one, name) and name not in names(other) for one, other in (tree[1:], tree[:0:-1])
    )


@lru_cache(maxsize=2_000)
def _random_points(letters: tuple[str, ...], number: int, positive: bool) -> tuple[Fraction, ...]:
    random = Random(number)
    signs = (1,) if positive else (-1, 1)
    return tuple(Fraction(random.randrange(300, 2300) * random.choice(signs), 1009) for _ in letters)


def _point(letters: list[str], number: int, positive: bool) -> dict[str, Fraction]:
    return dict(zip(letters, _random_points(tuple(letters), number, positive), strict=True))


def _same_complex(left: Node, right: Node) -> bool | None:
    """Whether two complex numbers are one: few digits tell them apart, a thousand make them one."""
    for digits in (_DIGITS, MANY_DIGITS):
        values = _value(left, {}, digits), _value(right, {}, digits)
        if None in values:
            return None
        size = max(map(abs, values))
        if size == 0:
            return True
        difference = abs(values[0] - values[1]) / size
        if difference > context(digits).mpf(10) ** (-digits // 2):
            # Decimals count to six digits: they are left to others.
            return False if difference > float(_APART) else None
    return True


def _value(tree: Node, point: Mapping[str, Fraction], digits: int = _DIGITS) -> Any:
    """The value at a point, a real or a complex number; None where there is none."""
    numbers = context(digits)
    try:
        value = _computed(tree, point, numbers)
    except (_NoValue, ArithmeticError, ValueError, TypeError, NotImplementedError, KeyError):
        return None
    return value if numbers.isfinite(value) else None


def _computed(node: Node, point: Mapping[str, Fraction], numbers: Any) -> Any:
    kind = node[0]
    if kind == "number":
        return numbers.mpf(node[1].numerator) / node[1].denominator
    if kind == "constant":
        return +{"pi": numbers.pi, "e": numbers.e, "i": numbers.j}[node[1]]
    if kind == "name":
        return numbers.mpf(point[node[1]].numerator) / point[node[1]].denominator
    values = [_computed(one, point, numbers) for one in node[1:]]
    if kind == "+":
        return values[0] + values[1]
    if kind == "-":
        return values[0] - values[1]
    if kind == "*":
        return values[0] * values[1]
    if kind == "/":
        return values[0] / values[1]
    if kind == "^":
        if abs(values[1]) > 1_000:
            raise _NoValue
        share = _odd_share(node[2]) if names(node[1]) else None
        return _real_power(values[0], *share, numbers) if share else numbers.power(values[0], values[1])
    if kind == "root":
        share = _odd_share(("/", ("number", Fraction(1)), node[2])) if names(node[1]) else None
        return _real_power(values[0], *share, numbers) if share else numbers.power(values[0], 1 / values[1])
    if kind == "degrees":
        return values[0] * numbers.pi / 180
    if kind == "\\log":
        return numbers.log(values[0]) / numbers.log(values[1])
    if kind in ("!", "binom"):
        # Of letters they are functions of whole numbers, of which points say nothing.
        raise _NoValue
    return getattr(numbers, _NAMES.get(kind[1:], kind[1:]))(values[0])


def _odd_share(exponent: Node) -> tuple[int, int] | None:
    """`2/3` as (2, 3): an exponent with an odd denominator, of which also negative numbers have a real power."""
    if exponent[0] == "/" and exponent[1][0] == exponent[2][0] == "number":
        share = exponent[1][1] / exponent[2][1] if exponent[2][1] else Fraction(0)
        if share.denominator > 1 and share.denominator % 2:
            return share.numerator, share.denominator
    return None


def _real_power(base: Any, top: int, bottom: int, numbers: Any) -> Any:
    if numbers.im(base) != 0 or numbers.re(base) >= 0:
        return numbers.power(base, numbers.mpf(top) / bottom)
    size = numbers.power(-base, numbers.mpf(top) / bottom)
    return -size if top % 2 else size
