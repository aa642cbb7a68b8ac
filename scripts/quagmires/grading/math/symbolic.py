"""Whether two sympy expressions are one function, tried at a few points: much quicker than simplification.

Two functions that differ at a point are different; two analytic ones that agree at several points where nothing is
special are the same (the lemma of Schwartz and Zippel). What the points leave open is math-verify's to decide.
"""

import itertools
import re
from collections.abc import Iterator
from random import Random

from math_verify.grader import is_assignment_relation, is_equation, take_last_relation
from sympy import (
    Basic,
    Eq,
    Expr,
    Float,
    I,
    Pow,
    Rational,
    Symbol,
    UnevaluatedExpr,
    binomial,
    cancel,
    ceiling,
    factorial,
    floor,
    fraction,
    im,
    log,
    solve,
    together,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import AppliedUndef, Derivative
from sympy.matrices import MatrixBase

# Below the first relative difference functions with decimals in them are equal, below the second all others; above the
# third they are different. Decimals count to six significant digits, and 0.333333 is 1/3.
_EQUAL_DECIMALS, _EQUAL, _APART = 1e-12, 1e-40, 2e-6
_DIGITS = 50
DERIVATIVE = "Derivative"
# A symbol for one, as made here or by an accent.
_IS_DERIVATIVE = re.compile(rf"{DERIVATIVE}|.*_\{{?d+ot")
_MOST_OPERATIONS = 200
# Whether symbols are all positive at a point: where roots and logarithms are involved only there must both agree.
_POINTS = (True, True, False, False)
# Percent signs, and what points say nothing about: sums, derivatives, unknown functions, functions of integers.
_NOT_AT_POINTS = (
    UnevaluatedExpr, ExprWithLimits, Derivative, AppliedUndef, floor, ceiling, factorial, binomial
)  # fmt: skip
# What numbers may hold beside: all of it has a value.
_NOT_NUMBERS = (UnevaluatedExpr, Derivative, AppliedUndef)
# Arbitrary constants, which an answer may number in another way.
_CONSTANT = re.compile(r"(?:[cCkK](?:_\{?\d+\}?)?|[ABD]_\{?\d+\}?)")
_MOST_CONSTANTS = 3


def same_function(gold: object, answer: object) -> bool | None:
    """Whether two parsed answers are one expression; None where this cannot tell.

    Equations are compared by their right sides where math-verify would.

    >>> from sympy import symbols, sinh, exp
    >>> a, t = symbols("a t", real=True)
    >>> same_function((exp(a * t) - exp(-a * t)) / (2 * a), sinh(a * t) / a), same_function(a * t, a + t)
    (True, False)
    >>> same_function(Float("8.224e-19"), Float("8.233e-19")), same_function(a, t)
    (False, None)
    """
    if isinstance(gold, Eq) and isinstance(answer, Eq):
        return _same_equation(gold, answer)
    gold, answer = _right_sides(gold, answer)
    if not (isinstance(gold, Expr) and isinstance(answer, Expr)):
        return None
    if not (gold.free_symbols or answer.free_symbols):
        return _same_number(gold, answer)
    if not (_has_values(gold) and _has_values(answer)):
        return None
    same = _same_at_points(gold, answer)
    if same is not True:
        return True if any(_same_at_points(gold, one) for one in _renamed(gold, answer)) else same
    return same


def _same_number(gold: Expr, answer: Expr) -> bool | None:
    """Numbers, also sums and products with numbers for limits: by their first 50 digits, or six where decimals are."""
    if (
        gold.has(*_NOT_NUMBERS)
        or answer.has(*_NOT_NUMBERS)
        or isinstance(gold, MatrixBase)
        or isinstance(answer, MatrixBase)
    ):
        return None
    values = _values(gold, answer, {})
    if values is None:
        return None
    size = max(map(abs, values))
    if size == 0:
        return True
    difference = abs(values[0] - values[1]) / size
    if gold.has(Float) or answer.has(Float):
        return None if difference < _APART else False
    # What cancels leaves a rest, whose size says nothing.
    return None if size < 10 ** (-_DIGITS) and difference > _EQUAL else bool(difference < _EQUAL)


def _renamed(gold: Expr, answer: Expr) -> Iterator[Expr]:
    """An answer with its arbitrary constants called like the gold's, in every order."""
    wanted, given = ([one for one in side.free_symbols if _CONSTANT.fullmatch(one.name)] for side in (gold, answer))
    wanted, given = sorted(wanted, key=str), sorted(given, key=str)
    if len(wanted) != len(given) or not 1 <= len(wanted) <= _MOST_CONSTANTS:
        return
    for order in itertools.permutations(wanted):
        yield answer.xreplace(dict(zip(given, order, strict=True)))


def _same_at_points(gold: Expr, answer: Expr) -> bool | None:
    names, differences, alike = _names(gold, answer), [], True
    for number, positive in enumerate(_POINTS if names else (True,)):
        values = _values(gold, answer, _point(names, number, positive))
        if values is None:
            return None
        size = max(map(abs, values))
        differences.append(abs(values[0] - values[1]) / size if size else 0)
        alike = alike and len({bool(abs(im(value)) < _EQUAL * size) for value in values}) == 1
        if positive and differences[-1] > _APART:
            # Symbols may be words: `abc` is a product or a name.
            return None if isinstance(gold, Symbol) or isinstance(answer, Symbol) else False
    if not names:
        return None
    if max(differences) < _equal(gold, answer):
        return True
    # Letters under a root or a logarithm are lengths, masses, numbers of things: positive. But where one side is a real
    # number and the other is none, they are two functions.
    at_positive = [one for one, sign in zip(differences, _POINTS, strict=True) if sign]
    alike = alike or all(any(one.free_symbols for one in side.atoms(log)) for side in (gold, answer))
    return (
        True if alike and _has_roots(gold) and _has_roots(answer) and max(at_positive) < _equal(gold, answer) else None
    )


def _has_roots(side: Expr) -> bool:
    """Whether letters stand under a root or in a logarithm."""
    powers = any(not power.exp.is_integer and power.base.free_symbols for power in side.atoms(Pow))
    return powers or any(one.free_symbols for one in side.atoms(log))


def _same_equation(gold: Eq, answer: Eq) -> bool | None:
    """True for equations of which one is a multiple of the other; others may be equivalent as well."""
    gold, answer = gold.lhs - gold.rhs, answer.lhs - answer.rhs
    if not (_has_values(gold) and _has_values(answer)):
        return None
    names, ratios = _names(gold, answer), []
    for number, positive in enumerate(_POINTS if names else ()):
        values = _values(gold, answer, _point(names, number, positive))
        if values is None or 0 in values:
            return None
        ratios.append(values[0] / values[1])
    if ratios and max(abs(one / ratios[0] - 1) for one in ratios) < _equal(gold, answer):
        return True
    if _times_denominators(gold, answer):
        return True
    # Nothing else makes one differential equation of another here; to solve them would take all the time there is.
    derivatives = [{name for name in _names(side, side) if _IS_DERIVATIVE.match(name)} for side in (gold, answer)]
    return False if any(derivatives) else None


def _times_denominators(gold: Expr, answer: Expr) -> bool:
    """Whether one equation is the other times letters that stand in a denominator, and so are not 0."""
    if gold.count_ops() + answer.count_ops() > _MOST_OPERATIONS:
        return False
    parts = [fraction(together(side)) for side in (gold, answer)]
    not_zero = parts[0][1].free_symbols | parts[1][1].free_symbols
    factors = cancel(parts[0][0] * parts[1][1] / (parts[0][1] * parts[1][0])).as_powers_dict()
    return all(base.is_number or (base in not_zero and exponent.is_integer) for base, exponent in factors.items())


def with_plain_symbols(equation: object) -> object:
    """An equation with a symbol for each derivative, and all symbols real; anything else as it is.

    To math-verify all equations that it cannot solve are equal, and `I` may be one symbol in one and another in the
    other.

    >>> x, t = Symbol("x", real=True), Symbol("t")
    >>> sorted(one.name for one in with_plain_symbols(Eq(Derivative(x, t), x)).free_symbols)
    ['Derivative(x, t1)', 'x']
    """
    if not isinstance(equation, Eq):
        return equation
    derivatives = {one: Symbol(f"{DERIVATIVE}{_plainly(one)}") for one in equation.atoms(Derivative)}
    sides = [side.xreplace(derivatives) for side in equation.args]
    # `x(t)` and `x` are one, unless values of x at several places are meant.
    applied = [one for side in sides for one in side.atoms(AppliedUndef)]
    if all(len(one.args) == 1 and one.args[0].is_Symbol for one in applied) and len(
        {one.func for one in applied}
    ) == len(set(applied)):
        sides = [side.xreplace({one: Symbol(one.func.__name__.lstrip("\\")) for one in applied}) for side in sides]
    real = {one: Symbol(one.name, real=True) for side in sides for one in side.free_symbols}
    return Eq(*(side.xreplace(real) for side in sides), evaluate=False)


def _plainly(derivative: Derivative) -> str:
    """`Derivative(v(t), t)` and `Derivative(v, t)` by one name."""
    inner = derivative.expr.func.__name__ if isinstance(derivative.expr, AppliedUndef) else str(derivative.expr)
    return f"({inner}, {', '.join(f'{name}{count}' for name, count in derivative.variable_count)})"


def unsolvable(gold: object) -> bool:
    """Whether sympy finds no solution of an equation, so that nothing was compared when math-verify calls another one
    equal.
    """
    return isinstance(gold, Eq) and not solve(gold, gold.free_symbols)


def _right_sides(gold: object, answer: object) -> tuple[object, object]:
    if isinstance(answer, Basic) and is_equation(answer) and not is_equation(gold):
        return gold, take_last_relation(answer).rhs
    if isinstance(gold, Basic) and is_assignment_relation(gold) and not is_equation(answer):
        return take_last_relation(gold).rhs, answer
    return gold, answer


def _point(names: list[str], number: int, positive: bool) -> dict[str, Expr]:
    random = Random(number)
    signs = (1,) if positive else (-1, 1)
    values = {name: Rational(random.randrange(300, 2300) * random.choice(signs), 1009) for name in names}
    # math-verify's imaginary unit is a symbol.
    return values | ({"i": I} if "i" in names else {})


def _has_values(side: object) -> bool:
    return isinstance(side, Expr) and not isinstance(side, MatrixBase) and not side.has(*_NOT_AT_POINTS)


def _names(gold: Expr, answer: Expr) -> list[str]:
    return sorted(symbol.name for symbol in gold.free_symbols | answer.free_symbols)


def _equal(gold: Expr, answer: Expr) -> float:
    return _EQUAL_DECIMALS if gold.has(Float) or answer.has(Float) else _EQUAL


def _values(gold: Expr, answer: Expr, point: dict[str, Expr]) -> tuple[Expr, Expr] | None:
    """The values at a point, if both are finite numbers."""
    left, right = (_value(side, point) for side in (gold, answer))
    return None if left is None or right is None else (left, right)


def _value(expression: Expr, point: dict[str, Expr]) -> Expr | None:
    values = {symbol: point[symbol.name] for symbol in expression.free_symbols}
    try:
        value = expression.evalf(_DIGITS, subs=values)
        return value if abs(complex(value)) < float("inf") else None
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return None
