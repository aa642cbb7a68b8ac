"""Reading the responses of an evaluation: joined, sampled, and refused in one line."""

import json

import pandas as pd
import pytest
from evaluation_folder import response, write, write_folder, write_raw

from quagmires.common.errors import UserError
from quagmires.reporting.html.response_files import NOT_GRADED, read_responses

PROBLEMS = {"p2": "What is 1 + 3?", "p1": "What is 2 + 2?"}


@pytest.fixture
def folder(tmp_path):
    rows = [
        response(problem, repetition, f"{problem}, {repetition}: \\boxed{{{value}}}", finish_reason=reason)
        for problem in PROBLEMS
        for repetition, value, reason in ((0, 4, "stop"), (1, 5, "length"))
    ]
    return write_folder(tmp_path / "out", {"easy": rows, "hard": [response("h", 0, "I give up")]}, PROBLEMS)


def shown(found) -> list[tuple]:
    rows = found.rows
    columns = ("benchmark", "problem_id", "repetition", "answer", "correct", "truncated")
    return [(*row, text) for *row, text in zip(*(rows[one] for one in columns), found.texts(), strict=True)]


def test_every_response_stands_beside_its_grade(folder):
    found = read_responses(folder)
    assert found.name == "a/model" and found.problems["easy", "p1"] == "What is 2 + 2?"
    assert sorted(shown(found), key=lambda row: row[-1]) == [
        ("hard", "h", 0, None, False, False, "I give up"),
        ("easy", "p1", 0, "4", True, False, "p1, 0: \\boxed{4}"),
        ("easy", "p1", 1, "5", False, True, "p1, 1: \\boxed{5}"),
        ("easy", "p2", 0, "4", True, False, "p2, 0: \\boxed{4}"),
        ("easy", "p2", 1, "5", False, True, "p2, 1: \\boxed{5}"),
    ]
    assert found.notes == []


def test_a_sample_keeps_text_and_grade_together_and_is_the_same_each_time(tmp_path):
    rows = [response(f"p{number:03}", r, f"p{number:03}, {r}") for number in range(300) for r in range(4)]
    whole = read_responses(write_folder(tmp_path, {"easy": rows}))
    part, again, other = whole.sample(100, 1), whole.sample(100, 1), whole.sample(100, 2)
    assert len(part.rows) == 100 and part.rows.equals(again.rows) and not part.rows.equals(other.rows)
    expected = [f"{row.problem_id}, {row.repetition}" for row in part.rows.itertuples()]
    assert list(part.texts()) == expected and len(set(expected)) == 100
    assert "100 of 1,200 responses (seed 1)" in part.notes[0]
    assert whole.sample(1200, 1) is whole


def test_only_the_samples_of_the_evaluation_count(folder):
    """Shards of a larger n, and benchmarks of another evaluation, may lie beside them."""
    write(folder / "easy/samples/repetitions00002-00002.parquet", pd.DataFrame([response("p1", 2, "of a larger n")]))
    write(folder / "old/samples/repetitions00000-00000.parquet", pd.DataFrame([response("p1", 0, "old")]))
    found = read_responses(folder)
    assert len(found.rows) == 5 and "Left out, because samples.json does not list them: old." in found.notes
    # While sampling goes on there is no samples.json.
    (folder / "samples.json").unlink()
    found = read_responses(folder)
    assert len(found.rows) == 7 and found.name == "out"
    assert "2 of 7 responses have no grade yet." in found.notes


def test_without_grades_and_problems_there_are_responses_and_golds_where_known(tmp_path):
    rows = [response("p1", 0, "\\boxed{4}", reason=None)]
    bare = read_responses(write_folder(tmp_path / "bare", {"easy": rows}))
    assert bare.rows.loc[0, "reason"] == NOT_GRADED and bare.rows.loc[0, "gold"] is None and bare.problems == {}
    assert any("problems of easy were not found" in note for note in bare.notes)
    known = read_responses(write_folder(tmp_path / "known", {"easy": rows}, PROBLEMS))
    assert known.rows.loc[0, "gold"] == "4" and known.rows.loc[0, "correct"] is None


def test_problems_of_a_checkpoint_are_those_of_its_experiment(tmp_path):
    folder = tmp_path / "results/demo/toy/base/sft/eval"
    write_folder(folder, {"easy": [response("p1", 0, "x")]})
    problems = tmp_path / "results/demo/data/benchmarks/easy.parquet"
    write(problems, pd.DataFrame({"id": ["p1"], "problem": ["What?"], "answer": ["4"]}))
    assert read_responses(folder).problems == {("easy", "p1"): "What?"}
    with pytest.raises(UserError, match=r"--problems: no such file: .*none/easy.parquet"):
        read_responses(folder, problems=tmp_path / "none")


def test_problems_of_an_rl_set_are_those_it_was_sampled_on_too(tmp_path):
    """`--problems` names benchmarks; RL sets are looked for all the same."""
    folder = tmp_path / "results/demo/toy/base/sft/eval"
    write_folder(folder, {"easy": [response("p1", 0, "x")], "rl.goals": [response("g1", 0, "x")]})
    for name, text in (("benchmarks/easy", "What?"), ("rl/goals.problems", "Where?")):
        number = {"easy": "p1", "goals.problems": "g1"}[name.split("/")[1]]
        table = pd.DataFrame({"id": [number], "problem": [text], "answer": ["4"]})
        write(tmp_path / f"results/demo/data/{name}.parquet", table)
    expected = {("easy", "p1"): "What?", ("rl.goals", "g1"): "Where?"}
    for given in (None, tmp_path / "results/demo/data/benchmarks"):
        found = read_responses(folder, problems=given)
        assert found.problems == expected and not any("not found" in note for note in found.notes)


def test_benchmarks_are_chosen_by_name(folder):
    assert set(read_responses(folder, ["hard"]).rows["benchmark"]) == {"hard"}
    assert list(read_responses(folder, ["hard"]).texts()) == ["I give up"]
    with pytest.raises(UserError, match="has no 'herd'; it has easy, hard"):
        read_responses(folder, ["herd"])
    with pytest.raises(UserError, match="at least one name"):
        read_responses(folder, ["", " "])


def test_any_bytes_are_a_text(tmp_path):
    folder = write_folder(tmp_path, {"easy": [response("p1", 0, "x")]})
    texts = [b"half \xed\xa0\x80 of a pair", b"no UTF-8 \xff", b"zero \x00", b""]
    write_raw(folder / "easy/samples/repetitions00000-00000.parquet", texts)
    assert list(read_responses(folder).texts()) == ["half \ud800 of a pair", "no UTF-8 \ufffd", "zero \x00", ""]


def spoil(folder, what):
    shard = folder / "easy/samples/repetitions00000-00000.parquet"
    rows = pd.read_parquet(shard)
    if what == "shard":
        shard.write_bytes(shard.read_bytes()[:100])
    elif what == "empty":
        for file in shard.parent.iterdir():
            write(file, rows.head(0))
    elif what == "lost":
        shard.unlink()
    elif what == "twice":
        write(shard, pd.concat([rows, rows]))
    elif what == "grades":
        (folder / "easy/grades.parquet").write_text("no parquet")
    elif what == "verdicts":
        grades = folder / "easy/grades.parquet"
        write(grades, pd.read_parquet(grades).assign(correct="yes"))
    elif what == "listing":
        (folder / "samples.json").write_text("[1]")
    elif what == "nothing listed":
        (folder / "samples.json").write_text(json.dumps({"shards": {}}))
    elif what == "numbers":
        write(shard, rows.assign(n_tokens="many"))
    else:
        write(shard, rows.drop(columns=what))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("shard", r"repetitions00000-00000.parquet: damaged, or no parquet \("),
        ("empty", r"easy/samples: no responses in it"),
        ("lost", r"no such file, though samples.json lists it"),
        ("twice", r"a repetition of a problem occurs twice"),
        ("grades", r"grades.parquet: damaged, or no parquet \("),
        ("listing", r"samples.json: not what sampling writes \(TypeError\)"),
        ("nothing listed", r"samples.json: lists no samples"),
        ("numbers", r"`n_tokens` is not whole numbers \("),
        ("verdicts", r"grades.parquet: `correct` is not true or false \("),
        ("response", r"no column `response`"),
        ("finish_reason", r"no column `finish_reason`; make it again"),
    ],
)
def test_bad_input_is_one_line_that_names_the_file(folder, what, message):
    spoil(folder, what)
    with pytest.raises(UserError, match=message) as error:
        read_responses(folder)
    assert "\n" not in str(error.value)


def test_a_folder_of_something_else_says_what_to_give(folder, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_responses(tmp_path / "none")
    with pytest.raises(UserError, match="give the folder that `quagmires evaluate --output` wrote"):
        read_responses(folder / "easy")
    (tmp_path / "checkpoint" / "eval").mkdir(parents=True)
    with pytest.raises(UserError, match=r"give .*checkpoint/eval$"):
        read_responses(tmp_path / "checkpoint")
