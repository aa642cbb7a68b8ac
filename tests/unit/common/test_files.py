import json
import os

import pandas as pd
import pytest

from quagmires.common.errors import UserError
from quagmires.common.files import whole_directory, whole_file, write_json
from quagmires.common.tabular import iterate, parquet_columns, read_columns, write_jsonl


def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path):
    target = tmp_path / "a.json"
    write_json(target, {"old": 1})
    with pytest.raises(RuntimeError), whole_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(target.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_directory_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "model"
    with whole_directory(target) as directory:
        (directory / "old").write_text("x")
    with whole_directory(target) as directory:
        (directory / "new").write_text("x")
    assert os.listdir(target) == ["new"]
    with pytest.raises(RuntimeError), whole_directory(target) as directory:
        raise RuntimeError
    assert os.listdir(target) == ["new"]
    assert os.listdir(tmp_path) == ["model"]


def test_nan_never_gets_into_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1\n', "line 1: not JSON"),
        ("[1]\n", "line 1: expected a JSON object, found list"),
        ('{"id": "a", "problem": "p"}\n{"id": "b"}\n', "row 2: no column `problem`; it has id"),
        ('{"id": "a", "problem": " "}\n', "row 1: column `problem` is empty"),
        ('{"id": "a", "problem": "p"}\n{"id": "a", "problem": "q"}\n', "id 'a' occurs twice"),
        ('{"id": "a", "problem": "p"}\n', "declares 2 rows, the file has 1"),
    ],
)
def test_bad_data_is_one_line_with_file_and_row(tmp_path, content, message):
    path = tmp_path / "data.jsonl"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_columns(path, {"id": "id", "problem": "problem"}, rows=2)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_kinds_of_files_hold_the_same_rows(tmp_path):
    import gzip

    rows = [{"id": "a", "x": 1}, {"id": "b", "x": 2}]
    write_jsonl(tmp_path / "a.jsonl", rows)
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as lines:
        lines.write((tmp_path / "a.jsonl").read_text())
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.jsonl.gz", "a.parquet"):
        assert list(iterate(tmp_path / name)) == rows
    with pytest.raises(UserError, match="no such data file"):
        list(iterate(tmp_path / "b.jsonl"))
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(UserError, match="unknown kind of file"):
        list(iterate(tmp_path / "a.csv"))


def test_files_that_would_break_a_parser_are_one_line(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "a"}\n{"id": ' + "[" * 100_000 + "]" * 100_000 + "}\n")
    with pytest.raises(UserError, match="a.jsonl, line 2: nested too deeply to be read; remove the line"):
        list(iterate(tmp_path / "a.jsonl"))
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(UserError, match=r"a.parquet: damaged, or no parquet file \(Parquet file size is 0 bytes\)"):
        list(iterate(tmp_path / "a.parquet"))


def test_columns_of_a_parquet_are_read_by_name(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(UserError, match="no such file"):
        parquet_columns(path, ["x"])
    pd.DataFrame({"x": [1], "y": [2]}).to_parquet(path)
    assert parquet_columns(path, ["y"]).to_dict("list") == {"y": [2]}
    with pytest.raises(UserError, match="no column `z`; it has x, y"):
        parquet_columns(path, ["x", "z"])
