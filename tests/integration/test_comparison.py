import json

import pytest

from quagmires.config.gold_rules import Gold
from quagmires.grading.grader import Grader
from quagmires.grading.math.equivalence import compare
from quagmires.grading.verdicts import DIFFERENT, EXACT, RIGHT, TIMEOUT, UNPARSABLE, VERIFIED

R, W = True, False
SEVERAL = Gold(("1,3,5",), several=True).to_text()

# (gold, answer, right?)
PAIRS = {
    "numbers": [
        ("12", "12.0", R), ("12", r"12\text{ m}", R), ("12", "12x", W), ("12", "12m", W), ("12", "1 2", W),
        ("12", "", W),
        ("12", "twelve", R), ("6m", "6", W), ("-3", "3", W), ("2.5", "2,5", W), ("1234", "1,234", R),
        ("5", r"\$5.00", R),
        ("3", r"\approx 3", R), ("0", r"\text{No solution}", W), ("16:30", "4:30", W), ("1:2", "1 : 2", R),
        ("1:2", "2:1", W),
        ("1024", "2^{10}", R), ("1000000", "10^6", R), ("4", "2^2", R), ("6", "3!", R), ("10", r"\binom{5}{2}", R),
        ("2", r"\frac{4}{2}", R), ("2", r"\log_2 4", R), ("4080", "6.90e5", W), ("4096", r"4^{6}", R),
    ],
    "traps of math-verify": [
        ("4.5e33", r"4.5 \times 10^{33}", R), ("4.5e33", "4.5E33", R), ("4.5e33", "4.5", W),
        ("4.5e33", r"4.5 \cdot 10^{32}", W),
        (r"4.5 \times 10^{33}", "10", W), ("4.5e33", r"4.5 \cdot e \cdot 33", W), ("2^-99", "2^-98", W),
        ("2^{-99}", "2^{-98}", W),
        ("2^{-99}", r"\frac{1}{2^{99}}", R), ("10", r"10\%", R), ("0.1", r"10\%", R), ("5", r"10\%", W),
        ("1.325e-27", r"3.313 \times 10^{-22}", W), (r"\sqrt{2} \cdot 10^{-10}", r"\sqrt{3} \cdot 10^{-10}", W),
        ("10^{-20}x", r"2 \cdot 10^{-20} x", W), ("x+10^{20}", "x+10^{20}+1", W), ("y=2x+1", "y=3x+1", W),
        ("ab=c", "ab=d", W), (r"\text{cats}=\text{dogs}", r"\text{cats}=\text{cows}", W), ("x^2+1=0", "x^2+2=0", W),
        (r"m \frac{dv}{dt}=f", r"m \frac{dv}{dt}=2f", W), ("100000", r"\sqrt{10000000001}", W),
        ("2^{64}", "2^{64}+1", W),
    ],
    "expressions": [
        (r"\sqrt{2}", "1.41421356", R), (r"\sqrt{2}", "1.414", W), (r"\pi/2", r"\frac{\pi}{2}", R),
        (r"2\pi", "6.283185", R),
        (r"2\pi", "6.28", W), ("12π", r"12\pi", R), (r"3\sqrt{13}", "3√13", R), ("x^2+2x+1", "(x+1)^2", R),
        ("x^2+2x+1", "(x+1)^3", W),
        ("x²", "x^2", R), ("2n", "2 n", R), ("2x+1", "2x+2", W), ("1+2i", "2i+1", R), ("i", "j", W),
        (r"\frac{1}{1+i}", r"\frac{1-i}{2}", R),
        (r"\sqrt{-4}", "2i", R), (r"\frac{e^{at}-e^{-at}}{2a}", r"\frac{\sinh(at)}{a}", R),
        (r"\frac{e^{at}-e^{-at}}{2a}", r"\frac{\cosh(at)}{a}", W),
        (r"\sqrt{x^2}", "|x|", R), (r"\sqrt{x^2}", "x", W),
        (r"\lceil n/2\rceil+1", r"\left\lceil \frac{n}{2} \right\rceil+1", R),
        (r"\frac{n(n+1)}{2}", r"\frac{n(n-1)}{2}", W), ("2^{k-n}", "2^{n-k}", W),
        (r"2\sqrt{3}", r"2\sqrt{3} \text{ cm}", R),
        (r"\frac{1}{\sqrt{2}}c", r"\frac{c\sqrt{2}}{2}", R), (r"\frac{1}{\sqrt{2}}c", r"\frac{1}{\sqrt{2}}", W),
    ],
    "names and equations": [
        ("3", "x=3", R), ("x=3", "3", R), ("x=3", "x = 3.0", R), ("x=3", "y=3", W), (r"x=\sqrt{2}", r"y=\sqrt{2}", W),
        ("f(x)=2x", "2x", R), ("y=2x+1", "y=1+2x", R), ("2x-y=1", "4x-2y=2", R), ("2x-y=1", "4x-2y=3", W),
        (r"x=\frac{e^t}{3}+ce^{-2t}", r"x(t)=\frac{1}{3}e^t+ce^{-2t}", R),
        (r"m\frac{dv}{dt}+bv=f", r"\frac{dv}{dt}=\frac{f-bv}{m}", R),
        (r"\frac{dM}{dt}=\frac{10^5L_{\odot}}{0.007M_\odot}", r"\frac{dM}{dt}=\frac{10^8L_{\odot}}{7M_{\odot}}", R),
        (r"\frac{dM}{dt}=\frac{10^5L_{\odot}}{0.007M_\odot}", r"\frac{dM}{dt}=\frac{10^7L_{\odot}}{7M_{\odot}}", W),
        ("x>3", "x>3", R), ("x>3", "x<3", W), ("x>3", "3", W), ("3", "x>3", W), (r"x \geq 3", r"[3,\infty)", R),
        (r"k\geqslant 2", r"k \ge 2", R),
    ],
    "lists, in any order and all of them": [
        ("1,2", "2,1", R), ("1,2", r"\{2, 1\}", R), ("1,2", "1", W), ("1", "1,2", W), ("2", "1,2", W),
        ("x=2 or x=3", "2,3", R),
        ("1,2", "1,3", W), ("1,2,2", "1,1,2", W), ("5,-2", r"x = 5 \text{ or } x = -2", R),
        ("1,-1,7,-7", r"\pm 1, \pm 7", R),
        (r"3 \pm 2\sqrt{2}", r"3+2\sqrt{2}, 3-2\sqrt{2}", R), (r"(3,2),(-3,2)", r"(-3, 2) \text{ and } (3, 2)", R),
        ("x+1,x^2-1", "(x-1)(x+1), 1+x", R), ("x+1,x^2-1", "(x-1)(x+1), 2+x", W), ("a=2,b=3", "b=3,a=2", R),
        ("a=2,b=3", "a=3,b=2", W),
        (SEVERAL, "5, 3 and 1", R), (SEVERAL, "5, 3", W), (SEVERAL, "1,3,5,7", W), (SEVERAL, "1,3,3", W),
        (SEVERAL, "(5,3,1)", R),
        (SEVERAL, "135", W), (Gold(("100,200",), several=True).to_text(), "100200", W),
        (Gold(("100,200",), several=True).to_text(), "200, 100", R),
        (Gold(("\\pm 1, \\pm 7",), several=True).to_text(), "7,-7,1,-1", R), ("2", r"\pm 2", W), ("2", "2 or 3", W),
    ],
    "alternatives and tolerances": [
        (Gold(("0.01", "0.02")).to_text(), "0.02", R), (Gold(("0.01", "0.02")).to_text(), "0.03", W),
        (Gold(("x+1", "x-1")).to_text(), "-1+x", R), (Gold(("4.2",), tolerance=0.1).to_text(), "4.25", R),
        (Gold(("4.2",), tolerance=0.1).to_text(), "4.4", W),
        (Gold(("4.2",), tolerance=0.1).to_text(), r"\frac{17}{4}", R),
        (Gold(("1.5,2.5",), several=True, tolerance=0.1).to_text(), "2.45, 1.55", R),
    ],
    "tuples, intervals, matrices": [
        ("(1,2)", "(2,1)", W), ("(1,2)", "(1,2,3)", W), ("(1,2)", r"\left(1.0,\frac{4}{2}\right)", R),
        ("[0,1)", "[0,1]", W),
        ("(0,1]", r"\left(0, 1\right]", R), (r"[0,\infty)", r"[0,+\infty)", R),
        (r"(-\infty,3)\cup(3,\infty)", r"(-\infty, 3) \cup (3, \infty)", R),
        (r"(-\infty, 0) \cup\{1\}.", "0", W), (r"[-1,0) \cup (0,1]", r"[-1, 1] \setminus \{0\}", R),
        (r"\mathbb{R}", r"(-\infty,\infty)", R),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1.0&2\\3&\frac{8}{2}\end{bmatrix}", R),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}", W),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}", W),
        (r"\begin{pmatrix}0\\0\end{pmatrix}", r"\mathbf{0}", R),
        (r"\begin{pmatrix}0\\1\end{pmatrix}", r"\mathbf{0}", W),
    ],
    "words, units, choices": [
        ("even", r"\textbf{Even}", R), ("even", "odd", W), (r"\text{Yes}", r"\text{no}", W),
        (r"\text{4:30 p.m.}", r"4:30 \text{ p.m.}", R),
        ("90", r"90^\circ", R), ("15000", "15,000 kcal m⁻² yr⁻¹", R), ("12", r"12^{\mathrm{th}} \text{ grade}", R),
        ("C", r"\text{(C)}", R), ("C", r"\text{(C) } 5", R), (r"\text{(B)}", r"\textbf{(B)}\ 3(1 + r/10)^x = 7", R),
        ("C", "D", W), ("C", "C.", R),
        ("C", r"\text{(C) or (D)}", W), ("C", "(C)(D)", W), ("C", "C, D", W), ("5", r"5 \text{ or more}", W),
        ("5", r"\text{at least }5", W),
        ("5", r"\text{not } 5", W), ("5", r"\text{between } 4 \text{ and } 5", W), ("5", "<5", W),
        ("5", r"\neq 5", W),
    ],
    "notation that math-verify misreads": [
        # The letter, not the gamma function, which is infinite at -1 and at -5.
        (r"c^2(\gamma^2-1)", r"(\gamma^2-1)c^2", R),
        (r"c^2(\gamma^2-1)", r"c^2(\gamma^2-5)", W),
        (r"\gamma_L m", r"m\gamma_{L}", R),
        (r"\gamma_L m", r"m\gamma_{R}", W),
        (r"\sqrt{\pi}+1", r"\Gamma(1/2)+1", R),
        (r"\hbar\omega/2", r"\frac{1}{2}\hbar\omega", R),
        (r"\hbar\omega/2", r"\frac{1}{2}h\omega", W),
        # Digits to a base.
        ("4343_6", "4343_{6}", R),
        ("4343_6", r"4343_{\text{6}}", R),
        ("4343_6", "4343_7", W),
        ("52_8", "42_{10}", R),
        ("52_8", "42_8", W),
        # Spaces that hold a comma or a semicolon.
        (r"f(x)=-1,f(x)=x+1", r"f(x)=x\,+\;1, \; f(x)=-1", R),
        (r"\sqrt{2}-1,\frac{1}{7}", r"\frac{1}{7},\,\sqrt{2}\,-\;1", R),
        # Primes are marks of a derivative after a letter, and of minutes and seconds after a number.
        ("x'+rx=0", r"x^{\prime}+rx=0", R),
        ("x''+rx=0", r"x^{\prime \prime}+rx=0", R),
        ("x''+rx=0", r"x^{\prime}+rx=0", W),
        (r"0.003^{\prime \prime}", "0.003", R),
        (r"0.003^{\prime \prime}", "0.03''", W),
        (r"1950^\circ C", "1950", R),
        (r"1950^\circ C", r"1950\,^{\circ}\text{C}", R),
    ],
}  # fmt: skip
TABLE = [(gold, answer, right) for pairs in PAIRS.values() for gold, answer, right in pairs]
# Where math-verify itself says equal; documented, left.
KNOWN = [("4343_6", "4343")]


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=1, timeout=10.0) as one:
        yield one


@pytest.mark.parametrize(("gold", "answer", "right"), TABLE)
def test_pairs(grader, gold, answer, right):
    grade = grader.grade(gold, rf"\boxed{{{answer}}}")
    assert grade.correct is right, grade.reason


@pytest.mark.parametrize(("gold", "answer"), KNOWN)
def test_known_weaknesses_are_still_the_documented_ones(grader, gold, answer):
    assert grader.grade(gold, rf"\boxed{{{answer}}}").correct


@pytest.mark.parametrize(
    ("gold", "answer", "right"), [pair for pair in TABLE if pair[2] and not pair[0].startswith("{")]
)
def test_a_right_answer_is_right_with_dollars_and_a_full_stop(grader, gold, answer, right):
    assert grader.grade(gold, rf"\boxed{{${answer}$.}}").correct


def verdicts(**known: str):
    """An algebra that knows some answers and must not be asked for others."""
    return lambda gold, answer: known[answer]


@pytest.mark.parametrize(
    ("gold", "answer", "known", "reason"),
    [
        (Gold(("|a|",)), "|p|", {"|p|": UNPARSABLE}, UNPARSABLE),
        (Gold(("|a|", "|c|")), "|p|", {"|p|": TIMEOUT}, TIMEOUT),
        (Gold(("|a|", "|p|")), "|p|", {"|p|": TIMEOUT}, EXACT),
        (Gold(("|a|,|c|",), several=True), "|p|,|q|", {"|p|": TIMEOUT, "|q|": DIFFERENT}, TIMEOUT),
        (Gold(("|a|,|c|",), several=True), "|p|,|q|", {"|p|": DIFFERENT, "|q|": DIFFERENT}, DIFFERENT),
        (Gold(("|a|,|c|",), several=True), "|p|,|q|", {"|p|": VERIFIED, "|q|": VERIFIED}, VERIFIED),
        (Gold(("|a|,|c|",), several=True), "|p|", {}, DIFFERENT),
    ],
)
def test_what_algebra_leaves_open_is_the_reason(gold, answer, known, reason):
    assert compare(gold, answer, lambda gold, answer: known[answer]) == reason


def test_without_algebra_open_questions_stay_open():
    assert compare(Gold(("|a|",)), "|-a|", None) is None
    assert compare(Gold(("|a|", "7")), "7", None) in RIGHT


def test_a_gold_travels_as_text():
    assert json.loads(SEVERAL) == {"accepted": ["1,3,5"], "several": True}
