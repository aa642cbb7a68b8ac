"""Problem sets from local files and from a hub repository."""

import json

import pandas as pd
import pytest

from quagmires.common.errors import UserError
from quagmires.common.tabular import iterate
from quagmires.config.gold_rules import Gold
from quagmires.data.problems import read_problems
from quagmires.evaluation.tool import load_settings
from support import REAL_DATA, ROOT, environment, needs_real_data, script

COLUMNS = {"id": "id", "problem": "problem", "answer": "answer"}


def lines(path, *rows) -> dict:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"path": str(path)}


def test_rows_are_numbered_where_there_is_no_id(tmp_path):
    source = lines(
        tmp_path / "a.jsonl", {"question": "1+1?", "answer": "so\n#### 1,002"}, {"question": "2?", "answer": "#### 2"}
    )
    table = read_problems("gsm8k", source, {"id": "#", "problem": "question", "answer": "answer"}, "hashes", 2)
    assert table.to_dict("records") == [
        {"id": "gsm8k/0", "problem": "1+1?", "answer": "1002"},
        {"id": "gsm8k/1", "problem": "2?", "answer": "2"},
    ]


def test_a_hub_repository_is_read_by_split_and_config(tmp_path, monkeypatch):
    """A local copy of a hub repository goes through the same loader."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hub-set"
    folder.mkdir()
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: hard\n  data_files:\n  - split: test\n    path: hard.jsonl\n---\n"
    )
    lines(
        folder / "hard.jsonl",
        {"id": 7, "question": "Which?", "final_answer": ["$2$, $1$"], "is_multiple_answer": True, "error": None},
    )
    source = {"hub": {"dataset": str(folder), "config": "hard", "split": "test"}}
    columns = {"id": "id", "problem": "question", "answer": "final_answer"}
    table = read_problems("olympiad", source, columns, "olympiadbench", 1)
    assert table["id"].tolist() == ["7"]
    assert Gold.from_text(table["answer"][0]) == Gold(("2, 1",), several=True)


@pytest.mark.parametrize(
    ("name", "answers", "golds"),
    [
        ("aime_2026", [277, 62], ["277", "62"]),
        ("hmmt_feb_2026", [r"\frac{1}{21}", "1, 2"], [r"\frac{1}{21}", "1, 2"]),
    ],
)
def test_the_newer_benchmarks_are_read_as_their_repositories_hold_them(tmp_path, monkeypatch, name, answers, golds):
    """One parquet file with numbers in `problem_idx`, numbers (AIME) or text (HMMT) in `answer`."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    rows = {"problem_idx": [1, 2], "answer": answers, "problem": ["What?", "Which?"]}
    data = tmp_path / name / "data"
    data.mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(data / "train-00000-of-00001.parquet", index=False)
    block = load_settings([ROOT / "config/base.yaml"]).benchmarks[name]
    hub = {**block.hub.model_dump(), "dataset": str(tmp_path / name)}
    columns = {**COLUMNS, **block.columns}
    table = read_problems(name, {"hub": hub}, columns, block.gold, 2)
    assert table["id"].tolist() == ["1", "2"]
    assert [Gold.from_text(gold).accepted for gold in table["answer"]] == [(gold,) for gold in golds]


def test_a_hub_that_cannot_be_reached_is_one_line(tmp_path):
    source = json.dumps({"hub": {"dataset": "nobody/no-such-set", "split": "test"}})
    result = script(
        "prepare_problems.py", "--name", "x", "--source", source, "--columns", json.dumps(COLUMNS),
        "--output", tmp_path / "x.parquet", check=False, env=environment(),
    )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("error: nobody/no-such-set: cannot be loaded from the hub (")
    assert "set `path` to a local copy" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("rows", "rule", "words"),
    [
        ([{"id": "a", "problem": "p"}], "text", "row 1: no column `answer`; it has id, problem"),
        ([{"id": "a", "problem": " ", "answer": "1"}], "text", "row 1: column `problem` is empty"),
        ([{"id": "a", "problem": "p", "answer": "1"}] * 2, "text", "id 'a' occurs twice"),
        ([{"id": "a", "problem": "p", "answer": "no box"}], "box", "row 1: no `\\\\boxed{...}` with an answer"),
        ([{"id": "a", "problem": "p", "answer": "no hashes"}], "hashes", "row 1: no `####` before the answer"),
        ([{"id": "a", "problem": "p", "answer": "1"}], "text", "the config declares 3 rows, it has 1"),
    ],
)
def test_what_is_wrong_with_a_set_is_named(tmp_path, rows, rule, words):
    source = lines(tmp_path / "set.jsonl", *rows)
    expected = 3 if "declares" in words else len(rows)
    with pytest.raises(UserError, match=words.replace("{", r"\{").replace("(", r"\(")):
        read_problems("set", source, COLUMNS, rule, expected)


@needs_real_data
@pytest.mark.parametrize(
    ("name", "rows", "answer", "rule"),
    [
        ("math500", 500, "answer", "text"),
        ("aime_1983_2024", 933, "answer", "number"),
        ("gsm8k", 1319, "answer", "number"),
        ("aime_2025", 30, "answer", "text"),
        ("amc", 83, "answer", "number"),
        ("olympiad", 675, "final_answer", "olympiadbench"),
        ("minerva", 272, "solution", "box"),
    ],
)
def test_the_seven_benchmarks_are_read_by_their_rules(name, rows, answer, rule):
    path = REAL_DATA / "benchmarks" / f"{name}.jsonl"
    table = read_problems(name, {"path": str(path)}, {**COLUMNS, "answer": answer}, rule, rows)
    assert len(table) == rows
    assert all(all(Gold.from_text(gold).accepted) for gold in table["answer"])
    if name == "olympiad":
        golds = [Gold.from_text(gold) for gold in table["answer"]]
        several = sum(row["is_multiple_answer"] for row in iterate(path))
        assert 80 < sum(gold.several for gold in golds) <= several
        assert [gold.tolerance for gold in golds if gold.tolerance] == [0.1]
