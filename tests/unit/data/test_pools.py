"""Pools from files of every kind and from a small server that speaks the hub's protocol."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from download_dataset import download
from prepare_pool import files_in

from quagmires.common.errors import UserError
from quagmires.data import pools
from quagmires.data.pools import prepare_pool

COLUMNS = {"id": "id", "problem": "input", "response": "output"}
NUMBERED = COLUMNS | {"id": "#"}
ROWS = [
    {"id": "a", "input": "1+1?", "output": "<think>é 数</think> 2", "generator": "R1", "other": [1]},
    {"id": "b", "input": "2+2?", "output": "4", "generator": "QwQ", "other": None},
    {"id": "c", "input": "3+3?", "output": "6", "generator": "Llama", "other": [2, 3]},
]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def compressed(path, rows):
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n\n" for row in rows)
    return path


def parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return path


def arrow(path, rows, kind=pa.ipc.new_stream):
    table = pa.Table.from_pylist(rows)
    with kind(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def arrow_file(path, rows):
    return arrow(path, rows, pa.ipc.new_file)


KINDS = {
    "x.jsonl": jsonl,
    "x.jsonl.gz": compressed,
    "x.parquet": parquet,
    "stream.arrow": arrow,
    "file.arrow": arrow_file,
}


def make(tmp_path, files, columns=COLUMNS, keep=None, rows=3, kept_rows=None, problem_prefix=""):
    output = tmp_path / "made" / "pool.parquet"
    return output, prepare_pool("nemo", files, columns, keep or {}, rows, kept_rows, output, problem_prefix)


def content(pool):
    return list(pd.read_parquet(pool).itertuples(index=False, name=None))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_pool(tmp_path, name):
    pool, record = make(tmp_path, [KINDS[name](tmp_path / name, ROWS)])
    assert content(pool) == [(row["id"], row["input"], row["output"]) for row in ROWS]
    _, from_lines = make(tmp_path, [jsonl(tmp_path / "y.jsonl", ROWS)])
    assert record["content_sha256"] == from_lines["content_sha256"]
    assert record["files"] == [{"path": str(tmp_path / name), "bytes": (tmp_path / name).stat().st_size}]


def test_what_datasets_writes_is_read(tmp_path):
    import datasets

    datasets.disable_progress_bars()
    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"), num_shards=2)
    files = sorted((tmp_path / "saved").glob("*.arrow"))
    assert len(files) == 2
    pool, _ = make(tmp_path, files)
    assert [id_ for id_, *_ in content(pool)] == ["a", "b", "c"]


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_numbered_before_they_are_filtered_and_across_files(tmp_path, name):
    first = KINDS[name](tmp_path / name, ROWS)
    second = jsonl(tmp_path / "2.jsonl", ROWS[::-1])
    pool, record = make(tmp_path, [first, second], NUMBERED, {"generator": ["QwQ", "Llama"]}, rows=6, kept_rows=4)
    assert [id_ for id_, *_ in content(pool)] == ["nemo/1", "nemo/2", "nemo/3", "nemo/4"]
    assert (record["rows"], record["kept_rows"]) == (6, 4)


def test_a_conversation_stands_for_its_last_turns(tmp_path):
    turns = [("system", "Be brief."), ("user", "1?"), ("assistant", "one"), ("user", "2?"), ("assistant", "two")]
    messages = [{"role": role, "content": text} for role, text in turns]
    # Llama-Nemotron has both: text in version 1, turns in 1.1.
    rows = [{"id": "a", "input": messages[:2], "output": "one"}, {"id": "b", "input": "text", "output": messages}]
    pool, _ = make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], rows=2)
    assert content(pool) == [("a", "1?", "one"), ("b", "text", "two")]
    both = {"id": "id", "problem": "messages", "response": "messages"}
    pool, _ = make(tmp_path, [parquet(tmp_path / "x.parquet", [{"id": 7, "messages": messages}])], both, rows=1)
    assert content(pool) == [("7", "2?", "two")]


def test_values_to_keep_are_matched_exactly(tmp_path):
    rows = [row | {"flag": flag} for row, flag in zip(ROWS, [1, True, "1"], strict=True)]
    for value, kept in ((1, "a"), (True, "b"), ("1", "c")):
        pool, _ = make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], keep={"flag": [value]})
        assert [id_ for id_, *_ in content(pool)] == [kept]


def test_rows_left_out_may_be_broken(tmp_path):
    rows = [*ROWS[:2], {"id": None, "input": "", "output": 3, "generator": "other"}]
    _, record = make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], keep={"generator": ["R1"]})
    assert record["kept_rows"] == 1


def row(**changes):
    return ROWS[0] | changes


def test_a_few_rows_without_a_trace_are_left_out_and_counted(tmp_path):
    rows = [row(id=str(i)) for i in range(300)]
    rows[7] |= {"output": ""}
    rows[9] |= {"input": None}
    rows[10] |= {"output": "4<|im_end|>"}
    pool, record = make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], NUMBERED, rows=300, kept_rows=300)
    assert (record["kept_rows"], record["unusable_rows"], record["rows_with_chat_marks"]) == (298, 2, 1)
    assert "line 8: column `output` is empty" in record["first_unusable"][0]
    # The others keep their numbers.
    assert [id_ for id_, *_ in content(pool)][6:8] == ["nemo/6", "nemo/8"]
    rows[11:14] = [row(output=" ")] * 3
    with pytest.raises(UserError, match=r"line 8: column `output` is empty.* \(and 4 more rows\)"):
        make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], NUMBERED, rows=300)


def test_an_instruction_before_problems_is_removed(tmp_path):
    rows = [row(id="a", input="Solve this.\n\nWhat is 1 + 1?"), row(id="b", input="What is 2 + 2? Solve this.")]
    pool, record = make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], rows=2, problem_prefix="Solve this.")
    assert [problem for _, problem, _ in content(pool)] == ["What is 1 + 1?", "What is 2 + 2? Solve this."]
    assert record["problems_with_prefix"] == 1


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (ROWS, {"rows": 4}, "nemo: `rows` declares 4 rows, it has 3"),
        (ROWS, {"keep": {"generator": ["R1"]}, "kept_rows": 2}, "nemo: `kept_rows` declares 2 rows, it has 1"),
        (
            [ROWS[0], *ROWS],
            {"rows": 4, "keep": {"generator": ["DeepSeek-R1"]}},
            "generator = 'DeepSeek-R1': 0 rows; the commonest values are 'R1' (2), 'QwQ' (1), 'Llama' (1)",
        ),
        (ROWS, {"keep": {"generator": ["QwQ"], "id": ["a", "b"]}}, "id = 'a': 0 of its 1 rows have allowed values"),
        (ROWS, {"keep": {"Generator": ["R1"]}}, "line 1: no column `Generator`; it has generator, id, input"),
        (ROWS, {"columns": NUMBERED | {"problem": "question"}}, "line 1: no column `question`; it has generator, id"),
        (ROWS, {"problem_prefix": "Solve"}, "nemo: `problem_prefix`: no problem starts with it; correct or remove it"),
        (ROWS, {"columns": {"id": "#", "problem": "input"}}, "nemo: `columns` has no entry for response"),
        ([row(output=" \n")], {}, "line 1: column `output` is empty"),
        ([row(input=None)], {}, "line 1: column `input` is empty"),
        ([row(input=[{"role": "system", "content": "x"}])], {}, "line 1: column `input`: no turn of the user"),
        ([row(input=["x"])], {}, "line 1: column `input`: expected turns with role and content, found 'x'"),
        ([row(output=7)], {}, "line 1: column `output` holds int; expected text"),
        ([row(id="")], {}, "line 1: column `id` is empty"),
        ([*ROWS, ROWS[1]], {}, "nemo: id 'b' occurs twice"),
        ('{"id": "a"}\n{"id": \n', {"columns": dict.fromkeys(COLUMNS, "id")}, "line 2: not JSON (EOF while parsing"),
        ('["a"]\n', {}, "line 1: expected a JSON object, found list"),
        ('{"id": "\\ud800"}\n', {}, "line 1: not JSON"),
    ],
)
def test_an_error_is_one_line_and_nothing_is_left(tmp_path, content, options, message):
    path = tmp_path / "x.jsonl"
    path.write_text(content) if isinstance(content, str) else jsonl(path, content)
    with pytest.raises(UserError) as caught:
        make(tmp_path, [path], **({"rows": len(content)} | options))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "made").glob("*"))


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_was_cut_off_is_named(tmp_path, name):
    rows = [row(id=str(i), output=f"{i * 7919} " * 40) for i in range(100)]
    whole = KINDS[name](tmp_path / name, rows).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"damaged or cut off|line \d+: not JSON") as caught:
        make(tmp_path, [tmp_path / name], rows=100)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["x.parquet", "stream.arrow", "file.arrow"])
def test_a_missing_column_of_a_table_is_named_with_those_it_has(tmp_path, name):
    path = KINDS[name](tmp_path / name, ROWS)
    with pytest.raises(UserError, match=f"{name}: no column `question`; it has generator, id, input, other, output"):
        make(tmp_path, [path], COLUMNS | {"problem": "question"})


def test_no_file_and_unknown_kinds_are_named(tmp_path):
    with pytest.raises(UserError, match="none.jsonl: no such data file"):
        make(tmp_path, [tmp_path / "none.jsonl"])
    (tmp_path / "x.csv").write_text("id")
    with pytest.raises(UserError, match="x.csv: unknown kind of file"):
        make(tmp_path, [tmp_path / "x.csv"])


def test_texts_are_read_from_the_row_groups_that_hold_them(tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "GROUP_ROWS", 10)
    rows = [row(id=str(i), input=f"p{i}", output=f"r{i}") for i in range(95)]
    path, _ = make(tmp_path, [jsonl(tmp_path / "x.jsonl", rows)], rows=95)
    with pools.open_pool(path) as pool:
        assert pool.num_row_groups == 10
        read = []
        whole = pool.read_row_group
        monkeypatch.setattr(pool, "read_row_group", lambda group, **options: read.append(group) or whole(group))
        assert list(pools.texts(pool, np.array([3, 9, 42, 94]))) == [(str(i), f"p{i}", f"r{i}") for i in (3, 9, 42, 94)]
    assert read == [0, 4, 9]


def test_long_traces_make_small_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "GROUP_CHARACTERS", 25)
    path, _ = make(tmp_path, [jsonl(tmp_path / "x.jsonl", [row(id=str(i), output="x" * 8) for i in range(9)])], rows=9)
    with pools.open_pool(path) as pool:
        assert [pool.metadata.row_group(i).num_rows for i in range(pool.num_row_groups)] == [3, 3, 3]


def test_a_table_that_is_no_pool_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a pool; run prepare_pool.py"):
        pools.open_pool(parquet(tmp_path / "x.parquet", ROWS))
    with pytest.raises(UserError, match="no readable pool"):
        pools.open_pool(tmp_path / "none.parquet")


COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "SFT/math/1.jsonl": b'{"a": 1}\n',
    "SFT/math/2.jsonl": b'{"a": 2}\n',
    "SFT/code/1.jsonl": b"{}\n",
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"pickle",
    "original/params.json": b"{}",
    "consolidated.safetensors": b"again",
}


class Hub(BaseHTTPRequestHandler):
    """The hub's answers that huggingface_hub asks for, of a data set and a model of the same id."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0].strip("/")
        if "gone/" in path:
            self.answer(401, b"", {"X-Error-Code": "RepoNotFound"})
        elif "/revision/" in path and not path.endswith((COMMIT, "main")):
            self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        elif "/tree/" in path:
            found = [{"type": "file", "path": p, "size": len(t), "oid": "0" * 40} for p, t in FILES.items()]
            self.answer(200, json.dumps(found).encode())
        elif path.startswith("api/"):
            self.answer(200, json.dumps({"id": "some/set", "sha": COMMIT, "siblings": []}).encode())
        elif "gated/" in path:
            self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
        else:
            name = path.split(f"/resolve/{COMMIT}/")[1]
            self.server.read.append(name) if self.command == "GET" else None
            self.answer(200, FILES[name], {"ETag": f'"{len(FILES[name]):040x}"', "X-Repo-Commit": COMMIT})

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.read = []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(server):
    return f"http://127.0.0.1:{server.server_port}"


def test_a_download_has_the_files_asked_for_and_its_record(hub, tmp_path):
    record = download("dataset", "some/set", "", ["SFT/math/*.jsonl"], tmp_path / "set", address(hub))
    assert record == json.loads((tmp_path / "set" / "files.json").read_text())
    assert (record["dataset"], record["revision"], record["commit"]) == ("some/set", "", COMMIT)
    assert record["files"] == [{"path": f"SFT/math/{i}.jsonl", "bytes": 9} for i in (1, 2)]
    assert (tmp_path / "set/SFT/math/2.jsonl").read_bytes() == FILES["SFT/math/2.jsonl"]
    assert not (tmp_path / "set/SFT/code").exists()
    assert files_in(tmp_path / "set", ["*2.jsonl", "SFT/*"]) == [tmp_path / f"set/SFT/math/{i}.jsonl" for i in (2, 1)]
    with pytest.raises(UserError, match="no file matches SFT/code/"):
        files_in(tmp_path / "set", ["SFT/code/*"])


def test_what_is_there_is_not_downloaded_again(hub, tmp_path):
    for _ in range(2):
        download("dataset", "some/set", COMMIT, ["SFT/math/*.jsonl"], tmp_path, address(hub))
    assert sorted(hub.read) == ["SFT/math/1.jsonl", "SFT/math/2.jsonl"]


def test_a_model_comes_without_pickles_and_second_copies(hub, tmp_path):
    from download_dataset import MODEL_FILES

    record = download("model", "some/set", "", MODEL_FILES, tmp_path, address(hub))
    assert [file["path"] for file in record["files"]] == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("identity", "revision", "pattern", "message"),
    [
        ("some/set", "", "SFT/chat/*", "some/set: no file matches SFT/chat/*; it has SFT/code/1.jsonl, SFT/math/1"),
        ("some/set", "f" * 40, "*", "some/set: no commit ffffffff"),
        ("gone/set", "", "*", "gone/set: no such dataset at http"),
        ("gated/set", "", "*.jsonl", "gated/set: its terms must be accepted; accept them at http"),
        ("no set", "", "*", "no set: not an id of the hub"),
    ],
)
def test_a_failed_download_is_one_line(hub, tmp_path, monkeypatch, identity, revision, pattern, message):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(UserError) as caught:
        download("dataset", identity, revision, [pattern], tmp_path, address(hub))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value) and "hf_secret" not in str(caught.value)
    assert not (tmp_path / "files.json").exists()


def test_an_unreachable_hub_is_one_line(tmp_path):
    # Nothing listens on port 9 of this machine.
    with pytest.raises(UserError, match=r"^some/set: cannot be downloaded \(ConnectError.*what is here is kept$"):
        download("dataset", "some/set", "", ["*"], tmp_path, "http://127.0.0.1:9")
