"""What a task is, and how it is found by its name."""

import pytest

from quagmires.common.errors import UserError
from quagmires.config.gold_rules import Gold
from quagmires.config.schema import ProblemSource
from quagmires.config.task_names import TASK_NAMES, with_task, with_tasks
from quagmires.grading.math.task import Mathematics
from quagmires.grading.task import TASKS, Task, find_task, task, tasks_of
from quagmires.grading.verdicts import DIFFERENT, EXACT, VERIFIED


def test_every_name_has_a_task():
    for name in TASK_NAMES:
        assert find_task(name) is TASKS[name]
    assert set(TASKS) == set(TASK_NAMES)


def test_mathematics_reads_extracts_compares_and_votes():
    mathematics = find_task("math")
    assert isinstance(mathematics, Mathematics)
    assert mathematics.extract(r"3 or \boxed{4}") == "4"
    assert mathematics.extract("4") is None
    assert mathematics.compare(Gold(("4",)), "4", None) == EXACT
    assert mathematics.compare(Gold(("|x|",)), "|-x|", None) is None
    assert mathematics.compare(Gold(("|x|",)), "|-x|", lambda gold, answer: VERIFIED) == VERIFIED
    assert mathematics.compare(Gold(("4",)), "5", None) == DIFFERENT
    assert mathematics.canonical("0.5") == mathematics.canonical(r"\frac12")


@pytest.mark.parametrize(
    ("rule", "value", "row", "gold"),
    [
        ("box", r"so $\boxed{\frac12}$.", {}, Gold((r"\frac12",))),
        ("olympiadbench", ["$1,3$"], {"is_multiple_answer": True}, Gold(("1,3",), several=True)),
        # One point is no list of answers.
        ("olympiadbench", ["$(1,3)$"], {"is_multiple_answer": True}, Gold(("(1,3)",))),
    ],
)
def test_golds_of_mathematics(rule, value, row, gold):
    assert find_task("math").read_gold(rule, value, row) == gold


def test_a_solution_without_a_box_is_refused():
    with pytest.raises(UserError, match="no `.boxed{...}` with an answer in the solution"):
        find_task("math").read_gold("box", "it is 7", {})


@pytest.mark.parametrize(("name", "message"), [("words", "no such name in config/task_names.py"), ("math", "already")])
def test_a_task_without_a_name_of_its_own_is_refused(name, message):
    find_task("math")
    with pytest.raises(ValueError, match=message):
        task(name)


def test_a_task_that_lacks_a_method_is_refused(monkeypatch):
    class Words(Task):
        def extract(self, response):
            return response

        def compare(self, gold, answer, ask):
            return DIFFERENT

    monkeypatch.setitem(TASK_NAMES, "words", "")
    with pytest.raises(TypeError, match="abstract methods? .*canonical"):
        task("words")(Words)
    assert "words" not in TASKS


def test_a_config_may_name_the_tasks_there_are_and_no_other():
    assert ProblemSource(path="a.jsonl", rows=1).task == "math"
    with pytest.raises(ValueError, match="should be 'math'"):
        ProblemSource(path="a.jsonl", rows=1, task="maths")


def test_a_commands_tasks_are_of_all_benchmarks_or_of_one(monkeypatch):
    assert tasks_of(["a", "b"], []) == {"a": "math", "b": "math"}
    monkeypatch.setitem(TASK_NAMES, "words", "")
    monkeypatch.setitem(TASKS, "words", Mathematics())
    assert tasks_of(["a", "b"], ["words"]) == {"a": "words", "b": "words"}
    assert tasks_of(["a", "b"], ["b=math", "words"]) == {"a": "words", "b": "math"}
    with pytest.raises(UserError, match="--task a=codes: there is no task 'codes'; use math or words"):
        tasks_of(["a", "b"], ["a=codes"])
    with pytest.raises(UserError, match="--task c=words: there is no benchmark 'c'; use one of a, b"):
        tasks_of(["a", "b"], ["c=words"])


def test_rules_ask_for_nothing_new_where_everything_is_mathematics():
    # Snakemake repeats finished jobs when a param has another representation: 1 is not "1".
    assert with_task(1, "math") == 1
    assert with_tasks(1, {"a": "math"}) == 1
    assert with_tasks("x", {"a": "math", "b": "words", "c": "codes"}) == "x --task b=words c=codes"
