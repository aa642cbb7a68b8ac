"""Formulas as trees, by a recursive descent over normalised LaTeX; nothing is evaluated as code.

A tree is a tuple: `("number", Fraction)`, `("constant", "pi")`, `("name", "x_1")`, or an operator or function with its
arguments. What is not plainly one formula (a mixed number, an unknown command, a function of unknown extent) is none.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

Node = tuple[Any, ...]

FUNCTIONS = (
    *("\\sin", "\\cos", "\\tan", "\\cot", "\\sec", "\\csc", "\\ln", "\\log", "\\exp"),
    *("\\arcsin", "\\arccos", "\\arctan", "\\sinh", "\\cosh", "\\tanh"),
)
_MOST_CHARACTERS = 300
_DEEPEST = 30
_GREEK = (
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|rho|sigma|tau|phi|varphi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Sigma|Phi|Psi|Omega|ell|hbar"
)
_NAME = rf"(?:[a-zA-Z]|\\(?:{_GREEK})(?![a-zA-Z]))(?:_(?:[a-zA-Z0-9]|\{{[^{{}}]*\}}))?"
_TOKEN = re.compile(rf"\d+(?:\.\d+)?|\.\d+|{_NAME}|\\[a-zA-Z]+|\\[{{}}%]|\^\\circ|[-+*/^_(){{}}\[\]!]")
_IS_NAME = re.compile(_NAME)
_OFTEN_FUNCTIONS = (*"fghFGHPQ", "\\Gamma", "\\zeta", "\\phi", "\\Phi")
_MULTIPLICATIONS = ("*", "\\cdot", "\\times")
_STARTS = ("(", "[", "{", "\\frac", "\\sqrt", "\\pi", "\\binom", *FUNCTIONS)


_MINUS_ONE = ("-", ("number", Fraction(0)), ("number", Fraction(1)))


class NoTree(Exception):
    """Not one formula, as far as this can read."""


@lru_cache(maxsize=20_000)
def read_tree(text: str) -> Node | None:
    """The tree of a normalised formula; None if it is none that can be read.

    >>> read_tree("2x_1")
    ('*', ('number', Fraction(2, 1)), ('name', 'x_1'))
    >>> read_tree(r"1\\frac{1}{2}") is None, read_tree("f(x)") is None
    (True, True)
    """
    if len(text) > _MOST_CHARACTERS or not text:
        return None
    tokens = _TOKEN.findall(text)
    if sum(map(len, tokens)) != len(text.replace(" ", "")) and "".join(tokens) != text.replace(" ", ""):
        return None
    try:
        reader = _Reader(tokens)
        tree = reader.sum(0)
    except (NoTree, ValueError, RecursionError, KeyError):
        return None
    return tree if reader.position == len(tokens) else None


def names(tree: Node) -> frozenset[str]:
    """The names of a tree."""
    if tree[0] == "name":
        return frozenset([tree[1]])
    return frozenset().union(*(names(one) for one in tree[1:] if isinstance(one, tuple)))


def holds(tree: Node, *kinds: str) -> bool:
    """Whether a tree has a part of one of these kinds."""
    return tree[0] in kinds or any(holds(one, *kinds) for one in tree[1:] if isinstance(one, tuple))


class _Reader:
    """Reads tokens from the left; every method returns the tree of what it read."""

    def __init__(self, tokens: list[str]):
        self.tokens, self.position = tokens, 0

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, *expected: str) -> str:
        token = self.next
        if expected and token not in expected:
            raise NoTree
        self.position += 1
        return token

    def sum(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NoTree
        negative = bool(self.next) and self.next in "+-" and self.take() == "-"
        value = self.product(depth)
        if negative:
            value = ("-", ("number", Fraction(0)), value)
        while self.next in ("+", "-"):
            value = (self.take(), value, self.product(depth))
        return value

    def product(self, depth: int) -> Node:
        value, divided = self.power(depth), False
        while True:
            if self.next in _MULTIPLICATIONS:
                self.take()
                value, divided = ("*", value, self.power(depth)), False
            elif self.next == "/":
                self.take()
                value, divided = ("/", value, self.power(depth)), True
            elif self.next in _STARTS or _IS_NAME.fullmatch(self.next):
                # `1/2x` is read in two ways, and `2\frac{1}{2}` may be a mixed number.
                if divided:
                    raise NoTree
                if self.next == "\\frac" and self.tokens[self.position - 1].isdigit():
                    raise NoTree
                value = ("*", value, self.power(depth))
            else:
                return value

    def power(self, depth: int) -> Node:
        value = self.atom(depth)
        while True:
            if self.next == "!":
                self.take()
                value = ("!", value)
            elif self.next == "^\\circ":
                self.take()
                value = ("degrees", value)
            elif self.next == "^":
                self.take()
                value = ("^", value, self.group(depth) if self.next == "{" else self.character())
                if self.next == "^":
                    raise NoTree
            else:
                return value

    def character(self) -> Node:
        """What stands after `^` without braces; normalised text has none around one letter."""
        token = self.next
        if token in ("e", "i", "\\pi"):
            return ("constant", self.take().strip("\\"))
        return ("name", self.take()) if len(token) == 1 and token.isalpha() else self.digit()

    def digit(self) -> Node:
        # `2^10` is 2^1 times 0 in LaTeX, and 2^10 for many who write it.
        if len(self.next) != 1 or not self.next.isdigit():
            raise NoTree
        return ("number", Fraction(self.take()))

    def group(self, depth: int) -> Node:
        closing = {"{": "}", "(": ")", "[": "]"}[self.take("{", "(", "[")]
        value = self.sum(depth + 1)
        self.take(closing)
        return value

    def atom(self, depth: int) -> Node:
        token = self.next
        if token in ("(", "{", "["):
            return self.group(depth)
        self.take()
        if token[:1].isdigit() or token[:1] == ".":
            return ("number", Fraction(token))
        if token in ("\\pi", "e", "i"):
            return ("constant", token.strip("\\"))
        if _IS_NAME.fullmatch(token):
            # `f(x)` is a value of a function, `x(x+1)` a product.
            if self.next == "(" and (
                token in _OFTEN_FUNCTIONS or self.tokens[self.position + 2 : self.position + 3] == [")"]
            ):
                raise NoTree
            return ("name", token)
        if token == "\\frac":
            return ("/", self.group(depth), self.group(depth))
        if token == "\\binom":
            return ("binom", self.group(depth), self.group(depth))
        if token == "\\sqrt":
            return self.root(depth)
        if token in FUNCTIONS:
            return self.function(token, depth)
        raise NoTree

    def function(self, name: str, depth: int) -> Node:
        base: tuple[Node, ...] = ()
        if name == "\\log":
            # Of the base opinions differ.
            self.take("_")
            base = (self.group(depth) if self.next == "{" else self.digit(),)
        exponent: Node | None = None
        if self.next == "^":
            # `\\sin^2 x`, and `\\sin^{-1} x`.
            self.take()
            exponent = self.group(depth) if self.next == "{" else self.digit()
            if exponent == _MINUS_ONE and name in ("\\sin", "\\cos", "\\tan"):
                name, exponent = f"\\arc{name[1:]}", None
            elif exponent[0] != "number":
                raise NoTree
        bracketed = self.next in ("(", "[", "{")
        argument = self.group(depth) if bracketed else self.power(depth)
        if not bracketed and argument[0] == "number" and (self.next == "\\pi" or _IS_NAME.fullmatch(self.next or " ")):
            # `\\sin 2x` is of 2x.
            argument = ("*", argument, self.power(depth))
        if not bracketed and (self.next in _STARTS or self.next[:1].isdigit() or _IS_NAME.fullmatch(self.next or " ")):
            raise NoTree
        value = (name, argument, *base)
        return value if exponent is None else ("^", value, exponent)

    def root(self, depth: int) -> Node:
        degree: Node = ("number", Fraction(2))
        if self.next == "[":
            degree = self.group(depth)
        return ("root", self.group(depth), degree)
