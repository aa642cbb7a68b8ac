import pytest

from quagmires.grading.math.extraction import extract_answer
from quagmires.grading.math.spelling import normalise


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"<think>\boxed{1}</think> no box after", None),
        (r"<think>\boxed{1}</think> \boxed{3}", "3"),
        (r"\boxed {5}", "5"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        # Cut off inside the last box: the last whole one counts.
        (r"\boxed{4} so \boxed{5", "4"),
        (r"the answer is 7", None),
        ("", None),
        (r"\boxed{}", ""),
    ],
)
def test_answer_is_the_last_balanced_box_after_the_thought(response, answer):
    assert extract_answer(response) == answer


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1,234", "1234"),
        (r"\text{ 1,234}\!", "1234"),
        (r"\left( 1 , 2 \right)", "(1,2)"),
        ("$7$", "7"),
        ("7.", "7"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
    ],
)
def test_spellings_of_one_value_normalise_alike(left, right):
    assert normalise(left) == normalise(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1,2", "12"),
        ("0.5", "5"),
        ("-1", "1"),
        ("(1,2)", "(12)"),
        ("12,34", "1234"),
        ("1 1/2", "11/2"),
        ("2 3", "23"),
        ("100, 200", "100200"),
        ("(1,200)", "(1200)"),
        (r"x \leftarrow y", r"x arrow y"),
    ],
)
def test_different_values_stay_different(left, right):
    assert normalise(left) != normalise(right)
