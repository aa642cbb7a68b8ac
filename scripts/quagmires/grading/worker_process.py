"""The handle of a process that compares answers: ask, wait, kill.

Limits are processor time, so that a verdict does not depend on what else the machine does.
"""

import json
import math
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import psutil

from quagmires.config.task_names import MATH
from quagmires.grading.verdicts import DIFFERENT, TIMEOUT, UNPARSABLE, VERIFIED

# Importing sympy on a busy machine can take this long; only then is a start a failure.
START_SECONDS = 120.0
# The process gives up by itself a little before it would be killed: a start costs seconds.
_GRACE = 0.9
# A process that gets no processor time at all is given up after this many times its limit.
_MOST_WAITING = 20
_LOOK_EVERY_SECONDS = 0.05


class Worker:
    """A process that compares answers of one task, started when first needed and again after it had to be killed."""

    def __init__(self, task: str = MATH) -> None:
        self._task = task
        self._process: subprocess.Popen[bytes] | None = None
        # Processor time of the last question.
        self.seconds = 0.0

    def compare(self, gold: str, answer: str, seconds: float) -> str:
        """The reason for the verdict on `answer`: verified, different, timeout or unparsable.

        It may take `seconds` of processor time.
        """
        process = self.start()
        questions, _ = _pipes(process)
        before = _processor_seconds(process)
        question = {"gold": gold, "answer": answer, "seconds": _GRACE * seconds}
        try:
            questions.write(json.dumps(question).encode() + b"\n")
            questions.flush()
            line = _read_line(process, _MOST_WAITING * seconds, before + seconds)
        except BrokenPipeError:
            line = ""
        self.seconds = _processor_seconds(process) - before
        if not line:
            # Too slow, or dead (out of memory): this answer is wrong, the next one gets a fresh process.
            self.close()
            return TIMEOUT if line is None else UNPARSABLE
        reply = json.loads(line)
        if reply["exhausted"]:
            self.close()
        verdict = reply["verdict"]
        return verdict if verdict in (VERIFIED, DIFFERENT, TIMEOUT) else UNPARSABLE

    def close(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in _pipes(self._process):
                pipe.close()
            self._process = None

    def start(self) -> subprocess.Popen[bytes]:
        """The process, ready for a question."""
        if self._process is not None and self._process.poll() is not None:
            # Somebody else ended it, such as the kernel when memory ran out.
            self.close()
        if self._process is None:
            scripts = str(Path(__file__).resolve().parents[2])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "quagmires.grading.worker", self._task],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": scripts, "OMP_NUM_THREADS": "1"},
            )
            if not _read_line(self._process, START_SECONDS):
                self.close()
                command = f"python -m quagmires.grading.worker {self._task}"
                raise RuntimeError(f"the process that compares answers does not start; run: {command}")
        return self._process


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """The ends of a process' input and output."""
    assert process.stdin is not None and process.stdout is not None
    return process.stdin, process.stdout


def _processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What a process has used so far, user and system; a dead one has used nothing."""
    try:
        times = psutil.Process(process.pid).cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def _read_line(process: subprocess.Popen[bytes], timeout: float, processor_seconds: float = math.inf) -> str | None:
    """One line of the worker's output; "" if it died, None if it is late: after `timeout` seconds, or when it has used
    `processor_seconds` since it began.
    """
    _, replies = _pipes(process)
    deadline = time.monotonic() + timeout
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([replies], [], [], _LOOK_EVERY_SECONDS)
        if not ready:
            if time.monotonic() > deadline or _processor_seconds(process) > processor_seconds:
                return None
            continue
        piece = replies.read(65536)
        if not piece:
            return ""
        line += piece
    return line.decode()
