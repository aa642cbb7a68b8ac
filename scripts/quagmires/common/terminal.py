"""What a person sees while a script works: lines of progress and errors, when the engine's output goes to a log.

Not by tqdm: it redraws one line, and these lines are kept in logs; it counts, and here the engine counts.
"""

import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO

# Where progress and errors go. A script that sends its engine's output to a log keeps the terminal here.
stream: TextIO = sys.stderr


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps, with a note such as the loss."""

    done: int
    total: int
    note: str = ""


def say(name: str, state: Progress, elapsed: float, left: float | None = None) -> None:
    """Print one line of progress to the terminal, and to the log that takes this process's output if there is one."""
    parts = [f"{name}: {state.done}/{state.total}", state.note, f"{clock(elapsed)} so far"]
    if left is not None:
        parts.append(f"about {clock(left)} left")
    for output in dict.fromkeys((stream, sys.stderr)):
        print(", ".join(part for part in parts if part), file=output, flush=True)


def clock(seconds: float) -> str:
    """`3725` -> `1:02:05`, `65` -> `1:05`."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def redirect_output(log: Path) -> None:
    """From now on, what this process and its libraries print (C++ ones too) goes to `log`.

    Progress and errors stay on the terminal; an unexpected exception is one line there and a traceback in the log.
    """
    global stream
    log.parent.mkdir(parents=True, exist_ok=True)
    stream = os.fdopen(os.dup(2), "w", buffering=1)
    with open(log, "ab") as target:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        traceback.print_exception(kind, error, trace)
        words = str(error).strip().splitlines()
        print(f"error: {kind.__name__}: {words[0] if words else ''}; see {log}", file=stream)

    sys.excepthook = report
