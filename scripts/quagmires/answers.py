"""The final answer of a response, and a light normalisation under which equal answers are equal text."""

import re

BOX = "\\boxed"
END_OF_THOUGHT = "</think>"
# A final answer longer than this is not one; it only costs time and memory.
MAX_ANSWER_CHARACTERS = 2_000

_WRAPPERS = re.compile(r"\\(?:text|textbf|mathrm|mathbf|mbox)\{([^{}]*)\}")
_SPACES = re.compile(r"(?:\\[,;:! ]|~|\s)+")
# Only as the whole answer: in `100, 200` and `(1,200)` the comma separates.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
# Not the beginning of \leftarrow and its like.
_SIZES = re.compile(r"\\(?:left|right)(?![a-zA-Z])")


def extract_answer(response: str) -> str | None:
    """The content of the last balanced `\\boxed{...}`, after the last `</think>` where there is one.

    Returns None when there is none: a response without a box has no answer.

    >>> extract_answer(r"so \\boxed{\\frac{1}{2}}.")
    '\\\\frac{1}{2}'
    >>> extract_answer("the answer is 7") is None
    True
    """
    tail = response.rpartition(END_OF_THOUGHT)[2]
    end = len(tail)
    while (start := tail.rfind(BOX, 0, end)) >= 0:
        answer = _balanced(tail, start + len(BOX))
        if answer is not None:
            return answer.strip()
        end = start
    return None


def _balanced(text: str, position: int) -> str | None:
    """The content of the braces that open at `position` (spaces before them are allowed), if they close."""
    while position < len(text) and text[position] == " ":
        position += 1
    if position >= len(text) or text[position] != "{":
        return None
    depth = 0
    for index in range(position, len(text)):
        character = text[index]
        # An escaped brace is a set's, not a group's.
        if character in "{}" and text[index - 1] != "\\":
            depth += 1 if character == "{" else -1
            if depth == 0:
                return text[position + 1 : index]
    return None


def normalise(answer: str) -> str:
    """Drop what never changes a value: dollar signs, text wrappers, sizes of brackets, a final full stop, thousands
    commas of a lone number, and spaces except between two digits.

    >>> normalise(r"\\text{ 1,234 }\\!"), normalise("$x = 3.$"), normalise(r"\\dfrac12"), normalise("1 1/2")
    ('1234', 'x=3', '\\\\frac12', '1 1/2')
    """
    text = answer.strip().strip("$")
    text = _WRAPPERS.sub(r"\1", text)
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    text = _SIZES.sub("", text)
    text = _SPACES.sub(" ", text).strip().removesuffix(".")
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return re.sub(r"(?<!\d) | (?!\d)", "", text)
