from fractions import Fraction

import pytest

from quagmires.grading.math.numbers import canonical, name_of, parse_value, same_value, unnamed


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("012", 12),
        ("12.", 12),
        (".5", Fraction(1, 2)),
        ("1,234,567", 1234567),
        ("1,234.5", Fraction(2469, 2)),
        (r"1{,}234", 1234),
        (r"11,\! 111,\! 100", 11111100),
        (r"1\,000", 1000),
        ("10 000", 10000),
        ("1 1/2", Fraction(3, 2)),
        (r"1\frac12", Fraction(3, 2)),
        (r"-1\frac12", Fraction(-3, 2)),
        (r"\frac{-1}{2}", Fraction(-1, 2)),
        (r"-\dfrac{1}{2}", Fraction(-1, 2)),
        ("11/2", Fraction(11, 2)),
        ("½", Fraction(1, 2)),
        ("4.5e33", 45 * 10**32),
        ("4.5E+33", 45 * 10**32),
        (r"4.5 \times 10^{33}", 45 * 10**32),
        ("4.5 × 10³³", 45 * 10**32),
        (r"4.5\cdot10^{33}", 45 * 10**32),
        ("1e-5", Fraction(1, 10**5)),
        ("10^6", 10**6),
        (r"\$4813.24", Fraction(481324, 100)),
        (r"90^\circ", 90),
        (r"90^{\circ}C", 90),
        ("90°", 90),
        ("12 apples", 12),
        ("12cm", 12),
        ("0.4miles", Fraction(2, 5)),
        (r"15\text{ kg}\cdot\text{m}^{2}", 15),
        (r"1.7e4 \text{ cm}^{-1}", 17000),
        (r"\text{12 pounds}", 12),
        ("x = 12", 12),
        (r"\approx 12", 12),
        (r"x_{1} \approx 12", 12),
        ("f(x)=12", 12),
        (r"12^{\text{th}}", 12),
        (r"\text{3 million dollars}", 3),
    ],
)
def test_plain_numbers(text, number):
    assert parse_value(text).number == number


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "2x", "12m", "1,2", "12,34", "1/0", r"\frac{1}{0}", "2^10", "1e999999999", "5!", r"\pm 5", "3 or 4",
        "1 2", r"5 \text{ or more}", r"\text{at least 5}", r"\text{not } 5", r"2\sqrt{3}", "(5)+", "5x=10", "1:2", "2e",
        "9" * 400, "nan", "inf", "1_000", "0x10", "1.2.3", "--5", "3 million 5",
    ],
)  # fmt: skip
def test_what_is_no_plain_number(text):
    assert parse_value(text) is None


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("0.5", r"\frac{1}{2}", True),
        ("1/3", "0.333333", True),
        ("1/3", "0.33333", False),
        ("1/3", "0.33", False),
        ("2", "1.9999999", True),
        ("2", "2.0001", False),
        # Six digits of a decimal, but an integer is an integer.
        ("12345678", "12345679", False),
        ("12345678", "12345678.3", False),
        ("0.123456", "0.1234561", True),
        # Tiny numbers by their size, which math-verify takes for one.
        ("1.325e-27", "3.313e-22", False),
        (r"8.224 \times 10^{-19}", r"8.233 \times 10^{-19}", False),
        (r"4.6 \times 10^{-24}", r"4.57 \times 10^{-24}", False),
        (r"8.224 \times 10^{-19}", "8.224e-19", True),
        ("0.00001", r"1 \times 10^{-5}", True),
        ("0", "0.0000001", False),
        ("0", "-0.0", True),
        # A percent sign may be written or left out, and never means two things; a million is part of the number.
        ("10", r"10\%", True),
        ("0.1", "10%", True),
        (r"10\%", "0.1", True),
        (r"10\%", "10", True),
        (r"10\%", "1", False),
        ("5", r"10\%", False),
        ("7", r"7 \text{ percent}", True),
        ("3000000", "3 million", True),
        ("3", r"3 \text{ million}", False),
        ("3 million", "3 thousand", False),
        ("36", "3 dozen", True),
    ],
)
def test_equality_of_numbers(gold, answer, same):
    assert same_value(parse_value(gold), parse_value(answer)) is same


@pytest.mark.parametrize(("answer", "same"), [("4.2", True), ("4.3", True), ("4.31", False), (r"\frac{41}{10}", True)])
def test_a_golds_own_tolerance_is_absolute(answer, same):
    assert same_value(parse_value("4.2"), parse_value(answer), tolerance=0.1) is same


def test_equal_answers_vote_together():
    assert len({canonical(text) for text in ("0.50", r"\frac12", "1/2", "x = 0.5", ".5")}) == 1
    assert len({canonical(text) for text in ("3 million", "3,000,000", r"3 \times 10^6")}) == 1
    assert canonical("2x") != canonical("3x")


@pytest.mark.parametrize(
    ("text", "rest", "name"),
    [
        ("x=3", "3", "x"),
        ("X(t) = 3", " 3", "X"),
        (r"\theta_{1}=3", "3", r"\theta_{1}"),
        ("3", "3", None),
        ("x=y=3", "x=y=3", None),
        ("2x=3", "2x=3", None),
        ("x==3", "x==3", None),
        (r"\approx3", "3", None),
    ],
)
def test_names_of_values(text, rest, name):
    assert (unnamed(text), name_of(text)) == (rest, name)
