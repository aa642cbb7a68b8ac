"""The only grader: the evaluation and verl's reward call the same function.

The answer is the last balanced box. Text, numbers and lists are compared here; what they leave open is compared by
math-verify in a worker process that is killed when it takes too long. Verdicts are kept per distinct (gold, answer).
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from quagmires.grading.math.equivalence import (
    DIFFERENT,
    EXACT,
    NO_ANSWER,
    REASONS,
    RIGHT,
    TIMEOUT,
    UNPARSABLE,
    VERIFIED,
    compare,
)
from quagmires.grading.math.extraction import MAX_ANSWER_CHARACTERS, extract_answer
from quagmires.grading.targets import Gold
from quagmires.grading.worker_process import Worker

__all__ = ["DIFFERENT", "EXACT", "NO_ANSWER", "REASONS", "TIMEOUT", "UNPARSABLE", "VERIFIED", "Grade", "Grader"]

# Verdicts kept; a long GRPO run meets millions of answers.
_MOST_KNOWN = 500_000


@dataclass(frozen=True)
class Grade:
    """The verdict on one response: its answer (None if it has no box), whether it is right, and why."""

    answer: str | None
    correct: bool
    reason: str


class Grader:
    """Grades responses; safe to call from threads, and never raises on a response.

    Parameters
    ----------
    workers
        math-verify processes; most answers never reach them.
    timeout
        seconds of processor time one response may take in a worker, whose start is not counted.
    """

    def __init__(self, workers: int = 1, timeout: float = 5.0):
        self._workers = [Worker() for _ in range(workers)]
        self._timeout = timeout
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], str] = {}

    def grade(self, gold: str, response: str) -> Grade:
        """Grade one response."""
        return self.grade_many([gold], [response])[0]

    def grade_many(self, golds: Sequence[str], responses: Sequence[str]) -> list[Grade]:
        """Grade responses against golds of the same length (as `Gold.to_text` writes them); equal pairs are compared
        once.
        """
        answers = [extract_answer(response) for response in responses]
        pairs = list(zip(golds, answers, strict=True))
        reasons = {}
        todo = []
        for pair in dict.fromkeys(pair for pair in pairs if pair[1] is not None):
            reason = self._known.get(pair) or self._decided(*pair)
            if reason is None:
                todo.append(pair)
            else:
                reasons[pair] = reason
        if len(todo) > 1 and len(self._workers) > 1:
            with ThreadPoolExecutor(len(self._workers)) as threads:
                reasons |= zip(todo, threads.map(lambda pair: self._compare(*pair), todo), strict=True)
        else:
            reasons |= {pair: self._compare(*pair) for pair in todo}
        if len(self._known) > _MOST_KNOWN:
            self._known.clear()
        self._known |= reasons
        return [self._grade(answer, reasons.get((gold, answer))) for gold, answer in pairs]

    def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @staticmethod
    def _grade(answer: str | None, reason: str | None) -> Grade:
        if answer is None:
            return Grade(None, False, NO_ANSWER)
        return Grade(answer[:MAX_ANSWER_CHARACTERS], reason in RIGHT, reason)

    @staticmethod
    def _decided(gold: str, answer: str) -> str | None:
        """The verdict, where it takes no computer algebra."""
        if len(answer) > MAX_ANSWER_CHARACTERS:
            return UNPARSABLE
        return compare(_gold(gold), answer, None)

    def _compare(self, gold: str, answer: str) -> str:
        with self._free:
            with self._lock:
                worker = self._workers.pop()
            try:
                return compare(_gold(gold), answer, _Clock(worker, self._timeout).compare)
            finally:
                with self._lock:
                    self._workers.append(worker)


class _Clock:
    """The time of one response, whose parts and alternatives may be many questions."""

    def __init__(self, worker: Worker, seconds: float):
        self._worker, self._left = worker, seconds

    def compare(self, gold: str, answer: str) -> str:
        if self._left <= 0:
            return TIMEOUT
        reason = self._worker.compare(gold, answer, self._left)
        self._left = 0.0 if reason == TIMEOUT else self._left - self._worker.seconds
        return reason


_gold = lru_cache(maxsize=20_000)(Gold.from_text)
