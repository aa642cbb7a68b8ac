"""The names of subsets: `random-10k`, `shortest-500`, `longest-10k+shortest-10k`, `all`, `base`."""

import re
from dataclasses import dataclass

from quagmires.common.errors import UserError
from quagmires.config.subset_rules import SUBSET_RULES

BASE = "base"
ALL = "all"
# The whole grammar: a parser's library would take more lines than this pattern.
_PART = re.compile(r"^([a-z]+)-(\d+(?:\.\d+)?)(k|m)?$")
_SCALE = {None: 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class SubsetPart:
    """`size` examples picked by `rule`, one of `SUBSET_RULES`."""

    rule: str
    size: int


def parse_subset(name: str) -> list[SubsetPart]:
    """The parts of a subset's name; none for `all` and `base`.

    >>> parse_subset("longest-10k+shortest-1.5k")
    [SubsetPart(rule='longest', size=10000), SubsetPart(rule='shortest', size=1500)]

    Raises
    ------
    UserError
        a part names no known rule, its size is not a whole number, or one rule is named twice.
    """
    if name in (ALL, BASE):
        return []
    parts = []
    for text in name.split("+"):
        match = _PART.match(text)
        if not match or match[1] not in SUBSET_RULES:
            *first, last = rule_patterns()
            raise UserError(
                f"unknown subset {text!r}; use base, all, {', '.join(first)} or {last} (N like 500 or 10k),"
                " joined by `+`"
            )
        size = float(match[2]) * _SCALE[match[3]]
        if size != int(size) or size == 0:
            raise UserError(f"subset {text!r}: its size must be a whole number of examples")
        parts.append(SubsetPart(match[1], int(size)))
    if len({part.rule for part in parts}) < len(parts):
        raise UserError(f"subset {name!r} names one rule twice; join different rules only")
    return parts


def rule_patterns() -> list[str]:
    """How the parts of a subset are written, one for each rule: `random-N`, `shortest-N`, `longest-N`."""
    return [f"{name}-N" for name in SUBSET_RULES]


def subset_size(name: str, pool: int) -> int:
    """The number of examples a subset asks for, out of a pool of `pool`."""
    return pool if name == ALL else sum(part.size for part in parse_subset(name))
