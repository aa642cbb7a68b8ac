"""The handle of a math-verify process: ask, wait, kill.

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

from quagmires.grading.math.equivalence import DIFFERENT, TIMEOUT, UNPARSABLE, VERIFIED
from quagmires.grading.math.extraction import spell_symbols

# Importing sympy on a busy machine can take this long; only then is a start a failure.
START_SECONDS = 120.0
# The process gives up by itself a little before it would be killed: a start costs seconds.
_GRACE = 0.9
# A process that gets no processor time at all is given up after this many times its limit.
_MOST_WAITING = 20
_LOOK_EVERY_SECONDS = 0.05


class Worker:
    """A math-verify process, started when first needed and again after it had to be killed."""

    def __init__(self):
        self._process: subprocess.Popen | None = None
        # Processor time of the last question.
        self.seconds = 0.0

    def compare(self, gold: str, answer: str, seconds: float) -> str:
        """The reason for the verdict on `answer`: verified, different, timeout or unparsable.

        It may take `seconds` of processor time.
        """
        process = self.start()
        before = _processor_seconds(process)
        question = {"gold": spell_symbols(gold), "answer": spell_symbols(answer), "seconds": _GRACE * seconds}
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            reply = _read_line(process, _MOST_WAITING * seconds, before + seconds)
        except BrokenPipeError:
            reply = ""
        self.seconds = _processor_seconds(process) - before
        if not reply:
            # Too slow, or dead (out of memory): this answer is wrong, the next one gets a fresh process.
            self.close()
            return TIMEOUT if reply is None else UNPARSABLE
        reply = json.loads(reply)
        if reply["exhausted"]:
            self.close()
        verdict = reply["verdict"]
        return verdict if verdict in (VERIFIED, DIFFERENT, TIMEOUT) else UNPARSABLE

    def close(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None

    def start(self) -> subprocess.Popen:
        """The process, ready for a question."""
        if self._process is not None and self._process.poll() is not None:
            # Somebody else ended it, such as the kernel when memory ran out.
            self.close()
        if self._process is None:
            scripts = str(Path(__file__).resolve().parents[2])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "quagmires.grading.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": scripts, "OMP_NUM_THREADS": "1"},
            )
            if not _read_line(self._process, START_SECONDS):
                self.close()
                raise RuntimeError("the math-verify worker does not start; run: python -m quagmires.grading.worker")
        return self._process


def _processor_seconds(process: subprocess.Popen) -> float:
    """What a process has used so far, user and system; a dead one has used nothing."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_line(process: subprocess.Popen, timeout: float, processor_seconds: float = math.inf) -> str | None:
    """One line of the worker's output; "" if it died, None if it is late: after `timeout` seconds, or when it has used
    `processor_seconds` since it began.
    """
    deadline = time.monotonic() + timeout
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], _LOOK_EVERY_SECONDS)
        if not ready:
            if time.monotonic() > deadline or _processor_seconds(process) > processor_seconds:
                return None
            continue
        piece = process.stdout.read(65536)
        if not piece:
            return ""
        line += piece
    return line.decode()
