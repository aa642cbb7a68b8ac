"""The only grader: the evaluation and verl's reward call the same function.

A task says what the answer of a response is and compares it with the gold. In mathematics the answer is the last
balanced box, and text, numbers and lists are compared here; what they leave open is compared by math-verify in a worker
process that is killed when it takes too long. Verdicts on the pairs of gold and answer met last are remembered.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

from quagmires.config.gold_rules import Gold
from quagmires.config.task_names import MATH
from quagmires.grading.known import KnownVerdicts, pair_key
from quagmires.grading.task import find_task
from quagmires.grading.verdicts import NO_ANSWER, RIGHT, TIMEOUT, UNPARSABLE
from quagmires.grading.worker_process import Worker

# A final answer longer than this is not one; it only costs time and memory.
MAX_ANSWER_CHARACTERS = 2_000


@dataclass(frozen=True)
class Grade:
    """The verdict on one response: its answer (None if it gives none), whether it is right, and why."""

    answer: str | None
    correct: bool
    reason: str


class Grader:
    """Grades responses; safe to call from threads, and never raises on a response.

    Parameters
    ----------
    workers
        worker processes; most answers never reach them.
    timeout
        seconds of processor time one response may take in a worker, whose start is not counted.
    task
        the name of the kind of problems.

    Raises
    ------
    UserError
        there is no such task.
    """

    def __init__(self, workers: int = 1, timeout: float = 5.0, task: str = MATH) -> None:
        self._task = find_task(task)
        self._workers = [Worker(task) for _ in range(workers)]
        self._timeout = timeout
        self._free = threading.Semaphore(workers)
        self._lock = threading.Lock()
        self._name = task
        self._known = KnownVerdicts()

    def grade(self, gold: str, response: str) -> Grade:
        """Grade one response."""
        return self.grade_many([gold], [response])[0]

    def grade_many(self, golds: Sequence[str], responses: Sequence[str]) -> list[Grade]:
        """Grade responses against golds of the same length (as `Gold.to_text` writes them); equal pairs are compared
        once.
        """
        answers = [self._task.extract(response) for response in responses]
        pairs = [None if one is None else (gold, one) for gold, one in zip(golds, answers, strict=True)]
        keys = {pair: pair_key(self._name, *pair) for pair in pairs if pair is not None}
        reasons: dict[tuple[str, str], str] = {}
        todo = []
        for pair, key in keys.items():
            reason = self._known.get(key) or self._decided(*pair)
            if reason is None:
                todo.append(pair)
            else:
                reasons[pair] = reason
        if len(todo) > 1 and len(self._workers) > 1:
            with ThreadPoolExecutor(len(self._workers)) as threads:
                reasons |= zip(todo, threads.map(lambda pair: self._compare(*pair), todo), strict=True)
        else:
            reasons |= {pair: self._compare(*pair) for pair in todo}
        self._known.add({keys[pair]: reason for pair, reason in reasons.items()})
        return [_UNANSWERED if pair is None else _grade(pair[1], reasons[pair]) for pair in pairs]

    def close(self) -> None:
        """End the worker processes."""
        for worker in self._workers:
            worker.close()

    def __enter__(self) -> "Grader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decided(self, gold: str, answer: str) -> str | None:
        """The verdict, where it takes no worker."""
        if len(answer) > MAX_ANSWER_CHARACTERS:
            return UNPARSABLE
        return self._task.compare(_gold(gold), answer, None)

    def _compare(self, gold: str, answer: str) -> str:
        with self._free:
            with self._lock:
                worker = self._workers.pop()
            try:
                reason = self._task.compare(_gold(gold), answer, _Clock(worker, self._timeout).compare)
                return UNPARSABLE if reason is None else reason
            finally:
                with self._lock:
                    self._workers.append(worker)


_UNANSWERED = Grade(None, False, NO_ANSWER)


def _grade(answer: str, reason: str) -> Grade:
    return Grade(answer[:MAX_ANSWER_CHARACTERS], reason in RIGHT, reason)


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
