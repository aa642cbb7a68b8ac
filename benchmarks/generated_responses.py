"""Responses to made-up problems: reasoning full of formulas, then a right or a wrong answer in a box."""

import random

# Reasoning before the box; math-verify reads all of it.
_SENTENCES = (
    "We are given that ${0}x + {1} = {2}$, so we first subtract ${1}$ from both sides.",
    "This means that \\[ x = \\frac{{{2} - {1}}}{{{0}}}. \\]",
    "Next we look at the triangle with sides {0}, {1} and {2}, and write down the law of cosines.",
    "Therefore $f({0}) = {0}^2 + {1} \\cdot {0} + {2}$, which we can simplify further.",
    "Wait, let me check this step again, because the number of cases was {1} and not {2}.",
    "By the binomial theorem, $\\binom{{{2}}}{{{0}}}$ of these choices are possible, each has probability ${1}\\%$.",
    "Now $\\sqrt{{{1}}} < {2}$, and we can ignore the negative root.",
)


def generated(rng: random.Random, problems: int) -> list[dict]:
    """Responses to made-up problems, 16 to each, with 500 to 3000 characters of reasoning, half of them right."""
    rows = []
    for number in range(problems):
        kind = KINDS[number % len(KINDS)]
        gold, right, wrong = kind(rng)
        for _ in range(16):
            correct = rng.random() < 0.5
            ending = f"So the answer is $\\boxed{{{rng.choice(right if correct else wrong)}}}$."
            rows.append(
                {
                    "problem_id": f"generated/{number}",
                    "source": kind.__name__,
                    "gold": gold,
                    "response": f"{reasoning(rng)} {ending}",
                    "recorded_correct": correct,
                }
            )
    return rows


def reasoning(rng: random.Random) -> str:
    length, text = rng.randint(500, 3000), ""
    while len(text) < length:
        text += rng.choice(_SENTENCES).format(*(rng.randint(2, 99) for _ in range(3))) + "\n"
    return text


# The gold, right spellings of it, wrong answers.
Answers = tuple[str, list[str], list[str]]


def integers(rng: random.Random) -> Answers:
    n = rng.randint(1000, 99999)
    return str(n), [str(n), f"{n:,}", f"x = {n}", f"{n}.0"], [str(n + 1), str(-n), f"{n + 10:,}"]


def fractions(rng: random.Random) -> Answers:
    a, b = rng.randint(1, 40), rng.choice((41, 43, 47, 53))
    right = [f"\\dfrac{{{a}}}{{{b}}}", f"{a}/{b}", f"\\frac{{{2 * a}}}{{{2 * b}}}"]
    return f"\\frac{{{a}}}{{{b}}}", right, [f"\\frac{{{a + 1}}}{{{b}}}", f"\\frac{{{b}}}{{{a}}}", f"{a / b:.2f}"]


def radicals(rng: random.Random) -> Answers:
    a, b = rng.randint(2, 30), rng.choice((2, 3, 5, 7, 11, 13))
    right = [f"\\sqrt{{{b}}} \\cdot {a}", f"\\sqrt{{{a * a * b}}}", f"{a} \\cdot {b}^{{1/2}}"]
    return f"{a}\\sqrt{{{b}}}", right, [f"{a + 1}\\sqrt{{{b}}}", f"\\sqrt{{{a * b}}}", f"{a}\\sqrt{{{b + 4}}}"]


def intervals(rng: random.Random) -> Answers:
    a, b = rng.randint(-50, 0), rng.randint(1, 50)
    right = [f"({a},{b}]", f"\\left({a}, {b}\\right]", f"({2 * a}/2, {b}]"]
    return f"({a}, {b}]", right, [f"[{a}, {b}]", f"({a}, {b + 1}]", f"({a}, \\infty)"]


def polynomials(rng: random.Random) -> Answers:
    p, q = rng.randint(1, 20), rng.randint(21, 40)
    gold = f"x^2 + {p + q}x + {p * q}"
    right = [gold, f"(x+{p})(x+{q})", f"{p * q} + {p + q}x + x^{{2}}", f"x(x+{p + q}) + {p * q}"]
    return gold, right, [f"x^2 + {p + q + 1}x + {p * q}", f"(x-{p})(x+{q})", f"x^2 + {p * q}x + {p + q}"]


KINDS = (integers, fractions, radicals, intervals, polynomials)
