"""Numbers in closed form, such as `\\frac{3+\\sqrt{5}}{2}\\pi`, as floats: enough to tell most different answers apart.

A recursive descent over normalised LaTeX. It knows numbers, `\\frac`, `\\sqrt`, `\\pi`, brackets, powers and the four
operations, and gives up on everything else; nothing is evaluated as code.
"""

import math
import re

_MOST_CHARACTERS = 300
_DEEPEST = 30
# Between these two relative differences floats do not decide.
EQUAL, APART = 1e-13, 1e-6
# Beyond this size neighbouring integers are closer than `EQUAL`.
_LARGE = 1e12

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\.\d+|\\[a-zA-Z]+|\\[{}]|[-+*/^(){}\[\]]")
_MULTIPLICATIONS = ("*", "\\cdot", "\\times")
_STARTS = ("(", "{", "\\frac", "\\sqrt", "\\pi")


class _Unknown(Exception):
    """Not a number in closed form."""


def closed_form(text: str) -> float | None:
    """The value of a normalised answer, infinite for `\\infty`; None if it is anything but a number in closed form.

    >>> round(closed_form(r"\\frac{3+\\sqrt{5}}{2}"), 6), closed_form(r"-\\infty"), closed_form("2x")
    (2.618034, -inf, None)
    >>> closed_form(r"2^{10^{10}}"), closed_form(r"\\sqrt[3]{-8}")
    (None, -2.0)
    """
    if len(text) > _MOST_CHARACTERS or not text:
        return None
    infinity = re.fullmatch(r"([+-]?)\\infty", text)
    if infinity:
        return -math.inf if infinity[1] == "-" else math.inf
    tokens = _TOKEN.findall(text)
    if sum(map(len, tokens)) != len(text.replace(" ", "")):
        return None
    try:
        reader = _Reader(tokens)
        value = reader.sum(0)
        return value if reader.position == len(tokens) and math.isfinite(value) else None
    except (_Unknown, ArithmeticError, ValueError, TypeError):
        return None


def same_number(left: float, right: float) -> bool | None:
    """Whether two values are one number; None where floats cannot tell."""
    if math.isinf(left) or math.isinf(right):
        return left == right
    if 0 in (left, right):
        # What should cancel leaves a rest in floats.
        return left == right or (None if max(abs(left), abs(right)) < EQUAL else False)
    difference = abs(left - right) / max(abs(left), abs(right))
    if difference > APART:
        return False
    return True if difference <= EQUAL and abs(left) < _LARGE else None


class _Reader:
    """Reads tokens from the left; every method returns the value of what it read."""

    def __init__(self, tokens: list[str]):
        self.tokens, self.position = tokens, 0

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.next
        if expected and token not in expected:
            raise _Unknown
        self.position += 1
        return token

    def sum(self, depth: int) -> float:
        if depth > _DEEPEST:
            raise _Unknown
        sign = -1.0 if self.next in "+-" and self.next and self.take() == "-" else 1.0
        value = sign * self.product(depth)
        while self.next in ("+", "-"):
            value += self.product(depth) if self.take() == "+" else -self.product(depth)
        return value

    def product(self, depth: int) -> float:
        value = self.power(depth)
        while True:
            if self.next in _MULTIPLICATIONS:
                self.take()
                value *= self.power(depth)
            elif self.next == "/":
                self.take()
                value /= self.power(depth)
            elif self.next in _STARTS:
                # `2\frac{1}{2}` may be a mixed number.
                if self.next == "\\frac" and self.tokens[self.position - 1].isdigit():
                    raise _Unknown
                value *= self.power(depth)
            else:
                return value

    def power(self, depth: int) -> float:
        value = self.atom(depth)
        if self.next != "^":
            return value
        self.take()
        exponent = self.group(depth) if self.next == "{" else self.digit()
        result = value**exponent
        if isinstance(result, complex):
            raise _Unknown
        return result

    def digit(self) -> float:
        # `2^10` is 2^1 times 0 in LaTeX, and 2^10 for many who write it.
        if len(self.next) != 1 or not self.next.isdigit():
            raise _Unknown
        return float(self.take())

    def group(self, depth: int) -> float:
        closing = {"{": "}", "(": ")"}[self.take("{", "(")]
        value = self.sum(depth + 1)
        self.take(closing)
        return value

    def atom(self, depth: int) -> float:
        token = self.next
        if token in ("(", "{"):
            return self.group(depth)
        self.take()
        if token[:1].isdigit() or token[:1] == ".":
            return float(token)
        if token == "\\pi":
            return math.pi
        if token == "\\frac":
            return self.group(depth) / self.group(depth)
        if token == "\\sqrt":
            return self.root(depth)
        raise _Unknown

    def root(self, depth: int) -> float:
        degree = 2.0
        if self.next == "[":
            self.take()
            degree = float(self.take())
            self.take("]")
        value = self.group(depth)
        if value < 0:
            if degree % 2 != 1:
                raise _Unknown
            return -((-value) ** (1 / degree))
        return value ** (1 / degree)
