import math
from fractions import Fraction

import pytest

from quagmires.grading.math.closed_form import closed_form, same_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"-2^2", -4),
        (r"(-2)^{3}", -8),
        (r"\sqrt[3]{-8}", -2),
        (r"\sqrt[4]{16}", 2),
        (r"(1+2)(3+4)", 21),
        (r"3\cdot4/6", 2),
        (r"[2]", 2),
        (r"5!-\binom{5}{2}", 110),
        (r"8^{2/3}", 4),
        (r"\frac{20!}{19!}", 20),
    ],
)
def test_rational_numbers_are_exact(text, value):
    assert closed_form(text).fraction() == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\frac{\pi}{2}", math.pi / 2),
        (r"2\sqrt{3}", 2 * math.sqrt(3)),
        (r"2\pi^2", 2 * math.pi**2),
        (r"\frac{1+\sqrt{5}}{2}-\frac{1}{2}", math.sqrt(5) / 2),
        (r"2^{-2/3}", 2 ** (-2 / 3)),
        (r"\sin{1}", math.sin(1)),
        (r"\cos36^\circ", math.cos(math.pi / 5)),
        (r"\log_{2}(10)", math.log2(10)),
        (r"e^{2}-\ln(3)", math.e**2 - math.log(3)),
        (r"\frac{1}{30!}", 1 / math.factorial(30)),
    ],
)
def test_others_are_computed(text, value):
    assert float(closed_form(text).approximation()) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "2x", r"1\frac{1}{2}", "2^10", r"\sqrt{-4}", r"\frac{1}{0}", "0^{-1}", r"3\%", "(1,2)", "((1)", "1+",
        "{" * 299, r"\sqrt[0]{2}", r"(-8)^{1/3}", "9" * 301, "1 2", r"2^{10^{10}}", r"\log2", "1/2\\pi", "i", r"99999!",
    ],
)  # fmt: skip
def test_what_it_gives_up_on(text):
    assert closed_form(text) is None


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}", True),
        (r"\sqrt{3+2\sqrt{2}}", r"1+\sqrt{2}", True),
        (r"\sin15^\circ", r"\frac{\sqrt{6}-\sqrt{2}}{4}", True),
        # Floats of these are one.
        ("10^{16}", "10^{16}+1", False),
        ("1", r"\frac{2^{60}-1}{2^{60}}", False),
        (r"\pi", r"\frac{80143857}{25510582}", False),
        (r"\sqrt{2}", r"\frac{886731088897}{627013566048}", False),
        (r"\sqrt{10^{80}+1}", "10^{40}", False),
        (r"\frac{1}{2004!}", r"\frac{1}{2005!}", False),
        (r"\infty", r"\infty", True),
        (r"\infty", r"-\infty", False),
        (r"\infty", "1", False),
        # Six digits where there are decimals.
        (r"0.333333\pi", r"\frac{\pi}{3}", True),
        (r"0.3333\pi", r"\frac{\pi}{3}", False),
    ],
)
def test_numbers_are_one_only_where_a_thousand_digits_say_so(left, right, same):
    assert same_number(closed_form(left), closed_form(right)) is same


def test_what_cancels_is_not_called_zero():
    """Its digits say nothing: it is for computer algebra."""
    rest = closed_form(r"\sqrt{3+2\sqrt{2}}-1-\sqrt{2}")
    assert same_number(rest, closed_form("0")) in (None, True)
    assert closed_form("0").fraction() == Fraction(0)
