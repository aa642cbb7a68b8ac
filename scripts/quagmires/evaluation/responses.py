"""Files of responses, read in blocks that fit into memory, and twice.

The first time, everything is checked that could stop the grading or the writing of its output, and the types of the
output's columns are found. So a bad file costs seconds, not the hours of grading that come before its bad row. The
columns are those that pandas would write had it all rows at once.
"""

import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json

from quagmires.common.errors import UserError, one_line
from quagmires.common.json_columns import MOST_FIELDS, Values, example_frame, json_array, refusal
from quagmires.common.tabular import json_lines, parquet_batches

# A block: whichever is reached first.
_BLOCK_BYTES = 16 << 20
_BLOCK_ROWS = 8_192
# What grading adds or rewrites.
GRADED = {"gold": "", "answer": "", "correct": True, "reason": ""}


class Block(Protocol):
    """Some consecutive rows of a file."""

    def __len__(self) -> int: ...

    def values(self, name: str) -> list[Any]:
        """The values of a column as Python has them; None for those that are missing."""
        ...

    def array(self, name: str, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
        """A column as the given type."""
        ...


@dataclass(frozen=True)
class JsonBlock:
    """Rows of JSON lines."""

    rows: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, name: str) -> list[Any]:
        return [row.get(name) for row in self.rows]

    def array(self, name: str, kind: pa.DataType) -> pa.Array:
        return json_array(self.values(name), kind)


@dataclass(frozen=True)
class ParquetBlock:
    """Rows of a parquet file, as pandas reads them."""

    frame: pd.DataFrame

    def __len__(self) -> int:
        return len(self.frame)

    def values(self, name: str) -> list[Any]:
        if name not in self.frame:
            return [None] * len(self)
        column = self.frame[name]
        return column.astype(object).where(column.notna(), None).tolist()

    def array(self, name: str, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
        if name not in self.frame:
            return pa.nulls(len(self), kind)
        column = self.frame[name]
        if column.isna().all():
            return pa.nulls(len(self), kind)
        if pa.types.is_dictionary(kind):
            return pa.array(column).cast(kind)
        return pa.array(column, type=kind, from_pandas=True, safe=False)


def blocks(path: Path) -> Iterator[Block]:
    """A file's rows in file order, a few megabytes at a time."""
    if path.suffix == ".parquet":
        yield from (ParquetBlock(_frame(path, table)) for table in _tables(path))
        return
    size = 0

    def parse(line: bytes) -> Any:
        nonlocal size
        size += len(line)
        return _parse(line)

    rows: list[dict[str, Any]] = []
    for _, row in json_lines(path, parse):
        rows.append(row)
        if len(rows) == _BLOCK_ROWS or size >= _BLOCK_BYTES:
            yield JsonBlock(rows)
            rows, size = [], 0
    if rows:
        yield JsonBlock(rows)


def _tables(path: Path) -> Iterator[pa.Table]:
    batches: list[pa.RecordBatch] = []
    for batch in parquet_batches(path):
        batches.append(batch)
        if sum(map(len, batches)) >= _BLOCK_ROWS or sum(one.nbytes for one in batches) >= _BLOCK_BYTES:
            yield pa.Table.from_batches(batches)
            batches = []
    if batches:
        yield pa.Table.from_batches(batches)


def _frame(path: Path, table: pa.Table) -> pd.DataFrame:
    try:
        return table.to_pandas()
    # A damaged note on the columns, which pandas has left in the file, leads anywhere.
    except Exception as error:
        raise UserError(f"{path}: damaged ({one_line(error)}); copy or make it again") from None


def _parse(line: bytes) -> Any:
    """One line of JSON, without halves of surrogate pairs in its texts: JSON can hold them, parquet cannot."""
    try:
        return from_json(line)
    except ValueError:
        # Slower, and takes a little more: such halves, a byte order mark, deeper nesting.
        row = json.loads(line)
    return {name: _encodable(value) for name, value in row.items()} if isinstance(row, dict) else row


def _encodable(value: Any) -> Any:
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


@dataclass(frozen=True)
class Survey:
    """What a file of responses holds.

    Attributes
    ----------
    examples
        a few rows from which pandas infers the types of all; columns that are left out hold anything.
    declared
        the types of columns whose type a few rows do not show.
    faults
        why this file's columns alone cannot be written to Parquet, of those that cannot.
    """

    path: Path
    rows: int
    examples: pd.DataFrame
    declared: dict[str, pa.DataType]
    faults: dict[str, str]

    def type_of(self, name: str) -> pa.DataType:
        """The type of a column of this file alone; null if it has no value."""
        if name in self.declared:
            return self.declared[name]
        column = self.examples[name]
        return pa.null() if column.isna().all() else pa.array(column, from_pandas=True).type

    def texts(self, block: Block, golds: Mapping[Any, Any] | None) -> tuple[list[str], list[str]]:
        """The golds and the responses of a block of this file."""
        if golds is not None:
            found = [golds[problem] for problem in block.values("problem_id")]
        else:
            found = block.values("gold")
            if self.examples["gold"].dtype == float:
                # A column of integers and decimals is one of decimals.
                found = [float(gold) for gold in found]
        return [gold if isinstance(gold, str) else str(gold) for gold in found], block.values("response")


@dataclass
class _Checks:
    """What is asked of all rows of a file, block by block."""

    path: Path
    benchmark: Path | None
    golds: Mapping[Any, Any] | None
    rows: int = 0
    # The first row whose gold or response is none, and what stands there.
    bad: dict[str, tuple[int, Any]] = field(default_factory=dict)
    unknown: set[Any] = field(default_factory=set)
    # Two hashes of (problem_id, repetition): one may be that of another pair.
    keys: list[np.ndarray] = field(default_factory=list)

    def take(self, block: Block) -> None:
        golds = block.values("gold")
        if self.golds is not None:
            problems = block.values("problem_id")
            try:
                self.unknown.update(problem for problem in problems if problem not in self.golds)
            except TypeError:
                self._refuse_unhashable("problem_id", problems)
            golds = [self.golds.get(problem) for problem in problems]
        for name, values, kinds in (("gold", golds, (str, int, float)), ("response", block.values("response"), (str,))):
            if name not in self.bad:
                wrong = (i for i, value in enumerate(values) if not isinstance(value, kinds) or value != value)
                if (index := next(wrong, None)) is not None:
                    self.bad[name] = self.rows + index + 1, values[index]
        self.keys.append(self._hashes(block))
        self.rows += len(block)

    def _hashes(self, block: Block) -> np.ndarray:
        problems, repetitions = (
            [None if isinstance(one, float) and one != one else one for one in block.values(name)] for name in _KEY
        )
        try:
            pairs = [(hash((one, two)), hash((two, one))) for one, two in zip(problems, repetitions, strict=True)]
        except TypeError:
            self._refuse_unhashable("problem_id", problems)
            self._refuse_unhashable("repetition", repetitions)
            raise
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)

    def _refuse_unhashable(self, name: str, values: Sequence[Any]) -> None:
        for number, value in enumerate(values, start=self.rows + 1):
            if isinstance(value, list | dict | np.ndarray):
                raise UserError(f"{self.path}, row {number}: `{name}` is {reprlib.repr(value)}, not text or a number")

    def finish(self, names: Sequence[str]) -> None:
        """Refuse what was found; `names` are the file's columns."""
        if not self.rows:
            raise UserError(f"{self.path}: no responses")
        needed = ("problem_id" if self.benchmark else "gold", "response")
        if self.benchmark and needed[0] in names and self.unknown:
            problem = min(self.unknown, key=str)
            raise UserError(
                f"{self.benchmark}: no problem {problem!r}, which has responses; sample this benchmark again"
            )
        for name in needed:
            if name not in names:
                raise UserError(f"{self.path}: no column `{name}`; it has {', '.join(names)}")
        for name, (row, value) in self.bad.items():
            raise UserError(
                f"{self.path}, row {row}: `{name}` is {reprlib.repr(value)}, not text; mend or remove the row"
            )


_KEY = ("problem_id", "repetition")


def survey(
    files: Sequence[Path], benchmark: Path | None, golds: Mapping[Any, Any] | None, without: Sequence[str]
) -> tuple[list[Survey], pa.Schema]:
    """Read files through once: what each holds, and the columns of the graded output of all.

    Parameters
    ----------
    benchmark, golds
        the file that the golds are from, and the gold of each problem_id; None where responses bring their own.
    without
        columns that the output does not have, and which may hold anything.

    Raises
    ------
    UserError
        something in a file could not be graded or written; the message names the file and, if it is one row, that.
    """
    for path in files:
        if not path.is_file():
            raise UserError(f"{path}: no such file of responses")
    found, keys = [], []
    for path in files:
        checks = _Checks(path, benchmark, golds)
        read = _survey_parquet if path.suffix == ".parquet" else _survey_json
        found.append(read(path, checks, {*without, *GRADED}))
        keys += checks.keys
    schema = _output_schema(found, without)
    if set(_KEY) <= set(schema.names) and _has_twins(np.concatenate(keys)):
        raise UserError(
            f"{files[0].parent}: a repetition of a problem occurs twice; remove the folder and sample again"
        )
    return found, schema


def _survey_json(path: Path, checks: _Checks, free: set[str]) -> Survey:
    columns: dict[str, Values] = {}
    counts: dict[str, int] = {}
    for block in blocks(path):
        assert isinstance(block, JsonBlock)
        for number, row in enumerate(block.rows, start=checks.rows + 1):
            for name, value in row.items():
                if name not in columns:
                    if len(columns) == MOST_FIELDS:
                        raise UserError(f"{path}, row {number}: more than {MOST_FIELDS:,} different columns; mend it")
                    columns[name], counts[name] = Values(), 0
                counts[name] += 1
                if name not in free or name == "gold":
                    columns[name].learn(value, number)
        checks.take(block)
    checks.finish(list(columns))
    # What is written anew, or not at all, must be no more than there.
    shown = {name: values if name not in free or name == "gold" else _nothing() for name, values in columns.items()}
    for name, values in shown.items():
        hopeless = name not in free and values.is_hopeless()
        fault = values.complaint(name) if hopeless else None
        if fault or not name.isascii() and name.encode(errors="replace").decode() != name:
            raise UserError(f"{path}: {fault or f'the name of a column, {name!r}, is no Unicode'}; {_remedy(name)}")
    frame = example_frame(shown, {name for name, count in counts.items() if count < checks.rows})
    declared, faults = {}, {}
    for name, values in shown.items():
        if name in free:
            continue
        try:
            kind = pa.array(frame[name], from_pandas=True).type
        except _UNFIT as error:
            fault = values.complaint(name) or f"`{name}` cannot be written to Parquet ({one_line(error)})"
            raise UserError(f"{path}: {fault}; {_remedy(name)}") from None
        if fault := refusal(name, kind):
            faults[name] = values.complaint(name) or f"`{name}` cannot be written to Parquet ({fault})"
        if pa.types.is_nested(kind):
            declared[name] = kind
    return Survey(path, checks.rows, frame, declared, faults)


# What pyarrow raises at values that do not make a column.
_UNFIT = (pa.ArrowException, OverflowError, ValueError, TypeError)


def _nothing() -> Values:
    values = Values()
    values.learn("", 1)
    return values


def _remedy(name: str) -> str:
    return f"mend the file, or leave the column out with --without {name}"


def _survey_parquet(path: Path, checks: _Checks, free: set[str]) -> Survey:
    # Rows in which a column is there, and in which it is not: pandas makes other columns of those with gaps.
    rows: list[pa.Table] = []
    seen: set[tuple[str, bool]] = set()
    schema = None
    for table in _tables(path):
        if schema is None:
            schema = table.schema
            _refuse_twice(path, schema.names)
        chosen = set()
        for name, column in zip(table.column_names, table.columns, strict=True):
            for is_null, count in ((True, column.null_count), (False, len(column) - column.null_count)):
                if count and (name, is_null) not in seen:
                    seen.add((name, is_null))
                    chosen.add(pc.index(column.is_null(), is_null).as_py())
        if chosen:
            rows.append(table.take(sorted(chosen)))
        checks.take(ParquetBlock(_frame(path, table)))
    frame = pd.DataFrame() if schema is None else _frame(path, pa.concat_tables(rows)).reset_index(drop=True)
    checks.finish(list(map(str, frame.columns)))
    assert schema is not None
    declared, faults = {}, {}
    for name in frame:
        kind = schema.field(name).type
        if name not in free and frame[name].dtype == object and (pa.types.is_nested(kind) or pa.types.is_decimal(kind)):
            declared[name] = _as_inferred(kind, frame[name])
        if fault := refusal(name, kind):
            faults[name] = f"`{name}` cannot be written to Parquet ({fault})"
    return Survey(path, checks.rows, frame, declared, faults)


def _as_inferred(kind: pa.DataType, examples: pd.Series) -> pa.DataType:
    """The same type in pandas' words, whose names of list items differ, where the examples show all of it."""
    try:
        inferred = pa.array(examples, from_pandas=True).type
    except _UNFIT:
        return kind
    return inferred if inferred == kind else kind


def _refuse_twice(path: Path, names: Sequence[str]) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"{path}: there are two columns `{twice[0]}`; remove one")


def _output_schema(surveys: Sequence[Survey], without: Sequence[str]) -> pa.Schema:
    """The columns of the graded output, with what pandas notes of them."""
    frames = [one.examples.assign(**GRADED).drop(columns=without, errors="ignore") for one in surveys]
    frame = pd.concat(frames, ignore_index=True)
    fields = []
    for name in map(str, frame):
        having = [one for one in surveys if name in one.examples and name not in GRADED]
        try:
            kind = _common_type(name, frame[name], having)
            for own in (own for one, own in zip(surveys, frames, strict=True) if one.path.suffix == ".parquet"):
                ParquetBlock(own).array(name, kind)
        except _UNFIT as error:
            raise UserError(f"{_differing(having, name) or one_line(error)}; {_remedy(name)}") from None
        if fault := refusal(name, kind):
            told = next(((one.path, one.faults[name]) for one in having if name in one.faults), (having[0].path, fault))
            raise UserError(f"{told[0]}: {told[1]}; {_remedy(name)}")
        fields.append(pa.field(name, kind))
    return pa.Table.from_pandas(frame.iloc[:0], schema=pa.schema(fields), preserve_index=False).schema


def _common_type(name: str, examples: pd.Series, surveys: Sequence[Survey]) -> pa.DataType:
    """The type of a column in the output: what pandas infers, but for what a few rows do not show."""
    if examples.dtype != object or not any(name in one.declared for one in surveys):
        return pa.array(examples, from_pandas=True).type
    parts = [pa.schema([(name, one.type_of(name))]) for one in surveys]
    return pa.unify_schemas(parts, promote_options="permissive").field(name).type


def _differing(surveys: Sequence[Survey], name: str) -> str | None:
    """Which two files differ in a column."""
    kinds = [
        (one.path, str(one.declared.get(name, one.examples[name].dtype))) for one in surveys if name in one.examples
    ]
    first = kinds[0]
    other = next((one for one in kinds if one[1] != first[1]), None)
    return other and f"{other[0]}: `{name}` is {other[1]}, and {first[1]} in {first[0]}, which one column cannot be"


def _has_twins(hashes: np.ndarray) -> bool:
    order = np.lexsort(hashes.T)
    ordered = hashes[order]
    return bool((ordered[1:] == ordered[:-1]).all(axis=1).any())
