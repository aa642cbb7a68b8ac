"""Answers compared by computer algebra, math-verify and sympy; imported by worker processes only."""

import re
from functools import lru_cache
from typing import Any

from latex2sympy2_extended import NormalizationConfig
from math_verify import parse, verify
from math_verify.grader import is_equation
from math_verify.parser import LatexExtractionConfig

from quagmires.grading.math.spelling import spell_symbols
from quagmires.grading.math.symbolic import same_function, unsolvable, with_plain_symbols
from quagmires.grading.task import Verifier
from quagmires.grading.verdicts import DIFFERENT, UNPARSABLE, VERIFIED

_E_NOTATION = re.compile(r"(?<![\w.\\])(\d+(?:\.\d+)?)[eE]([+-]?\d+)(?!\w)")
_BARE_POWER = re.compile(r"\^(-\d+)")
# To math-verify `\gamma` is the gamma function, whose value at -1 is infinite, and `\hbar` is nothing.
_LETTERS = re.compile(r"\\(gamma|hbar)(?![a-zA-Z])(?:_(?:\{(\w+)\}|(\w)))?")
# To math-verify accents are nothing: `\\ddot{x}` is the symbol x_ddot here.
_ACCENT = re.compile(
    r"\\(hat|widehat|tilde|bar|vec|ddot|dot|dddot)\s*(?:\{\s*(\\?[a-zA-Z]+)\s*\}|\s(\\?[a-zA-Z]))(?:_\{?(\w+)\}?)?"
)
_PLAIN = {"d": "delta", "e": "epsilon"}
_D_OR_E = re.compile(r"\\[a-zA-Z]+|([de])")
# Of an angle in degrees.
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)\s*\^\s*\{?\s*\\circ\s*\}?")
_SYMBOLS = r"\\(odot|oplus|star|ast|perp|parallel|infty|min|max)(?![a-zA-Z])"
_SYMBOL_BELOW = re.compile(rf"_(?:\{{\s*{_SYMBOLS}\s*\}}|{_SYMBOLS})")


def verifier() -> Verifier:
    """What compares a gold with an answer, both LaTeX: VERIFIED, DIFFERENT, or UNPARSABLE where one has no meaning.

    It may raise anything, take any time and any memory.
    """
    # Only what is in the box, never a number picked from the text around it, and no plain Python expressions.
    # Units are removed by the caller: math-verify takes the m of `6m` for metres.
    rewriting = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
    )
    extraction = [
        LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False, normalization_config=rewriting)
    ]

    def parsed(text: str) -> list[Any]:
        # The time limit is the worker's; math-verify's own does not always fire.
        found = parse(f"\\boxed{{{_rewritten(spell_symbols(text))}}}", extraction, parsing_timeout=None)
        return [with_plain_symbols(one) for one in found]

    parsed_gold = lru_cache(maxsize=4096)(parsed)

    def verdict(gold: str, answer: str) -> str:
        gold, answer = _letter_e(gold, answer)
        left, right = parsed_gold(gold), parsed(answer)
        if not left or not right:
            return UNPARSABLE
        same = same_function(left[0], right[0])
        if same is None:
            same = verify(left, right, timeout_seconds=None)
            if same and is_equation(right[0]) and unsolvable(left[0]):
                same = False
        return VERIFIED if same else DIFFERENT

    return verdict


def _letter_e(gold: str, answer: str) -> tuple[str, str]:
    """Both with d and e as letters like others, where all of d, e and f stand on both sides: elsewhere e is Euler's
    number, and `df` a differential.
    """
    both = gold + answer
    letters = [set("".join(re.sub(r"\\[a-zA-Z]+", " ", one).split())) for one in (gold, answer)]
    if (
        not all({"d", "e", "f"} <= one for one in letters)
        or "e^" in both
        or "\\int" in both
        or "{d}{d" in both
        or any(f"\\{one}" in both for one in _PLAIN.values())
    ):
        return gold, answer
    gold, answer = (
        _D_OR_E.sub(lambda found: found[0] if found[1] is None else f"\\{_PLAIN[found[1]]} ", one)
        for one in (gold, answer)
    )
    return gold, answer


def _rewritten(text: str) -> str:
    """`4.5e33` is a power of ten, not 4.5 times e times 33; `2^-99` has one exponent; `M_\\odot` is a symbol, and so is
    `\\gamma`.
    """
    text = _ACCENT.sub(lambda found: f"{found[2] or found[3]}_{{{found[1]}{found[4] or ''}}}", text)
    if re.search(r"\\(?:sin|cos|tan|cot|sec|csc)|\be\^", text):
        text = _DEGREES.sub(r"\\frac{\1\\pi}{180}", text)
    text = _SYMBOL_BELOW.sub(lambda below: f"_{{{below[1] or below[2]}}}", text)
    text = _LETTERS.sub(lambda letter: f"g_{{{letter[1]}{letter[2] or letter[3] or ''}}}", text)
    return _BARE_POWER.sub(r"^{\1}", _E_NOTATION.sub(r"\1\\times 10^{\2}", text))
