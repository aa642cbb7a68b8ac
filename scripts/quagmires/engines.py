"""Run a training engine as a child process: its output in a log, its progress in one line, no child left behind."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from quagmires.errors import UserError

POLL_SECONDS = 1.0
REPORT_EVERY_SECONDS = 20.0
TERMINATION_SECONDS = 15.0
_PR_SET_PDEATHSIG = 1
# vLLM's errors that only point to another one.
_ECHOES = ("EngineDeadError", "EngineGenerateError", "Engine core initialization failed")

# Where progress and errors go; a script that sends its engine's output to a log keeps the terminal here.
terminal: TextIO = sys.stderr


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps, with a note such as the loss."""

    done: int
    total: int
    note: str = ""


def run_engine(
    command: Sequence[str],
    *,
    name: str,
    log: Path,
    environment: Mapping[str, str],
    progress: Callable[[], Progress | None],
) -> None:
    """Run `command`, append its output to `log`, and print a line of progress now and then to stderr.

    Raises
    ------
    UserError
        The engine failed; the message holds its exit status and its last words.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    with _terminating(child):
        _watch(child, name, progress)
    if child.returncode != 0:
        raise UserError(
            f"{name}: the engine ended with status {child.returncode}; see {log}. It said: {last_words(log)}"
        )


def last_words(log: Path, limit: int = 400) -> str:
    """The most telling line near the end of a log: the last one that names an error, else the last one."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-200:]]
    lines = [line for line in lines if line]
    telling = [
        line for line in lines if ("Error" in line or "error:" in line) and not any(one in line for one in _ECHOES)
    ]
    return (telling or lines or ["nothing"])[-1][:limit]


def _watch(child: subprocess.Popen, name: str, progress: Callable[[], Progress | None]) -> None:
    started = reported = time.monotonic()
    first: tuple[float, int] | None = None
    said = None
    while child.poll() is None:
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - reported < REPORT_EVERY_SECONDS:
            continue
        state = progress()
        if state is None or state == said:
            continue
        first = first or (now, state.done)
        say(name, state, now - started, _time_left(state, first, now))
        reported, said = now, state


def _time_left(state: Progress, first: tuple[float, int], now: float) -> float | None:
    """Seconds left at the pace since the first report; start-up does not count."""
    seconds, steps = now - first[0], state.done - first[1]
    return (state.total - state.done) * seconds / steps if steps > 0 else None


def say(name: str, state: Progress, elapsed: float, left: float | None = None) -> None:
    """Print one line of progress to the terminal, and to the log that takes this process's output if there is one."""
    parts = [f"{name}: {state.done}/{state.total}", state.note, f"{clock(elapsed)} so far"]
    if left is not None:
        parts.append(f"about {clock(left)} left")
    for stream in dict.fromkeys((terminal, sys.stderr)):
        print(", ".join(part for part in parts if part), file=stream, flush=True)


def clock(seconds: float) -> str:
    """`3725` -> `1:02:05`, `65` -> `1:05`."""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def redirect_output(log: Path) -> None:
    """From now on, what this process and its libraries print (C++ ones too) goes to `log`.

    Progress and errors stay on the terminal; an unexpected exception is one line there and a traceback in the log.
    """
    global terminal
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    with open(log, "ab") as target:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)

    def report(kind, error, trace):
        traceback.print_exception(kind, error, trace)
        words = str(error).strip().splitlines()
        print(f"error: {kind.__name__}: {words[0] if words else ''}; see {log}", file=terminal)

    sys.excepthook = report


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def _terminating(child: subprocess.Popen) -> Iterator[None]:
    """End the child's whole process group when this process is told to stop, or fails."""

    def stop(signum, frame):
        raise SystemExit(128 + signum)

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        for number in (signal.SIGTERM, signal.SIGKILL):
            # The group outlives its leader when workers hang; a group that is gone is what we want.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(TERMINATION_SECONDS)
