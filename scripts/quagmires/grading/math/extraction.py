"""The final answer of a response, and a light normalisation under which equal answers are equal text."""

import re

BOX = "\\boxed"
END_OF_THOUGHT = "</think>"
# How far a box is followed, and how many boxes are tried from the end: responses can be megabytes of braces.
_LONGEST_BOX = 20_000
_MOST_BOXES = 20

# Between two boxes of one answer: `$\boxed{2}$ and $\boxed{3}$`.
_JOINT = re.compile(
    r"[\s$]*(?:\\\)|\\\])?[\s$]*(?:,|and|or|,\s*and|,\s*or|\\text\{\s*(?:and|or)\s*\})[\s$]*(?:\\\(|\\\[)?[\s$]*"
)
_WRAPPERS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|boldsymbol|mbox|bf|rm)\s?\{([^{}]*)\}")
# Not the end of `\\\\ `, which ends a row.
_SPACES = re.compile(r"(?:(?<!\\)\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\s)+")
# Only as the whole answer: in `100, 200` and `(1,200)` the comma separates.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?")
_THIN_COMMA = re.compile(r"(?:\{,\}|,\\!)\s*")
# Not the beginning of \leftarrow and its like.
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])|\\(?:displaystyle|limits)(?![a-zA-Z])")
_SHORT_FRACTION = re.compile(r"\\frac(?:(\d)|\{([^{}]*)\})(?:(\d)|\{([^{}]*)\})")
_SHORT_ROOT = re.compile(r"\\sqrt(\d)")
_ONE_CHARACTER = re.compile(r"([_^])\{([A-Za-z0-9])\}")
_PRIMES = re.compile(r"\^(?:\\prime(?![a-zA-Z])|\{((?:\s*\\prime)+)\s*\})")
_COMPARISONS = re.compile(r"\\([lg])(?:e|eq|eqslant)(?![a-zA-Z])")

_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))
_SUPERSCRIPT_RUN = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+")
_UNICODE = str.maketrans(
    {
        "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "⋅": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty ",
        "≤": "\\leq ", "≥": "\\geq ", "≠": "\\neq ", "°": "^\\circ", "∪": "\\cup ", "∩": "\\cap ", "∅": "\\emptyset ",
        "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ", "λ": "\\lambda ", "ω": "\\omega ", "φ": "\\phi ",
        "½": "\\frac{1}{2}", "⅓": "\\frac{1}{3}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}", "\u00a0": " ",
    }
)  # fmt: skip
_UNICODE_ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|\{([^{}]*)\}|(\d+|[a-zA-Z]))")


def extract_answer(response: str) -> str | None:
    """The content of the last balanced `\\boxed{...}`, after the last `</think>` where there is one.

    Boxes joined to it by a comma, `and` or `or` belong to the same answer; a repeated one counts once. Returns None
    when there is no box: such a response has no answer.

    >>> extract_answer(r"so \\boxed{\\frac{1}{2}}.")
    '\\\\frac{1}{2}'
    >>> extract_answer(r"\\boxed{3}; finally $\\boxed{2}$ and $\\boxed{5}$")
    '2, 5'
    >>> extract_answer("the answer is 7") is None
    True
    """
    tail = response.rpartition(END_OF_THOUGHT)[2]
    end = len(tail)
    parts: list[str] = []
    right: int | None = None
    for _ in range(_MOST_BOXES):
        start = tail.rfind(BOX, 0, end)
        if start < 0:
            break
        box = _balanced(tail, start + len(BOX))
        if right is not None and (box is None or not _JOINT.fullmatch(tail, box[1], min(right, box[1] + 40))):
            break
        if box is not None:
            if right is not None and right - box[1] > 40:
                break
            parts.insert(0, tail[box[0] : box[1] - 1].strip())
            right = start
        end = start
    return ", ".join(dict.fromkeys(parts)) if parts else None


def _balanced(text: str, position: int) -> tuple[int, int] | None:
    """Where the content of the braces that open at `position` (spaces before them are allowed) begins, and where the
    closing brace ends, if they close.
    """
    while position < len(text) and text[position] == " ":
        position += 1
    if position >= len(text) or text[position] != "{":
        return None
    depth = 0
    for brace in re.compile(r"[{}]").finditer(text, position, position + _LONGEST_BOX):
        # An escaped brace is a set's, not a group's.
        if text[brace.start() - 1] != "\\":
            depth += 1 if brace.group() == "{" else -1
            if depth == 0:
                return position + 1, brace.end()
    return None


def spell_symbols(text: str) -> str:
    """Mathematical characters of Unicode as LaTeX commands.

    >>> spell_symbols("x² − √3")
    'x^{2} - \\\\sqrt{3}'
    """
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^{" + "".join(_SUPERSCRIPTS[c] for c in run.group()) + "}", text)
    return _UNICODE_ROOT.sub(lambda root: f"\\sqrt{{{root[1] or root[2] or root[3]}}}", text).translate(_UNICODE)


def bare(answer: str) -> str:
    """An answer without dollar signs around it and a full stop after it.

    >>> bare("$12$."), bare(r"$\\$5.$"), bare(r"5\\$")
    ('12', '\\\\$5', '5\\\\$')
    """
    text = answer.strip().removesuffix(".").rstrip().lstrip("$")
    while text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1]
    return text.strip().removesuffix(".").strip()


def normalise(answer: str) -> str:
    """Drop what never changes a value: dollar signs, text wrappers, sizes of brackets, a final full stop, thousands
    commas of a lone number, and spaces except between two digits; write each symbol in one way.

    >>> normalise(r"\\text{ 1,234 }\\!"), normalise("$x = 3.$"), normalise(r"\\dfrac12"), normalise("1 1/2")
    ('1234', 'x=3', '\\\\frac{1}{2}', '1 1/2')
    >>> normalise("12π"), normalise("x² ≥ √3"), normalise("E_{1}")
    ('12\\\\pi', 'x^2\\\\geq\\\\sqrt{3}', 'E_1')
    """
    text = spell_symbols(answer).strip().strip("$")
    for _ in range(3):
        text = _WRAPPERS.sub(r"\1", text)
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("\\cfrac", "\\frac")
    text = text.replace("\\$", "").replace("\\(", "").replace("\\)", "")
    text = _THIN_COMMA.sub(",", text).replace("\\!", "")
    text = _COMPARISONS.sub(r"\\\1eq", _SIZES.sub("", text))
    text = _SPACES.sub(" ", text).strip().removesuffix(".").strip()
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "").replace(" ", "")
    text = re.sub(r"(?<!\d) | (?!\d)", "", text)
    text = text.replace("^{\\circ}", "^\\circ")
    text = _PRIMES.sub(lambda primes: "'" * max(1, (primes[1] or "").count("prime")), text)
    text = _SHORT_FRACTION.sub(lambda f: f"\\frac{{{f[1] or f[2]}}}{{{f[3] or f[4]}}}", text)
    text = _ONE_CHARACTER.sub(r"\1\2", _SHORT_ROOT.sub(r"\\sqrt{\1}", text))
    return text
