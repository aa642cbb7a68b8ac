"""Kinds of answers that text, points and regions decide, without computer algebra."""

import pytest

from quagmires.config.gold_rules import Gold
from quagmires.grading.math.equivalence import compare
from quagmires.grading.math.extraction import extract_answer
from quagmires.grading.verdicts import DIFFERENT, RIGHT

SAME = [
    # Indices and other bound letters.
    (r"\sum_{k=1}^{n} k^2", r"\sum_{i=1}^{n} i^2"),
    (r"\sum_{i=1}^{n} x_i", r"\sum_{k=1}^n x_k"),
    (r"\sum_{i=1}^{n}\sum_{j=1}^{n} ij^2", r"\sum_{j=1}^{n}\sum_{i=1}^{n} ji^2"),
    (r"\int_0^x f(t)\,dt", r"\int_0^x f(u)\,du"),
    ("f(x,y)=x-y", "f(a,b)=a-b"),
    # Arbitrary constants.
    ("C_1e^{x}+C_2e^{-x}", "Ae^{x}+Be^{-x}"),
    (r"y=(A+Bx)e^{2x}", "y=C_1 e^{2x}+C_2 x e^{2x}"),
    (r"\frac{x^3}{3}+C", r"\frac{x^3}{3}+A"),
    # Parts of the line.
    (r"(0,\infty)", r"\mathbb{R}^+"),
    (r"[0,\infty)", r"\mathbb{R}_{\ge 0}"),
    (r"(-\infty,3]", r"\text{all real numbers less than or equal to } 3"),
    (r"(-\infty,-1)\cup(-1,2)\cup(2,\infty)", r"x \neq -1, 2"),
    # Conditions that say nothing of the value, and each value with its own.
    ("2, 3", r"2, 3 \text{ where } x>0"),
    ("f(x)=x, f(x)=0", r"f(x)=0 \text{ for all } x \text{ or } f(x)=x \text{ for all } x"),
    # Numbers and values.
    ("250", r"\text{two hundred and fifty}"),
    (r"2\,\text{cis}\,30^\circ", r"\sqrt{3}+i"),
    (r"22.5^\circ", r"\frac{\pi}{8}"),
    (r"\sqrt[3]{x^2}", "x^{2/3}"),
    ("ad-bc", r"\begin{vmatrix}a&b\\c&d\end{vmatrix}"),
    (r"m\ddot{x}(t)+kx(t)=F(t)", r"m\ddot{x}+kx=F"),
    ("E", r"\text{(E) not enough information}"),
]  # fmt: skip
OTHER = [
    (r"\sum_{k=1}^{n} k^2", r"\sum_{i=1}^{n} k^2"),
    (r"\sum_{k=1}^{n} k^2", r"\sum_{i=0}^{n} i^2"),
    (r"\sum_{i=1}^{n}\sum_{j=1}^{n} ij^2", r"\sum_{j=1}^{n}\sum_{i=1}^{n} ij^2"),
    (r"\int x^2\,dx", r"\int t^2\,dt"),
    ("f(x,y)=x-y", "f(a,b)=b-a"),
    ("C_1e^{x}+C_2e^{-x}", "Ae^{x}+Be^{-2x}"),
    ("C_1e^{x}+C_2e^{-x}", "Ae^{x}+Ae^{-x}"),
    # Constants of a problem, which no answer may call otherwise.
    (r"\frac{C}{2\pi}", r"\frac{A}{2\pi}"),
    (r"\frac{C_1C_2}{C_1+C_2}", r"\frac{AB}{A+B}"),
    ("k_1 x", "F x"),
    (r"[0,\infty)", r"\mathbb{R}^+"),
    (r"(-\infty,3]", r"\text{all real numbers less than } 3"),
    ("5", r"5 \text{ if } x>0"),
    # A line is no number.
    ("x+y=1", "1"),
    (r"5\text{:}30\text{ AM}", r"5\text{:}30\text{ PM}"),
    ("7", r"7\text{ mod }4"),
    ("1", r"\text{one of them}"),
    (r"\begin{vmatrix}1&2\\3&4\end{vmatrix}", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"),
    ("y=a", "y=a(t)"),
]  # fmt: skip


def verdict(gold, answer):
    return compare(Gold((gold,)), answer, lambda *_: DIFFERENT)


@pytest.mark.parametrize(("gold", "answer"), SAME)
def test_other_spellings_are_right(gold, answer):
    assert verdict(gold, answer) in RIGHT


@pytest.mark.parametrize(("gold", "answer"), OTHER)
def test_other_values_are_wrong(gold, answer):
    assert verdict(gold, answer) == DIFFERENT


@pytest.mark.parametrize(
    "response",
    [
        "Smallest: $\\boxed{4}$\nLargest: $\\boxed{7}$",
        "- First root: $\\boxed{4}$\n- Second root: $\\boxed{7}$",
        "**Part 1:** \\boxed{4}\n\n**Part 2:** \\boxed{7}",
    ],
)
def test_boxes_after_labels_of_one_kind_are_one_answer(response):
    assert extract_answer(response) == "4, 7"


@pytest.mark.parametrize(
    "response",
    [
        "Step 1: \\boxed{4}\nStep 2: \\boxed{7}",
        "Radius: \\boxed{4}\nFinal answer: \\boxed{7}",
        "So the radius is \\boxed{4}.\nArea: \\boxed{7}",
    ],
)
def test_a_box_on_the_way_is_no_part(response):
    assert extract_answer(response) == "7"
