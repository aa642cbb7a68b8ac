import math

import pytest

from quagmires.grading.math.closed_form import closed_form, same_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac{\pi}{2}", math.pi / 2),
        (r"2\sqrt{3}", 2 * math.sqrt(3)),
        (r"-2^2", -4),
        (r"(-2)^{3}", -8),
        (r"2\pi^2", 2 * math.pi**2),
        (r"\sqrt[3]{-8}", -2),
        (r"\sqrt[4]{16}", 2),
        (r"\frac{1+\sqrt{5}}{2}-\frac{1}{2}", math.sqrt(5) / 2),
        (r"2^{-2/3}", 2 ** (-2 / 3)),
        (r"(1+2)(3+4)", 21),
        (r"3\cdot4/6", 2),
        (r"-\infty", -math.inf),
    ],
)
def test_values(text, value):
    assert closed_form(text) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "2x", r"1\frac{1}{2}", "2^10", r"\sqrt{-4}", r"\frac{1}{0}", "0^{-1}", r"10^{1000}", "5!", r"3\%",
        "(1,2)", "[2]", r"\sin{1}", "((1)", "1+", "{" * 299, "9" * 294 + "^{9}", r"\sqrt[0]{2}", r"(-8)^{1/3}",
        "9" * 301, "1 2",
    ],
)  # fmt: skip
def test_what_it_gives_up_on(text):
    assert closed_form(text) is None


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (math.sqrt(2) / 2, 1 / math.sqrt(2), True),
        (1.0, 1.00001, False),
        (1.0, 1.0000001, None),
        # The floats of 10^16 and 10^16 + 1 are one.
        (1e16, 1e16, None),
        (0.0, 1e-17, None),
        (0.0, 0.1, False),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
        (math.inf, -math.inf, False),
    ],
)
def test_floats_decide_only_where_they_can(left, right, same):
    assert same_number(left, right) is same
