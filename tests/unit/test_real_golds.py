"""Every gold of the seven real benchmarks is right as it stands, and in other spellings."""

import re
from collections import Counter
from fractions import Fraction

import pytest

from quagmires.golds import Gold
from quagmires.grading import Grader
from quagmires.parts import elements, parts
from quagmires.problems import read_problems
from quagmires.values import parse_value
from support import REAL_DATA, needs_real_data

# Benchmark -> number of problems, gold rule, answer column.
BENCHMARKS = {
    "math500": (500, "text", "answer"),
    "aime_1983_2024": (933, "text", "answer"),
    "aime_2025": (30, "text", "answer"),
    "gsm8k": (1319, "text", "answer"),
    "amc": (83, "text", "answer"),
    "olympiad": (675, "olympiadbench", "final_answer"),
    "minerva": (272, "any", "answers"),
}
WORD = re.compile(r"\\text\{([A-Za-z]{2,})\}|([A-Za-z]{2,})")
OPERATOR = re.compile(r"(?<=[\w})]) ?([-+]) ?(?=[\w\\(])")


@pytest.fixture(scope="module")
def golds() -> list[Gold]:
    columns = {"id": "id", "problem": "problem"}
    texts = []
    for name, (rows, rule, answer) in BENCHMARKS.items():
        source = {"path": REAL_DATA / "benchmarks" / f"{name}.jsonl"}
        texts += list(read_problems(name, source, columns | {"answer": answer}, rule, rows)["answer"])
    return [Gold.from_text(text) for text in texts]


def number_spellings(text: str) -> list[str]:
    """A number with or without a unit as a decimal, a fraction, powers of ten, with thousands commas, named."""
    value = parse_value(text)
    if value is None or value.factor != 1:
        return []
    number = value.number
    found = [rf"\frac{{{2 * number.numerator}}}{{{2 * number.denominator}}}", f"{number.numerator}/{number.denominator}"]
    found += [rf"\dfrac{{{number.numerator}}}{{{number.denominator}}}", rf"-\frac{{{-number.numerator}}}{{{number.denominator}}}"]
    if number.denominator == 1:
        plain = str(number)
        found += [f"{plain}.0", rf"\text{{{plain}}}", f"x = {plain}", rf"{plain} \text{{ units}}", f"{number.numerator:,}"]
        found += [rf"\textbf{{{plain}}}", f"{number.numerator:,}.00".replace(",", "{,}")]
    if abs(number) > 1 and number.denominator > 1:
        whole, rest = divmod(abs(number), 1)
        found.append(rf"{'-' if number < 0 else ''}{whole}\frac{{{rest.numerator}}}{{{rest.denominator}}}")
    if number:
        found += powers_of_ten(number)
    return found


def powers_of_ten(number: Fraction) -> list[str]:
    mantissa, _, exponent = f"{float(number):.12e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return [
        f"{mantissa}e{int(exponent)}",
        f"{mantissa}E{exponent}",
        rf"{mantissa} \times 10^{{{int(exponent)}}}",
        rf"{mantissa} \cdot 10^{{{int(exponent)}}}",
        f"{mantissa} × 10{int(exponent)}".translate(str.maketrans("", "")) if False else rf"{mantissa}\times10^{{{int(exponent)}}} \mathrm{{~kg}}",
    ]


def list_spellings(text: str, several: bool) -> list[str]:
    """A list, tuple or interval spaced otherwise, with large brackets, joined by words, in another order."""
    found, items, inside = [], parts(text), elements(text)
    if len(items) > 1:
        found += [", ".join(items), ",".join(items), r" ,\quad ".join(items), r" \text{ and } ".join(items)]
        found += [r"\text{ or }".join(items), "$" + "$, $".join(items) + "$"]
        if several:
            found += [", ".join(reversed(items)), " and ".join(items[1:] + items[:1]), rf"\{{{', '.join(sorted(items))}\}}"]
    if inside is not None and not inside.frame[0].isdigit():
        left, right = inside.frame
        for comma in (",", " , ", r",\, "):
            found += [left + comma.join(inside.items) + right, rf"\left{left} {comma.join(inside.items)} \right{right}"]
    return found


def expression_spellings(text: str) -> list[str]:
    """An expression with other spaces and brackets, and as a product, a quotient and a difference."""
    found = [OPERATOR.sub(r" \1 ", text), OPERATOR.sub(r"\1", text), OPERATOR.sub(r" \, \1 \; ", text)]
    found += [re.sub(r"(?<!\\)\((?!-)", r"\\left(", text).replace(")", r"\right)") if "\\left" not in text else text]
    found += [text.replace("\\frac", "\\dfrac"), text.replace(r"\left", "").replace(r"\right", "")]
    found += [re.sub(r"([_^])\{(\w)\}", r"\1\2", text), re.sub(r"([_^])(\w)(?!\w)", r"\1{\2}", text)]
    found += [text.replace(r"\sqrt{", r"\sqrt {"), text.replace("matrix} ", "matrix}").replace(r" \\ ", r"\\")]
    if not re.search(r"[=,]|\\(?:text|geq|in |cup|pm|begin|infty|odot|circ)|prime|'|_\d+$", text) and parse_value(text) is None:
        found += [rf"\frac{{2\left({text}\right)}}{{2}}", rf"-\left(-\left({text}\right)\right)", rf"0 + {text}"]
    return found


def word_spellings(text: str) -> list[str]:
    word = WORD.fullmatch(text)
    if word is None:
        return []
    letters = word[1] or word[2]
    return [rf"\text{{{letters}}}", rf"\textbf{{{letters}}}", rf"\mathrm{{{letters}}}", rf"\text{{ {letters} }}", letters]


def choice_spellings(text: str) -> list[str]:
    choice = re.fullmatch(r"\\text\{\(([A-J])\)\}", text)
    return [choice[1], f"({choice[1]})", rf"\text{{{choice[1]}}}", rf"\textbf{{({choice[1]})}}"] if choice else []


def spellings(gold: Gold) -> list[str]:
    """Other texts of the gold's value, none of them merely the gold in dollars."""
    found: list[str] = []
    for text in gold.accepted:
        found += number_spellings(text) + list_spellings(text, gold.several) + word_spellings(text)
        found += choice_spellings(text) + expression_spellings(text)
    return [text for text in dict.fromkeys(found) if text not in gold.accepted]
