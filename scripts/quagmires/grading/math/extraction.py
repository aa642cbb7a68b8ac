"""The final answer of a response: what is in its last box."""

import re

END_OF_THOUGHT = "</think>"
# How far a box is followed, and how many boxes are tried from the end: responses can be megabytes of braces.
_LONGEST_BOX = 20_000
_MOST_BOXES = 20
_LONGEST_JOINT = 60

_BOX, _FRAME = re.compile(r"\\boxed(?![a-zA-Z])"), re.compile(r"\\fbox(?![a-zA-Z])")
# Between two boxes of one answer: `$\boxed{2}$ and $\boxed{3}$`, `$x = \boxed{2}$ or $x = \boxed{3}$`, items of a list.
_JOINT = re.compile(
    r"(?:[ \t$~]|\\[,;:! ])*(?:\\\)|\\\])?(?:[ \t$~]|\\[,;:! ])*"
    r"(?P<said>[,;]?\s*(?:\\text\s*\{)?\s*(?:,\s*)?(?:and|or|else|&|\\&)(?:\s+(?:maybe|possibly|perhaps|rather|also|else))?\s*\}?\s*"
    r"|\\(?:lor|vee|cup)(?![a-zA-Z])\s*|[,;/|]\s*|\\q?quad\s*|\n)?"
    r"(?:\\q?quad(?![a-zA-Z])|\\text\s*\{\s*(?:and|or)\s*\}|and\s|or\s|[ \t~]|\\[,;:! ])*"
    r"(?:(?:[-*•]|\d{1,2}[.)]|\([a-z\d]\))[ \t]+)?(?:\\\(|\\\[)?[ \t$]*(?P<name>[a-zA-Z](?:_\{?\w\}?)?\s*=\s*)?"
)
_NAME_BEFORE = re.compile(r"(?:^|[^\\\w])([a-zA-Z])(?:_\{?\w\}?)?\s*=\s*$")
# `Smallest: \boxed{4}` on a line and `Largest: \boxed{7}` on the next; also with `Part 1` and `Part 2`.
_LABEL = (
    r"(?:[-*•]|\d{1,2}[.)])?[ \t]*[*_]{0,2}[ \t]*(?P<label>[A-Z(][A-Za-z0-9() ]{0,30}?)[ \t]*"
    r"(?::[*_]{0,2}|[*_]{0,2}:)[ \t]*"
)
_LABELLED = re.compile(rf"(?:[ \t$.,;]|\\\)|\\\])*\n\s*{_LABEL}(?:\\\(|\\\[)?[ \t$]*")
_LABEL_BEFORE = re.compile(rf"(?:^|\n)[ \t]*{_LABEL}(?:\\\(|\\\[)?[ \t$]*$")
# Labels of what is only on the way, or said again.
_NO_PART = re.compile(
    r"\b(?:step|answer|result|final|check|verify|verification|so|thus|hence|therefore|conclusion|total|sum|note)", re.I
)
# What stands in a box for an answer that is meant to come.
_PLACEHOLDER = re.compile(
    r"(?:[\s$.?_…~]|\\[,;:! ]|\\(?:q?quad|phantom\s*\{[^{}]*\}))*|[\s$]*\\(?:l|c)?dots[a-z]?[\s$]*"
    r"|(?:\\text(?:bf|it)?\s*\{)?\s*(?:the\s+|your\s+)?(?:final\s+)?(?:answer|solution|result|expression)(?:\s+here)?\s*[.…]*\s*\}?",
    re.IGNORECASE,
)


def extract_answer(response: str) -> str | None:
    """The content of the last balanced `\\boxed{...}`, after the last `</think>` where there is one.

    A box that is empty or holds a placeholder (`...`, `\\text{answer}`) is passed over where another stands before it.
    Boxes joined to it by a comma, `and`, `or`, or as items of a list, belong to the same answer; a repeated one counts
    once. `\\fbox` counts where there is no `\\boxed`. Returns None when there is no box: such a response has no answer.

    >>> extract_answer(r"so \\boxed{\\frac{1}{2}}.")
    '\\\\frac{1}{2}'
    >>> extract_answer(r"\\boxed{3}; finally $\\boxed{2}$ and $\\boxed{5}$")
    '2, 5'
    >>> extract_answer(r"\\boxed{7}, as asked in \\boxed{}"), extract_answer("the answer is 7") is None
    ('7', True)
    """
    tail = _after_thought(response)
    answer = _boxed(tail, _BOX)
    return _boxed(tail, _FRAME) if answer is None else answer


def _after_thought(response: str) -> str:
    """What follows the thought. A second `</think>` with nothing after it ends nothing."""
    head, mark, tail = response.rpartition(END_OF_THOUGHT)
    if mark and not tail.strip() and END_OF_THOUGHT in head:
        tail = head.rpartition(END_OF_THOUGHT)[2]
    return tail


def _boxed(text: str, command: re.Pattern[str]) -> str | None:
    starts = [found.span() for found in command.finditer(text)][-_MOST_BOXES:]
    parts: list[str] = []
    placeholder: str | None = None
    right: int | None = None
    for start, end in reversed(starts):
        box = _content(text, end)
        if box is None:
            if right is not None:
                break
            continue
        joint = None if right is None else _joint(text, start, box[1], right)
        if right is not None and joint is None:
            break
        content = text[box[0] : box[2]].strip()
        if _PLACEHOLDER.fullmatch(content):
            placeholder = content if placeholder is None else placeholder
            if right is not None:
                break
            continue
        if joint is not None and joint[0]:
            # `x = \\boxed{4}` and `y = \\boxed{7}`: each with its name.
            parts[0] = f"{joint[1]}{parts[0]}"
            content = f"{joint[0]}{content}"
        parts.insert(0, content)
        right = start
    return ", ".join(dict.fromkeys(parts)) if parts else placeholder


def _joint(text: str, start: int, end: int, right: int) -> tuple[str, str] | None:
    """What the box from `start` to `end` and the one that begins at `right` are called if they are one answer: nothing,
    where they have one name or none. None if they are two answers, of which the last counts.
    """
    if right - end > _LONGEST_JOINT:
        return None
    joint = _JOINT.fullmatch(text, end, right)
    if joint is None:
        return ("", "") if _are_labelled(text, start, end, right) else None
    if joint["name"] is None:
        return "", ""
    named = _NAME_BEFORE.search(text, max(0, start - 20), start)
    names = ["" if one is None else re.sub(r"[\s=$,;.()]", "", one) for one in (named and named[0], joint["name"])]
    if names[0] == names[1]:
        return "", ""
    # Values of two names on two lines are steps.
    said = bool((joint["said"] or "").strip()) and "\n" not in text[end:right]
    return (f"{names[0]}=", f"{names[1]}=") if said and names[0] else None


def _are_labelled(text: str, start: int, end: int, right: int) -> bool:
    """Whether two boxes stand on lines of their own after labels of one kind, which name parts of the answer."""
    second = _LABELLED.fullmatch(text, end, right)
    first = _LABEL_BEFORE.search(text, max(0, start - _LONGEST_JOINT), start) if second else None
    if first is None or second is None:
        return False
    labels = [one["label"].split() for one in (first, second)]
    if any(_NO_PART.search(" ".join(label)) for label in labels) or labels[0] == labels[1]:
        return False
    # One word each, or all words but one the same.
    return len(labels[0]) == len(labels[1]) and sum(a != b for a, b in zip(*labels, strict=True)) == 1


def _content(text: str, position: int) -> tuple[int, int, int] | None:
    """Where the content of a box begins, where the box ends, and where its content does; None if it does not close.

    The braces may follow on the next line; `\\boxed 7` is a box of one number or letter.
    """
    space = re.compile(r"\s*").match(text, position)
    begin = space.end() if space else position
    if begin >= len(text) or text[begin] != "{":
        single = re.compile(r"\s+(-?\d+(?:\.\d+)?|[a-zA-Z](?![a-zA-Z]))").match(text, position)
        return (single.start(1), single.end(), single.end()) if single else None
    depth = 0
    for brace in re.compile(r"[{}]").finditer(text, begin, begin + _LONGEST_BOX):
        # An escaped brace is a set's, not a group's; `\\\\}` is the end of a row.
        slashes = len(text[max(0, brace.start() - 8) : brace.start()]) - len(
            text[max(0, brace.start() - 8) : brace.start()].rstrip("\\")
        )
        if slashes % 2 == 0:
            depth += 1 if brace.group() == "{" else -1
            if depth == 0:
                return begin + 1, brace.end(), brace.start()
    return None
