"""Markdown tables."""

from collections.abc import Iterable


def markdown_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of texts, its first column to the left and the others to the right.

    >>> print(markdown_table(["name", "value"], [["a", "1"]]))
    | name | value |
    |---|---:|
    | a | 1 |
    """
    header = list(header)
    lines = [header, *rows]
    texts = ["| " + " | ".join(line) + " |" for line in lines]
    texts.insert(1, "|---|" + "---:|" * (len(header) - 1))
    return "\n".join(texts)
