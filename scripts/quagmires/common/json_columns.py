"""Which Parquet column holds the values of a field of JSON lines, learnt row by row in little memory.

pandas and pyarrow choose a type by looking at all values at once. It depends on no more than the kinds of values that
occur, so `Values` keeps an example of each kind, and pandas and pyarrow choose by the examples.
"""

import io
from collections.abc import Iterator
from itertools import cycle, islice
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import one_line

# Parquet readers give up at less than half of it.
_DEEPEST = 100
# All objects of a column have all fields of any, and a block of rows is held in memory.
MOST_FIELDS = 2_000
_BIG = "integers of more than 64 bits"
_HALF = "half of a surrogate pair"
_DEEP = f"values nested more than {_DEEPEST} deep"
_MANY = f"objects with more than {MOST_FIELDS:,} different fields"
_WORDS = {"boolean": "true or false", "number": "numbers", "text": "text", "list": "lists", "object": "objects"}


class Values:
    """The kinds of values of a column, of its lists' items or of its objects' field, and the row where each was first.

    >>> values = Values()
    >>> for row, value in enumerate([1, None, "a"], start=1):
    ...     values.learn(value, row)
    >>> values.complaint("mine")
    '`mine` holds numbers (row 1) and text (row 3), which one Parquet column cannot'
    """

    __slots__ = ("first", "low", "high", "items", "fields", "_depth", "_count")

    def __init__(self, depth: int = 0, count: list[int] | None = None) -> None:
        self.first: dict[str, int] = {}
        self.low = self.high = 0
        self.items: Values | None = None
        self.fields: dict[str, Values] = {}
        self._depth = depth
        # Fields of the whole column.
        self._count = [0] if count is None else count

    def learn(self, value: Any, row: int) -> None:
        """Take in a value, as a parser of JSON returns it. Text that is no Unicode is a fault below the top only."""
        first = self.first
        if value is None:
            first.setdefault("null", row)
        elif isinstance(value, str):
            first.setdefault("text", row)
            if self._depth and not _is_unicode(value):
                first.setdefault(_HALF, row)
        elif isinstance(value, bool):
            first.setdefault("boolean", row)
        elif isinstance(value, int):
            self._learn_integer(value, row)
        elif isinstance(value, float):
            first.setdefault("number" if value == value else "nan", row)
        elif self._depth == _DEEPEST:
            first.setdefault(_DEEP, row)
        elif isinstance(value, list):
            first.setdefault("list", row)
            for item in value:
                if self.items is None:
                    self.items = Values(self._depth + 1, self._count)
                self.items.learn(item, row)
        else:
            first.setdefault("object", row)
            self._learn_fields(value, row)

    def _learn_integer(self, value: int, row: int) -> None:
        if "integer" not in self.first:
            self.first["integer"] = row
            self.low = self.high = value
        elif value < self.low:
            self.low = value
        elif value > self.high:
            self.high = value
        if not -(1 << 63) <= value < 1 << 63:
            self.first.setdefault(_BIG, row)

    def _learn_fields(self, value: dict[str, Any], row: int) -> None:
        for name, one in value.items():
            if name not in self.fields:
                if not _is_unicode(name):
                    self.first.setdefault(_HALF, row)
                    continue
                self._count[0] += 1
                if self._count[0] > MOST_FIELDS:
                    self.first.setdefault(_MANY, row)
                    continue
                self.fields[name] = Values(self._depth + 1, self._count)
            self.fields[name].learn(one, row)

    def examples(self) -> list[Any]:
        """A value of each kind: what is inferred of them is inferred of all values."""
        found: list[Any] = []
        for kind in self.first:
            if kind == "integer":
                found += [self.low] if self.low == self.high else [self.low, self.high]
            elif kind == "list":
                found.append([] if self.items is None else self.items.examples())
            elif kind == "object":
                found += _rows({name: field.examples() for name, field in self.fields.items()})
            elif kind in _EXAMPLES:
                found.append(_EXAMPLES[kind])
        return found

    def complaint(self, name: str) -> str | None:
        """Why no Parquet column can hold the values, if it is for one of the reasons that occur; `name` is theirs."""
        for one in (_HALF, _DEEP, _MANY, _BIG):
            if one in self.first:
                return f"`{name}` holds {one} (row {self.first[one]})"
        # Integers and others are numbers.
        kinds = {_KIND.get(kind, kind): row for kind, row in reversed(self.first.items())}
        mixed = [f"{words} (row {kinds[kind]})" for kind, words in _WORDS.items() if kind in kinds]
        if len(mixed) > 1:
            return f"`{name}` holds {' and '.join(mixed)}, which one Parquet column cannot"
        if "object" in self.first and not self.fields:
            return f"`{name}` holds empty objects only (row {self.first['object']}), which Parquet cannot"
        return next((fault for inner in self._inner(name) if (fault := inner)), None)

    def is_hopeless(self) -> bool:
        """Whether there is a value that `examples` do not show to pandas and pyarrow."""
        inner = [*self.fields.values(), *([self.items] if self.items else [])]
        return any(fault in self.first for fault in (_HALF, _DEEP, _MANY)) or any(one.is_hopeless() for one in inner)

    def _inner(self, name: str) -> Iterator[str | None]:
        if self.items is not None:
            yield self.items.complaint(f"{name}[]")
        for field, values in self.fields.items():
            yield values.complaint(f"{name}.{field}")


_EXAMPLES = {"null": None, "boolean": True, "number": 0.5, "nan": float("nan"), "text": ""}
_KIND = {"integer": "number"}


def _is_unicode(text: str) -> bool:
    # JSON can hold halves of surrogate pairs, Parquet cannot.
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Objects with every value of every column; shorter columns begin again."""
    count = max(map(len, columns.values()), default=1)
    repeated = [islice(cycle(values), count) if values else [None] * count for values in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*repeated, strict=True)] or [{}] * count


def example_frame(columns: dict[str, Values], incomplete: set[str]) -> pd.DataFrame:
    """A small data frame with the types that the data frame of all rows would have.

    Columns in `incomplete` are not in every row. pandas takes a missing value for NaN, and null for None.
    """
    absent = object()
    examples = {
        name: [*values.examples(), *([absent] if name in incomplete else [])] for name, values in columns.items()
    }
    rows = [{name: one for name, one in row.items() if one is not absent} for row in _rows(examples)]
    return pd.DataFrame(rows, columns=list(columns))


def refusal(name: str, kind: pa.DataType) -> str | None:
    """Why Parquet cannot write, or not read again, a column of this type; None if it can."""
    buffer = io.BytesIO()
    try:
        pq.write_table(pa.schema([(name, kind)]).empty_table(), buffer)
        pq.read_schema(io.BytesIO(buffer.getvalue()))
    except (OSError, pa.ArrowException) as error:
        return one_line(error)
    return None


def json_array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values of JSON as a column of a type that was chosen by examples of them."""
    if pa.types.is_floating(kind):
        # As pandas does: Arrow refuses integers that a float rounds.
        values = [None if value is None else float(value) for value in values]
    elif pa.types.is_integer(kind):
        # pandas makes integers of a file's booleans beside another's integers.
        values = [int(value) if isinstance(value, bool) else value for value in values]
    return pa.array(values, type=kind, from_pandas=True)
