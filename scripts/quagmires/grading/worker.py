"""A process that compares answers with math-verify; it may be killed at any moment, and often deserves it.

In: one JSON line `{"gold": ..., "answer": ..., "seconds": ...}`; out: `{"verdict": ..., "exhausted": ...}`:
verified, different, timeout or unparsable, and whether so much memory is in use that a fresh process should follow.
"""

import json
import os
import re
import resource
import signal
import sys
from functools import lru_cache

# A process uses a quarter of this when nothing is wrong.
MEMORY_BYTES = 1 << 30
_EXHAUSTED_BYTES = MEMORY_BYTES // 2

_E_NOTATION = re.compile(r"(?<![\w.\\])(\d+(?:\.\d+)?)[eE]([+-]?\d+)(?!\w)")
_BARE_POWER = re.compile(r"\^(-\d+)")
# To math-verify `\gamma` is the gamma function, whose value at -1 is infinite, and `\hbar` is nothing.
_LETTERS = re.compile(r"\\(gamma|hbar)(?![a-zA-Z])(?:_(?:\{(\w+)\}|(\w)))?")
_SYMBOLS = r"\\(odot|oplus|star|ast|perp|parallel|infty|min|max)(?![a-zA-Z])"
_SYMBOL_BELOW = re.compile(rf"_(?:\{{\s*{_SYMBOLS}\s*\}}|{_SYMBOLS})")


class Late(BaseException):
    """Time is up. Not an `Exception`: sympy and math-verify catch those."""


def main() -> None:
    # An answer such as a tower of powers must not take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Libraries that print must not disturb the protocol.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGPROF, _late)

    from latex2sympy2_extended import NormalizationConfig
    from math_verify import parse, verify
    from math_verify.grader import is_equation
    from math_verify.parser import LatexExtractionConfig

    from quagmires.grading.math.symbolic import same_function, unsolvable, with_plain_symbols

    # Only what is in the box, never a number picked from the text around it, and no plain Python expressions.
    # Units are removed by the caller: math-verify takes the m of `6m` for metres.
    rewriting = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="all", equations=False
    )
    extraction = [
        LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False, normalization_config=rewriting)
    ]

    def parsed(text: str):
        # The time limit is ours; math-verify's own does not always fire.
        found = parse(f"\\boxed{{{_rewritten(text)}}}", extraction, parsing_timeout=None)
        return [with_plain_symbols(one) for one in found]

    parsed_gold = lru_cache(maxsize=4096)(parsed)

    def verdict(gold: str, answer: str) -> str:
        left, right = parsed_gold(gold), parsed(answer)
        if not left or not right:
            return "unparsable"
        same = same_function(left[0], right[0])
        if same is None:
            same = verify(left, right, timeout_seconds=None)
            if same and is_equation(right[0]) and unsolvable(left[0]):
                same = False
        return "verified" if same else "different"

    def reply(value: dict) -> None:
        replies.write(json.dumps(value) + "\n")
        replies.flush()

    reply({"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        try:
            signal.setitimer(signal.ITIMER_PROF, question["seconds"])
            result = verdict(question["gold"], question["answer"])
            signal.setitimer(signal.ITIMER_PROF, 0)
        except Late:
            result = "timeout"
        # Whatever the answer does to the parser, it is one wrong answer and not the end of the run.
        except Exception:
            result = "unparsable"
        signal.setitimer(signal.ITIMER_PROF, 0)
        reply(
            {
                "verdict": result,
                "exhausted": _memory_in_use() > _EXHAUSTED_BYTES,
            }
        )


def _memory_in_use() -> int:
    # Not `ru_maxrss`, which begins with the size of the process that started this one.
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def _late(*_) -> None:
    raise Late


def _rewritten(text: str) -> str:
    """`4.5e33` is a power of ten, not 4.5 times e times 33; `2^-99` has one exponent; `M_\\odot` is a symbol, and so is
    `\\gamma`.
    """
    text = _SYMBOL_BELOW.sub(lambda below: f"_{{{below[1] or below[2]}}}", text)
    text = _LETTERS.sub(lambda letter: f"g_{{{letter[1]}{letter[2] or letter[3] or ''}}}", text)
    return _BARE_POWER.sub(r"^{\1}", _E_NOTATION.sub(r"\1\\times 10^{\2}", text))


if __name__ == "__main__":
    main()
