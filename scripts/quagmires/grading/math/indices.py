"""Letters that an answer binds: the index of a sum, the variable of a definite integral, the arguments of a function.

What they are called says nothing, so an answer gets the gold's names for them before it is compared.
"""

import re

_LETTER = r"(?:[a-zA-Z]|\\(?:alpha|beta|theta|lambda|mu|nu|rho|sigma|tau|phi|xi|omega)(?![a-zA-Z]))"
# `\sum_{k=1}^{n}`, `\prod_{p \in P}`, `\lim_{h \to 0}`.
_BELOW = re.compile(
    rf"\\(?P<kind>sum|prod|bigcup|bigcap|lim)\s*(?:\\limits\s*)?_\s*\{{\s*(?P<name>{_LETTER})\s*"
    r"(?:=|\\to(?![a-zA-Z])|\\rightarrow(?![a-zA-Z])|\\in(?![a-zA-Z])|\\geq?(?![a-zA-Z])|>)"
)
# `\int_0^1`, and the variable after the d: in an integral without limits it is free.
_INTEGRAL = re.compile(r"\\(?P<kind>i{0,2}int)(?![a-zA-Z])\s*(?:\\limits\s*)?(?P<limits>_)?")
_DIFFERENTIAL = re.compile(rf"(?<![a-zA-Z\\])(?:\\(?:mathrm|text|rm)\s*\{{\s*d\s*\}}|d)\s*(?P<name>{_LETTER})")
# Letters, one by one; words and commands as a whole, which no letter is taken from.
_TOKEN = re.compile(rf"\\(?:text|mathrm|operatorname|mbox|mathbb)\s*\{{[^{{}}]*\}}|{_LETTER}|\\[a-zA-Z]+")
_IS_LETTER = re.compile(_LETTER)
# `f(x, y) = ...`, `a_n = ...`.
_DEFINED = re.compile(
    r"\s*(?P<function>(?!\\(?:sum|prod|lim|max|min|sup|inf|int|big\w+)(?![a-zA-Z]))\\?[a-zA-Z]+)\s*"
    r"(?:\(\s*(?P<of>[a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*\)|_\{?(?P<index>[a-zA-Z])\}?)\s*=(?P<value>[^=]*)"
)


def indices(text: str) -> list[tuple[str, str]] | None:
    """What binds a letter, and the letter, from the left; None where an integral cannot be read.

    >>> indices(r"\\sum_{k=1}^{n} k\\int_0^1 x^k dx"), indices("k^2"), indices(r"\\int x dx")
    ([('sum', 'k'), ('int', 'x')], [], [])
    """
    found = [(one.start(), one["kind"], one["name"]) for one in _BELOW.finditer(text)]
    integrals = list(_INTEGRAL.finditer(text))
    if integrals:
        variables = list(_DIFFERENTIAL.finditer(text, integrals[0].end()))
        if len(variables) != len(integrals) or len(integrals) > 1:
            # Of several integrals it is not said which d belongs to which.
            return None
        if integrals[0]["limits"]:
            found.append((integrals[0].start(), integrals[0]["kind"], variables[0]["name"]))
    return [(kind, name) for _, kind, name in sorted(found)]


def indices_alike(accepted: str, answer: str) -> str:
    """An answer with the gold's names of what both bind alike, if no other letter of it has them.

    >>> indices_alike(r"\\sum_{k=1}^{n} k^2", r"\\sum_{i=1}^{n} i^2")
    '\\\\sum_{k=1}^{n} k^2'
    >>> indices_alike(r"\\sum_{k=1}^{n} k", r"\\sum_{i=1}^{n} ki")
    '\\\\sum_{i=1}^{n} ki'
    """
    if "_" not in accepted or "_" not in answer:
        return answer
    wanted, given = indices(accepted), indices(answer)
    if not wanted or not given or [kind for kind, _ in wanted] != [kind for kind, _ in given]:
        return answer
    names = dict(zip((name for _, name in given), (name for _, name in wanted), strict=True))
    if any(names[own] != other for (_, own), (_, other) in zip(given, wanted, strict=True)):
        # One letter of the answer is two of the gold.
        return answer
    letters = set(_letters(answer))
    if len(set(names.values())) < len(names) or any(
        new in letters and new not in names for old, new in names.items() if old != new
    ):
        return answer
    return _with_names(answer, names)


def arguments_alike(accepted: str, answer: str) -> str:
    """A definition with the gold's names of the arguments: `f(t) = 2t` for a gold `f(x) = 2x` is `f(x) = 2x`.

    >>> arguments_alike("f(x)=2x", "f(t) = 2t"), arguments_alike("a_n=2^n", "a_k=2^k")
    ('f(x) = 2x', 'a_n=2^n')
    >>> arguments_alike("f(x)=2x", "f(t)=2x"), arguments_alike("f(x,y)=x-y", "f(a,b)=a-b")
    ('f(t)=2x', 'f(x,y)=x-y')
    """
    wanted, given = _arguments(accepted), _arguments(answer)
    if wanted is None or given is None or wanted[0] != given[0] or len(wanted[1]) != len(given[1]):
        return answer
    letters = set(_letters(given[2]))
    if wanted[1] == given[1] or any(name in letters and name not in given[1] for name in wanted[1]):
        return answer
    names = dict(zip(given[1], wanted[1], strict=True))
    function = given[0].partition(" ")[0]
    return function + _with_names(answer.lstrip()[len(function) :], names)


def arguments_differ(accepted: str, answer: str) -> bool:
    """Whether two definitions of one function name its argument differently although both letters are in the value."""
    wanted, given = _arguments(accepted), _arguments(answer)
    if wanted is None or given is None or wanted[0] != given[0] or len(wanted[1]) != len(given[1]):
        return False
    letters = set(_letters(given[2]))
    return any(
        old != new and new in letters and new not in given[1] for old, new in zip(given[1], wanted[1], strict=True)
    )


def _arguments(text: str) -> tuple[str, list[str], str] | None:
    """What is defined (`f ()`, `a _`), its arguments, and its value."""
    found = _DEFINED.fullmatch(text)
    if found is None:
        return None
    names = re.findall("[a-zA-Z]", found["of"] or found["index"])
    kind = "()" if found["of"] else "_"
    return (f"{found['function']} {kind}", names, found["value"]) if len(set(names)) == len(names) else None


def _with_names(text: str, names: dict[str, str]) -> str:
    return _TOKEN.sub(lambda token: _renamed(token, names), text)


def _renamed(token: re.Match[str], names: dict[str, str]) -> str:
    new = names.get(token[0], token[0])
    # A command that stands before a letter needs its space.
    follows = token.string[token.end() : token.end() + 1]
    return f"{new} " if new.startswith("\\") and new != token[0] and follows.isalpha() else new


def _letters(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text) if _IS_LETTER.fullmatch(token)]
