"""Whether two sympy expressions are one function, tried at a few points: much quicker than simplification.

Two functions that differ at a point are different; two analytic ones that agree at several points where nothing is
special are the same (the lemma of Schwartz and Zippel). What the points leave open is math-verify's to decide.
"""

from random import Random

from math_verify.grader import is_assignment_relation, is_equation, take_last_relation
from sympy import (
    Basic,
    Eq,
    Expr,
    Float,
    I,
    Rational,
    Symbol,
    UnevaluatedExpr,
    binomial,
    ceiling,
    factorial,
    floor,
    solve,
)
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.core.function import AppliedUndef, Derivative
from sympy.matrices import MatrixBase

# Below the first relative difference functions with decimals in them are equal, below the second all others; above the
# third they are different. Decimals count to six significant digits, and 0.333333 is 1/3.
_EQUAL_DECIMALS, _EQUAL, _APART = 1e-12, 1e-40, 2e-6
_DIGITS = 50
# Whether symbols are all positive at a point: where roots and logarithms are involved only there must both agree.
_POINTS = (True, True, False, False)
# Percent signs, and what points say nothing about: sums, derivatives, unknown functions, functions of integers.
_NOT_AT_POINTS = (
    UnevaluatedExpr, ExprWithLimits, Derivative, AppliedUndef, floor, ceiling, factorial, binomial
)  # fmt: skip


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
    if not (_has_values(gold) and _has_values(answer)):
        return None
    names, differences = _names(gold, answer), []
    for number, positive in enumerate(_POINTS if names else (True,)):
        values = _values(gold, answer, _point(names, number, positive))
        if values is None:
            return None
        size = max(map(abs, values))
        differences.append(abs(values[0] - values[1]) / size if size else 0)
        if positive and differences[-1] > _APART:
            # Symbols may be words: `abc` is a product or a name.
            return None if isinstance(gold, Symbol) or isinstance(answer, Symbol) else False
    # Numbers are compared exactly elsewhere.
    return True if names and max(differences) < _equal(gold, answer) else None


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
    return True if ratios and max(abs(one / ratios[0] - 1) for one in ratios) < _equal(gold, answer) else None


def with_plain_symbols(equation: object) -> object:
    """An equation with a symbol for each derivative, and all symbols real; anything else as it is.

    To math-verify all equations that it cannot solve are equal, and `I` may be one symbol in one and another in the
    other.

    >>> x, t = Symbol("x", real=True), Symbol("t")
    >>> with_plain_symbols(Eq(Derivative(x, t), x)).free_symbols == {x, Symbol("Derivative(x, t)", real=True)}
    True
    """
    if not isinstance(equation, Eq):
        return equation
    derivatives = {one: Symbol(str(one)) for one in equation.atoms(Derivative)}
    sides = [side.xreplace(derivatives) for side in equation.args]
    real = {one: Symbol(one.name, real=True) for side in sides for one in side.free_symbols}
    return Eq(*(side.xreplace(real) for side in sides), evaluate=False)


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
