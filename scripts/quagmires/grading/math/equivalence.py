"""Whether an answer is one of a gold's: as text, as a number, part by part, and only then by computer algebra.

Wrong answers that are called right are free reward, so what is not understood is never dropped from both sides: words,
units, figures and notation must agree before computer algebra is asked, which would skip them.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from quagmires.config.gold_rules import Gold
from quagmires.grading.math.closed_form import ClosedForm, closed_form, same_number
from quagmires.grading.math.conditions import (
    remainder,
    same_remainder,
    without_conditions,
)
from quagmires.grading.math.expressions import same_equation, same_expression
from quagmires.grading.math.indices import arguments_alike, arguments_differ, indices_alike
from quagmires.grading.math.numbers import Value, canonical, close, name_of, parse_value, same_value, unnamed
from quagmires.grading.math.regions import Region, chain, read_region
from quagmires.grading.math.spelling import bare, normalise, respelled
from quagmires.grading.math.structures import (
    Elements,
    builder,
    components,
    determinant,
    elements,
    is_set,
    members,
    parts,
    with_signs,
)
from quagmires.grading.math.trees import names as names_of
from quagmires.grading.math.trees import read_tree
from quagmires.grading.math.units import Unit, read_unit, words_of
from quagmires.grading.math.words import as_text, choice, in_one_order, same_figures, same_words, text_of, time_of_day
from quagmires.grading.verdicts import DIFFERENT, EXACT, RIGHT, TIMEOUT, UNPARSABLE, VERIFIED

# Asks math-verify: (gold, answer) -> VERIFIED, DIFFERENT, TIMEOUT or UNPARSABLE.
Algebra = Callable[[str, str], str]

# math-verify drops the base.
_IN_BASE = re.compile(r"([0-9a-zA-Z]+)_(?:\{?(?:\\text\{)?)(\d+)\}*")
_IN_BRACKETS = re.compile(r"\s*(?:\\left)?\s*\((.*?)(?:\\right)?\s*\)\s*", re.DOTALL)
# A zero vector or matrix.
_ZERO = re.compile(r"\\?(?:vec|overrightarrow)?\{?0\}?")
# Words that make another answer of a number; math-verify skips all words.
_QUALIFIERS = re.compile(
    r"(?<![\\a-zA-Z])(?:or (?:more|less|fewer)|at (?:least|most)|(?:more|less|fewer|greater) than|not"
    r"|up to|under|over|between|below"
    r"|above|minus|negative|plus|times|only)\b"
)
_RADIANS = re.compile(r"\\[,;: ]*(?:\\(?:text|mathrm)\s*\{\s*(?:rad|radians?)\s*\})\s*$|\s+(?:rad|radians?)\s*$")
_RATIO = re.compile(r"\s*(?:\\text\s*\{)?\s*(\d+(?:\s*(?::|\\text\s*\{\s*(?:to|is to)\s*\}|\bto\b)\s*\d+)+)\s*\}?\s*")
# Parts of a list of which each is compared with each.
_MOST_COMPARED = 24
# What computer algebra reads as nothing, or in either order.
_PRIMES = re.compile(r"(?<=[a-zA-Z)])'+")
_TRANSPOSED = re.compile(r"\^\{?\s*(?:T|\\mathsf\{T\}|\\top|\*|\\dagger)\s*\}?(?![a-zA-Z])")
_DERIVATIVE = re.compile(
    r"\\frac\{(?:d|\\partial )(?:\^\{?\d+\}?)?\s*([a-zA-Z]?)(?:_\{?\w+\}?)?\}\{(?:d"
    r"|\\partial )\s*([a-zA-Z])(?:\^\{?\d+\}?)?\}"
)
_ACCENTS = re.compile(r"\\(hat|tilde|bar|dot|ddot|widehat|widetilde)(?![a-zA-Z])")
_IS_NAME = re.compile(r"\\?[a-zA-Z]+(?:_(?:\w|\{[^{}]*\}))?(?:\([a-zA-Z]\))?")
# `(t)` after a letter, also one with an accent.
_ARGUMENT = re.compile(r"(?<=[a-zA-Z}'])\(\s*([a-z])\s*\)")
_LETTER = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])")
_WRAPPED = re.compile(r"\\(?:text|mathrm|mbox|textrm|textbf|rm)\s*\{[^{}]*\}")


def compare(gold: Gold, answer: str, algebra: Algebra | None) -> str | None:
    """The reason for the verdict on `answer`.

    Without `algebra`, None where neither text nor numbers decide.
    """
    answer = respelled(bare(answer))
    reasons = [_compare_one(respelled(bare(accepted)), answer, gold, algebra) for accepted in gold.accepted]
    # The first that decides; what could not be decided weighs more than a difference.
    for reason in (EXACT, VERIFIED, None, TIMEOUT, DIFFERENT, UNPARSABLE):
        if reason in reasons:
            return reason
    raise ValueError("a gold without accepted answers")


def _compare_one(accepted: str, answer: str, gold: Gold, algebra: Algebra | None) -> str | None:
    answer = indices_alike(accepted, arguments_alike(accepted, answer))
    if arguments_differ(accepted, answer):
        return DIFFERENT
    wanted = _listed(accepted)
    if not gold.several or len(wanted) == 1:
        reason = _quick(accepted, answer, gold.tolerance)
        if reason is not None:
            return reason
    without = without_conditions(accepted, answer)
    if without is not None:
        return _compare_one(*without, gold, algebra)
    if gold.several or len(wanted) > 1:
        found = _parts_of(answer, len(wanted), is_number=parse_value(accepted) is not None)
        if len(found) < len(wanted) and "=" not in accepted:
            # A double root may be written once.
            wanted = _different(wanted)
        if len(wanted) == len(found) > 1:
            return _compare_parts(wanted, found, gold, algebra)
        if len(wanted) == len(found) == 1:
            return _compare_one(wanted[0], found[0], replace(gold, several=False), algebra)
        if gold.several or len(found) > 1 or _plainly_one(answer) or elements(answer) is not None:
            return DIFFERENT
    elif len(found := _listed(answer)) > 1:
        if len(kept := _different(found)) == 1:
            return _compare_one(accepted, kept[0], gold, algebra)
        # One value, and a list of several.
        return DIFFERENT if _plainly_one(accepted) else _ask(algebra, accepted, answer) if algebra else None
    return _ask(algebra, accepted, answer) if algebra else None


def _listed(answer: str) -> list[str]:
    """The parts of a list, with both values of a part with `\\pm`; they may be one."""
    return [value for part in parts(members(answer)) for value in _different(with_signs(part))]


def _different(values: list[str]) -> list[str]:
    """Values without those that are another's once more."""
    kept: list[str] = []
    if len(values) > _MOST_COMPARED:
        return list({normalise(value): value for value in values}.values())
    for value in values:
        if not any(_quick(one, value, None) in RIGHT for one in kept):
            kept.append(value)
    return kept


def _plainly_one(accepted: str) -> bool:
    return parse_value(accepted) is not None or closed_form(unnamed(normalise(accepted))) is not None


def _ask(algebra: Algebra, accepted: str, answer: str) -> str:
    """Ask for the values alone where both sides call them by one name (`x = 2t` and `x(t) = 2t`), and for right sides
    of equations with one left side first.
    """
    if not _comparable(accepted, answer):
        return DIFFERENT
    accepted, answer = _without_unit(accepted), _without_unit(answer)
    name = name_of(accepted)
    if name is not None and name == name_of(answer):
        return algebra(unnamed(accepted), unnamed(answer))
    left, right = _sides(accepted), _sides(answer)
    if len(left) == len(right) == 2 and normalise(left[0]) == normalise(right[0]):
        reason = algebra(left[1], right[1])
        if reason != DIFFERENT:
            return reason
    return algebra(accepted, answer)


def _sides(text: str) -> list[str]:
    """The sides of an equation: cut at equals signs outside braces, so not at that of `\\sum_{k=1}`."""
    sides, depth, begin = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "{([") - (character in "})]")
        if character == "=" and depth == 0:
            sides.append(text[begin:position])
            begin = position + 1
    return [*sides, text[begin:]]


def _comparable(accepted: str, answer: str) -> bool:
    """Whether what computer algebra skips or reorders is the same on both sides."""
    if not (same_words(accepted, answer) and same_figures(accepted, answer)):
        return False
    left, right = (_WRAPPED.sub(" ", one) for one in (accepted, answer))
    equations = "=" in left or "=" in right
    primes = [_PRIMES.findall(one) for one in (left, right)]
    if not equations and sorted(primes[0]) != sorted(primes[1]):
        return False
    if equations and all(primes) and set(primes[0]) != set(primes[1]):
        return False
    if len({one.count("\\times") for one in (left, right)}) > 1 and re.search(
        r"\\(?:mathbf|vec|boldsymbol)", left + right
    ):
        return False
    if sorted(_ACCENTS.findall(left)) != sorted(_ACCENTS.findall(right)) and not equations:
        return False
    if len(_TRANSPOSED.findall(left)) != len(_TRANSPOSED.findall(right)):
        return False
    derivatives = [sorted(_DERIVATIVE.findall(normalise(one))) for one in (left, right)]
    if not equations and derivatives[0] != derivatives[1]:
        return False
    return _same_case(left, right)


def _same_case(left: str, right: str) -> bool:
    """Whether no letter of one side is the other's in another case: `2x` is not `2X`."""
    commands = r"\\math(?:bb|cal)\s*\{[A-Z]\}|\\[a-zA-Z]+"
    letters = [set(_LETTER.findall(re.sub(commands, " ", one))) for one in (left, right)]
    only = letters[0] - letters[1], letters[1] - letters[0]
    swapped = {letter for letter in only[0] if letter.swapcase() in only[1]}
    # Arbitrary constants may be called C or c.
    constants = not swapped - set("cCkK") and len(letters[0]) > 1
    return not swapped or constants


def _without_unit(text: str) -> str:
    """An answer without a unit or words at its end; what is before them stays."""
    return _split_unit(text)[0]


def _split_unit(text: str) -> tuple[str, Unit | None]:
    starts = [
        found.start()
        for found in re.finditer(
            r"\\(?:text|mathrm|mbox|textrm|rm)(?![a-zA-Z])|\\[,;: ]|~|(?<=[\w})])\s+|\\%|°|\^\\circ", text
        )
    ]
    for start in starts[-14:]:
        head, rest = text[:start], text[start:]
        if (
            not head.strip()
            or any(head.count(left) != head.count(right) for left, right in ("{}", "()", "[]"))
            or not re.search(r"[\w})\]]\s*$", head)
        ):
            continue
        if re.search(r"\\[a-zA-Z]+\s*$", head) and not re.search(r"\\(?:pi|alpha|beta|theta|infty)\s*$", head):
            continue
        if not re.search(r"\\(?:text|mathrm|mbox|rm)|[A-Za-z]{2,}|°|\\circ", rest):
            continue
        unit = read_unit(rest)
        if unit is not None and unit.factor == 1 and not unit.percent:
            return head, unit
    return text, None


def _quick(accepted: str, answer: str, tolerance: float | None) -> str | None:
    """The verdict on one accepted answer where text or numbers decide."""
    left, right = normalise(accepted), normalise(answer)
    if left == right:
        return EXACT
    if not right:
        return UNPARSABLE
    inside = _IN_BRACKETS.fullmatch(answer)
    # `(1,234)` is a pair, unless the gold is written so too.
    same_commas = "," not in answer or ("," in accepted and parse_value(accepted) is not None)
    if inside and same_commas and normalise(inside[1]) == left:
        return EXACT
    for rule in (choice, time_of_day, as_text):
        verdict = rule(accepted, answer)
        if verdict is not None:
            return verdict
    names = name_of(left), name_of(right)
    if (names[0] is None and unnamed(right) == left) or in_one_order(left) == in_one_order(right):
        return VERIFIED
    without = _without_argument(accepted, answer)
    if without is not None and normalise(without[0]) == normalise(without[1]):
        return VERIFIED
    if _quick_sides(accepted, answer) is not None:
        return VERIFIED
    if (described := builder(accepted)) is not None and described == builder(answer):
        return VERIFIED
    if sorted(_QUALIFIERS.findall(accepted)) != sorted(_QUALIFIERS.findall(answer)) and parse_value(answer) is None:
        return DIFFERENT if not _regions(accepted, answer) else _same_region(accepted, answer, tolerance)
    in_base, given_in_base = _IN_BASE.fullmatch(left), _IN_BASE.fullmatch(right)
    if in_base and given_in_base and left[0].isdigit() and right[0].isdigit():
        same = _value_in_base(*in_base.groups()) == _value_in_base(*given_in_base.groups())
        return VERIFIED if same else DIFFERENT
    if not _is_true(answer) or ("=" in accepted and "=" not in answer and _is_relation(accepted)):
        return DIFFERENT
    verdict = _quick_ratio(accepted, answer) or _quick_remainder(accepted, answer)
    if verdict is not None:
        return verdict
    if None not in names and names[0] != names[1]:
        # `x = 3` and `y = 3` are different lines.
        return _quick_expressions(accepted, answer)
    return (
        _quick_values(accepted, answer, tolerance)
        or _same_region(accepted, answer, tolerance)
        or _quick_chain(accepted, answer, tolerance)
        or _quick_elements(accepted, answer, tolerance)
        or _quick_expressions(accepted, answer)
    )


def _is_true(answer: str) -> bool:
    """Whether the numbers of `7 \\cdot 10 + 3 = 73` are one; of `\\frac{200}{3} \\approx 66.67`, nearly."""
    pieces = re.split(r"(=|\\approx(?![a-zA-Z]))", normalise(answer))
    forms = [closed_form(side) for side in pieces[::2]]
    if len(pieces) < 3 or any(form is None or form.infinite for form in forms):
        return True
    values = [form.approximation() for form in forms if form is not None]
    for sign, one, other in zip(pieces[1::2], values, values[1:], strict=False):
        if one is None or other is None:
            continue
        size = max(abs(one), abs(other))
        if abs(one - other) > size * (Fraction(1, 20) if sign != "=" else Fraction(1, 1000)):
            return False
    return True


def _quick_ratio(accepted: str, answer: str) -> str | None:
    """`2:3`, `2 \\text{ to } 3`."""
    left, right = _RATIO.fullmatch(accepted), _RATIO.fullmatch(answer)
    if left is None or right is None:
        return None
    terms = [[int(number) for number in re.findall(r"\d+", one[1])] for one in (left, right)]
    if len(terms[0]) != len(terms[1]):
        return DIFFERENT
    same = all(one * terms[1][0] == other * terms[0][0] for one, other in zip(*terms, strict=True))
    return VERIFIED if same and any(terms[0]) and any(terms[1]) else DIFFERENT


def _quick_remainder(accepted: str, answer: str) -> str | None:
    wanted, given = remainder(accepted), remainder(answer)
    if wanted is None and given is None:
        return None
    return same_remainder(wanted, given, accepted, answer)


def _value_in_base(digits: str, base: str) -> int | str:
    """The value of digits to a base; digits that the base does not have stand for themselves."""
    try:
        return int(digits, int(base)) if len(digits) < 100 else f"{digits}_{base}"
    except ValueError:
        return f"{digits}_{base}"


def _quick_values(accepted: str, answer: str, tolerance: float | None) -> str | None:
    """The verdict on two numbers, plain or in closed form, with or without units."""
    value, given = parse_value(accepted), parse_value(answer)
    if value is not None and given is not None:
        return VERIFIED if same_value(value, given, tolerance) else DIFFERENT
    left, right = _measured(accepted), _measured(answer)
    if left is None or right is None:
        return None
    if not left[1].agrees(right[1]):
        return DIFFERENT
    forms = left[0], right[0]
    if tolerance is not None:
        numbers = [form.approximation() for form in forms]
        if None in numbers:
            return None
        return VERIFIED if abs(numbers[0] - numbers[1]) <= Fraction(tolerance) + Fraction(1, 10**12) else DIFFERENT  # type: ignore[operator]
    if (value is None) != (given is None):
        decimal = value if value is not None else given
        # In degrees the number is not the value.
        if decimal is not None and decimal.place is not None and "^\\circ" not in accepted + answer:
            number = (forms[1] if value is not None else forms[0]).approximation()
            if number is None:
                return None
            plain = Value(number, True)
            same = (
                close(decimal.number, number, decimal, plain)
                if value is not None
                else close(number, decimal.number, plain, decimal)
            )
            return VERIFIED if same else DIFFERENT
    return {True: VERIFIED, False: DIFFERENT, None: None}[same_number(*forms)]


def _measured(answer: str) -> tuple[ClosedForm, Unit] | None:
    """A number in closed form, and its unit."""
    text = _RADIANS.sub("", unnamed(answer))
    form = closed_form(unnamed(normalise(text)))
    if form is not None:
        return form, Unit()
    head, unit = _split_unit(text)
    form = closed_form(unnamed(normalise(head))) if unit is not None else None
    return (form, unit) if form is not None and unit is not None else None


def _is_relation(text: str) -> bool:
    """Whether an equation relates two letters, as `x+y=1` does: it is a line, and no name of its right side.

    >>> _is_relation("x+y=1"), _is_relation("y=2x"), _is_relation("AB=5"), _is_relation("f(x)=1")
    (True, False, False, False)
    """
    sides = [normalise(side) for side in _sides(text)]
    tree = read_tree(sides[0]) if len(sides) == 2 else None
    letters = names_of(tree) if tree is not None else frozenset()
    return len(letters) > 1 and all(letter.islower() and len(letter) == 1 for letter in letters)


def _without_argument(accepted: str, answer: str) -> tuple[str, str] | None:
    """Two equations without `(t)` after every unknown, where only one of them writes it."""
    if "=" not in accepted or "=" not in answer:
        return None
    arguments = [_ARGUMENT.findall(one) for one in (accepted, answer)]
    # One alone may be a factor in brackets.
    if len({*arguments[0], *arguments[1]}) != 1 or all(arguments) or sum(map(len, arguments)) < 2:
        return None
    plain = [_ARGUMENT.sub("", one) for one in (accepted, answer)]
    return plain[0], plain[1]


def _quick_expressions(accepted: str, answer: str) -> str | None:
    """The verdict on two formulas with letters, or on two equations, by their values at points."""
    if not _comparable(accepted, answer):
        return DIFFERENT
    texts = [_without_unit(one) for one in (accepted, answer)]
    if _plainly_one(texts[0]) and text_of(texts[1]) is not None:
        return DIFFERENT
    if any(next(words_of(one), None) for one in texts) or any(len(parts(one)) > 1 for one in texts):
        # Normalised words would be products of letters; lists are compared part by part.
        return None
    left, right = ([normalise(side) for side in _sides(one)] for one in texts)
    same: bool | None = None
    if len(left) == len(right) == 2:
        if left[0] == right[0]:
            same = same_expression(left[1], right[1]) or None
        same = same or same_equation((left[0], left[1]), (right[0], right[1]))
    elif len(left) == 1 or (len(left) == 2 and _IS_NAME.fullmatch(left[0])):
        # What follows the last equals sign is the value, as in `S = 2 + 2 = 4`.
        same = same_expression(left[-1], right[-1])
        if same is None and _plainly_one(left[-1]) and _has_letters(texts[1]):
            same = False
    return {True: VERIFIED, False: DIFFERENT, None: None}[same]


def _has_letters(text: str) -> bool:
    """Whether a formula, no equation, holds a variable: no number does."""
    if re.search(
        r"=|\\(?:approx|sim|equiv|to|Rightarrow|in|int|sum|prod|lim|max|min|binom|gcd)(?![a-zA-Z])|[CP]\s*\(|:", text
    ):
        return False
    return bool(re.search(r"(?<![a-zA-Z\\])[a-df-hj-zA-Z](?![a-zA-Z])", _WRAPPED.sub(" ", text)))


def _regions(accepted: str, answer: str) -> tuple[Region, Region] | None:
    """Both as regions of the line, unless both are plain pairs of brackets, which may be points."""
    left, right = read_region(accepted), read_region(answer)
    if left is None or right is None:
        return None
    pairs = [elements(one) is not None and "\\infty" not in one for one in (accepted, answer)]
    return None if all(pairs) else (left, right)


def _same_region(accepted: str, answer: str, tolerance: float | None) -> str | None:
    found = _regions(accepted, answer)
    if found is None:
        return None
    left, right = found
    if left.name and right.name and left.name != right.name and left.by_inequality and right.by_inequality:
        return None
    if len(left.pieces) != len(right.pieces):
        return DIFFERENT
    verdicts = []
    for one, other in zip(left.pieces, right.pieces, strict=True):
        if (one.low_closed, one.high_closed) != (other.low_closed, other.high_closed):
            return DIFFERENT
        verdicts += [_quick(one.low, other.low, tolerance), _quick(one.high, other.high, tolerance)]
    if DIFFERENT in verdicts:
        return DIFFERENT
    return VERIFIED if all(verdict in RIGHT for verdict in verdicts) else None


def _quick_chain(accepted: str, answer: str, tolerance: float | None) -> str | None:
    """Inequalities that are the same read from the other side; others may be equivalent all the same."""
    left, right = chain(accepted), chain(answer)
    if left is None or right is None or left[1] != right[1]:
        return None
    same = all(_quick(*pair, tolerance) in RIGHT for pair in zip(left[0], right[0], strict=True))
    return VERIFIED if same else None


def _quick_sides(accepted: str, answer: str) -> str | None:
    """`a = b` and `b = a`."""
    left, right = _sides(accepted), _sides(answer)
    if len(left) == len(right) == 2:
        sides = [[normalise(side) for side in one] for one in (left, right)]
        return VERIFIED if sides[0] == sides[1][::-1] and all(sides[0]) else None
    return None


def _quick_elements(accepted: str, answer: str, tolerance: float | None) -> str | None:
    """The verdict on two tuples, intervals, vectors or matrices, element by element; None where one element is open."""
    left, right = components(accepted) or elements(accepted), components(answer) or elements(answer)
    if (left and is_set(answer)) or (right and is_set(accepted)):
        # `[1, 1]` is the set of one point.
        one = left or right
        point = (
            one is not None
            and one.frame == "[]"
            and len(_different([*one.items, *parts(answer), *parts(accepted)][:3])) == 1
        )
        return VERIFIED if point and len(parts(answer if left else accepted)) == 1 else DIFFERENT
    if (left is None) != (right is None):
        expanded = [determinant(one) or text for one, text in ((left, accepted), (right, answer))]
        if expanded != [accepted, answer]:
            return _quick(expanded[0], expanded[1], tolerance)
    if left is not None and left.frame[0].isdigit() and _ZERO.fullmatch(normalise(answer)):
        return VERIFIED if all(item == "0" for item in left.items) else DIFFERENT
    if left is None or right is None or not _same_frame(left, right):
        return (
            DIFFERENT
            if left and right and "|" in (left.frame[0], right.frame[0]) and left.frame[-3:] == right.frame[-3:]
            else None
        )
    if len(left.items) != len(right.items):
        return DIFFERENT
    verdicts = [_quick(*pair, tolerance) for pair in zip(left.items, right.items, strict=True)]
    if DIFFERENT in verdicts:
        return DIFFERENT
    return VERIFIED if all(verdict in RIGHT for verdict in verdicts) else None


def _same_frame(left: Elements, right: Elements) -> bool:
    if left.frame == right.frame:
        return True
    return left.is_vector and right.is_vector and "()" in (left.frame, right.frame)


def _parts_of(answer: str, wanted: int, is_number: bool) -> list[str]:
    """The parts of an answer, repeated ones once where there are too many.

    A list that is written as a tuple is taken apart when that gives as many as are wanted, but for a gold that
    `is_number` with a thousands comma.
    """
    found = _listed(answer)
    if len(found) > wanted:
        found = _different(found)
    if len(found) == 1 and wanted > 1 and not is_number:
        inside = elements(answer)
        if inside is not None and inside.frame == "()" and len(inside.items) == wanted:
            return inside.items
    return found


def _compare_parts(wanted: list[str], found: list[str], gold: Gold, algebra: Algebra | None) -> str | None:
    """Whether every wanted part is among the found ones, each used once, in any order; values that the gold names and
    the answer does not must come in the gold's order.
    """
    names = [name_of(normalise(part)) for part in wanted]
    if len(set(names)) == len(names) and None not in names and not any(name_of(normalise(part)) for part in found):
        reasons = [
            _quick(*pair, gold.tolerance) or (_ask(algebra, *pair) if algebra else None)
            for pair in zip(wanted, found, strict=True)
        ]
        if all(reason in RIGHT for reason in reasons):
            return VERIFIED
        return None if None in reasons else TIMEOUT if TIMEOUT in reasons else DIFFERENT
    if len(wanted) > _MOST_COMPARED:
        # Long lists by their text and their numbers alone: every pair would take too long.
        return VERIFIED if sorted(map(canonical, wanted)) == sorted(map(canonical, found)) else DIFFERENT
    rest, unsure = list(found), []
    for part in wanted:
        match = next((one for one in rest if _quick_part(part, one, gold.tolerance) in RIGHT), None)
        if match is None:
            unsure.append(part)
        else:
            rest.remove(match)
    for part in unsure:
        possible = [one for one in rest if _quick_part(part, one, gold.tolerance) is None]
        if not possible:
            return DIFFERENT
        if algebra is None:
            return None
        verdicts = {}
        for one in possible:
            verdicts[one] = _ask(algebra, part, one)
            if verdicts[one] == VERIFIED:
                break
        else:
            return TIMEOUT if TIMEOUT in verdicts.values() else DIFFERENT
        rest.remove(one)
    return VERIFIED


def _quick_part(part: str, one: str, tolerance: float | None) -> str | None:
    """The verdict on two parts of lists, without conditions that one of them has."""
    return _quick(*(without_conditions(part, one) or (part, one)), tolerance)
