"""What each kind of problems says for itself: how golds are read, what a response's answer is, and when it is right.

The grader, verl's reward, majority voting and the search for contamination ask a `Task` and know nothing else of the
problems. Mathematics (grading/math/task.py) is the only task so far. To add one, put its name into
config/task_names.py, and write

    @task("words")
    class Words(Task):
        ...

into grading/words/task.py, which is imported when the task is first asked for.
"""

import importlib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from quagmires.common.errors import UserError
from quagmires.config.gold_rules import GOLD_RULES, Gold
from quagmires.config.task_names import MATH, TASK_NAMES

# (a text of the gold, a text of the answer) -> a verdict of grading/verdicts.py.
Verifier = Callable[[str, str], str]


class Task(Protocol):
    """A kind of problem. Responses are untrusted and may be megabytes: no method may raise on one or evaluate it."""

    def read_gold(self, rule: str, value: Any, row: Mapping[str, Any]) -> Gold:
        """The gold of one row of a data set, by a rule of `GOLD_RULES`: `value` is its answer column.

        Raises
        ------
        UserError
            the row does not hold what the rule needs.
        """
        return GOLD_RULES[rule].read(value, row, self.extract)

    @abstractmethod
    def extract(self, response: str) -> str | None:
        """The final answer of a response; None where it gives none, which counts as wrong."""

    @abstractmethod
    def compare(self, gold: Gold, answer: str, ask: Verifier | None) -> str | None:
        """The verdict on an answer, one of grading/verdicts.py.

        `ask` takes two texts to a worker process, which answers by the task's `verifier` within limits of time and
        memory. Without `ask`, None where only the worker could decide.
        """

    @abstractmethod
    def canonical(self, answer: str) -> str:
        """A text that answers of one value share: majority voting and contamination take them for one answer by it."""

    def verifier(self) -> Verifier:
        """What decides in a worker process, made once in each. It may be slow or die: then the worker is killed.

        A task whose `compare` never asks needs none.
        """
        raise NotImplementedError(f"{type(self).__name__} has nothing for a worker process to decide")


# By name; those that were asked for.
TASKS: dict[str, Task] = {}


def task(name: str) -> Callable[[type[Task]], type[Task]]:
    """Register the decorated class, which takes no arguments, as the task `name`.

    Raises
    ------
    ValueError
        the name does not stand in config/task_names.py, or has a class already.
    """
    if name not in TASK_NAMES:
        raise ValueError(f"task {name}: no such name in config/task_names.py; add it there")
    if name in TASKS:
        raise ValueError(f"there is a task {name} already; choose another name")

    def register(kind: type[Task]) -> type[Task]:
        TASKS[name] = kind()
        return kind

    return register


def find_task(name: str, where: str = "task") -> Task:
    """The task of a name; `where` the name stands is for the message.

    Raises
    ------
    UserError
        there is no such task.
    """
    if name not in TASK_NAMES:
        known = " or ".join(TASK_NAMES)
        raise UserError(f"{where}: there is no task {name!r}; use {known}, or add it as docs/adding-task.md says")
    if name not in TASKS:
        importlib.import_module(f"quagmires.grading.{name}.task")
    return TASKS[name]


def tasks_of(names: Iterable[str], arguments: Sequence[str]) -> dict[str, str]:
    """The task of each benchmark, from a command's `--task`: `NAME=TASK` is of one benchmark, `TASK` of all others.

    >>> tasks_of(["aime", "math500"], ["math500=math"])
    {'aime': 'math', 'math500': 'math'}

    Raises
    ------
    UserError
        a task or a benchmark is not known.
    """
    tasks = dict.fromkeys(names, MATH)
    # Those without a name first.
    for argument in sorted(arguments, key=lambda one: "=" in one):
        benchmark, separator, name = argument.rpartition("=")
        if separator and benchmark not in tasks:
            raise UserError(f"--task {argument}: there is no benchmark {benchmark!r}; use one of {', '.join(tasks)}")
        find_task(name, f"--task {argument}")
        tasks |= dict.fromkeys([benchmark] if separator else tasks, name)
    return tasks
