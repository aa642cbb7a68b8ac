"""verl's reward: the evaluation's grader, as `reward.custom_reward_function` (path of this file, `compute_score`).

verl calls it in a thread of every reward worker. It never raises: an exception would end the step, not one answer.
"""

import threading
from typing import Any

from quagmires.grading.grader import Grader

_grader: Grader | None = None
_lock = threading.Lock()


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **_: Any
) -> dict[str, float]:
    """1.0 for a right answer, 0.0 for any other; `answered` tells whether there was a box at all."""
    grade = _shared_grader().grade(str(ground_truth), solution_str)
    return {"score": float(grade.correct), "acc": float(grade.correct), "answered": float(grade.answer is not None)}


def _shared_grader() -> Grader:
    """One grader per process, so that its workers and its memory of answers last."""
    global _grader
    with _lock:
        if _grader is None:
            _grader = Grader(workers=2)
        return _grader
