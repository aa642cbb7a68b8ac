"""The names of subsets: `random-10k`, `shortest-500`, `longest-10k+shortest-10k`, `all`, `base`."""

import re
from dataclasses import dataclass
from typing import Literal

from quagmires.common.errors import UserError

BASE = "base"
ALL = "all"
_PART = re.compile(r"^(random|shortest|longest)-(\d+(?:\.\d+)?)(k|m)?$")
_SCALE = {None: 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True)
class Part:
    """`size` examples picked by `rule`."""

    rule: Literal["random", "shortest", "longest"]
    size: int


def parse_subset(name: str) -> list[Part]:
    """The parts of a subset's name; none for `all` and `base`.

    >>> parse_subset("longest-10k+shortest-1.5k")
    [Part(rule='longest', size=10000), Part(rule='shortest', size=1500)]
    """
    if name in (ALL, BASE):
        return []
    parts = []
    for text in name.split("+"):
        match = _PART.match(text)
        if not match:
            raise UserError(
                f"unknown subset {text!r}; use base, all, random-N, shortest-N or longest-N (N like 500 or 10k),"
                " joined by `+`"
            )
        size = float(match[2]) * _SCALE[match[3]]
        if size != int(size) or size == 0:
            raise UserError(f"subset {text!r}: its size must be a whole number of examples")
        parts.append(Part(match[1], int(size)))
    if len({part.rule for part in parts}) < len(parts):
        raise UserError(f"subset {name!r} names one rule twice; join different rules only")
    return parts


def subset_size(name: str, pool: int) -> int:
    """The number of examples a subset asks for, out of a pool of `pool`."""
    return pool if name == ALL else sum(part.size for part in parse_subset(name))
