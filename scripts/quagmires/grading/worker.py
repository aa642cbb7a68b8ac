"""A process that compares answers of one task, its argument; it may be killed at any moment, and often deserves it.

In: one JSON line `{"gold": ..., "answer": ..., "seconds": ...}`; out: `{"verdict": ..., "exhausted": ...}`:
verified, different, timeout or unparsable, and whether so much memory is in use that a fresh process should follow.
"""

import json
import os
import resource
import signal
import sys
from typing import Any

import psutil

from quagmires.common.errors import command_line
from quagmires.config.task_names import MATH
from quagmires.grading.task import find_task
from quagmires.grading.verdicts import TIMEOUT, UNPARSABLE

# A process uses a quarter of this when nothing is wrong.
MEMORY_BYTES = 1 << 30
_EXHAUSTED_BYTES = MEMORY_BYTES // 2


class Late(BaseException):
    """Time is up. Not an `Exception`: sympy and math-verify catch those."""


def main() -> None:
    # An answer such as a tower of powers must not take the machine with it.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Libraries that print must not disturb the protocol.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGPROF, _late)

    verdict = find_task(sys.argv[1] if len(sys.argv) > 1 else MATH).verifier()

    def reply(value: dict[str, Any]) -> None:
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
            result = TIMEOUT
        # Whatever the answer does to the parser, it is one wrong answer and not the end of the run.
        except Exception:
            result = UNPARSABLE
        signal.setitimer(signal.ITIMER_PROF, 0)
        reply(
            {
                "verdict": result,
                "exhausted": _memory_in_use() > _EXHAUSTED_BYTES,
            }
        )


def _memory_in_use() -> int:
    # Not `ru_maxrss`, which begins with the size of the process that started this one.
    return psutil.Process().memory_info().rss


def _late(*_: object) -> None:
    raise Late


if __name__ == "__main__":
    command_line(main)
