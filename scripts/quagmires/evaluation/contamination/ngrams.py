"""Problem statements as words and n-grams: what counts as the same text, and an index of the n-grams of many texts.

Libraries for near duplicates (datasketch, text-dedup) estimate an overlap. Here it is exact: benchmarks are small and
indexed whole. pylatexenc makes LaTeX legible; here it need only be spelt alike.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

# Fewer words than this are a phrase, not a problem: "Find the area of the triangle" is in many.
MIN_WORDS = 8

_FIGURES = re.compile(
    r"\[asy\].*?\[/asy\]|\\begin\{(asy|tikzpicture)\}.*?\\end\{\1\}|!\[[^\]]*\]\([^)]*\)|\\includegraphics[^}]*\}",
    re.DOTALL,
)
_LAYOUT = re.compile(
    r"\\(?:left|right|bigg?[lrm]?|displaystyle|textstyle|limits|nolimits|allowbreak|q?quad|[hv]space\*?"
    r"|text(?:bf|it|rm|normal)?|math(?:rm|bf|it|sf)|mbox|hbox|bold(?:symbol)?|operatorname\*?|[lr]?vert)(?![a-z])"
    # Environments, spaces, TeX's own delimiters of formulas, and scripts with nothing in them (`k^{}_{}`).
    r"|\\(?:begin|end)\{[a-z]+\*?\}|\\[,;:!>\[\]() ]|[_^]\{\s*\}|~"
)
_THOUSANDS = re.compile(r"(?<=\d)\{?,\}?(?:\\!)?(?=\d{3}(?!\d))")
_SPELLINGS = {
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "leq": "le",
    "leqslant": "le",
    "geq": "ge",
    "geqslant": "ge",
    "neq": "ne",
    "dots": "ldots",
    "cdots": "ldots",
    "rightarrow": "to",
    "measuredangle": "angle",
}
_COMMANDS = re.compile(r"\\(" + "|".join(sorted(_SPELLINGS, key=len, reverse=True)) + r")(?![a-z])")
# NFKC leaves these as they are.
_SYMBOLS = str.maketrans(
    {
        "−": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "÷": r"\div ",
        "°": r"^\circ ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "√": r"\sqrt ",
        "π": r"\pi ",
        "∠": r"\angle ",
        "△": r"\triangle ",
        "→": r"\to ",
        "∞": r"\infty ",
        "…": r"\ldots ",
    }
)
# One source writes 3/4 and m/n, another \frac34 and \frac mn.
_FRACTIONS = re.compile(r"\\frac\s*(\{[^{}]*\}|[a-z0-9])\s*(\{[^{}]*\}|[a-z0-9])")
# Digits of a number, each underlined, or all with one line.
_UNDERLINED = re.compile(r"(?:\\underline\{[^{}]*\}\s*)+")
_UNDERLINES = re.compile(r"\\underline\{|\}|\s")
# Lines over and fancy letters come and go between sources; they stay in the exact key, for 0.\overline{3} is not 0.3.
_DECORATION = re.compile(r"\\(?:overline|underline|mathcal|mathbb|widehat|frac)(?![a-z])")
_WORDS = re.compile(r"\d+|[^\W\d_]+")
# The same for lower-case ASCII, twice as fast.
_ASCII_WORDS = re.compile(r"[0-9]+|[a-z]+")
# A point is punctuation unless it is a decimal point; operators stay, or x+1 and x-1 would be one problem.
_PUNCTUATION = re.compile(r"[^\w\s.+\-*/=<>^]|_|(?<!\d)\.|\.(?!\d)")
_SPACES = re.compile(r"\s+")
_IDLE_SPACES = re.compile(r"(?<!\d) | (?!\d)")
# Any odd 64-bit number of many bits serves; hits are compared exactly afterwards.
_BASE = np.uint64(0x9E3779B97F4A7C15)


def plain(text: str) -> str:
    """Lower case, in NFKC, without layout commands and figure code, one spelling for each symbol.

    Figure code stays where fewer than `MIN_WORDS` words are left without it: there the figure is the problem.

    >>> plain(r"If $\\left(x\\right) \\leqslant 1{,}000$,").split()
    ['if', '$', '(x', ')', '\\\\le', '1000$,']
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text.translate(_SYMBOLS))
    text = text.lower()
    if "asy" in text or "tikz" in text or "![" in text or "graphics" in text:
        without = _FIGURES.sub(" ", text)
        if len(words(without)) >= MIN_WORDS:
            text = without
    if "," in text:
        text = _THOUSANDS.sub("", text)
    if "underline" in text:
        text = _UNDERLINED.sub(lambda digits: _UNDERLINES.sub("", digits[0]) + " ", text)
    text = _LAYOUT.sub(" ", text)
    if "\\" in text:
        text = _COMMANDS.sub(lambda command: "\\" + _SPELLINGS[command[1]], text)
        text = _FRACTIONS.sub(r" \1/\2 ", text)
    return text


def words(plain_text: str) -> list[str]:
    """Runs of letters and runs of digits of a text that `plain` made: a formula falls into its names and numbers.

    >>> words(plain(r"Let $x^{24}=w$, then $2x_1$."))
    ['let', 'x', '24', 'w', 'then', '2', 'x', '1']
    """
    if "\\" in plain_text:
        plain_text = _DECORATION.sub(" ", plain_text)
    return (_ASCII_WORDS if plain_text.isascii() else _WORDS).findall(plain_text)


def exact_key(plain_text: str) -> str:
    """The text without punctuation and white space, under which two copies of one problem are equal.

    Operators and decimal points stay, and so does one space between two numbers.

    >>> exact_key(plain(r"Find $ x - 1$ at $(2,\\; 3.5)$.")) == exact_key(plain("find x-1 at (2, 3.5)"))
    True
    >>> exact_key("x + 1") == exact_key("x - 1"), exact_key("(1, 23)") == exact_key("(12, 3)")
    (False, False)
    """
    return _IDLE_SPACES.sub("", _SPACES.sub(" ", _PUNCTUATION.sub(" ", plain_text)).strip())


class NgramIndex:
    """The n-grams of many documents, to count in a stream of texts how many of each document's they hold.

    Parameters
    ----------
    documents
        their words; a document shorter than `n` has no n-gram and is never found.
    n
        words in an n-gram.

    Attributes
    ----------
    sizes
        the number of distinct n-grams of each document.
    """

    def __init__(self, documents: Sequence[Sequence[str]], n: int) -> None:
        self.n = n
        # 0 is for words that no document has.
        vocabulary = {word: index for index, word in enumerate(dict.fromkeys(w for d in documents for w in d), start=1)}
        self._vocabulary = _ZeroIfMissing(vocabulary)
        self._owners: dict[bytes, list[int]] = {}
        self.sizes: list[int] = []
        for number, document in enumerate(documents):
            grams = self._ngrams(self._encode(document))
            self.sizes.append(len(grams))
            for gram in grams:
                self._owners.setdefault(gram, []).append(number)
        self._hashes = self._hashes_of_owned()

    def shared(self, texts: Sequence[Sequence[str]]) -> dict[int, Counter[int]]:
        """For each text that shares an n-gram with a document: how many of each document's distinct n-grams it has.

        Parameters
        ----------
        texts
            their words.

        Returns
        -------
        dict
            index of the text -> index of the document -> distinct n-grams they share.
        """
        ids = self._encode(word for text in texts for word in (*text, ""))
        positions = self._hits(ids)
        ends = np.cumsum([len(text) + 1 for text in texts])
        buffer, width = ids.tobytes(), ids.itemsize
        grams: dict[int, set[bytes]] = {}
        for position, text in zip(positions.tolist(), np.searchsorted(ends, positions, "right").tolist(), strict=True):
            grams.setdefault(text, set()).add(buffer[position * width : (position + self.n) * width])
        counts = {
            text: Counter(owner for gram in found for owner in self._owners.get(gram, ()))
            for text, found in grams.items()
        }
        return {text: count for text, count in counts.items() if count}

    def _encode(self, text: Iterable[str]) -> np.ndarray:
        return np.fromiter(map(self._vocabulary.__getitem__, text), dtype=np.uint32)

    def _ngrams(self, ids: np.ndarray) -> list[bytes]:
        width = ids.itemsize
        buffer = ids.tobytes()
        starts = range(len(ids) - self.n + 1)
        return list(dict.fromkeys(buffer[start * width : (start + self.n) * width] for start in starts))

    def _hashes_of_owned(self) -> np.ndarray:
        ids = np.frombuffer(b"".join(self._owners), dtype=np.uint32)
        return np.unique(rolling_hashes(ids, self.n)[:: self.n])

    def _hits(self, ids: np.ndarray) -> np.ndarray:
        """Where an n-gram begins whose hash is a document's. The word "" between texts is in no document."""
        if len(ids) < self.n or not len(self._hashes):
            return np.empty(0, dtype=np.int64)
        unknown = np.concatenate(([0], np.cumsum(ids == 0)))
        starts = np.flatnonzero(unknown[self.n :] == unknown[: -self.n])
        hashes = rolling_hashes(ids, self.n)[starts]
        nearest = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return starts[self._hashes[nearest] == hashes]


class _ZeroIfMissing(dict):
    def __missing__(self, word: str) -> int:
        return 0


def rolling_hashes(ids: np.ndarray, n: int) -> np.ndarray:
    """Polynomial hash, modulo 2^64, of each window of `n` ids: shape (len(ids) - n + 1,), empty if `ids` is shorter."""
    count = max(len(ids) - n + 1, 0)
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(n):
        hashes *= _BASE
        hashes += ids[offset : offset + count]
    return hashes
