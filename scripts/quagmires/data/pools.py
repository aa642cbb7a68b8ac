"""SFT pools: source files of any size, streamed into one Parquet file of `id`, `problem` and `response`.

At most one row group of texts is in memory, and eight bytes for each id. Hugging Face's `datasets` streams such files
too, but its errors do not name the line and the column to mend.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import from_json

from quagmires.common.errors import UserError
from quagmires.common.files import whole_file
from quagmires.common.tabular import json_lines
from quagmires.data.problems import ROW_NUMBER

SCHEMA = pa.schema([("id", pa.string()), ("problem", pa.string()), ("response", pa.string())])
SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet", ".arrow")
# A row group ends at either: few enough to be tokenized in one go, and small in memory however long the traces.
GROUP_ROWS = 4_096
GROUP_CHARACTERS = 32_000_000
# The last user turn of a conversation is the problem, the last assistant turn the response.
ROLES = {"problem": "user", "response": "assistant"}
# Of texts that a chat template was already applied to, as in version 1 of Llama-Nemotron; some sets mean them so.
CHAT_MARKS = ("<|start_header_id|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>")
# Of a column to filter by; one with more is of free text.
MAX_VALUES = 10_000
REPORT_EVERY = 1_000_000
# Share of kept rows: with more, the columns are the wrong ones or the source is damaged.
MAX_UNUSABLE = 0.01


class UnusableRow(Exception):
    """A row without a trace to train on; the message is one for users."""


def prepare_pool(
    name: str,
    files: Sequence[Path],
    columns: Mapping[str, str],
    keep: Mapping[str, Sequence[str | int | bool]],
    rows: int,
    kept_rows: int | None,
    output: Path,
    problem_prefix: str = "",
) -> dict[str, Any]:
    """Stream source files into a pool at `output`, whole or not at all, and return what was read and kept.

    Parameters
    ----------
    name
        of the pool; rows numbered by ``id: "#"`` are called ``<name>/<row>``, counted from 0 over all source rows.
    files
        .jsonl, .jsonl.gz, .parquet or .arrow, in this order.
    columns
        our name (id, problem, response) -> the source's.
    keep
        source column -> allowed values; rows with others are left out before anything else is looked at.
    rows, kept_rows
        the numbers expected before and after `keep`; other numbers are errors (a changed or cut source).
    problem_prefix
        removed from the start of problems, with the blanks after it; some must have it.

    A kept row without a problem or a response is left out and counted; more than `MAX_UNUSABLE` of them are an error.
    Rows with marks of a chat template are counted.

    Raises
    ------
    UserError
        A file cannot be read, a column is missing, an id occurs twice, a value of `keep` or the prefix matches no row,
        a number of rows differs, or too many rows cannot be used.
    """
    if absent := SCHEMA.names - columns.keys():
        raise UserError(f"{name}: `columns` has no entry for {', '.join(sorted(absent))}")
    wanted = {column for column in (*columns.values(), *keep) if column != ROW_NUMBER}
    selection, refused, prefixed, marked = Selection(keep), [], 0, 0
    with whole_file(output) as temporary:
        with PoolWriter(temporary) as writer:
            for row_number, (where, row) in enumerate(_all_rows(files, sorted(wanted))):
                if selection.accepts(row):
                    try:
                        identity, problem, response = _trace(f"{name}/{row_number}", where, row, columns)
                    except UnusableRow as error:
                        refused.append(str(error))
                    else:
                        if problem_prefix and problem.startswith(problem_prefix):
                            problem, prefixed = problem.removeprefix(problem_prefix).lstrip(), prefixed + 1
                        marked += any(mark in problem or mark in response for mark in CHAT_MARKS)
                        writer.add(identity, problem, response)
                if (row_number + 1) % REPORT_EVERY == 0:
                    print(f"{row_number + 1:,} rows read, {writer.rows:,} kept", flush=True)
        selection.check(name)
        _check_count(name, rows, selection.rows, "rows")
        _check_count(name, kept_rows, writer.rows + len(refused), "kept_rows")
        if len(refused) > MAX_UNUSABLE * (writer.rows + len(refused)):
            raise UserError(refused[0] + (f" (and {len(refused) - 1:,} more rows)" if len(refused) > 1 else ""))
        if problem_prefix and not prefixed:
            raise UserError(f"{name}: `problem_prefix`: no problem starts with it; correct or remove it")
        if columns["id"] != ROW_NUMBER:
            _check_ids(name, temporary, writer.id_hashes)
    return {
        "name": name,
        "files": [{"path": str(file), "bytes": file.stat().st_size} for file in files],
        "columns": dict(columns),
        "keep": {column: list(values) for column, values in keep.items()},
        "rows": selection.rows,
        "kept_rows": writer.rows,
        "unusable_rows": len(refused),
        "first_unusable": refused[:5],
        "problems_with_prefix": prefixed,
        "rows_with_chat_marks": marked,
        **writer.fingerprints,
    }


def _all_rows(files: Sequence[Path], columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in files:
        yield from source_rows(file, columns)


def source_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place for error messages, row with at least `columns`) of a file of one of the kinds `SUFFIXES`.

    Of Parquet and Arrow files only these columns are read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such data file; check `path` or `hub` of the data set in the config")
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        for number, row in json_lines(path, _parse):
            _check_columns(f"{path}, line {number}", row.keys(), columns)
            yield f"{path}, line {number}", row
        return
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{path}: unknown kind of file; expected one of {', '.join(SUFFIXES)}")
    batches = _parquet_batches if path.suffix == ".parquet" else _arrow_batches
    try:
        rows = (row for batch in batches(path, columns) for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            yield f"{path}, row {number}", row
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        words = str(error).splitlines() or [type(error).__name__]
        raise UserError(f"{path}: damaged or cut off ({words[0]}); copy or download it again") from None


def _parse(line: bytes) -> Any:
    # Twice as fast as the standard library's; pydantic brings it.
    return from_json(line, cache_strings="keys")


def _parquet_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    # Without a buffer, a whole column of a row group is read at once: gigabytes in some files.
    with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as content:
        _check_columns(str(path), content.schema_arrow.names, columns)
        yield from content.iter_batches(batch_size=512, columns=list(columns))


def _arrow_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as content:
        is_file = content.read(6) == b"ARROW1"
        content.seek(0)
        opened = pa.ipc.open_file if is_file else pa.ipc.open_stream
        names = opened(content).schema.names
        _check_columns(str(path), names, columns)
        content.seek(0)
        fields = pa.ipc.IpcReadOptions(included_fields=sorted(names.index(column) for column in columns))
        reader = opened(content, options=fields)
        yield from (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else reader


def _check_columns(where: str, present: Any, wanted: Sequence[str]) -> None:
    for column in wanted:
        if column not in present:
            raise UserError(
                f"{where}: no column `{column}`; it has {', '.join(sorted(present))}; set `columns`, `keep`"
            )


class Selection:
    """Which rows to keep, and how often each value occurred."""

    def __init__(self, keep: Mapping[str, Sequence[str | int | bool]]) -> None:
        # By repr: 1, True and "1" are different values, and a list has one too.
        self._allowed = {column: [repr(value) for value in values] for column, values in keep.items()}
        self._seen: dict[str, Counter[str]] = {column: Counter() for column in keep}
        self._kept: dict[str, Counter[str]] = {column: Counter() for column in keep}
        self.rows = 0

    def accepts(self, row: Mapping[str, Any]) -> bool:
        """Whether every column of `keep` has an allowed value; counts the row."""
        self.rows += 1
        values = {column: repr(row[column]) for column in self._allowed}
        for column, value in values.items():
            if value in self._seen[column] or len(self._seen[column]) < MAX_VALUES:
                self._seen[column][value] += 1
        accepted = all(values[column] in allowed for column, allowed in self._allowed.items())
        if accepted:
            for column, value in values.items():
                self._kept[column][value] += 1
        return accepted

    def check(self, name: str) -> None:
        """Raise `UserError` for an allowed value without a row: most likely its spelling is another."""
        for column, allowed in self._allowed.items():
            commonest = ", ".join(f"{value[:60]} ({count:,})" for value, count in self._seen[column].most_common(10))
            for value in allowed:
                if not self._seen[column][value]:
                    raise UserError(
                        f"{name}: `keep` asks for {column} = {value}: 0 rows; the commonest values are {commonest}"
                    )
                if not self._kept[column][value]:
                    raise UserError(
                        f"{name}: `keep` asks for {column} = {value}: 0 of its {self._seen[column][value]:,} rows have"
                        f" allowed values in the other columns; the commonest values are {commonest}"
                    )


def _trace(numbered: str, where: str, row: Mapping[str, Any], columns: Mapping[str, str]) -> tuple[str, str, str]:
    identity = numbered if columns["id"] == ROW_NUMBER else row[columns["id"]]
    if identity is None or identity == "":
        raise UserError(f'{where}: column `{columns["id"]}` is empty; `id: "#"` numbers the rows')
    return str(identity), _text("problem", where, row, columns), _text("response", where, row, columns)


def _text(name: str, where: str, row: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """A text column, or the last turn of the right role where it holds a conversation."""
    value = row[columns[name]]
    if isinstance(value, list):
        value = _last_turn(value, ROLES[name], f"{where}: column `{columns[name]}`")
    if value is not None and not isinstance(value, str):
        raise UserError(
            f"{where}: column `{columns[name]}` holds {type(value).__name__}; expected text or a list of turns with"
            " role and content"
        )
    if value is None or value.isspace() or not value:
        raise UnusableRow(f"{where}: column `{columns[name]}` is empty; remove the row or leave it out by `keep`")
    return value


def _last_turn(turns: Sequence[Any], role: str, where: str) -> Any:
    for turn in reversed(turns):
        if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
            raise UserError(f"{where}: expected turns with role and content, found {turn!r:.60}")
        if turn["role"] == role:
            return turn["content"]
    raise UserError(f"{where}: no turn of the {role}; name another column")


class PoolWriter:
    """Writes traces in row groups, fingerprinted as they come."""

    def __init__(self, path: Path) -> None:
        # Texts hardly ever repeat exactly, and zstd sees near repeats: a dictionary would only cost memory.
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=False, write_statistics=False)
        self._group: list[tuple[str, str, str]] = []
        self._characters = 0
        self._ids, self._content = hashlib.sha256(), hashlib.sha256()
        self.id_hashes = array("Q")
        self.rows = 0

    def __enter__(self) -> "PoolWriter":
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is None:
            self._flush()
            self._writer.add_key_value_metadata(self.fingerprints)
        self._writer.close()

    @property
    def fingerprints(self) -> dict[str, str]:
        """Hashes of all ids, and of all ids, problems and responses, in order."""
        return {"ids_sha256": self._ids.hexdigest(), "content_sha256": self._content.hexdigest()}

    def add(self, identity: str, problem: str, response: str) -> None:
        """Add one trace."""
        encoded = identity.encode()
        self._ids.update(encoded + b"\n")
        # NUL cannot stand for both a separator and a text's end: lengths keep the boundaries apart.
        parts = (encoded, problem.encode(), response.encode())
        self._content.update(b"%d %d %d\n" % tuple(map(len, parts)))
        for part in parts:
            self._content.update(part)
        self.id_hashes.append(short_hash(identity))
        self._group.append((identity, problem, response))
        self._characters += len(problem) + len(response)
        self.rows += 1
        if len(self._group) >= GROUP_ROWS or self._characters >= GROUP_CHARACTERS:
            self._flush()

    def _flush(self) -> None:
        if self._group:
            texts = [pa.array(column, pa.string()) for column in zip(*self._group, strict=True)]
            self._writer.write_table(pa.Table.from_arrays(texts, schema=SCHEMA), row_group_size=len(self._group))
        self._group, self._characters = [], 0


def short_hash(text: str) -> int:
    """64 bits for a text; among ten million texts two are equal by chance once in 400,000 pools."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _check_count(name: str, expected: int | None, found: int, key: str) -> None:
    if expected is not None and found != expected:
        raise UserError(f"{name}: `{key}` declares {expected} rows, it has {found}; correct `{key}` or the source")


def _check_ids(name: str, pool: Path, hashes: array) -> None:
    """Raise `UserError` if an id occurs twice. Equal hashes are looked up, for they may be of different ids."""
    ordered = np.sort(np.frombuffer(hashes, dtype=np.uint64))
    suspects = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not suspects:
        return
    found: set[str] = set()
    with pq.ParquetFile(pool) as content:
        for batch in content.iter_batches(columns=["id"]):
            for identity in batch.column(0).to_pylist():
                if short_hash(identity) in suspects:
                    if identity in found:
                        raise UserError(f'{name}: id {identity!r} occurs twice; `id: "#"` numbers the rows')
                    found.add(identity)


def open_pool(path: Path) -> pq.ParquetFile:
    """A pool for reading. Raises `UserError` where there is none."""
    try:
        content = pq.ParquetFile(path, pre_buffer=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{path}: no readable pool ({str(error).splitlines()[0]}); run prepare_pool.py") from None
    if content.schema_arrow.names != SCHEMA.names or b"content_sha256" not in (content.metadata.metadata or {}):
        content.close()
        raise UserError(f"{path}: not a pool; run prepare_pool.py on it")
    return content


def content_sha256(pool: pq.ParquetFile) -> str:
    """The fingerprint of a pool's ids, problems and responses."""
    return pool.metadata.metadata[b"content_sha256"].decode()


def texts(pool: pq.ParquetFile, positions: np.ndarray) -> Iterator[tuple[str, str, str]]:
    """Yield (id, problem, response) of the rows at ascending `positions`; other row groups are not read."""
    for batch in _batches_at(pool, positions, SCHEMA.names):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def problem_texts(pool: pq.ParquetFile, positions: np.ndarray) -> Iterator[str]:
    """Yield the problems of the rows at ascending `positions`; responses, most of a pool, are not read."""
    for batch in _batches_at(pool, positions, ["problem"]):
        yield from batch.column(0).to_pylist()


def _batches_at(pool: pq.ParquetFile, positions: np.ndarray, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    start = 0
    for group in range(pool.num_row_groups):
        size = pool.metadata.row_group(group).num_rows
        chosen = positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + size)] - start
        start += size
        if len(chosen):
            table = pool.read_row_group(group, columns=list(columns))
            # In slices: as Python text, a group takes up to four times its size.
            yield from table.take(pa.array(chosen)).to_batches(max_chunksize=256)
