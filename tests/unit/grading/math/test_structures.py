import pytest

from quagmires.grading.math.structures import elements, parts


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("1", ["1"]),
        ("", []),
        ("1,2,3", ["1", "2", "3"]),
        ("1, 2 and 3", ["1", "2", "3"]),
        (r"1, \text{ and } 2", ["1", "2"]),
        (r"1 \text{ or } 2", ["1", "2"]),
        (r"1 \quad \text{and} \quad 2", ["1 \\quad", "\\quad 2"]),
        ("1; 2", ["1", "2"]),
        (r"\{1, 2\}", ["1", "2"]),
        (r"\left\{1, 2\right\}", ["1", "2"]),
        ("$1$, $2$", ["1", "2"]),
        (r"(1,2), [3,4)", ["(1,2)", "[3,4)"]),
        (r"\frac{1,2}{3}", [r"\frac{1,2}{3}"]),
        (r"f(x,y)", ["f(x,y)"]),
        ("candor", ["candor"]),
        ("1,,2", ["1", "2"]),
    ],
)
def test_parts(text, pieces):
    assert parts(text) == pieces


@pytest.mark.parametrize(
    ("text", "frame", "items"),
    [
        ("(1,2)", "()", ["1", "2"]),
        ("[0,1)", "[)", ["0", "1"]),
        (r"\left( 0 , \infty \right)", "()", ["0", r"\infty"]),
        (r"x \in [-2,7]", "[]", ["-2", "7"]),
        ("(a,b)=(1,2)", None, None),
        (r"((1,2),(3,4))", "()", ["(1,2)", "(3,4)"]),
        (r"\begin{bmatrix}1\\2\\\end{bmatrix}", "2x1", ["1", "2"]),
        (r"(-\infty,3)\cup(3,\infty)", None, None),
        ("(1)(2,3)", None, None),
        ("(12)", None, None),
        ("(1,2", None, None),
        ("1,2", None, None),
    ],
)
def test_elements(text, frame, items):
    found = elements(text)
    assert (found.frame, found.items) == (frame, items) if frame else found is None
