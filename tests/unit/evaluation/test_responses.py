import datetime
import gzip
import json
import random

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quagmires.common.errors import UserError
from quagmires.evaluation import responses
from quagmires.evaluation.responses import GRADED, blocks, survey


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(responses, "_BLOCK_ROWS", 3)


def write(path, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def response(**columns):
    return {"gold": "2", "response": r"\boxed{2}", **columns}


def table_of(files, without=()) -> pa.Table:
    """All blocks as the output has them, but for what grading adds."""
    surveys, schema = survey(files, None, None, without)
    names = [name for name in schema.names if name not in GRADED]
    tables = [
        pa.table({name: block.array(name, schema.field(name).type) for name in names})
        for one in surveys
        for block in blocks(one.path)
    ]
    kept = pa.schema([schema.field(name) for name in names])
    return pa.concat_tables(table.cast(kept) for table in tables)


def as_pandas_writes(folder, frames) -> pa.Table:
    """What comes of all rows at once."""
    frame = pd.concat(frames, ignore_index=True).drop(columns="gold")
    frame.to_parquet(folder / "pandas.parquet", index=False)
    return pq.read_table(folder / "pandas.parquet").replace_schema_metadata()


VALUES = [
    None, True, False, 0, -5, 2**53 + 1, 2**63, 2**64 - 1, 2**64, 0.5, -1e300, float("nan"), "", "é", [], [1],
    [None, 2.5], ["x"], [[]], {}, {"a": 1}, {"a": None, "b": ["x"]}, {"b": [2]}, {"a": 1.5},
]  # fmt: skip


@pytest.mark.parametrize("seed", range(150))
def test_columns_are_those_that_pandas_makes_of_all_rows_at_once(tmp_path, seed):
    rng = random.Random(seed)
    files, frames = [], []
    # Two files in a third of the cases; a few kinds of values in each column, or nothing would ever fit together.
    columns = {name: rng.sample(VALUES, rng.choice((1, 1, 2, 3))) for name in "xyz"}
    for number in range(rng.choice((1, 1, 2))):
        rows = []
        for _ in range(rng.randint(1, 9)):
            chosen = {name: rng.choice(values) for name, values in columns.items() if rng.random() < 0.9}
            rows.append(response(**chosen))
        files.append(write(tmp_path / f"{number}.jsonl", rows))
        frames.append(pd.DataFrame(rows))
    try:
        expected = as_pandas_writes(tmp_path, frames)
    except (pa.ArrowException, OverflowError, OSError):
        with pytest.raises(UserError):
            table_of(files)
        return
    found = table_of(files).replace_schema_metadata()
    assert found.schema == expected.schema
    assert found.equals(expected)


def test_parquet_comes_out_as_pandas_reads_and_writes_it(tmp_path):
    rows = 10
    frame = pd.DataFrame({"gold": ["2"] * rows, "response": ["x"] * rows})
    frame["few"] = pd.array(range(rows), dtype="int32")
    frame["gaps"] = [None, *range(1, rows)]
    frame["whole"] = pd.array([None, *range(1, rows)], dtype="Int64")
    frame["flag"] = [None, True] * 5
    frame["kind"] = pd.Categorical(["a", "b"] * 5)
    frame["day"] = [datetime.date(2026, 1, 1)] * rows
    frame["time"] = pd.Timestamp("2026-01-01", tz="UTC")
    frame["list"] = [[1, 2], None] * 5
    frame["object"] = [{"a": 1, "b": "x"}] * rows
    frame["late"] = [None] * (rows - 1) + ["x"]
    # Every other row has an index, which is not a column.
    files = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    frame.iloc[::2].to_parquet(files[0])
    frame.to_parquet(files[1])
    pq.write_table(table_of(files), tmp_path / "found.parquet")
    found = pq.read_table(tmp_path / "found.parquet").replace_schema_metadata()
    assert found == as_pandas_writes(tmp_path, [pd.read_parquet(file) for file in files])


def test_all_kinds_of_files_can_be_graded_into_one(tmp_path):
    rows = [response(x=1), response(x=2)]
    files = [write(tmp_path / "a.jsonl", rows), write(tmp_path / "b.jsonl.gz", rows), tmp_path / "c.parquet"]
    pd.DataFrame([response(x=0.5)]).to_parquet(files[2])
    assert table_of(files)["x"].to_pylist() == [1, 2, 1, 2, 0.5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, None, "x"], "`mine` holds numbers (row 1) and text (row 3), which one Parquet column cannot"),
        ([True, 1], "`mine` holds true or false (row 1) and numbers (row 2), which one Parquet column cannot"),
        ([1, 10**30], "`mine` holds integers of more than 64 bits (row 2)"),
        ([[1], [10**30]], "`mine[]` holds integers of more than 64 bits (row 2)"),
        ([["x"], ["\ud800"]], "`mine[]` holds half of a surrogate pair (row 2)"),
        ([{"\ud800": 1}], "`mine` holds half of a surrogate pair (row 1)"),
        ([{"a": [1]}, {"a": ["x"]}], "`mine.a[]` holds numbers (row 1) and text (row 2)"),
        ([{}], "`mine` holds empty objects only (row 1), which Parquet cannot"),
        ([json.loads("[" * 60 + "]" * 60)], "`mine` cannot be written to Parquet (Parquet schema too deeply nested"),
        ([json.loads("[" * 500 + "]" * 500)], "holds values nested more than 100 deep (row 1)"),
        ([{f"k{i}": i} for i in range(2_001)], "`mine` holds objects with more than 2,000 different fields (row 2001)"),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_column_that_no_parquet_can_hold_is_named_and_may_be_left_out(tmp_path, values, message):
    file = write(tmp_path / "a.jsonl", [response(mine=value) for value in values])
    with pytest.raises(UserError) as caught:
        survey([file], None, None, [])
    said = str(caught.value)
    assert said.startswith(f"{file}: ") and message in said and "\n" not in said
    assert said.endswith("mend the file, or leave the column out with --without mine")
    [found], schema = survey([file], None, None, ["mine"])
    assert (found.rows, "mine" in schema.names) == (len(values), False)


def test_files_whose_columns_do_not_fit_together_are_named(tmp_path):
    files = [write(tmp_path / "a.jsonl", [response(x=1)]), write(tmp_path / "b.jsonl", [response(x="1")])]
    with pytest.raises(UserError, match=r"b.jsonl: `x` is str, and int64 in .*a.jsonl, which one column cannot be"):
        survey(files, None, None, [])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([response(), {"gold": "2"}], "row 2: `response` is None, not text; mend or remove the row"),
        ([*[response()] * 4, response(gold=["2"])], "row 5: `gold` is ['2'], not text"),
        ([response(gold=float("nan"))], "row 1: `gold` is nan, not text"),
        ([response(response=5)], "row 1: `response` is 5, not text"),
        ([{"response": "x", "mine": 1}], "no column `gold`; it has response, mine"),
        ([], "no responses"),
        ([response(problem_id="a", repetition=1)] * 2, "a repetition of a problem occurs twice"),
        ([response(problem_id=["a"], repetition=1)], "row 1: `problem_id` is ['a'], not text or a number"),
    ],
)
def test_what_cannot_be_graded_is_refused(tmp_path, rows, message):
    with pytest.raises(UserError) as caught:
        survey([write(tmp_path / "a.jsonl", rows)], None, None, [])
    assert message in str(caught.value)


def test_an_endless_value_is_not_printed(tmp_path):
    file = write(tmp_path / "a.jsonl", [response(gold=["2" * 10_000] * 1_000)])
    with pytest.raises(UserError) as caught:
        survey([file], None, None, [])
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("golds", [[1, 2, 2.5], [1, "2", True], [0.5], [3]])
def test_golds_that_are_numbers_read_as_pandas_shows_them(tmp_path, golds):
    file = write(tmp_path / "a.jsonl", [response(gold=gold) for gold in golds])
    [found], _ = survey([file], None, None, [])
    texts = [text for block in blocks(file) for text in found.texts(block, None)[0]]
    assert texts == [str(gold) for gold in pd.DataFrame({"gold": golds})["gold"]]


def test_golds_come_from_the_benchmark(tmp_path):
    file = write(tmp_path / "a.jsonl", [{"problem_id": name, "response": "x"} for name in "aba"])
    benchmark = tmp_path / "benchmark.parquet"
    [found], schema = survey([file], benchmark, {"a": "1", "b": "2"}, [])
    assert [found.texts(block, {"a": "1", "b": "2"})[0] for block in blocks(file)] == [["1", "2", "1"]]
    assert schema.names == ["problem_id", "response", "gold", "answer", "correct", "reason"]
    with pytest.raises(UserError, match="benchmark.parquet: no problem 'b', which has responses"):
        survey([file], benchmark, {"a": "1"}, [])


def test_text_that_is_no_unicode_is_mended_at_the_top(tmp_path):
    file = write(tmp_path / "a.jsonl", [response(mine="\ud800x"), response(mine="\U0001f600")])
    assert table_of([file])["mine"].to_pylist() == ["?x", "\U0001f600"]


def damaged(content: bytes) -> dict[str, bytes]:
    return {
        "empty": b"",
        "text": b"no parquet at all",
        "cut": content[: len(content) // 2],
        "pages": content[:200] + b"\xff" * 60 + content[260:],
    }


@pytest.mark.parametrize("kind", damaged(b""))
def test_a_damaged_parquet_is_one_line(tmp_path, kind):
    frame = pd.DataFrame({"response": [f"{i} \\boxed{{2}}" * 9 for i in range(500)], "gold": "2"})
    frame.to_parquet(tmp_path / "good.parquet")
    file = tmp_path / "bad.parquet"
    file.write_bytes(damaged((tmp_path / "good.parquet").read_bytes())[kind])
    with pytest.raises(UserError) as caught:
        survey([tmp_path / "good.parquet", file], None, None, [])
    assert str(caught.value).startswith(f"{file}: damaged, or no parquet file (")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(60))
def test_any_damage_is_harmless_or_one_line(tmp_path, seed):
    rng, file = random.Random(seed), tmp_path / "a.parquet"
    frame = pd.DataFrame({"response": [f"{i} é" * 9 for i in range(50)], "gold": "2", "list": [[1]] * 50})
    frame.to_parquet(file, compression=rng.choice(("snappy", "zstd", None)))
    content = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 3, 20))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    file.write_bytes(content)
    try:
        survey([file], None, None, [])
    except UserError as error:
        assert "\n" not in str(error)


def test_parquet_without_rows_with_text_that_is_none_or_a_column_twice_is_refused(tmp_path):
    file = tmp_path / "a.parquet"
    pd.DataFrame(columns=["gold", "response"]).to_parquet(file)
    with pytest.raises(UserError, match="no responses"):
        survey([file], None, None, [])
    pq.write_table(pa.table([["2"], ["x"], [1], [2]], names=["gold", "response", "a", "a"]), file)
    with pytest.raises(UserError, match="there are two columns `a`"):
        survey([file], None, None, [])
    no_utf8 = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"gold": ["2"], "response": no_utf8}), file)
    with pytest.raises(UserError, match="Invalid UTF8"):
        survey([file], None, None, [])
