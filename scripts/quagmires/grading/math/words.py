"""Answers in words: letters of options, times of day, dates, names, orders of letters, and words beside mathematics."""

import re
from functools import lru_cache

from quagmires.grading.math.spelling import normalise
from quagmires.grading.math.units import looks_like_a_word, singular, unit_of, words_of
from quagmires.grading.verdicts import DIFFERENT, VERIFIED

_WRAPPER = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mathbf|mbox|rm|bf)\s*\{([^{}]*)\}")
_CHOICE = re.compile(r"\(?([A-J])\)?\.?")
_CHOSEN = re.compile(
    r"(?:(?:option|choice|answer)\s*)?(?:\(\s*(?P<bracketed>[A-Ja-j])\s*\)|(?P<bare>[A-J])(?:\)|[.:]|\s*$|(?=\s+(?:is|are)\b)))",
    re.IGNORECASE,
)
_ANOTHER_CHOICE = re.compile(r"\([A-J]\)|(?:,|\band\b|\bor\b|&)\s*\(?[A-J](?![a-zA-Z])")
_DENIED = re.compile(
    r"[\s,:]*(?:is|are|was)?\s*(?:not|n't|wrong|incorrect|false|impossible|excluded|out)\b", re.IGNORECASE
)
_TIME = re.compile(
    r"(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::(?P<second>\d{2}))?\s*(?P<half>[ap])\.?\s?m\.?"
    r"|(?P<hour2>\d{1,2}):(?P<minute2>\d{2})",
    re.IGNORECASE,
)
_YEAR = "january february march april may june july august september october november december"
_MONTHS = _YEAR.split()
_ARTICLES = frozenset(["the", "a", "an", "is", "are", "it", "of"])
# Words that an answer may be, in letters that would also be a product.
_SHORT = (
    "no on yes odd even one two six ten nine five four zero none all any some true false north south"
    " east west left right up down in out red blue tan pie man men day sun mon tue wed thu fri sat max"
    " min never always both add sum"
)
_SHORT_WORDS = frozenset(_SHORT.split())
# Words beside a value that say nothing of what it is.
_NOTHING = (
    "or and where for with if then such that so we be by any some real constant integer number when arbitrary value"
    " solution"
)
_NO_NAMES = frozenset(_NOTHING.split())
# Letters whose order says which figure it is; of segments and triangles it says nothing.
_FIGURE = re.compile(
    r"\\(angle|triangle|overline|overrightarrow|overleftrightarrow|vec|measuredangle)\s*\{?\s*([A-Z]{2,})\s*\}?"
)
_MANY_CAPITALS = re.compile(r"(?<![a-zA-Z\\])[A-Z]{3,}(?![a-zA-Z])")


def plain(answer: str) -> str:
    """An answer without the wrappers of text.

    >>> plain(r"\\text{Mary Jones}")
    'Mary Jones'
    """
    for _ in range(2):
        answer = _WRAPPER.sub(r"\1", answer)
    return re.sub(r"\\[,;:! ]|~", " ", answer).replace("$", "").strip()


def choice(gold: str, answer: str) -> str | None:
    """The verdict where the gold is the letter of an option and the answer begins with one.

    >>> choice("C", "(C) more than 5"), choice("C", "D is correct"), choice("C", "(C) or (D)")
    ('verified', 'different', 'different')
    """
    wanted = _CHOICE.fullmatch(normalise(gold))
    if wanted is None:
        return None
    text = plain(answer)
    chosen = _CHOSEN.match(text)
    if chosen is None:
        return None
    letter, rest = chosen["bracketed"] or chosen["bare"], text[chosen.end() :]
    if chosen["bracketed"] is None and re.match(r"\s*[=^_(+*/<>-]", rest):
        return None
    if chosen["bracketed"] is None and letter.islower() and rest.strip():
        return None
    denied = _DENIED.match(rest)
    # `(E) not enough information` is what the option says.
    if denied and (chosen["bracketed"] is None or re.match(r"[\s,:]*(?:is|are|was|wrong|incorrect|n't)\b", rest)):
        return DIFFERENT
    # What the option says does not matter, if no other option is named.
    alone = not _ANOTHER_CHOICE.match(rest.lstrip()) and not _ANOTHER_CHOICE.search(rest[:20])
    return VERIFIED if letter.upper() == wanted[1] and alone else DIFFERENT


def time_of_day(gold: str, answer: str) -> str | None:
    """The verdict on two times of day; `7 \\text{ PM}` is one, `2:3` is a ratio.

    >>> time_of_day(r"3:30 \\text{ p.m.}", "3:30 PM"), time_of_day("3:30 pm", "3:30 am"), time_of_day("3:30", "3/30")
    ('verified', 'different', 'different')
    """
    wanted, given = _time(gold), _time(answer)
    if wanted is None:
        return None
    if given is None:
        # A ratio or a fraction is no time; whatever else it is, is not decided here.
        return DIFFERENT if re.fullmatch(r"\d+\s*/\s*\d+", plain(answer)) else None
    if wanted[:2] != given[:2]:
        return DIFFERENT
    return DIFFERENT if None not in (wanted[2], given[2]) and wanted[2] != given[2] else VERIFIED


def _time(answer: str) -> tuple[int, int, str | None] | None:
    found = _TIME.fullmatch(plain(answer).rstrip("."))
    if found is None:
        return None
    if found["hour"]:
        return int(found["hour"]), int(found["minute"] or 0) * 60 + int(found["second"] or 0), found["half"].lower()
    return int(found["hour2"]), int(found["minute2"]) * 60, None


@lru_cache(maxsize=20_000)
def text_of(answer: str) -> tuple[str, ...] | None:
    """The words of an answer that is nothing but words; None of any other.

    >>> text_of(r"\\text{an Ellipse}"), text_of("20th June") == text_of("June 20"), text_of("abc") is None
    (('ellipse',), True, True)
    """
    text = plain(answer).strip(" .!\"'").replace("’", "'")
    if not re.fullmatch(
        r"[A-Za-z][A-Za-z'\- .]*|[A-Za-z'\-., ]*\d{1,4}(?:st|nd|rd|th)?(?:,? \d{4})?[A-Za-z'\-., ]*", text
    ):
        return None
    words = [
        word.lower().strip(".")
        for word in re.findall(r"[A-Za-z']+\.?|\d+", re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", text))
    ]
    words = [word for word in words if word and word not in _ARTICLES] or words
    month = [word for word in words if word in _MONTHS]
    if any(word.isdigit() for word in words):
        # With a number in it only a date is text.
        return tuple(sorted(words)) if len(month) == 1 and len(words) <= 3 else None
    wrapped = "\\text" in answer or "\\mbox" in answer
    letters = [word for word in re.findall(r"[A-Za-z']+", text)]
    if all(_is_word(word, wrapped) for word in letters) or (
        len(letters) > 1 and any(_is_word(word, False) for word in letters)
    ):
        return tuple(words)
    return None


def _is_word(letters: str, wrapped: bool) -> bool:
    lower = letters.lower()
    if lower in _SHORT_WORDS or (wrapped and len(letters) > 1):
        return True
    return looks_like_a_word(letters) and len(letters) > 3


def as_text(gold: str, answer: str) -> str | None:
    """The verdict where both are words, or where the gold is an order of letters."""
    wanted, given = text_of(gold), text_of(answer)
    if wanted is not None and given is not None:
        return VERIFIED if wanted == given or [*map(singular, wanted)] == [*map(singular, given)] else DIFFERENT
    if _is_list(gold) and _is_list(answer):
        return None
    letters, found = _letters(gold), _letters(answer)
    if (
        letters is not None
        and found is not None
        and (len(letters) > 2 or "\\text" in gold)
        and (len(found) > 2 or len(letters) > 2)
    ):
        return VERIFIED if letters == found else DIFFERENT
    if (wanted is None) != (given is None) and (letters or found):
        # `no` against `on`, `east` against `seat`.
        same = re.sub(r"[^a-z]", "", plain(gold).lower()), re.sub(r"[^a-z]", "", plain(answer).lower())
        if sorted(same[0]) == sorted(same[1]):
            return VERIFIED if same[0] == same[1] else DIFFERENT
    return None


def _letters(answer: str) -> str | None:
    """`EBCDA` and `E, B, C, D, A` as one; None where an answer is not a run of capitals."""
    text = plain(answer)
    if re.fullmatch(r"[A-Za-z]+", text):
        return text if text.isupper() or "\\text" in answer else None if looks_like_a_product(text) else text
    listed = re.fullmatch(r"[A-Z](?:\s*(?:,|-|\\to|->|→|>)\s*[A-Z])+", text)
    return "".join(re.findall(r"[A-Z]", text.replace("\\to", ""))) if listed else None


def _is_list(answer: str) -> bool:
    return "," in plain(answer)


def looks_like_a_product(letters: str) -> bool:
    """Whether lower-case letters are more likely a product than a word.

    >>> looks_like_a_product("abc"), looks_like_a_product("cba"), looks_like_a_product("no")
    (True, True, False)
    """
    if letters.lower() in _SHORT_WORDS:
        return False
    return len(letters) <= 3 or list(letters) == sorted(letters)


def same_figures(gold: str, answer: str) -> bool:
    """Whether angles, triangles, segments and runs of capitals are those of the gold, where both have some.

    >>> same_figures(r"\\angle ABC", r"\\angle CBA"), same_figures(r"\\angle ABC", r"\\angle ACB")
    (True, False)
    """
    wanted, given = _figures(gold), _figures(answer)
    if wanted and given and wanted != given:
        return False
    runs = [sorted(_MANY_CAPITALS.findall(_FIGURE.sub(" ", plain(one)))) for one in (gold, answer)]
    return not (all(runs) and runs[0] != runs[1])


def in_one_order(text: str) -> str:
    """A text with the letters of its segments and triangles in the order of the alphabet, and angles from one side.

    >>> in_one_order(r"\\overline{BA}") == in_one_order(r"\\overline{AB}")
    True
    """
    return _FIGURE.sub(lambda found: " ".join(_figure(found[1], found[2])), text)


def _figure(kind: str, letters: str) -> tuple[str, str]:
    if kind in ("angle", "measuredangle"):
        return "angle", min(letters, letters[::-1])
    return kind, "".join(sorted(letters)) if kind in ("overline", "overleftrightarrow", "triangle") else letters


def _figures(text: str) -> list[tuple[str, str]]:
    return sorted(_figure(kind, letters) for kind, letters in _FIGURE.findall(text))


def same_words(gold: str, answer: str) -> bool:
    """Whether the words beside mathematics allow the two to be one: those of one may be missing, others must agree.

    >>> same_words(r"n \\text{ is even}", r"n \\text{ is odd}"), same_words("4", r"4 \\text{ white}")
    (False, True)
    """
    wanted, given = (frozenset(word for word in words_of(one) if not _says_nothing(word)) for one in (gold, answer))
    return not (wanted and given) or wanted == given or bool(wanted < given or given < wanted)


def _says_nothing(word: str) -> bool:
    return word in _NO_NAMES or unit_of(word) is not None
