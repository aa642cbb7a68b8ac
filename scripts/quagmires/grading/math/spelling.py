"""One spelling for what is written in many: Unicode, decoration, units of siunitx, plain text, rows of an environment.

What comes out is LaTeX of the same meaning. Nothing here knows what the answer is compared with.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

# Longer text is no answer (grader.MAX_ANSWER_CHARACTERS is less), and is left as it is.
LONGEST = 4_000
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉₋₊ₙₖₘ", "0123456789-+nkm", strict=True))
_RUNS = (
    (re.compile(f"[{''.join(_SUPERSCRIPTS)}]+"), "^", _SUPERSCRIPTS),
    (re.compile(f"[{''.join(_SUBSCRIPTS)}]+"), "_", _SUBSCRIPTS),
)
_SYMBOLS = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "﹣": "-", "⁄": "/", "∕": "/", "×": "\\times ",
        "·": "\\cdot ",
        "⋅": "\\cdot ", "∙": "\\cdot ", "•": "\\cdot ", "∗": "*", "÷": "/", "±": "\\pm ", "∓": "\\mp ", "∞": "\\infty ",
        "≤": "\\leq ", "≥": "\\geq ", "⩽": "\\leq ", "⩾": "\\geq ", "≦": "\\leq ", "≧": "\\geq ", "≠": "\\neq ",
        "≈": "\\approx ", "≃": "\\approx ", "∼": "\\sim ", "≡": "\\equiv ", "°": "^\\circ ", "º": "^\\circ ",
        "˚": "^\\circ ", "∪": "\\cup ", "∩": "\\cap ", "∅": "\\emptyset ", "∈": "\\in ", "∉": "\\notin ",
        "⊂": "\\subset ", "⊆": "\\subseteq ", "∖": "\\setminus ", "∣": "\\mid ", "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}",
        "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}", "∠": "\\angle ", "△": "\\triangle ", "⊥": "\\perp ",
        "∥": "\\parallel ", "∨": "\\lor ", "∧": "\\land ", "¬": "\\neg ", "→": "\\to ", "⇒": "\\Rightarrow ",
        "↔": "\\leftrightarrow ", "∀": "\\forall ", "∃": "\\exists ", "∑": "\\sum ", "∏": "\\prod ", "∫": "\\int ",
        "∂": "\\partial ", "∇": "\\nabla ", "ℏ": "\\hbar ", "⟨": "\\langle ", "⟩": "\\rangle ", "〈": "\\langle ",
        "〉": "\\rangle ", "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "…": "\\ldots ",
        "⋯": "\\ldots ", "′": "'", "″": "''", "’": "'", "∶": ":", "∆": "\\Delta ", "、": ", ", "，": ", ", "；": "; ",
        "：": ":", "。": ".",
        "✓": "", "✔": "", "✅": "", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u3000": " ", "µ": "\\mu ",
        "α": "\\alpha ", "β": "\\beta ", "γ": "\\gamma ", "δ": "\\delta ", "ε": "\\epsilon ", "ζ": "\\zeta ",
        "η": "\\eta ", "θ": "\\theta ", "κ": "\\kappa ", "λ": "\\lambda ", "μ": "\\mu ", "ν": "\\nu ", "ξ": "\\xi ",
        "π": "\\pi ", "ρ": "\\rho ", "σ": "\\sigma ", "τ": "\\tau ", "φ": "\\phi ", "ϕ": "\\phi ", "χ": "\\chi ",
        "ψ": "\\psi ", "ω": "\\omega ", "Γ": "\\Gamma ", "Δ": "\\Delta ", "Θ": "\\Theta ", "Λ": "\\Lambda ",
        "Π": "\\Pi ", "Σ": "\\Sigma ", "Φ": "\\Phi ", "Ψ": "\\Psi ", "Ω": "\\Omega ",
    }
)  # fmt: skip
_UNICODE_ROOT = re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|\{([^{}]*)\}|(\d+|[a-zA-Z]))")
_DEGREE = {"√": "", "∛": "[3]", "∜": "[4]"}
# Wide forms of ASCII, mathematical letters, and numbers in circles or brackets.
_COMPATIBLE = re.compile("[\uff01-\uff5e\U0001d400-\U0001d7ff]")

# Commands that only change how their argument looks.
_LOOKS = re.compile(
    r"\\(?:underline|ensuremath|emph|smash|mathtt|framebox|bm|boldsymbol|mathbf|mathsf|mathit|mathnormal|textsf|texttt|fbox|boxed|overset\{\}|num"
    r"|operatorname\*?|mathrm|textcolor\s*\{[^{}]*\}|colorbox\s*\{[^{}]*\}|color\s*\{[^{}]*\}(?=\s*\{))\s*(?=\{)"
)
_SWITCHES = re.compile(
    r"\\(?:color\s*\{[^{}]*\}|(?:tiny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge|bf|bfseries|it"
    r"|itshape|rm|sf|displaystyle|textstyle|limits|nolimits|centering|noindent)(?![a-zA-Z]))"
)
_NOTHING = re.compile(
    r"\\(?:label|tag\*?|hspace\*?|vspace\*?|phantom|hphantom|vphantom|mbox\{\})\s*\{[^{}]*\}"
    r"|\\(?:checkmark|therefore|blacksquare|square|Box|qedsymbol|qed|hfill|implies|Rightarrow|Longrightarrow)(?![a-zA-Z])"
    r"|\\text\s*\{\s*(?:Q\.?E\.?D\.?|[Hh]ence|[Tt]hus|[Ss]o|[Tt]herefore)\s*[,:.]?\s*\}"
)
_SAME_COMMAND = {
    "lbrace": "\\{", "rbrace": "\\}", "dots": "\\ldots", "cdots": "\\ldots", "dotsc": "\\ldots", "dotsb": "\\ldots",
    "vee": "\\lor", "wedge": "\\land", "lg": "\\log_{10}", "degree": "^\\circ", "cr": "\\\\", "lvert": "|",
    "rvert": "|",
    "vert": "|", "colon": ":", "land": "\\land", "ne": "\\neq", "geqslant": "\\geq", "leqslant": "\\leq", "ge": "\\geq",
    "le": "\\leq", "top": "T", "intercal": "T", "R": "\\mathbb{R}", "Z": "\\mathbb{Z}", "N": "\\mathbb{N}",
    "lt": "<", "gt": ">", "textdollar": "\\$", "mathdollar": "\\$", "varnothing": "\\emptyset", "bmod": "\\bmod",
    "AA": "Å", "thinspace": "\\,", "enspace": "\\,", "space": "\\ ",
}  # fmt: skip
_SAME = re.compile(rf"\\({'|'.join(sorted(_SAME_COMMAND, key=len, reverse=True))})(?![a-zA-Z])")
# `10,\\!080` and `10{,}080` are one number wherever they stand.
_THIN_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|,\\!)\s*(?=\d{3}(?!\d))")
# Minutes and seconds of arc.
_ARC = re.compile(r"(?<=\d)\s*\^\s*\{?((?:\s*\\prime(?![a-zA-Z]))+)\s*\}?")
_COLON = re.compile(r"(?:\\(?:text|mathrm)\s*)?\{\s*:\s*\}")
_SI = re.compile(r"\\(?:SI|qty)\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_ANGLE_OF = re.compile(r"\\ang\s*\{([^{}]*)\}")
_CIRCLE_LETTER = re.compile(r"(?<=\d)\s*\^\s*\{?\s*(?:o|\\mathrm\s*\{o\}|\\text\s*\{o\})\s*\}?(?![a-zA-Z\d])")
_ROMAN_CONSTANT = re.compile(r"\\(?:mathrm|text|rm)\s*\{\s*([ei])\s*\}")
_SHORT_FRACTION = re.compile(
    r"\\(frac|binom)\s*(?:([a-zA-Z\d]|\\(?:pi|theta|alpha|beta)(?![a-zA-Z]))|(\{[^{}]*\}))"
    r"\s*(?:([a-zA-Z\d]|\\(?:pi|theta|alpha|beta)(?![a-zA-Z]))(?![a-zA-Z\d]*\})|(\{[^{}]*\}))"
)
_ROOT_OF_FRACTION = re.compile(r"\\sqrt\s*(\\frac\{[^{}]*\}\{[^{}]*\})")
_BLACKBOARD = re.compile(r"\\(mathbb|mathsf)\s*([A-Z])(?![a-zA-Z])")

_OVER = re.compile(r"\{([^{}]*(?:\{[^{}]*\}[^{}]*)*?)\\(over|choose)(?![a-zA-Z])([^{}]*(?:\{[^{}]*\}[^{}]*)*?)\}")
_OVER_IS = {"over": "\\frac", "choose": "\\binom"}
_CHOOSE = re.compile(r"(?<![a-zA-Z\\])C_(?:(\d+|[a-z])|\{(\d+|[a-z])\})\^(?:(\d+|[a-z])|\{(\d+|[a-z])\})")
# `{}_8C_3`, `^8C_3`
_CHOOSE_BEFORE = re.compile(
    r"(?:\{\}\s*|(?<![\w})]))[_^](?:(\d|[a-z])|\{(\d+|[a-z])\})\s*(?:C|\\mathrm\{C\})_(?:(\d|[a-z])|\{(\d+|[a-z])\})"
)
# An accent over one letter, whichever way it is written.
_BAR = re.compile(r"\\overline\s*(?:\{\s*([a-zA-Z])\s*\}|\s([a-zA-Z])(?![a-zA-Z]))")
_CIS = re.compile(
    r"\\(?:text|mathrm|operatorname)\s*\{\s*cis\s*\}\s*|\\cis(?![a-zA-Z])\s*|(?<![a-zA-Z\\])cis\s*(?=[\d(\\])"
)

_ROWS = re.compile(
    r"(?:\\left\s*\\\{)?\\begin\{(aligned|align\*?|gathered|gather\*?|split|eqnarray\*?|cases|equation\*?)\}"
    r"(.*?)\\end\{\1\}(?:\\right\s*\.)?",
    re.DOTALL,
)
_ARRAY = re.compile(r"\\begin\{array\}\s*\{[lcr| ]*\}(.*?)\\end\{array\}", re.DOTALL)
_GRID = re.compile(r"\\begin\{(?:[pbvBV]?(?:small)?matrix|array|cases)\}.*?\\end\{[a-zA-Z]+\}", re.DOTALL)
_SPACED_ROW = re.compile(r"\\\\\s*\[[^\[\]]*(?:pt|em|ex|mm|cm)\s*\]")
_ROW = re.compile(r"\s*\\\\\s*")

# For `normalise`.
_WRAPPERS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|boldsymbol|mbox|bf|rm)\s?\{([^{}]*)\}")
# Not the end of `\\\\ `, which ends a row.
_SPACES = re.compile(r"(?:(?<!\\)\\[,;:! ]|\\q?quad(?![a-zA-Z])|~|\s)+")
# Only as the whole answer: in `100, 200` and `(1,200)` the comma separates.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?")
_THIN_COMMA = re.compile(r"(?:\{,\}|,\\!)\s*")
# Not the beginning of \leftarrow and its like.
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])|\\(?:displaystyle|limits)(?![a-zA-Z])")
_DIGIT_FRACTION = re.compile(r"\\frac(?:(\d)|\{([^{}]*)\})(?:(\d)|\{([^{}]*)\})")
_END_OF_COMMAND = re.compile(r"(\\[a-zA-Z]+) (?=[a-zA-Z])")
_SHORT_ROOT = re.compile(r"\\sqrt(\d)")
_ONE_CHARACTER = re.compile(r"([_^])\{([A-Za-z0-9])\}")
_PRIMES = re.compile(r"\^(?:\\prime(?![a-zA-Z])|\{((?:\s*\\prime)+)\s*\})")
_COMPARISONS = re.compile(r"\\([lg])(?:e|eq|eqslant)(?![a-zA-Z])")
_FUNCTIONS = "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|ln|log|exp|sqrt"
_PLAIN_FUNCTION = re.compile(rf"(?<![\\a-zA-Z{{])({_FUNCTIONS})(?=\s*[(_^]|\s+\d)")
# `4/3 pi`: with the space it is no denominator.
_SHARE_OF_PI = re.compile(r"(?<![\w./}])(\d+)\s*/\s*(\d+)\s+(?=[pP]i(?![a-zA-Z]))")
_PLAIN_PI = re.compile(r"(?<![\\a-zA-Z])[pP]i(?![a-zA-Z])")
_PLAIN_IS = {"infinity": "infty", "infty": "infty", "atan": "arctan", "asin": "arcsin", "acos": "arccos"}
_PLAIN_WORD = re.compile(
    r"(?<![\\a-zA-Z{])(?:alpha|beta|theta|lambda|omega|infinity|atan(?=\s*\()|asin(?=\s*\()|acos(?=\s*\())(?![a-zA-Z}])"
)
_STARS_POWER = re.compile(r"\s*\*\*\s*(?:(-?\d+|[a-zA-Z])|(?=\())")
_STAR = re.compile(r"\s*\*\s*")
_SAID = re.compile(
    r"^(?:\\(?:text(?:bf)?|mathrm)\s*\{)?\s*(?:so\s+|hence\s+|thus\s+)?(?:the\s+)?(?:final\s+|correct\s+)?"
    r"(?:answer|ans|result|solution|option|choice|value|total|we get|we have|there are"
    r"|a total of)\s*(?:is|:|=|(?<=get)|(?<=have)|(?<=are)|(?<=of))\s*:?\s*(\})?\s*",
    re.IGNORECASE,
)
# `\\text{The primes are 3, 5, and 7}`
_SAID_OF = re.compile(
    r"^\\text\s*\{\s*(?:the|all)\s+(?!.{0,40}\b(?:not|no|wrong|other|except|sum|product|number)\b)(?:[a-z]+\s+){1,3}(?:is|are)\s*:?\s+"
    r"(?=[-\d][^a-z]*(?:\b(?:and|or)\b[^a-z]*)*\}\s*$)",
    re.IGNORECASE,
)
# Space and line breaks at the end, also a backslash that lost its space.
_END = re.compile(r"(?:\s|\\\\|\\[,;:! ]|(?<!\\)\\)+$")
_MARKDOWN = re.compile(r"(\*\*|__|\*|`+)(?!\s)(.+?)(?<!\s)\1", re.DOTALL)


def spell_symbols(text: str) -> str:
    """Mathematical characters of Unicode as LaTeX commands.

    >>> spell_symbols("x² − √3")
    'x^{2} - \\\\sqrt{3}'
    >>> spell_symbols("⅚ ＝ ５⁄６"), spell_symbols("a₁₂ ⩾ ∛2")
    ('\\\\frac{5}{6} = 5/6', 'a_{12} \\\\geq  \\\\sqrt[3]{2}')
    """
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", text)
    for run, mark, characters in _RUNS:
        text = run.sub(lambda found: f"{mark}{{{''.join(characters[c] for c in found.group())}}}", text)  # noqa: B023
    text = _UNICODE_ROOT.sub(lambda root: f"\\sqrt{_DEGREE[root[1]]}{{{root[2] or root[3] or root[4]}}}", text)
    text = "".join(map(_fraction, text))
    text = _COMPATIBLE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text.translate(_SYMBOLS))
    return re.sub(r"(?<=\d)\s*∘", "^\\\\circ ", text).replace("∘", "\\circ ")


def _fraction(character: str) -> str:
    """`½` -> `\\frac{1}{2}`."""
    kind, _, digits = unicodedata.decomposition(character).partition(" ")
    if kind != "<fraction>" or character == "\u215f":
        return character
    top, bottom = "".join(chr(int(code, 16)) for code in digits.split()).split("\u2044")
    return f"\\frac{{{top}}}{{{bottom}}}"


@lru_cache(maxsize=50_000)
def respelled(answer: str) -> str:
    """An answer in the spelling that the rest of this room reads, without what only decorates it.

    >>> respelled("**73**"), respelled(r"\\textcolor{red}{\\underline{73}}\\ \\checkmark"), respelled(r"\\SI{12}{m}")
    ('73', '73', '12\\\\,\\\\mathrm{m}')
    >>> respelled("2*pi"), respelled("-1 + exp(16)"), respelled(r"\\begin{aligned} x &= 2 \\\\ y &= 3 \\end{aligned}")
    ('2\\\\cdot \\\\pi', '-1 + e^{16}', 'x = 2, y = 3')
    """
    if len(answer) > LONGEST:
        return answer
    text = re.sub(r"\s+", " ", spell_symbols(answer)).strip()
    text = text.replace("\\tfrac", "\\frac").replace("\\dfrac", "\\frac").replace("\\cfrac", "\\frac")
    text = _BLACKBOARD.sub(lambda found: "T" if found[1] == "mathsf" else f"\\mathbb{{{found[2]}}}", text)
    text = _undecorated(_COLON.sub(":", text).replace("\\!", "") if ":" in text else text)
    text = re.sub(r"\^\s*\{\s*\\circ\s*\}", r"^\\circ ", text)
    text = _THIN_THOUSANDS.sub("", text)
    text = _ARC.sub(lambda found: "'" * found[1].count("prime"), text)
    text = _SI.sub(r"\1\\,\\mathrm{\2}", _ANGLE_OF.sub(r"\1^\\circ", text))
    text = _SAME.sub(lambda found: _SAME_COMMAND[found[1]], text)
    text = _BAR.sub(lambda bar: f"\\bar{{{bar[1] or bar[2]}}}", text)
    text = _CIRCLE_LETTER.sub(r"^\\circ", _ROMAN_CONSTANT.sub(r"\1", text))
    text = _SHORT_FRACTION.sub(lambda f: f"\\{f[1]}{{{_inside(f[2], f[3])}}}{{{_inside(f[4], f[5])}}}", text)
    text = _ROOT_OF_FRACTION.sub(r"\\sqrt{\1}", text)
    return _SAID_OF.sub(r"\\text{", _plain(_rows(_fractions(text))).strip())


def _fractions(text: str) -> str:
    """`{a \\over b}` as `\\frac{a}{b}`, `{n \\choose k}` and `C_5^2` as `\\binom`."""
    if "\\over" in text or "\\choose" in text:
        for _ in range(4):
            text = _OVER.sub(lambda found: f"{_OVER_IS[found[2]]}{{{found[1].strip()}}}{{{found[3].strip()}}}", text)
        whole = re.fullmatch(r"([^{}]*)\\(over|choose)(?![a-zA-Z])([^{}]*)", text)
        if whole:
            text = f"{_OVER_IS[whole[2]]}{{{whole[1].strip()}}}{{{whole[3].strip()}}}"
    text = _CHOOSE_BEFORE.sub(lambda f: f"\\binom{{{f[1] or f[2]}}}{{{f[3] or f[4]}}}", text)
    return _CHOOSE.sub(_choose, text)


def _choose(found: re.Match[str]) -> str:
    top, bottom = found[1] or found[2], found[3] or found[4]
    # C_1 and C_2 are constants.
    if top.isdigit() != bottom.isdigit() or (top.isdigit() and not int(bottom) <= int(top) >= 3):
        return found[0]
    return f"\\binom{{{top}}}{{{bottom}}}"


def _inside(character: str | None, group: str | None) -> str:
    return character if character is not None else (group or "{}")[1:-1]


def _undecorated(text: str) -> str:
    for _ in range(4):
        before = text
        text = _NOTHING.sub(" ", text).strip()
        text = unwrapped(text, _LOOKS, _keeps_its_look)
        text = _SWITCHES.sub(" ", text).strip()
        marked = _MARKDOWN.fullmatch(text)
        text = marked[2] if marked else text
        for left, right in (("\\[", "\\]"), ("\\(", "\\)")):
            if text.startswith(left) and text.endswith(right):
                text = text[2:-2]
        if text.startswith("{") and closing_brace(text, 0) == len(text) - 1:
            text = text[1:-1]
        said = _SAID.match(text)
        if said and said.end() < len(text):
            text = text[said.end() :]
            # The brace of \text{Answer: 7} is still open.
            if "{" in said.group() and not said[1] and text.endswith("}"):
                text = text[:-1]
        text = re.sub(r"^\s*=\s*", "", text)
        text = _END.sub("", text)
        if text == before:
            break
    return text


def _keeps_its_look(command: str, content: str) -> bool:
    """Whether a command says something: `\\mathbf{i}` may be a vector, `\\mathrm{m}` a unit,"
    " `\\operatorname{lcm}` a name."""
    if command.startswith(("\\mathbf", "\\bm", "\\boldsymbol")):
        return len(content.strip()) == 1 and content.strip().isalpha()
    if command.startswith(("\\mathrm", "\\operatorname")):
        return not re.fullmatch(r"[\d\s.,+\-/*^()]*", content)
    return False


def unwrapped(text: str, commands: re.Pattern[str], keep: Callable[[str, str], bool]) -> str:
    """A text with the arguments of `commands` in place of the commands, but for those to `keep`."""
    position = 0
    for _ in range(50):
        found = commands.search(text, position)
        if found is None:
            return text
        end = closing_brace(text, found.end())
        if end is None:
            return text
        content = text[found.end() + 1 : end]
        if keep(found.group(), content):
            position = found.end()
        else:
            text = f"{text[: found.start()]}{content}{text[end + 1 :]}"
            position = found.start()
    return text


def closing_brace(text: str, position: int) -> int | None:
    """Where the brace that opens at `position` closes; None if it does not, or if there is none."""
    if text[position : position + 1] != "{":
        return None
    depth = 0
    for index in range(position, len(text)):
        if text[index] in "{}" and text[index - 1 : index] != "\\":
            depth += 1 if text[index] == "{" else -1
            if depth == 0:
                return index
    return None


def _rows(text: str) -> str:
    """Rows of an aligned environment, or lines outside any, as a list; matrices keep theirs, without extra space."""
    text = _SPACED_ROW.sub(r"\\\\", text)
    if "\\\\" not in text and "\\begin" not in text:
        return text
    text = _ARRAY.sub(_array, text)
    text = _ROWS.sub(
        lambda rows: (
            rows[0] if re.search(r"\\text\s*\{\s*(?:if|for|when|otherwise)", rows[2]) else rows[2].replace("&", "")
        ),
        text,
    )
    text = re.sub(r"^\\left\s*\\\{(.*)\\right\s*\.$", r"\1", text)
    grids = _GRID.findall(text)
    if grids:
        return text
    rows = ", ".join(row for row in _ROW.split(text.strip()) if row.strip())
    # A row that begins with a relation goes on with the one before.
    return re.sub(r"\s+", " ", re.sub(r",\s*(?==)", " ", rows))


def _array(found: re.Match[str]) -> str:
    """An array in brackets is a matrix; alone, of one column, it is a list of lines."""
    before, after = found.string[: found.start()].rstrip(), found.string[found.end() :].lstrip()
    if re.search(r"(?:[(\[]|\\lbrack)$", before) and re.match(r"(?:\\right\s*)?[)\]]", after):
        return f"\\begin{{matrix}}{found[1]}\\end{{matrix}}"
    return found[0] if "&" in found[1] else found[1]


def _plain(text: str) -> str:
    """Plain text and code as LaTeX: `pi`, `sqrt(2)`, `exp(3)`, `x**2`, `2*x`."""
    text = _PLAIN_PI.sub(r"\\pi ", _SHARE_OF_PI.sub(r"\\frac{\1}{\2}", text))
    text = _PLAIN_WORD.sub(lambda word: f"\\{_PLAIN_IS.get(word[0], word[0])} ", text)
    text = re.sub(r"\+/-|\+-(?=\s*[\\\d(])", r"\\pm ", text)
    text = re.sub(r"(?<=,)\s*\.\.\.\s*(?=,)", r"\\ldots ", text)
    text = re.sub(r"(?<![a-zA-Z\\])(?:C|binom)\(\s*(\d+)\s*,\s*(\d+)\s*\)", r"\\binom{\1}{\2}", text)
    text = re.sub(r"(?<![a-zA-Z\\])abs\(([^()]*)\)", r"|\1|", text)
    if "*" in text:
        text = _STARS_POWER.sub(lambda power: f"^{{{power[1]}}}" if power[1] else "^", text)
        text = _STAR.sub(r"\\cdot ", text) if not re.search(r"[\^_]\s*\{?\s*\*|\*\s*$", text) else text
    # In code `log` is the natural one.
    text = _PLAIN_FUNCTION.sub(
        lambda name: "\\ln" if name[0] == "log" and name.string[name.end() :].lstrip()[:1] == "(" else f"\\{name[0]}",
        text,
    )
    cis = _CIS.search(text)
    if cis:
        angle = re.match(r"(?:\\[,;: ]|\s)*\(?([^(),=]*?)\)?(?=[,;=]|$)", text[cis.end() :])
        if angle:
            text = f"{text[: cis.start()]}(\\cos({angle[1]})+i\\sin({angle[1]})){text[cis.end() + angle.end() :]}"
    for command, left in (("\\sqrt", "\\sqrt{"), ("\\exp", "e^{")):
        position = text.find(command + "(")
        while position >= 0:
            end = _closing_bracket(text, position + len(command))
            if end is None:
                break
            text = f"{text[:position]}{left}{text[position + len(command) + 1 : end]}}}{text[end + 1 :]}"
            position = text.find(command + "(")
    return text


def _closing_bracket(text: str, position: int) -> int | None:
    depth = 0
    for index in range(position, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0:
            return index
    return None


def bare(answer: str) -> str:
    """An answer without dollar signs around it and a full stop after it.

    >>> bare("$12$."), bare(r"$\\$5.$"), bare(r"5\\$")
    ('12', '\\\\$5', '5\\\\$')
    """
    text = _full_stop(answer.strip()).rstrip().lstrip("$")
    while text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1]
    return _full_stop(text.strip()).strip()


def _full_stop(text: str) -> str:
    """A text without the full stop at its end; dots that stand for more digits stay."""
    return text if text.endswith("..") else text.removesuffix(".")


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
    # The space that ends a command stays: without it `\\leq a` would be another command.
    text = _END_OF_COMMAND.sub("\\1\0", text)
    text = re.sub(r"(?<!\d) | (?!\d)", "", text).replace("\0", " ")
    text = text.replace("^{\\circ}", "^\\circ")
    text = _PRIMES.sub(lambda primes: "'" * max(1, (primes[1] or "").count("prime")), text)
    text = _DIGIT_FRACTION.sub(lambda f: f"\\frac{{{f[1] or f[2]}}}{{{f[3] or f[4]}}}", text)
    text = _ONE_CHARACTER.sub(r"\1\2", _SHORT_ROOT.sub(r"\\sqrt{\1}", text))
    return text
