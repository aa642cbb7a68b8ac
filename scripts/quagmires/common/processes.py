"""Run a training engine as a child process: its output in a log, its progress in one line, no child left behind.

psutil finds the processes. Supervisors (supervisord, circus) are daemons that restart programs; here a program has to
end with its job.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil

from quagmires.common import terminal, watchdog
from quagmires.common.errors import UserError
from quagmires.common.terminal import Progress, say

POLL_SECONDS = 1.0
REPORT_EVERY_SECONDS = 20.0
TERMINATION_SECONDS = 15.0
# Reading, tokenizing and loading come before the first step.
STARTING_IS_SLOWER = 3
SCRIPTS = Path(__file__).resolve().parents[2]
# vLLM's and torchrun's errors that only point to another one.
_ECHOES = ("EngineDeadError", "EngineGenerateError", "Engine core initialization failed", "ChildFailedError")


@dataclass(frozen=True)
class Stop:
    """How an engine is asked to save and end: it looks for `file` after each step; `grace` seconds later it is killed.

    A file and not a signal: SLURM signals every process of a job at once, and torchrun answers by killing its workers.
    """

    file: Path
    grace: float


def run_engine(
    command: Sequence[str],
    *,
    name: str,
    log: Path,
    environment: Mapping[str, str],
    progress: Callable[[], Progress | None],
    stall_minutes: float,
    stop: Stop | None = None,
    each_look: Callable[[], object] = lambda: None,
) -> None:
    """Run `command`, append its output to `log`, and print a line of progress now and then to stderr.

    `each_look` is called whenever progress is looked at. On SIGTERM the engine is asked to save if there is a `stop`,
    then ended, and SystemExit is raised. Nothing the engine started outlives this process, even if that is killed.

    Raises
    ------
    UserError
        The engine failed; the message holds its exit status and its last words. Or there was no new step for
        `stall_minutes`, three times that before the first.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if stop:
        stop.file.unlink(missing_ok=True)
    before = progress()
    with _exit_on_sigterm() as from_now, open(log, "ab") as output:
        output.write(f"$ {' '.join(command)}\n".encode())
        output.flush()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
            preexec_fn=_ignore_sigterm if stop else None,
        )
        guard = watchdog.start(os.getpid(), str(SCRIPTS))
        try:
            # Told earlier, the engine would not be ended.
            from_now()
            _watch(child, name, log, progress, before, stall_minutes, each_look)
        except SystemExit:
            if stop:
                _ask_to_save(child, name, stop)
            raise
        finally:
            # An engine that is asked by file ignores SIGTERM.
            _end(child, (signal.SIGKILL,) if stop else (signal.SIGTERM, signal.SIGKILL))
            watchdog.stop(guard)
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


def _watch(
    child: subprocess.Popen,
    name: str,
    log: Path,
    progress: Callable[[], Progress | None],
    before: Progress | None,
    stall_minutes: float,
    each_look: Callable[[], object],
) -> None:
    """Wait for the engine. `before` is the progress of earlier attempts: what differs from it is this one's."""
    started = looked = moved = time.monotonic()
    first: tuple[float, int] | None = None
    said = latest = before
    while child.poll() is None:
        time.sleep(POLL_SECONDS)
        now = time.monotonic()
        if now - looked < REPORT_EVERY_SECONDS:
            continue
        looked = now
        each_look()
        state = progress()
        if state is not None and (latest is None or state.done != latest.done):
            moved, latest = now, state
            first = first or (now, state.done)
        if state is not None and state != said:
            said = state
            say(name, state, now - started, _time_left(state, first, now) if first else None)
        limit = stall_minutes if first else STARTING_IS_SLOWER * stall_minutes
        if now - moved > 60 * limit:
            raise UserError(
                f"{name}: no new step for {limit:g} minutes at step {latest.done if latest else 0};"
                f" run again to resume from the last checkpoint; see {log}"
            )


def _time_left(state: Progress, first: tuple[float, int], now: float) -> float | None:
    """Seconds left at the pace since the first report; start-up does not count."""
    seconds, steps = now - first[0], state.done - first[1]
    return (state.total - state.done) * seconds / steps if steps > 0 else None


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[Callable[[], None]]:
    """Raise SystemExit at the first SIGTERM; later ones do not disturb the end that it began.

    Not before the function is called that this gives: one that comes earlier is kept until then.
    """
    told: list[int] = []
    begun = False

    def leave(signum: int, frame: FrameType | None) -> None:
        told.append(signum)
        if begun:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise SystemExit(128 + signum)

    def begin() -> None:
        nonlocal begun
        begun = True
        if told:
            leave(told[0], None)

    previous = signal.signal(signal.SIGTERM, leave)
    try:
        yield begin
    finally:
        signal.signal(signal.SIGTERM, previous)


def _ask_to_save(child: subprocess.Popen, name: str, stop: Stop) -> None:
    """Ask the engine to save after the step it is at, and give it time."""
    print(f"{name}: told to stop; saving first, for {stop.grace:g} seconds at most", file=terminal.stream, flush=True)
    stop.file.touch()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(stop.grace)


def _end(child: subprocess.Popen, signals: Sequence[int]) -> None:
    """End the child with all it started."""
    descendants = []
    with contextlib.suppress(psutil.NoSuchProcess):
        descendants = psutil.Process(child.pid).children(recursive=True)
    for number in signals:
        # The group outlives its leader when workers hang; a group that is gone is what we want.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(TERMINATION_SECONDS)
    for process in descendants:
        # Ray's and torchrun's processes are in sessions of their own.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
