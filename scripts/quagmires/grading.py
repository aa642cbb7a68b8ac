"""The only grader: the evaluation and verl's reward call the same function.

The answer is the last balanced box; it is compared as text after light normalisation, then by math-verify in a
worker process that is killed when it takes too long. Results are kept per distinct (gold, answer).
"""

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from quagmires.answers import MAX_ANSWER_CHARACTERS, extract_answer, normalise

EXACT, VERIFIED, DIFFERENT, NO_ANSWER, TIMEOUT, UNPARSABLE = (
    "exact",
    "verified",
    "different",
    "no_answer",
    "timeout",
    "unparsable",
)
REASONS = (EXACT, VERIFIED, DIFFERENT, NO_ANSWER, TIMEOUT, UNPARSABLE)
# Importing sympy on a busy machine can take this long; only then is a start a failure.
START_SECONDS = 120.0


@dataclass(frozen=True)
class Grade:
    """The verdict on one response: its answer (None if it has no box), whether it is right, and why."""

    answer: str | None
    correct: bool
    reason: str


class Worker:
    """A math-verify process, started when first needed and again after it had to be killed."""

    def __init__(self, timeout: float):
        self.timeout = timeout
        self._process: subprocess.Popen | None = None

    def compare(self, gold: str, answer: str) -> str:
        """The reason for the verdict on `answer`: verified, different, timeout or unparsable."""
        process = self._started()
        try:
            process.stdin.write(json.dumps({"gold": gold, "answer": answer}).encode() + b"\n")
            process.stdin.flush()
            reply = _read_line(process, self.timeout)
        except BrokenPipeError:
            reply = ""
        if reply is None or reply == "":
            # Too slow, or dead (out of memory): this answer is wrong, the next one gets a fresh process.
            self.close()
            return TIMEOUT if reply is None else UNPARSABLE
        verdict = json.loads(reply)
        if "unparsable" in verdict:
            return UNPARSABLE
        return VERIFIED if verdict["correct"] else DIFFERENT

    def close(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None

    def _started(self) -> subprocess.Popen:
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


class Grader:
    """Grades responses; safe to call from threads, and never raises on a response.

    Parameters
    ----------
    workers
        math-verify processes; most answers never reach them.
    timeout
        seconds one comparison may take.
    """

    def __init__(self, workers: int = 1, timeout: float = 5.0):
        self._workers = [Worker(timeout) for _ in range(workers)]
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], str] = {}

    def grade(self, gold: str, response: str) -> Grade:
        """Grade one response."""
        return self.grade_many([gold], [response])[0]

    def grade_many(self, golds: Sequence[str], responses: Sequence[str]) -> list[Grade]:
        """Grade responses against golds of the same length; equal pairs are compared once."""
        answers = [extract_answer(response) for response in responses]
        pairs = {
            (normalise(gold), normalise(answer)): (gold, answer)
            for gold, answer in zip(golds, answers, strict=True)
            if answer is not None
        }
        todo = [pair for key, pair in pairs.items() if key not in self._known and key[0] != key[1]]
        if len(todo) > 1 and len(self._workers) > 1:
            with ThreadPoolExecutor(len(self._workers)) as threads:
                list(threads.map(lambda pair: self._compare(*pair), todo))
        else:
            for gold, answer in todo:
                self._compare(gold, answer)
        return [self._grade(gold, answer) for gold, answer in zip(golds, answers, strict=True)]

    def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _grade(self, gold: str, answer: str | None) -> Grade:
        if answer is None:
            return Grade(None, False, NO_ANSWER)
        key = (normalise(gold), normalise(answer))
        reason = EXACT if key[0] == key[1] else self._known[key]
        return Grade(answer[:MAX_ANSWER_CHARACTERS], reason in (EXACT, VERIFIED), reason)

    def _compare(self, gold: str, answer: str) -> None:
        if len(answer) > MAX_ANSWER_CHARACTERS:
            reason = UNPARSABLE
        else:
            with self._free:
                with self._lock:
                    worker = self._workers.pop()
                try:
                    reason = worker.compare(gold, answer)
                finally:
                    with self._lock:
                        self._workers.append(worker)
        self._known[normalise(gold), normalise(answer)] = reason


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
