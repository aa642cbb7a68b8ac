"""Answers that graders were reported to misjudge, and other spellings of each kind of fault.

grader_cases/reported.jsonl follows public reports (`report`: repository#thread) and real outputs; verdicts are by
mathematics. grader_cases/others.jsonl has further cases of each kind; those marked `open` are still misjudged.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from quagmires.grading.grader import Grader

CASES = Path(__file__).parent / "grader_cases"


def graded(name: str) -> list[tuple[dict, bool, str]]:
    """Each case, whether its verdict is right, and the answer that was found."""
    cases = [json.loads(line) for line in (CASES / name).read_text(encoding="utf-8").splitlines()]
    with Grader(workers=2) as grader:
        grades = grader.grade_many([case["gold"] for case in cases], [case["response"] for case in cases])
    return [
        (case, grade.correct is case["correct"], f"{grade.answer} ({grade.reason})")
        for case, grade in zip(cases, grades, strict=True)
    ]


@pytest.fixture(scope="module")
def others():
    return graded("others.jsonl")


def test_every_reported_case_is_judged_right():
    wrong = [
        (case["kind"], case["gold"], answer, case["correct"])
        for case, right, answer in graded("reported.jsonl")
        if not right
    ]
    assert wrong == []


def test_other_spellings_are_judged_right(others):
    wrong = [
        (case["kind"], case["gold"], answer) for case, right, answer in others if not right and not case.get("open")
    ]
    assert wrong == []


def test_open_cases_are_still_open(others):
    """One that is judged right is no longer open: take its mark away."""
    assert [(case["gold"], answer) for case, right, answer in others if right and case.get("open")] == []


def test_nine_of_ten_other_spellings_are_right_of_most_kinds(others):
    total = Counter(case["kind"] for case, *_ in others)
    right = Counter(case["kind"] for case, good, _ in others if good)
    assert sum(right.values()) > 0.95 * sum(total.values())
    assert sum(right[kind] >= 0.9 * total[kind] for kind in total) > 0.8 * len(total)
