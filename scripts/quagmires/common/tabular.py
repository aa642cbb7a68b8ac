"""Data sets of any kind as tables: JSON lines (plain or gzip) and Parquet, with columns renamed to ours.

JSON lines are read one by one. pandas makes a number of an id of digits and does not say which line is wrong; pyarrow
makes a time of an id that looks like a date.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quagmires.common.errors import UserError, one_line
from quagmires.common.files import whole_file

# pandas and pyarrow are not in every engine's environment.
if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")


def iterate(path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a .jsonl, .jsonl.gz or .parquet file in file order.

    Raises `UserError` naming the file, and the line where there is one.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such data file; check the `path` of the data set in the config")
    if path.name.endswith(".parquet"):
        for batch in parquet_batches(path):
            yield from batch.to_pylist()
        return
    if not path.name.endswith(SUFFIXES):
        raise UserError(f"{path}: unknown kind of file; expected one of {', '.join(SUFFIXES)}")
    yield from (row for _, row in json_lines(path))


def parquet_batches(path: Path) -> Iterator["pa.RecordBatch"]:
    """Yield a parquet file in batches of few rows, each checked as a whole.

    Raises
    ------
    UserError
        the file is damaged, or no parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Of traces, the default of 65,536 rows is gigabytes.
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as content:
            for batch in content.iter_batches(batch_size=256):
                # Text that is no UTF-8 is found only if asked for.
                batch.validate(full=True)
                yield batch
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged, or no parquet file ({one_line(error)}); copy or make it again") from None


def parquet_columns(path: Path, columns: Sequence[str]) -> "pd.DataFrame":
    """Those columns of a parquet file, and nothing else of it.

    Raises
    ------
    UserError
        there is no such file, it is damaged, or a column is missing.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        names = pq.read_schema(path).names
        missing = [name for name in columns if name not in names]
        if missing:
            raise UserError(f"{path}: no column `{missing[0]}`; it has {', '.join(names)}")
        return pd.read_parquet(path, columns=list(columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged, or no parquet file ({one_line(error)}); copy or make it again") from None


def json_lines(path: Path, parse: Callable[[bytes], Any] = json.loads) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, row) of a .jsonl or .jsonl.gz file; blank lines are passed over.

    `parse` raises ValueError for what is not JSON.
    """
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.isspace():
                    continue
                try:
                    row = parse(line)
                except ValueError as error:
                    raise UserError(
                        f"{path}, line {number}: not JSON ({_complaint(error)}); mend or remove the line"
                    ) from None
                except RecursionError:
                    raise UserError(f"{path}, line {number}: nested too deeply to be read; remove the line") from None
                if not isinstance(row, dict):
                    raise UserError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}")
                yield number, row
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{path}: damaged or cut off ({error}); copy or download it again") from None


def _complaint(error: ValueError) -> str:
    """What a parser says, without its own count of lines."""
    return re.sub(r":? (at )?line 1 column (\d+).*", r" at column \2", str(error))


def read_columns(path: str | Path, columns: Mapping[str, str], rows: int | None = None) -> "pd.DataFrame":
    """Read the columns a stage needs, under our names, every value a non-empty string.

    Parameters
    ----------
    columns
        our name -> the file's name, e.g. ``{"problem": "question"}``.
    rows
        the number of rows the config declares; another number is an error (a changed or cut source).

    Raises
    ------
    UserError
        A column is missing, a value is empty, an id occurs twice, or the number of rows differs.
    """
    import pandas as pd

    table: dict[str, list[str]] = {name: [] for name in columns}
    for number, row in enumerate(iterate(path), start=1):
        for name, source in columns.items():
            if source not in row:
                raise UserError(
                    f"{path}, row {number}: no column `{source}`; it has {', '.join(sorted(row))}; set `columns`"
                )
            value = row[source]
            if value is None or str(value).strip() == "":
                raise UserError(f"{path}, row {number}: column `{source}` is empty; remove the row")
            table[name].append(value if isinstance(value, str) else str(value))
    frame = pd.DataFrame(table, dtype=object)
    if rows is not None and len(frame) != rows:
        raise UserError(
            f"{path}: the config declares {rows} rows, the file has {len(frame)}; correct `rows` or the file"
        )
    if "id" in frame and frame["id"].duplicated().any():
        twice = frame.loc[frame["id"].duplicated(), "id"].iloc[0]
        raise UserError(f"{path}: id {twice!r} occurs twice; ids must be unique")
    return frame


def write_jsonl(path: str | Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as JSON lines as they come, whole or not at all."""
    with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
