"""Five hundred answers that want to break the grader: none may hang it, crash it, run, or cost another answer."""

import math
import os
import random
import resource
import string
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from quagmires.grading import reward
from quagmires.grading.grader import Grader
from quagmires.grading.math.extraction import extract_answer
from quagmires.grading.math.numbers import canonical
from quagmires.grading.math.spelling import normalise
from quagmires.grading.math.structures import elements, parts
from quagmires.grading.verdicts import DIFFERENT, EXACT, NO_ANSWER, TIMEOUT, UNPARSABLE, VERIFIED

CASES = 500
TIMEOUT_SECONDS = float(os.environ.get("HOSTILE_TIMEOUT", "1.0"))
MEGABYTE = 1_000_000
# Golds of every kind, so that every way of comparing meets every attack.
GOLDS = (
    "7919",
    r"\frac{355}{113}",
    r"\frac{3+\sqrt{5}}{7}",
    "x^{17}+17x",
    "(17,19)",
    r"[17,19)",
    r"\begin{pmatrix}17&19\\23&29\end{pmatrix}",
    "y=17x+19",
    r"x\leq17",
    r"\text{quagmire}",
    "1719_8",
    "17,19,23",
    '{"accepted": ["17", "19\\\\pi"], "tolerance": 0.001}',
    r'{"accepted": ["17\\sqrt{2},19\\sqrt{3},23\\pi"], "several": true}',
)
# The reasons a wrong answer may have.
WRONG = {DIFFERENT, NO_ANSWER, TIMEOUT, UNPARSABLE}


NAMES = [
    "S", "I", "E", "N", "O", "Q", "C", "Integer", "Symbol", "exec", "eval", "lambdify", "zoo", "nan", "oo", "Lambda",
    "beta", "zeta", "None", "True", "__class__", "self", "plot", "preview", "factorint", "Piecewise",
]  # fmt: skip
USES_OF_NAMES = ["{0}", "{0}({0})", "{0}(9**9**9)", r"\operatorname{{{0}}}(3)", r"\{0}", "{0}.{0}", "{0}^{{{0}}}"]
CODE = [
    "__import__('os').system('touch MARKER')",
    "open('MARKER','w').write('x')",
    "exec(\"open('MARKER','w')\")",
    "eval(compile('open(\\'MARKER\\',\\'w\\')','','exec'))",
    "().__class__.__base__.__subclasses__()[-1]('touch MARKER')",
    "[c for c in (lambda:0).__globals__ if open('MARKER','w')]",
    'sympify(\'open("MARKER","w")\')',
]
USES_OF_CODE = ["CODE", r"\text{CODE}", "$CODE$", "x=CODE", r"\mathrm{CODE}", "CODE,CODE", "(CODE,1)"]
TEX = [
    r"\input{/etc/passwd}",
    r"\write18{touch MARKER}",
    r"\immediate\write18{touch MARKER}",
    r"\include{/etc/shadow}",
    r"\def\x{\x\x}\x",
    r"\loop\iftrue\repeat",
    r"\csname end\endcsname",
    r"\catcode`\{=12 }",
    r"\openout1=MARKER \write1{x}",
    r"\newcommand{\a}{\a\a}\a",
]
# Right-to-left marks, lone surrogates, digits of other scripts, what `spell_symbols` rewrites.
CHARACTERS = [
    "\u202e", "\u200f", "\ud800", "\udfff", "\x00", "\u200b", "\ufeff", "\u0661\u0662\u0663", "\U0001d7cf", "\u2460",
    "½", "⁹", "√", "\U0010ffff", "e\u0301",
]  # fmt: skip
# Runs of these are what the regular expressions of the grader might choke on.
RUNS = [
    " ", ",", "1,", "111,", "1 ", r"\,", r"\text{", r"\text{a", r"\text{ ", "~", r"\quad ", "9", "0.", "1.", "^{",
    "and ", "or ", ", and", r"\text{ and ", "(", "[", "{", "}", ")", "$", "=", "x=", "-", "+-", "/", "%", r"\%",
    r"\frac", r"\frac1", r"\sqrt", r"\left(", "&", r"\\", "e1", r"\cdot", r"\approx", "√(", "⁻", "_{", "x_{a}(",
    "\n", "\t",
]  # fmt: skip
LONG_RUNS = [*" 9{}$,\\", r"\frac", "a b ", "1,", "\ud83d", "<think>", r"\boxed", r"\boxed {"]
NUMBERS = [
    "9**9**9**9",
    "10^{10^{10}}",
    "2^{2^{2^{2^{2^{2}}}}}",
    r"9^{9^{9^{9}}} \bmod 7",
    "1e999999999",
    r"\binom{10^9}{10^8}",
    r"(10^{10})!",
    r"\Gamma(10^{12})",
    r"((9!)!)!",
]
CALCULUS = [
    r"\prod_{k=1}^{10^9} k",
    r"\sum_{k=1}^{10^{9}} k^{k}",
    r"\int_0^{9^{9}} x^{x^{x}} dx",
    r"\lim_{x \to 0} \frac{\sin x^{x}}{x^{x}}",
    r"x^{100000}+y^{99999}=z^{99998}",
    r"\sin(x^{y^{z}})=\cos(z^{y^{x}})",
]
NOTHING = ["", " ", "$", "$$", r"\text{}", r"\,", ".", "{}", "\\", "%", "=", ","]


def hostile_answers(seed: int, marker: str) -> list[str]:
    """`CASES` texts to put into a box; some close it at once and open their own."""
    rng = random.Random(seed)
    makers = [*_nested(rng), *_numbers(rng), *_foreign(rng, marker), *_long(rng)]
    return [makers[number % len(makers)]() for number in range(CASES)]


def _size(rng: random.Random, largest: int) -> int:
    """Any order of magnitude from ten to `largest`."""
    return int(10 ** rng.uniform(1, math.log10(largest)))


def _nest(opening: str, inner: str, closing: str, depth: int) -> str:
    return opening * depth + inner + closing * depth


def _nested(rng: random.Random) -> list[Callable[[], str]]:
    bases = ["9", "99", "x", r"\pi", "9.5", "(-9)", "e", "i"]
    row = "&".join("9" * 20)
    return [
        lambda: _nest(f"{rng.choice(bases)}^{{", "9", "}", rng.randint(4, 40)),
        lambda: "^".join("9" * rng.randint(3, 200)),
        lambda: _nest("{", "1", "}", 100_000),
        lambda: "{" * _size(rng, 2000) + "1",
        lambda: _nest("(", "1", ")", _size(rng, 900)),
        lambda: _nest(r"\sqrt{", "2", "}", _size(rng, 250)),
        lambda: _nest(r"\frac{1}{1+", "1", "}", _size(rng, 160)),
        lambda: _nest(r"\sin(", "x", ")", _size(rng, 300)),
        lambda: _nest(r"\log_{", "2", "}", _size(rng, 250)),
        lambda: r"\frac{" * _size(rng, 300) + "1",
        lambda: r"\begin{pmatrix}" + r"\\".join([row] * _size(rng, 60)) + r"\end{pmatrix}",
        lambda: r"\begin{pmatrix}" * _size(rng, 120),
    ]


def _numbers(rng: random.Random) -> list[Callable[[], str]]:
    return [
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice(CALCULUS),
        lambda: "9" * _size(rng, MEGABYTE),
        lambda: f"{'9' * _size(rng, 1900)}^{{{'9' * 9}}}",
        lambda: f"0.{'3' * _size(rng, 1900)}",
        lambda: f"{'7' * _size(rng, 900)}_{{{'9' * _size(rng, 900)}}}",
        lambda: "9" * rng.randint(1, 6) + "!" * rng.randint(1, 30),
        lambda: "+".join(f"{rng.randint(2, 99)}^{{{rng.randint(2, 99)}}}" for _ in range(_size(rng, 200))),
        lambda: "".join(f"(x+{rng.randint(2, 99)})" for _ in range(_size(rng, 250))),
        lambda: f"(x+y+z+1)^{{{_size(rng, 100_000)}}}",
    ]


def _foreign(rng: random.Random, marker: str) -> list[Callable[[], str]]:
    def code() -> str:
        return rng.choice(USES_OF_CODE).replace("CODE", rng.choice(CODE)).replace("MARKER", marker)

    def name() -> str:
        return rng.choice(USES_OF_NAMES).format(rng.choice(NAMES))

    def noise(characters: Sequence[str]) -> Callable[[], str]:
        return lambda: "".join(rng.choices(characters, k=_size(rng, 1900)))

    return [
        *[code] * 3,
        *[name] * 2,
        *[lambda: rng.choice(TEX).replace("MARKER", marker)] * 2,
        *[noise(CHARACTERS)] * 2,
        *[noise(string.printable)] * 2,
        lambda: rng.choice(NOTHING),
    ]


def _long(rng: random.Random) -> list[Callable[[], str]]:
    def run() -> str:
        piece = rng.choice(RUNS)
        return piece * (_size(rng, 1900) // len(piece) + 1) + rng.choice(["", "x", "!", "7"])

    return [
        *[run] * 4,
        *[lambda: rng.choice(LONG_RUNS) * (MEGABYTE // 8)] * 2,
        lambda: r"\boxed{" * _size(rng, MEGABYTE),
        lambda: _nest(r"\boxed{", "1", "}", 100_000),
        lambda: (r"\boxed{" + "{" * 20_000) * 30,
        lambda: "}" + r"\boxed{},\boxed{1}," * 20_000,
    ]


def responses(seed: int, marker: str) -> list[tuple[str, str]]:
    """(gold, response) pairs."""
    return [
        (GOLDS[number % len(GOLDS)], f"\\boxed{{{answer}}}")
        for number, answer in enumerate(hostile_answers(seed, marker))
    ]


@pytest.fixture(scope="module")
def marker(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "executed"


@pytest.fixture(scope="module")
def cases(marker):
    return responses(20_251_001, str(marker))


def test_hostile_answers_cost_their_time_limit_at_most_and_nothing_else(cases, marker, capsys):
    golds, texts = map(list, zip(*cases, strict=True))
    # After each case a good one and a wrong one that need the worker: a killed worker costs only its own answer.
    neighbours = [(rf"\frac{{{k}}}{{x+1}}", rf"\boxed{{{k}(1+x)^{{-1}}}}") for k in range(2, 2 + len(cases), 10)]
    for place, (gold, text) in enumerate(neighbours):
        golds.insert(11 * place, gold)
        texts.insert(11 * place, text)
    slowest = 0.0
    with Grader(workers=2, timeout=TIMEOUT_SECONDS) as grader, ThreadPoolExecutor(2) as threads:
        # The workers' start does not count.
        grader.grade_many(["x+1", "x+2"], [r"\boxed{(x^2-1)/(x-1)}", r"\boxed{(x^2-4)/(x-2)}"])

        def one(pair):
            started = time.monotonic()
            grade = grader.grade(*pair)
            return grade, time.monotonic() - started

        results = list(threads.map(one, zip(golds, texts, strict=True)))
    good = {gold for gold, _ in neighbours}
    for (grade, seconds), gold, text in zip(results, golds, texts, strict=True):
        if gold in good:
            assert grade.reason == VERIFIED, gold
        else:
            assert grade.reason in WRONG, (gold, text[:200], grade.reason)
            assert not grade.correct
            slowest = max(slowest, seconds)
    assert not marker.exists()
    # The limit is processor time, and a new process may have to start: on a busy machine both take many times longer.
    assert slowest < 20 * TIMEOUT_SECONDS + 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20
    counts = {reason: sum(grade.reason == reason for grade, _ in results) for reason in sorted(WRONG)}
    with capsys.disabled():
        print(f"\nhostile answers: {counts}; slowest {slowest:.1f} s")
    assert counts[TIMEOUT] > 0
    assert counts[UNPARSABLE] > 0


def test_reward_never_raises(cases, marker, monkeypatch):
    with Grader(workers=2, timeout=0.3) as grader, ThreadPoolExecutor(4) as threads:
        monkeypatch.setitem(reward._graders, "math", grader)
        scores = list(threads.map(lambda case: reward.compute_score("any", case[1], case[0])["score"], cases))
    assert len(scores) == CASES
    assert set(scores) == {0.0}
    assert not marker.exists()


@pytest.mark.parametrize(
    ("function", "length"),
    # Answers have two thousand characters at most; responses may have millions.
    [
        (extract_answer, MEGABYTE),
        (normalise, MEGABYTE // 4),
        *[(one, MEGABYTE // 10) for one in (canonical, parts, elements)],
    ],
)
@pytest.mark.parametrize("before", ["", r"\text{", r"1\,", r"\boxed{2},\boxed{"])
def test_time_does_not_explode_with_length(function, length, before):
    for piece in [*RUNS, *LONG_RUNS, *CODE, "".join(CHARACTERS), r"\boxed{", r"\boxed{{", r"\boxed{1},"]:
        text = before + piece * (length // len(piece)) + "!"
        started = time.process_time()
        function(text)
        assert time.process_time() - started < 0.5, piece


def test_other_answers_after_a_killed_worker_are_graded_rightly():
    with Grader(workers=1, timeout=1.0) as grader:
        golds = ["3", "|x|", "3", r"\frac{|x|}{2}"]
        answers = ["9^{9^{9^{9^{9}}}}", "|-x|", "9^{9^{9^{9^{9}}}}+1", r"\frac{1}{2}|x|"]
        reasons = [grade.reason for grade in grader.grade_many(golds, [rf"\boxed{{{answer}}}" for answer in answers])]
    assert reasons == [TIMEOUT, VERIFIED, TIMEOUT, VERIFIED]


def test_a_worker_killed_by_others_is_replaced():
    with Grader(workers=1, timeout=5.0) as grader:
        assert grader.grade("|x|", r"\boxed{|-x|}").reason == VERIFIED
        process = grader._workers[0]._process
        process.kill()
        process.wait()
        assert grader.grade("2|x|", r"\boxed{|2x|}").reason == VERIFIED


def test_parts_share_one_time_limit():
    tower = "9^{9^{9^{9^{9}}}}"
    gold = '{"accepted": ["x,y,z,u,v"], "several": true}'
    with Grader(workers=1, timeout=1.0) as grader:
        grader.grade("|x|", r"\boxed{|-x|}")
        started = time.monotonic()
        grade = grader.grade(gold, rf"\boxed{{{','.join(f'{tower}+{k}' for k in range(5))}}}")
        seconds = time.monotonic() - started
    assert grade.reason == TIMEOUT
    assert seconds < 20


def test_text_outside_any_box_is_never_an_answer():
    with Grader(workers=1) as grader:
        for text in (
            "",
            "7",
            "answer: 7",
            r"\boxedly 7",
            r"\boxed{7",
            r"boxed{7}",
            "<think>\\boxed{7}</think>",
        ):
            assert grader.grade("7", text).reason == NO_ANSWER
        assert grader.grade("7", r"\boxed{7}").reason == EXACT
