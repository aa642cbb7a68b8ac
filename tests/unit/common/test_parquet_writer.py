import os
import resource

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quagmires.common import parquet_writer
from quagmires.common.errors import UserError
from quagmires.common.parquet_writer import row_groups

TABLE = pa.table({"x": range(1_000), "text": [f"text {i}" for i in range(1_000)]})


def test_a_small_file_is_the_one_that_pandas_writes_at_once(tmp_path):
    frame = TABLE.to_pandas()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    frame.to_parquet(tmp_path / "pandas.parquet", index=False, compression="zstd")
    with row_groups(tmp_path / "ours.parquet", table.schema) as output:
        for start in range(0, 1_000, 70):
            output.write(table.slice(start, 70))
    assert (tmp_path / "ours.parquet").read_bytes() == (tmp_path / "pandas.parquet").read_bytes()


def test_a_large_file_is_written_as_its_rows_come(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_writer, "_GROUP_BYTES", 5_000)
    with row_groups(tmp_path / "a.parquet", TABLE.schema) as output:
        for start in range(0, 1_000, 100):
            output.write(TABLE.slice(start, 100).combine_chunks())
        assert sum(len(one) for one in output._tables) <= 300
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups > 3
    assert pq.read_table(tmp_path / "a.parquet") == TABLE


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(RuntimeError), row_groups(tmp_path / "a.parquet", TABLE.schema) as output:
        output.write(TABLE)
        raise RuntimeError
    assert os.listdir(tmp_path) == ["a.parquet"]
    assert len(pd.read_parquet(tmp_path / "a.parquet")) == 1


def test_a_full_disk_is_one_line(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, before[1]))
    try:
        with pytest.raises(UserError) as caught, row_groups(tmp_path / "a.parquet", TABLE.schema) as output:
            output.write(TABLE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value).startswith(f"{tmp_path}/a.parquet: cannot be written (")
    assert "make room" in str(caught.value) and "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []
