"""A parquet file that is written as its rows come, whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError, one_line
from quagmires.common.files import whole_file

# What is held in memory until it is written. A file of less is the same as if it were written at once.
_GROUP_BYTES = 64 << 20
# pyarrow's.
_GROUP_ROWS = 1 << 20


class RowGroups:
    """Rows on their way into a file."""

    def __init__(self, path: Path, schema: pa.Schema, writer: pq.ParquetWriter) -> None:
        self._path, self._schema, self._writer = path, schema, writer
        self._tables: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        """Add rows, whose columns are in the schema's order."""
        self._tables.append(table.cast(self._schema))
        size, rows = (sum(values) for values in zip(*((one.nbytes, len(one)) for one in self._tables), strict=True))
        if size >= _GROUP_BYTES or rows >= _GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._tables:
            table = pa.concat_tables(self._tables).combine_chunks()
            self._tables = []
            with _one_line(self._path):
                self._writer.write_table(table)


@contextlib.contextmanager
def row_groups(path: Path, schema: pa.Schema) -> Iterator[RowGroups]:
    """Write tables of one schema to a temporary file, which takes its name when the block ends well.

    Raises
    ------
    UserError
        the disk is full, or takes no file for another reason.
    """
    with whole_file(path) as temporary:
        with _one_line(path):
            writer = pq.ParquetWriter(temporary, schema, compression="zstd")
        groups = RowGroups(path, schema, writer)
        try:
            yield groups
        except BaseException:
            # A file that could not be written cannot be closed either.
            with contextlib.suppress(OSError, pa.ArrowException):
                writer.close()
            raise
        groups.flush()
        with _one_line(path):
            writer.close()


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise UserError(
            f"{path}: cannot be written ({one_line(error)}); make room and run the same command again"
        ) from None
