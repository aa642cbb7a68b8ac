import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from quagmires.common.errors import UserError
from quagmires.evaluation import kept_verdicts
from quagmires.evaluation.kept_verdicts import KeepingGrader, KeptVerdicts
from quagmires.grading.grader import Grade, Grader
from quagmires.grading.verdicts import DIFFERENT, EXACT, NO_ANSWER


class Counting:
    """A grader that counts what it is asked."""

    def __init__(self):
        self.asked = []

    def grade_many(self, golds, responses):
        self.asked += zip(golds, responses, strict=True)
        right = [gold in response for gold, response in zip(golds, responses, strict=True)]
        return [Grade("?", one, EXACT if one else DIFFERENT) for one in right]


def box(text):
    return rf"so \boxed{{{text}}}"


def grade(output, golds, responses, timeout=5.0, grader=None, fail=False):
    """Grades, and the pairs that were compared for them."""
    grader = grader or Counting()
    with KeptVerdicts(output, timeout) as kept:
        grades = KeepingGrader("math", grader, kept).grade_many(golds, responses)
        if fail:
            raise OSError("the disk is full")
    return grades, grader.asked


@pytest.fixture
def output(tmp_path):
    return tmp_path / "folder" / "grades.parquet"


def interrupted(output, *arguments, **options):
    with pytest.raises(OSError, match="the disk is full"):
        grade(output, *arguments, fail=True, **options)


def test_grades_are_those_of_the_grader(output):
    golds = ["2", "2", "0.5", "3", "x"]
    responses = [box(2), "none", box(r"\frac12"), box(4), box("9" * 3_000)]
    with Grader() as grader, KeptVerdicts(output, 5.0) as kept:
        expected = grader.grade_many(golds, responses)
        assert KeepingGrader("math", grader, kept).grade_many(golds, responses) == expected
        # And a second time, from what is kept.
        assert KeepingGrader("math", grader, kept).grade_many(golds, responses) == expected


def test_equal_pairs_are_compared_once_over_blocks(output):
    grader = Counting()
    with KeptVerdicts(output, 5.0) as kept:
        keeping = KeepingGrader("math", grader, kept)
        for _ in range(3):
            keeping.grade_many(["1", "2"] * 50, [box(1), f"at length, {box(1)}"] * 50)
    assert len(grader.asked) == 2


def test_a_run_that_failed_is_taken_up(output):
    interrupted(output, ["1", "2"], [box(1), box(3)])
    grades, asked = grade(output, ["1", "2", "5", "6"], [box(1), box(3), box(5), "none"])
    assert [one.reason for one in grades] == [EXACT, DIFFERENT, EXACT, NO_ANSWER]
    assert asked == [("5", box(5))]
    # A whole output needs no verdicts any more.
    assert list(output.parent.iterdir()) == []


def test_a_line_that_the_full_disk_cut_off_is_passed_over(output):
    interrupted(output, ["1", "2"], [box(1), box(2)])
    file = KeptVerdicts(output, 5.0).path
    file.write_bytes(file.read_bytes()[:-9])
    interrupted(output, ["1", "2", "3"], [box(1), box(2), box(3)])
    assert grade(output, ["1", "2", "3"], [box(1), box(2), box(3)])[1] == []


@pytest.mark.parametrize("change", ["timeout", "grader", "damage"])
def test_verdicts_of_another_grader_are_not_taken_up(output, change, monkeypatch):
    interrupted(output, ["1"], [box(1)])
    if change == "grader":
        monkeypatch.setattr(kept_verdicts, "_grader_version", lambda: "newer")
    if change == "damage":
        KeptVerdicts(output, 5.0).path.write_bytes(b"\xff\0 no verdicts")
    assert len(grade(output, ["1"], [box(1)], timeout=1.0 if change == "timeout" else 5.0)[1]) == 1


def test_memory_is_bounded(output, monkeypatch):
    monkeypatch.setattr(kept_verdicts, "MOST_KEPT", 10)
    monkeypatch.setattr(kept_verdicts, "_BATCH", 5)
    pairs = [str(number) for number in range(40)], [box(number) for number in range(40)]
    with KeptVerdicts(output, 5.0) as kept:
        grades = KeepingGrader("math", Counting(), kept).grade_many(*pairs)
        assert {one.reason for one in grades} == {EXACT}
        assert len(kept._reasons) <= 10 + 5


def test_threads_do_not_compare_a_pair_twice_and_an_error_keeps_none_waiting(output):
    class Slow(Counting):
        begun, go_on = threading.Event(), threading.Event()

        def grade_many(self, golds, responses):
            self.begun.set()
            assert self.go_on.wait(10)
            if golds == ["bad"]:
                raise RuntimeError("a fault")
            return super().grade_many(golds, responses)

    for gold, asked in (("1", 1), ("bad", 0)):
        grader = Slow()
        with KeptVerdicts(output, 5.0) as kept, ThreadPoolExecutor(2) as threads:
            keeping = KeepingGrader("math", grader, kept)
            first = threads.submit(keeping.grade_many, [gold], [box(1)])
            assert grader.begun.wait(10)
            second = threads.submit(keeping.grade_many, [gold], [box(1)])
            grader.go_on.set()
            errors = [first.exception(timeout=10), second.exception(timeout=10)]
        assert [error is None for error in errors] == [gold == "1"] * 2
        assert len(grader.asked) == asked


def test_verdicts_that_cannot_be_kept_are_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="verdicts cannot be kept .*; make room and grade again"):
        grade(tmp_path / "file" / "grades.parquet", ["1"], [box(1)])
