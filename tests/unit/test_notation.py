"""Notation that math-verify misreads, and how it is read here."""

import pytest

from quagmires.grading import Grader


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1, timeout=10.0) as one:
        yield one


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        # The letter, not the gamma function, which is infinite at -1 and at -5.
        (r"c^2(\gamma^2-1)", r"(\gamma^2-1)c^2", True),
        (r"c^2(\gamma^2-1)", r"c^2(\gamma^2-5)", False),
        (r"\gamma_L m", r"m\gamma_{L}", True),
        (r"\gamma_L m", r"m\gamma_{R}", False),
        (r"\sqrt{\pi}+1", r"\Gamma(1/2)+1", True),
        (r"\hbar\omega/2", r"\frac{1}{2}\hbar\omega", True),
        (r"\hbar\omega/2", r"\frac{1}{2}h\omega", False),
        # Digits to a base.
        ("4343_6", "4343_{6}", True),
        ("4343_6", r"4343_{\text{6}}", True),
        ("4343_6", "4343_7", False),
        ("52_8", "42_{10}", True),
        ("52_8", "42_8", False),
        # Spaces that hold a comma or a semicolon.
        (r"f(x)=-1,f(x)=x+1", r"f(x)=x\,+\;1, \; f(x)=-1", True),
        (r"\sqrt{2}-1,\frac{1}{7}", r"\frac{1}{7},\,\sqrt{2}\,-\;1", True),
        # Primes are marks of a derivative after a letter, and of minutes and seconds after a number.
        ("x'+rx=0", r"x^{\prime}+rx=0", True),
        ("x''+rx=0", r"x^{\prime \prime}+rx=0", True),
        ("x''+rx=0", r"x^{\prime}+rx=0", False),
        (r"0.003^{\prime \prime}", "0.003", True),
        (r"0.003^{\prime \prime}", "0.03''", False),
        (r"1950^\circ C", "1950", True),
        (r"1950^\circ C", r"1950\,^{\circ}\text{C}", True),
    ],
)
def test_notation(grader, gold, answer, right):
    assert grader.grade(gold, rf"\boxed{{{answer}}}").correct is right
