"""What is said beside a value: conditions on its letters, names of bound variables, moduli."""

import re
from dataclasses import dataclass

from quagmires.grading.math.numbers import parse_value, unnamed
from quagmires.grading.math.spelling import normalise
from quagmires.grading.verdicts import DIFFERENT, VERIFIED

# `, \text{ where } k \in \mathbb{N}`; not `if` and `when`, which say that the value is another elsewhere.
_SAID = re.compile(
    r"\\text\s*\{\s*,?\s*\(?\s*(?:where|for|with|such that|provided(?: that)?)\b(?!\s*(?:even|odd))(?P<rest>.*)$"
    r"|(?<=[\s,;(])(?:where|for (?:any|some|all|every|each)|with|such that)\s(?P<bare>.*)$",
    re.DOTALL,
)
_WHERE = re.compile(
    r"\\text\s*\{\s*,?\s*where\s*\}\s*\\?[a-zA-Z]\s*(?:[<>]|\\(?:leq?|geq?|in|neq?)(?![a-zA-Z]))\s*[^<>=\\{}]+"
)
_RELATION = re.compile(r"\\(?:in|notin|neq|geq|leq)(?![a-zA-Z])|[<>]")
_GREEK = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|theta|lambda|mu|nu|rho|sigma|tau|phi|varphi|psi|omega|xi|eta)(?![a-zA-Z])"
)
_OTHER_CASE = re.compile(r"\b(?:even|odd|only|otherwise|else)\b")
_MODULUS = re.compile(
    r"(?:(?P<name>[^=]*?)\\equiv)?(?P<value>.+?)\(?(?:\\pmod|\\bmod|\\mod|\\text\{\s*mod\s*\}|mod)\s*\{?\s*(?P<modulus>\d+)\s*\}?\)?"
)


@dataclass(frozen=True)
class Remainder:
    """`x \\equiv 3 \\pmod 7`."""

    value: int
    modulus: int


def without_conditions(accepted: str, answer: str) -> tuple[str, str] | None:
    """Gold and answer without conditions on their letters; None where there are none, or both have their own.

    >>> without_conditions("3k", r"3k, k \\\\in \\\\mathbb{Z}"), without_conditions("5", "5, x > 2") is None
    (('3k', '3k'), True)
    """
    left, right = _split(accepted), _split(answer)
    if left is None and right is None:
        return None
    if (left is None and _said(accepted)) or (right is None and _said(answer)):
        # It has a condition as well, in which another value may stand.
        return None
    if left is not None and right is not None and normalise(left[1]) != normalise(right[1]):
        # Both conditions, which are compared as they stand.
        return None
    return (left[0] if left else accepted), (right[0] if right else answer)


def _split(text: str) -> tuple[str, str] | None:
    """A value and the condition that follows it, on letters that the value has."""
    said = _said(text)
    if said:
        head, condition = text[: said.start()].rstrip(" ,;("), text[said.start() :]
        # Another value may follow, with a condition of its own.
        another = re.search(r"\b(?:or|and)\b.*=", condition)
        if not (_OTHER_CASE.search(condition) or another):
            if _letters(head) and _about(head, condition):
                return head, condition
            # What letters of the problem are says nothing of numbers.
            if not _letters(head) and _WHERE.fullmatch(condition):
                return head, condition
    bracketed = re.fullmatch(r"(.+?)(?:,|\\q?quad|\\[,;: ]|\s)*\(([^()]*)\)\s*", text)
    in_brackets = bracketed is not None and _RELATION.search(bracketed[2]) and "=" not in bracketed[2]
    if bracketed and in_brackets and not _RELATION.search(bracketed[1]) and _about(bracketed[1], bracketed[2]):
        return bracketed[1].strip(), bracketed[2]
    forall = re.fullmatch(r"(.+?)(?:,|\\q?quad|\\[,;: ]|\s)*\\forall(?![a-zA-Z])(.*)", text)
    if forall and _about(forall[1], forall[2]):
        return forall[1].strip(), forall[2]
    pieces = _top_level(text)
    for count in range(1, len(pieces)):
        conditions = pieces[count:]
        head = ", ".join(pieces[:count])
        if _RELATION.search(head) or not _letters(head):
            return None
        if all(_RELATION.search(one) and "=" not in one and _about(head, one) for one in conditions):
            return head, ", ".join(conditions)
    return None


def _said(text: str) -> re.Match[str] | None:
    """A condition in words that something stands before."""
    said = _SAID.search(text)
    return said if said and said.start() > 0 else None


def _about(head: str, condition: str) -> bool:
    return bool(_letters(head) & _letters(condition))


def _letters(text: str) -> set[str]:
    """The letters of a text, also those that stand together as a product; not those of words and commands."""
    bare = re.sub(r"\\(?:text|mathrm|mathbb)\s*\{[^{}]*\}|\\[a-zA-Z]+", " ", text)
    letters = {letter for run in re.findall(r"[a-zA-Z]+", bare) if len(run) <= 3 for letter in run}
    return letters | set(_GREEK.findall(text))


def _top_level(text: str) -> list[str]:
    pieces, depth, begin = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "{([") - (character in "})]")
        if character == "," and depth == 0 and text[position - 1 : position] != "\\":
            pieces.append(text[begin:position].strip())
            begin = position + 1
    return [*pieces, text[begin:].strip()]


def remainder(answer: str) -> Remainder | None:
    """A value modulo a number; None where there is none.

    >>> remainder(r"x \\\\equiv 10 \\\\pmod{7}"), remainder("3") is None
    (Remainder(value=10, modulus=7), True)
    """
    text = normalise(answer)
    if "mod" not in text or "\\not" in text:
        return None
    found = _MODULUS.fullmatch(text)
    value = parse_value(unnamed(found["value"])) if found else None
    if found is None or value is None or value.number.denominator != 1 or int(found["modulus"]) == 0:
        return None
    return Remainder(int(value.number), int(found["modulus"]))


def same_remainder(wanted: Remainder | None, given: Remainder | None, accepted: str, answer: str) -> str | None:
    """The verdict where one at least has a modulus: the other may leave it out, and be the remainder itself."""
    if wanted is not None and given is not None:
        if wanted.modulus != given.modulus:
            return DIFFERENT
        return VERIFIED if (wanted.value - given.value) % wanted.modulus == 0 else DIFFERENT
    known, other, other_side = (wanted, answer, accepted) if wanted is not None else (given, accepted, answer)
    value = parse_value(other)
    if known is None or value is None:
        return None
    # `7 \\text{ mod } 4` is 3, where no sign says that 7 is only congruent to it.
    operation = "\\equiv" not in other_side and "\\pmod" not in other_side and "(" not in other_side
    return VERIFIED if value.number == (known.value % known.modulus if operation else known.value) else DIFFERENT
