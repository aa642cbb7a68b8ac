"""Whether an answer is one of a gold's: as text, as a number, part by part, and only then by computer algebra."""

import re
from collections.abc import Callable

from quagmires.config.gold_rules import Gold
from quagmires.grading.math.closed_form import closed_form, same_number
from quagmires.grading.math.extraction import bare, normalise
from quagmires.grading.math.numbers import name_of, parse_value, same_value, unnamed, without_words
from quagmires.grading.math.structures import elements, parts
from quagmires.grading.verdicts import DIFFERENT, EXACT, RIGHT, TIMEOUT, UNPARSABLE, VERIFIED

# Asks math-verify: (gold, answer) -> VERIFIED, DIFFERENT, TIMEOUT or UNPARSABLE.
Algebra = Callable[[str, str], str]

# math-verify drops the base.
_IN_BASE = re.compile(r"(\d+)_(?:\{?(?:\\text\{)?)(\d+)\}*")
_CHOICE = re.compile(r"\(?([A-J])\)?")
_CHOSEN = re.compile(r"\(?([A-J])(?:\)|[.:]|$)")
_ANOTHER_CHOICE = re.compile(r"\([A-J]\)|(?:,|and|or)\(?[A-J]\b")
# A zero vector or matrix.
_ZERO = re.compile(r"\\?(?:vec|overrightarrow)?\{?0\}?")
# Words that make another answer of a number; math-verify skips all words.
_QUALIFIERS = re.compile(r"\b(?:or (?:more|less|fewer)|at (?:least|most)|(?:more|less|fewer|greater) than|not)\b")


def compare(gold: Gold, answer: str, algebra: Algebra | None) -> str | None:
    """The reason for the verdict on `answer`.

    Without `algebra`, None where neither text nor numbers decide.
    """
    reasons = [_compare_one(bare(accepted), bare(answer), gold, algebra) for accepted in gold.accepted]
    # The first that decides; what could not be decided weighs more than a difference.
    for reason in (EXACT, VERIFIED, None, TIMEOUT, DIFFERENT, UNPARSABLE):
        if reason in reasons:
            return reason
    raise ValueError("a gold without accepted answers")


def _compare_one(accepted: str, answer: str, gold: Gold, algebra: Algebra | None) -> str | None:
    wanted = parts(accepted)
    if not gold.several or len(wanted) == 1:
        reason = _quick(accepted, answer, gold.tolerance)
        if reason is not None:
            return reason
    if gold.several or len(wanted) > 1:
        found = _parts_of(answer, len(wanted))
        if len(wanted) == len(found) > 1:
            return _compare_parts(wanted, found, gold, algebra)
        if gold.several and "\\pm" not in accepted + answer:
            return DIFFERENT
    return _ask(algebra, accepted, answer) if algebra else None


def _ask(algebra: Algebra, accepted: str, answer: str) -> str:
    """Ask for the values alone where both sides call them by one name (`x = 2t` and `x(t) = 2t`), and for right sides
    of equations with one left side first.
    """
    accepted, answer = without_words(accepted), without_words(answer)
    name = name_of(accepted)
    if name is not None and name == name_of(answer):
        return algebra(unnamed(accepted), unnamed(answer))
    left, right = accepted.split("="), answer.split("=")
    if len(left) == len(right) == 2 and normalise(left[0]) == normalise(right[0]):
        reason = algebra(left[1], right[1])
        if reason != DIFFERENT:
            return reason
    return algebra(accepted, answer)


def _quick(accepted: str, answer: str, tolerance: float | None) -> str | None:
    """The verdict on one accepted answer where text or numbers decide."""
    left, right = normalise(accepted), normalise(answer)
    if left == right:
        return EXACT
    if not right:
        return UNPARSABLE
    names = name_of(left), name_of(right)
    if names[0] is None and unnamed(right) == left:
        return VERIFIED
    if sorted(_QUALIFIERS.findall(accepted)) != sorted(_QUALIFIERS.findall(answer)):
        return DIFFERENT
    in_base, given_in_base = _IN_BASE.fullmatch(left), _IN_BASE.fullmatch(right)
    if in_base and given_in_base:
        same = _value_in_base(*in_base.groups()) == _value_in_base(*given_in_base.groups())
        return VERIFIED if same else DIFFERENT
    choice = _CHOICE.fullmatch(left)
    if choice and (chosen := _CHOSEN.match(right)):
        alone = not _ANOTHER_CHOICE.search(right, chosen.end(1))
        return VERIFIED if chosen[1] == choice[1] and alone else DIFFERENT
    if None not in names and names[0] != names[1]:
        # `x = 3` and `y = 3` are different lines.
        return None
    value = parse_value(accepted)
    given = parse_value(answer) if value else None
    if value is not None and given is not None:
        return VERIFIED if same_value(value, given, tolerance) else DIFFERENT
    return _quick_numbers(unnamed(left), unnamed(right)) or _quick_elements(accepted, answer, tolerance)


def _value_in_base(digits: str, base: str) -> int | str:
    """The value of digits to a base; digits that the base does not have stand for themselves."""
    possible = 2 <= int(base) <= 10 and all(int(digit) < int(base) for digit in digits)
    return int(digits, int(base)) if possible else f"{digits}_{base}"


def _quick_numbers(left: str, right: str) -> str | None:
    """The verdict on two numbers in closed form."""
    number, given = closed_form(left), closed_form(right)
    if number is None or given is None:
        return None
    return {True: VERIFIED, False: DIFFERENT, None: None}[same_number(number, given)]


def _quick_elements(accepted: str, answer: str, tolerance: float | None) -> str | None:
    """The verdict on two tuples, intervals or matrices, element by element; None where one element is open."""
    left, right = elements(accepted), elements(answer)
    if left is not None and left.frame[0].isdigit() and _ZERO.fullmatch(normalise(answer)):
        return VERIFIED if all(item == "0" for item in left.items) else DIFFERENT
    if left is None or right is None or left.frame != right.frame:
        return None
    if len(left.items) != len(right.items):
        return DIFFERENT
    verdicts = [_quick(*pair, tolerance) for pair in zip(left.items, right.items, strict=True)]
    if DIFFERENT in verdicts:
        return DIFFERENT
    return VERIFIED if all(verdict in RIGHT for verdict in verdicts) else None


def _parts_of(answer: str, wanted: int) -> list[str]:
    """The parts of an answer; a list written as a tuple is taken apart when that gives as many as are wanted."""
    found = parts(answer)
    if len(found) == 1 and wanted > 1:
        inside = elements(answer)
        if inside is not None and inside.frame == "()" and len(inside.items) == wanted:
            return inside.items
    return found


def _compare_parts(wanted: list[str], found: list[str], gold: Gold, algebra: Algebra | None) -> str | None:
    """Whether every wanted part is among the found ones, each used once, in any order."""
    rest, unsure = list(found), []
    for part in wanted:
        match = next((one for one in rest if _quick(part, one, gold.tolerance) in RIGHT), None)
        if match is None:
            unsure.append(part)
        else:
            rest.remove(match)
    for part in unsure:
        possible = [one for one in rest if _quick(part, one, gold.tolerance) is None]
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
