"""verl's reward: the evaluation's grader, as `reward.custom_reward_function` (path of this file, `compute_score`).

verl calls it in a thread of every reward worker. It never raises on a response: an exception would end the step, not
one answer.
"""

import threading
from typing import Any

from quagmires.config.task_names import MATH
from quagmires.grading.grader import Grader
from quagmires.grading.task import find_task

# Between task and name in a `data_source`; no name of an RL set has it.
_MARK = ":"
_graders: dict[str, Grader] = {}
_lock = threading.Lock()


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **_: Any
) -> dict[str, float]:
    """1.0 for a right answer, 0.0 for any other; `answered` tells whether there was an answer at all.

    Raises
    ------
    UserError
        `data_source` names a task that there is not.
    """
    grade = _shared_grader(_task_of(data_source)).grade(str(ground_truth), solution_str)
    return {"score": float(grade.correct), "acc": float(grade.correct), "answered": float(grade.answer is not None)}


def source_name(name: str, task: str) -> str:
    """What verl is to call an RL set, so that the reward knows its task: mathematics needs no mark.

    >>> source_name("dapo", "math"), source_name("puzzles", "words")
    ('dapo', 'words:puzzles')
    """
    return name if task == MATH else f"{task}{_MARK}{name}"


def _task_of(data_source: str) -> str:
    task, mark, _ = data_source.partition(_MARK)
    if not mark:
        return MATH
    find_task(task, f"data_source {data_source!r}")
    return task


def _shared_grader(task: str) -> Grader:
    """One grader per process and task, so that its workers and its memory of answers last."""
    with _lock:
        if task not in _graders:
            _graders[task] = Grader(workers=2, task=task)
        return _graders[task]
