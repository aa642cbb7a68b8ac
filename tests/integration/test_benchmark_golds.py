"""Every gold of the seven benchmarks is right when answered as itself, and in other spellings of the same value."""

import re
from fractions import Fraction

import pytest

from quagmires.common.tabular import iterate
from quagmires.config.gold_rules import Gold
from quagmires.grading.grader import Grader
from quagmires.grading.math.numbers import Value, parse_value
from quagmires.grading.math.structures import elements, parts
from quagmires.grading.math.task import Mathematics
from support import REAL_DATA, needs_real_data

RULES = {"olympiad": "olympiadbench", "minerva": "any"}
COLUMNS = {"minerva": "answers"}
WANTED = 3


def golds() -> list[tuple[str, Gold]]:
    """(id, gold) of every row of the seven files."""
    return [
        (row["id"], Mathematics().read_gold(RULES.get(file.stem, "text"), row[COLUMNS.get(file.stem, "answer")], row))
        for file in sorted((REAL_DATA / "benchmarks").glob("*.jsonl"))
        for row in iterate(file)
    ]


def spellings(gold: Gold) -> list[str]:
    """Other ways to write the first accepted answer, by its kind."""
    text = gold.accepted[0]
    pieces, value = parts(text), parse_value(text)
    if value is not None:
        found = spellings_of_number(value, text)
    elif len(pieces) > 1:
        found = spellings_of_list(pieces, gold.several)
    elif elements(text) is not None:
        found = spellings_of_elements(text)
    else:
        found = spellings_of_expression(text)
    return [one for one in dict.fromkeys(found) if one != text]


def spellings_of_number(value: Value, text: str) -> list[str]:
    number = value.number
    if "^" in text and number.denominator == 1 and abs(number) < 10**15:
        found = [str(number), f"{int(number):,}"]
    elif number.denominator == 1 and abs(number) < 10**15:
        found = [f"{number}.0", rf"\text{{{number}}}", f"{int(number):,}", rf"\frac{{{2 * number}}}{{2}}", f"+{number}"]
        found[4:] = [] if number < 0 else found[4:]
    elif value.exact:
        found = [
            f"{number.numerator}/{number.denominator}",
            rf"\dfrac{{{2 * number.numerator}}}{{{2 * number.denominator}}}",
        ]
        found += [f"{float(number):.9f}"] if Fraction(1, 100) < abs(number) < 10**6 else []
    else:
        found = []
    if not value.exact and number:
        found += scientific(number)
    found += [f"${text}$", f"{text.replace(' ', '  ')} ."]
    if "=" not in text:
        found.append(f"x = {text}")
    if re.search(r"[a-zA-Z]", re.sub(r"\\[dt]?frac|\\times|e", "", text)) is None:
        # Neither a unit nor a name.
        found += [rf"{text} \text{{ units}}", rf"\left( {text} \right)"]
    return found


def scientific(number: Fraction) -> list[str]:
    """4.5e33, 4.5 x 10^33 and 45 x 10^32."""
    mantissa, exponent = f"{float(number):.9e}".split("e")
    mantissa, power = Fraction(mantissa), int(exponent)
    short = f"{float(mantissa):.9g}"
    return [
        f"{short}e{power}",
        f"{short}E{power:+d}",
        rf"{short} \times 10^{{{power}}}",
        rf"{short}\cdot10^{{{power}}}",
        rf"{float(mantissa * 10):.9g} \times 10^{{{power - 1}}}",
    ]


def spellings_of_list(pieces: list[str], several: bool) -> list[str]:
    found = [",".join(pieces), " , ".join(pieces), r" \text{ and } ".join(pieces), rf"\{{{', '.join(pieces)}\}}"]
    found.append(rf"{', '.join(pieces[:-1])}, \text{{ and }} {pieces[-1]}")
    if several:
        found += [", ".join(reversed(pieces)), r"\text{ or }".join([*pieces[1:], pieces[0]])]
    return found


def spellings_of_elements(text: str) -> list[str]:
    held = elements(text)
    if held.frame[0].isdigit():
        columns = int(held.frame.partition("x")[2])
        rows = [held.items[k : k + columns] for k in range(0, len(held.items), columns)]
        body = r" \\ ".join(" & ".join(f" {cell}" for cell in row) for row in rows)
        return [rf"\begin{{{kind}}} {body} \end{{{kind}}}" for kind in ("pmatrix", "bmatrix", "Bmatrix")]
    first, last = held.frame
    return [
        f"{first}{','.join(held.items)}{last}",
        rf"\left{first} {' , '.join(held.items)} \right{last}",
        rf"${first}\, {', '.join(held.items)} {last}$",
        rf"\bigl{first}{', '.join(held.items).replace('frac', 'dfrac')}\bigr{last}.",
    ]


def spellings_of_expression(text: str) -> list[str]:
    found = [
        f"${text}$",
        rf"\displaystyle {text}",
        f"{text.removesuffix('.')} .",
        re.sub(r"(?<=[a-z0-9)}])\s*([+=-])\s*(?=[\\a-z0-9({])", r" \1 ", text),
    ]
    if re.fullmatch(r"(?:\\text\{)?[A-Za-z() ]+\}?", text):
        word = text.removeprefix(r"\text{").removesuffix("}")
        return [*found, word, rf"\text{{{word}}}", rf"\textbf{{{word}}}", rf"\mathrm{{{word}}}", rf"\text{{ {word} }}"]
    found.append(text.replace(r"\frac", r"\dfrac").replace(r"\left", "").replace(r"\right", ""))
    if not re.search(r"[=<>_,.']|\\(?:le|ge|pm|cup|in|text|prime|neq|mathbb|infty)", text):
        # These need algebra.
        found += [rf"\frac{{2({text})}}{{2}}", rf"{text} + 1 - 1"]
    if "=" not in text and not re.search(r"\\(?:le|ge)|[<>]", text):
        found.append(f"Q = {text}")
    return found


@pytest.fixture(scope="module")
def grader():
    with Grader(workers=2) as one:
        yield one


@needs_real_data
def test_every_gold_is_right_when_answered_as_itself(grader):
    rows = golds()
    assert len(rows) == 3812
    for accepted in range(max(len(gold.accepted) for _, gold in rows)):
        some = [(name, gold) for name, gold in rows if len(gold.accepted) > accepted]
        grades = grader.grade_many(
            [gold.to_text() for _, gold in some], [rf"\boxed{{{gold.accepted[accepted]}}}" for _, gold in some]
        )
        assert [name for (name, _), grade in zip(some, grades, strict=True) if not grade.correct] == []


@needs_real_data
def test_every_gold_is_right_in_other_spellings(grader):
    rows = [(name, gold, spelling) for name, gold in golds() for spelling in spellings(gold)]
    grades = grader.grade_many([gold.to_text() for _, gold, _ in rows], [rf"\boxed{{{text}}}" for *_, text in rows])
    wrong = [
        (name, gold.accepted[0], text, grade.reason)
        for (name, gold, text), grade in zip(rows, grades, strict=True)
        if not grade.correct
    ]
    assert wrong == []
    counts = dict.fromkeys((name for name, _ in golds()), 0)
    for name, *_ in rows:
        counts[name] += 1
    few = [name for name, count in counts.items() if count < WANTED]
    assert few == []
    assert len(rows) > 20_000


@needs_real_data
def test_no_gold_is_right_for_another_problem(grader):
    """Neighbours in a file: each gold as the answer to the next problem, unless they are the same number."""
    rows = golds()
    pairs = [(one, other) for (_, one), (_, other) in zip(rows, rows[1:], strict=False)]
    grades = grader.grade_many(
        [one.to_text() for one, _ in pairs], [rf"\boxed{{{other.accepted[0]}}}" for _, other in pairs]
    )
    taken = [
        (one.accepted, other.accepted[0])
        for (one, other), grade in zip(pairs, grades, strict=True)
        if grade.correct and not any(same_text(text, other.accepted[0]) for text in one.accepted)
    ]
    assert taken == []


def same_text(left: str, right: str) -> bool:
    values = parse_value(left), parse_value(right)
    if None not in values:
        return values[0].number == values[1].number
    return re.sub(r"[ {}]", "", left) == re.sub(r"[ {}]", "", right)
