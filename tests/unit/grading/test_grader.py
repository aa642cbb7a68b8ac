import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from quagmires.common.errors import UserError
from quagmires.common.tabular import iterate
from quagmires.grading.grader import Grader
from quagmires.grading.reward import compute_score, source_name
from quagmires.grading.verdicts import DIFFERENT, EXACT, NO_ANSWER, REASONS, TIMEOUT, UNPARSABLE, VERIFIED
from quagmires.grading.worker_process import Worker
from support import REAL_DATA, SCRIPTS, needs_real_data, script


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=2, timeout=3.0) as one:
        yield one


@pytest.mark.parametrize(
    ("gold", "response", "reason"),
    [
        ("12", r"so \boxed{12}", EXACT),
        ("1234", r"\boxed{1,234}", EXACT),
        ("0.5", r"\boxed{\frac{1}{2}}", VERIFIED),
        (r"\frac{\sqrt{2}}{2}", r"\boxed{\frac{1}{\sqrt{2}}}", VERIFIED),
        ("12", r"\boxed{-12}", DIFFERENT),
        ("12", "the answer is 12", NO_ANSWER),
        ("12", r"\boxed{12", NO_ANSWER),
        # Outside the box nothing counts.
        ("7", r"7 7 7 \boxed{8}", DIFFERENT),
        ("4", "\\boxed{" + "{" * 3000 + "4" + "}" * 3000 + "}", UNPARSABLE),
    ],
)
def test_verdicts(grader, gold, response, reason):
    grade = grader.grade(gold, response)
    assert grade.reason == reason
    assert grade.correct == (reason in (EXACT, VERIFIED))


def test_unboxed_answer_counts_as_wrong(grader):
    grade = grader.grade("7", "The answer is 7.")
    assert (grade.answer, grade.correct) == (None, False)


def test_a_hanging_answer_costs_its_time_limit_and_nothing_else(grader):
    tower = r"\boxed{9^{9^{9^{9^{9}}}}}"
    started = time.monotonic()
    reasons = [grade.reason for grade in grader.grade_many(["3", "0.5"], [tower, r"\boxed{1/2}"])]
    assert reasons == [TIMEOUT, VERIFIED]
    assert time.monotonic() - started < 30


def test_an_answer_is_never_run_as_code(grader, tmp_path):
    marker = tmp_path / "run"
    for answer in (f"__import__('os').system('touch {marker}')", rf"\input{{{marker}}}", f"open('{marker}','w')"):
        assert not grader.grade("1", rf"\boxed{{{answer}}}").correct
    assert not marker.exists()


def test_equal_pairs_are_compared_once(monkeypatch):
    asked = []
    monkeypatch.setattr(Worker, "start", lambda self: None)
    monkeypatch.setattr(Worker, "compare", lambda self, *question: asked.append(question[:2]) or DIFFERENT)
    with Grader(workers=2) as grader:
        for _ in range(3):
            grades = grader.grade_many([r"\lfloor x\rfloor", r"\lceil x\rceil"] * 50, [r"\boxed{|x|}"] * 100)
    assert sorted(asked) == [(r"\lceil x\rceil", "|x|"), (r"\lfloor x\rfloor", "|x|")]
    assert {grade.reason for grade in grades} == {DIFFERENT}


def test_text_and_numbers_need_no_worker(monkeypatch):
    monkeypatch.setattr(Worker, "start", lambda self: pytest.fail("a worker was started"))
    golds = ["12", "0.5", r"\frac{\sqrt{2}}{2}", "(1,2)", "3,4", "C", "7"]
    answers = ["12.0", r"\frac12", r"\frac{1}{\sqrt{2}}", r"\left( 1 , 2 \right)", "4, 3", r"\text{(C)}", "8"]
    with Grader() as grader:
        grades = grader.grade_many(golds, [rf"\boxed{{{answer}}}" for answer in answers])
    assert [grade.correct for grade in grades] == [True] * 6 + [False]


def test_grading_works_from_many_threads(grader):
    with ThreadPoolExecutor(8) as threads:
        grades = list(threads.map(lambda i: grader.grade(f"{i}/2", rf"\boxed{{\frac{{{i}}}{{2}}}}"), range(24)))
    assert all(grade.correct for grade in grades)


def test_reward_is_the_graders_verdict_and_never_raises():
    assert compute_score("any", r"\boxed{\frac12}", "0.5") == {"score": 1.0, "acc": 1.0, "answered": 1.0}
    assert compute_score("any", "nothing", "0.5") == {"score": 0.0, "acc": 0.0, "answered": 0.0}
    assert compute_score("any", "\\boxed{" + "\ud800" + "}", "1")["score"] == 0.0


def test_reward_finds_the_task_in_the_data_source():
    # What RL sets of mathematics are called, today and in files written earlier.
    for name in (source_name("math-train", "math"), "math-train", "openai/gsm8k", ""):
        assert compute_score(name, r"\boxed{7}", "7")["score"] == 1.0
    with pytest.raises(UserError, match="data_source 'words:puzzles': there is no task 'words'; use math"):
        compute_score(source_name("puzzles", "words"), "anything", "7")


def test_an_unknown_task_is_refused_before_any_response():
    with pytest.raises(UserError, match="task: there is no task 'maths'; use math, or add it"):
        Grader(task="maths")


def ask_worker(prepare: str, task: str, *questions: dict) -> list[dict]:
    """What a worker process of a task answers, after the code that makes the task known to it."""
    code = f"import sys; sys.argv[1:] = [{task!r}]\n{prepare}\nfrom quagmires.grading.worker import main\nmain()"
    told = "".join(json.dumps(question) + "\n" for question in questions)
    process = subprocess.run(
        [sys.executable, "-c", code], input=told, capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": str(SCRIPTS)},
    )  # fmt: skip
    return [json.loads(line) for line in process.stdout.splitlines()]


# A task whose verifier says what the answer tells it to say.
TOY = """
from quagmires.config.task_names import TASK_NAMES
from quagmires.grading.task import Task, task
TASK_NAMES["toy"] = ""
@task("toy")
class Toy(Task):
    extract = compare = canonical = None
    def verifier(self):
        def verdict(gold, answer):
            while answer == "hang":
                pass
            if answer == "greed":
                bytearray(1 << 31)
            return {"same": "verified", "other": "different"}[answer]
        return verdict
"""


def test_the_worker_of_any_task_is_bounded():
    questions = [{"gold": "", "answer": one, "seconds": 0.2} for one in ("same", "hang", "greed", "fail", "other")]
    ready, *replies = ask_worker(TOY, "toy", *questions)
    assert ready == {"ready": True}
    assert [one["verdict"] for one in replies] == [VERIFIED, TIMEOUT, UNPARSABLE, UNPARSABLE, DIFFERENT]


def test_a_worker_is_started_for_its_task(monkeypatch):
    commands = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command) or 1 / 0)
    for worker in (Worker(), Worker("words")):
        with pytest.raises(ZeroDivisionError):
            worker.start()
    assert [command[1:] for command in commands] == [
        ["-m", "quagmires.grading.worker", one] for one in ("math", "words")
    ]


def test_grade_script_takes_known_tasks_only(tmp_path):
    source, target = tmp_path / "responses.jsonl", tmp_path / "graded.parquet"
    source.write_text(r'{"gold": "2", "response": "\\boxed{2}"}')
    script("grade.py", "--responses", source, "--output", target, "--task", "math")
    assert list(pd.read_parquet(target)["correct"]) == [True]
    refused = script("grade.py", "--responses", source, "--output", target, "--task", "maths", check=False)
    assert refused.stderr.strip().startswith("error: --task maths: there is no task 'maths'; use math")


def test_grade_script_adds_its_columns_and_keeps_the_others(tmp_path):
    source, target = tmp_path / "responses.jsonl", tmp_path / "graded.parquet"
    source.write_text(
        '{"gold": "2", "response": "\\\\boxed{2}", "mine": 5}\n{"gold": "2", "response": "2", "mine": 6}\n'
    )
    script("grade.py", "--responses", source, "--output", target)
    graded = pd.read_parquet(target)
    assert list(graded["mine"]) == [5, 6]
    assert list(graded["correct"]) == [True, False]
    assert list(graded["reason"]) == [EXACT, NO_ANSWER]


def test_grade_script_writes_text_that_is_no_unicode(tmp_path):
    source, target = tmp_path / "responses.jsonl", tmp_path / "graded.parquet"
    source.write_text(
        r'{"gold": "2", "response": "\\boxed{\ud800}"}' + "\n" + r'{"gold": "2", "response": "\ud83d\ude00 \\boxed{2}"}'
    )
    script("grade.py", "--responses", source, "--output", target)
    graded = pd.read_parquet(target)
    assert list(graded["correct"]) == [False, True]
    assert graded["response"][1] == "\U0001f600 \\boxed{2}"


def test_grade_script_names_a_missing_column(tmp_path):
    source = tmp_path / "responses.jsonl"
    source.write_text('{"answer": "2", "response": "2"}\n')
    result = script("grade.py", "--responses", source, "--output", tmp_path / "out.parquet", check=False)
    assert result.returncode == 1
    assert result.stderr.strip() == f"error: {source}: no column `gold`; it has answer, response"
    assert not (tmp_path / "out.parquet").exists()


@needs_real_data
def test_verdicts_on_real_responses_agree_with_the_recorded_ones(grader):
    rows = [
        row
        for row in iterate(REAL_DATA / "grader" / "qwen_math_rm.jsonl.gz")
        if row["recorded_correct"] is not None and "\\boxed" in row["response"]
    ]
    grades = grader.grade_many([row["gold"] for row in rows], [row["response"] for row in rows])
    assert len(rows) > 400
    assert {grade.reason for grade in grades} <= set(REASONS)
    agreement = sum(grade.correct == row["recorded_correct"] for grade, row in zip(grades, rows, strict=True)) / len(
        rows
    )
    assert agreement > 0.97
