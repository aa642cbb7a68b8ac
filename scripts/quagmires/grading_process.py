"""The handle of a math-verify process: ask, wait, kill."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from quagmires.answers import spell_symbols
from quagmires.comparison import DIFFERENT, TIMEOUT, UNPARSABLE, VERIFIED

# Importing sympy on a busy machine can take this long; only then is a start a failure.
START_SECONDS = 120.0
# The process gives up by itself a little before it would be killed: a start costs seconds.
_GRACE = 0.9


class Worker:
    """A math-verify process, started when first needed and again after it had to be killed."""

    def __init__(self):
        self._process: subprocess.Popen | None = None

    def compare(self, gold: str, answer: str, seconds: float) -> str:
        """The reason for the verdict on `answer`: verified, different, timeout or unparsable."""
        process = self.start()
        question = {"gold": spell_symbols(gold), "answer": spell_symbols(answer), "seconds": _GRACE * seconds}
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            reply = _read_line(process, seconds)
        except BrokenPipeError:
            reply = ""
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
            scripts = str(Path(__file__).resolve().parents[1])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "quagmires.grading_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env={**os.environ, "PYTHONPATH": scripts, "OMP_NUM_THREADS": "1"},
            )
            if not _read_line(self._process, START_SECONDS):
                self.close()
                raise RuntimeError("the math-verify worker does not start; run: python -m quagmires.grading_worker")
        return self._process


def _read_line(process: subprocess.Popen, timeout: float) -> str | None:
    """One line of the worker's output; "" if it died, None if it is late."""
    deadline = time.monotonic() + timeout
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return None
        piece = process.stdout.read(65536)
        if not piece:
            return ""
        line += piece
    return line.decode()
