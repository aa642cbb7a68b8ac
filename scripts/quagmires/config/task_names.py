"""The names of tasks, the kinds of problems there are, without what grades them: configs are checked without it.

Each name stands for one class, which `@task` registers (grading/task.py).
"""

from collections.abc import Mapping
from typing import TypeVar

MATH = "math"
# What a config's `task` may say, and what it means.
TASK_NAMES = {MATH: "the answer is in the last \\boxed{} of a response, and is compared as mathematics"}

Param = TypeVar("Param")


def with_task(param: Param, task: str) -> Param | str:
    """A param of a rule, with `--task` behind it where the task is not mathematics.

    One param and not two: Snakemake would repeat all finished jobs of the rule for a new one.

    >>> with_task(1024, "math"), with_task(1024, "words")
    (1024, '1024 --task words')
    """
    return param if task == MATH else f"{param} --task {task}"


def with_tasks(param: Param, tasks: Mapping[str, str]) -> Param | str:
    """The same for several benchmarks, name -> task, of which those that are mathematics are left out.

    >>> with_tasks(0, {"aime": "math", "puzzles": "words"})
    '0 --task puzzles=words'
    """
    return with_task(param, " ".join(other_tasks(tasks)) or MATH)


def other_tasks(tasks: Mapping[str, str]) -> list[str]:
    """NAME=TASK of the benchmarks, name -> task, that are not mathematics, as the `--task` of commands takes them."""
    return [f"{name}={task}" for name, task in tasks.items() if task != MATH]
