import gzip
import json
import os
import random
from collections import Counter
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from quagmires.common.errors import UserError
from quagmires.evaluation.contamination import search
from quagmires.evaluation.contamination.ngrams import NgramIndex, exact_key, plain, words
from quagmires.evaluation.contamination.search import Problem, Row, scan
from quagmires.evaluation.contamination.summaries import PAIRS, overview, overview_markdown, summary
from support import REAL_DATA, needs_real_data, script

COLUMNS = {name: name for name in ("id", "problem", "answer", "response")}
# 26 words: fourteen 13-grams.
TRAIN = (
    "A train leaves Ghent at noon with 120 people on board and drops one fifth of them at each of its four stops. "
    "How many remain?"
)
FENCE = "Tom paints 3 fences a day and needs 17 days for all."


def matches(problem: str, row: str, answer: str = "7", row_answer: str | None = "9") -> list[tuple[str, float]]:
    found = scan([Row("r", row, row_answer)], [Problem("b", "p", problem, answer)], workers=1)
    return [(pair.match, pair.coverage) for pair in found.pairs]


@pytest.mark.parametrize(
    "one, other",
    [
        (r"Find $\dfrac{1}{2} + x$.", "find  $\\frac{1}{2}+x$"),
        (r"Let $\left( a,\; b \right)$ be $1{,}000$", "Let $(a,b)$ be 1,000."),
        ("Let $m/n$ be 3", r"Let $\frac mn$ be $3$."),
        (r"if $k^{}_{}\leqslant 5$, find $k$", r"If $k \le 5$, find $k$."),
        (r"\[\text{Is }x−1\times 2=4?\]", r"Is $x - 1 \times 2 = 4$"),
        (r"\begin{align*} ab &= 3 \end{align*}", r"\[ab=3\]"),
        (r"the digits $\underline{a}\,\underline{b}$", r"the digits $\underline{ab}$"),
        ("ﬁnd the ﬁrst", "Find the first"),
    ],
)
def test_typography_does_not_hide_an_exact_copy(one, other):
    assert exact_key(plain(one)) == exact_key(plain(other))
    assert matches(one, other) == [("exact", 1.0)]


@pytest.mark.parametrize(
    "one, other",
    [
        ("What is $x + 1$?", "What is $x - 1$?"),
        ("What is $1.5$?", "What is $15$?"),
        ("The point $(1, 23)$", "The point $(12, 3)$"),
        (r"Write $0.\overline{3}$", "Write $0.3$"),
        (r"Find $\sin x$", r"Find $\cos x$"),
    ],
)
def test_problems_that_differ_in_an_operator_or_a_digit_are_not_copies(one, other):
    assert matches(one, other) == []


def test_figure_code_does_not_hide_a_copy_unless_the_figure_is_the_problem():
    text = "In the figure, a square of side 4 has a circle in it. Find the area outside the circle."
    assert matches(text, text + "[asy] draw(unitsquare); [/asy]") == [("exact", 1.0)]
    assert matches("Find $x$. [asy] draw(A--B); [/asy]", "Find $x$. [asy] draw(C--D); [/asy]") == []


def test_coverage_is_the_share_of_the_problems_distinct_13_grams():
    its_words = words(plain(TRAIN))
    assert len(its_words) == 26
    # 14 n-grams; the first 19 words hold 7 of them, the first 18 hold 6.
    assert matches(TRAIN, " ".join(its_words[:19]) + " and so on") == [("ngram", 7 / 14)]
    assert matches(TRAIN, " ".join(its_words[:18]) + " and so on") == []


def test_a_copy_inside_a_longer_text_is_found():
    assert matches(TRAIN, f"Here is a nice one. {TRAIN} Explain your answer.") == [("ngram", 1.0)]


def test_a_problem_of_8_to_12_words_is_found_whole_only():
    assert len(words(plain(FENCE))) == 12
    assert matches(FENCE, f"Summer has come. {FENCE} Is that so?") == [("ngram", 1.0)]
    assert matches(FENCE, FENCE.replace("17", "18") + " Is that so?") == []
    # The same words with another operator between them.
    short = "Let $x + 3$ be seven and find all of $y$."
    assert matches(short, f"First: {short} Second: rest.") == [("ngram", 1.0)]
    assert matches(short, f"First: {short.replace('+', '-')} Second: rest.") == []


def test_a_problem_of_fewer_than_8_words_is_found_only_where_it_is_the_problem():
    assert matches("What is the area of $ABC$?", "Draw it. What is the area of $ABC$?", row_answer="7") == []
    assert matches("What is the area of $ABC$?", "what is the area of ABC") == [("exact", 1.0)]


def test_a_rewording_is_found_if_the_answers_agree():
    problem = "Let N be the greatest integer multiple of 8 whose digits are all different. What is the remainder when N is divided by 1000?"  # noqa: E501
    reworded = problem.replace("whose digits are all different", "no two of whose digits are the same")
    ((match, coverage),) = matches(problem, reworded, "120", "$120$")
    assert match == "reworded" and 0.5 <= coverage < 1
    assert matches(problem, reworded, "120", "121") == []
    assert matches(problem, reworded, "120", None) == []
    # The letter of an option is no sign of the same problem.
    assert matches(problem, reworded, r"\text{(C)}", "C") == []


def test_answer_match_compares_normalised_answers_and_is_open_without_one():
    rows = [Row("same", TRAIN, "$1,200$"), Row("other", TRAIN + " ", "12"), Row("none", TRAIN + "  ", None)]
    pairs = scan(rows, [Problem("b", "p", TRAIN, "1200")], workers=1).pairs
    assert [pair.answer_match for pair in pairs] == [True, False, None]


def test_repeated_texts_are_one_pair_with_the_first_row_and_the_number_of_rows():
    rows = [Row(f"r{i}", TRAIN if i % 3 else f"Text {i}", "7") for i in range(10)]
    result = scan(rows, [Problem("b", "p", TRAIN, "7")], workers=1, batch=2)
    assert [(pair.row.id, pair.rows) for pair in result.pairs] == [("r1", 6)]
    assert (result.rows, result.distinct_problems) == (10, 5)


def test_a_problem_in_two_benchmarks_is_found_in_both():
    problems = [Problem("b", "p", TRAIN, "7"), Problem("c", "q", TRAIN, "7")]
    assert [pair.problem.benchmark for pair in scan([Row("r", TRAIN, "7")], problems, workers=1).pairs] == ["b", "c"]


def test_ngram_counts_equal_those_of_plain_sets():
    rng = random.Random(5)
    documents = [[rng.choice("abc") for _ in range(rng.randint(0, 40))] for _ in range(30)]
    # Words that no document has, and texts too short to hold an n-gram.
    texts = [[rng.choice("abcd") for _ in range(rng.randint(0, 40))] for _ in range(50)]

    def grams(text):
        return {tuple(text[i : i + 4]) for i in range(len(text) - 3)}

    expected = {
        number: {d: n for d, document in enumerate(documents) if (n := len(grams(document) & grams(text)))}
        for number, text in enumerate(texts)
    }
    index = NgramIndex(documents, 4)
    assert index.sizes == [len(grams(document)) for document in documents]
    assert index.shared(texts) == {number: counts for number, counts in expected.items() if counts}
    assert sum(map(len, expected.values())) > 100


def test_colliding_hashes_do_not_make_a_match(monkeypatch):
    monkeypatch.setattr("quagmires.evaluation.contamination.ngrams._BASE", 0)
    index = NgramIndex([list("abcd")], 4)
    assert index.shared([list("dcbd"), list("abcd")]) == {1: Counter({0: 1})}


@pytest.mark.parametrize("workers, batch", [(1, 1), (1, 7), (2, 7), (3, 2_000)])
def test_the_result_depends_neither_on_workers_nor_on_batches(workers, batch):
    problems = [Problem("b", f"p{i}", f"{TRAIN} It is {i}.", str(i)) for i in range(20)]
    rows = [Row(f"r{i}", f"{TRAIN} It is {i % 30}." if i % 2 else f"{FENCE} {i}", str(i % 30)) for i in range(100)]
    expected = scan(rows, problems, workers=1)
    assert len(expected.pairs) == 300
    assert scan(iter(rows), problems, workers, batch) == expected


def test_no_workers_is_an_error():
    with pytest.raises(UserError, match="workers: 0 is too few"):
        scan([], [], workers=0)


class Deadly:
    """Kills the worker process that receives it."""

    def __reduce__(self):
        return os._exit, (9,)


def test_a_killed_worker_is_an_error_and_no_hang():
    with pytest.raises(UserError, match="a worker process was killed"):
        scan([Row("r", TRAIN, "7")], [Problem("b", "p", Deadly(), "7")], workers=2)


def write_inputs(directory: Path, rows: list[dict]) -> list:
    problems = pd.DataFrame({"id": ["p1", "p2"], "problem": [TRAIN, FENCE], "answer": ["7", "51"]})
    problems.to_parquet(directory / "b.parquet", index=False)
    with gzip.open(directory / "rows.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)
    pd.DataFrame(rows).to_parquet(directory / "rows.parquet", index=False)
    return ["--benchmark", f"tiny={directory / 'b.parquet'}", "--columns", json.dumps(COLUMNS), "--workers", 1]


@pytest.mark.parametrize("file", ["rows.jsonl.gz", "rows.parquet"])
def test_script_writes_pairs_with_both_texts_and_a_summary(tmp_path, file):
    rows = [
        {"id": 1, "problem": TRAIN, "response": r"so \boxed{7}"},
        {"id": 2, "problem": TRAIN, "response": r"so \boxed{8}"},
        {"id": 3, "problem": "Something else", "response": "no box"},
    ]
    arguments = write_inputs(tmp_path, rows)
    output, counts = tmp_path / "out" / "pairs.parquet", tmp_path / "out" / "summary.json"
    script(
        "find_contamination.py", "--name", "pool", "--kind", "sft", "--data", tmp_path / file, *arguments,
        "--output", output, "--summary", counts,
    )  # fmt: skip
    (pair,) = pq.read_table(output).to_pylist()
    assert pair == {
        "dataset": "pool", "kind_of_set": "sft", "row_id": "1", "rows": 2, "benchmark": "tiny", "problem_id": "p1",
        "match": "exact", "coverage": 1.0, "answer_match": True, "benchmark_text": TRAIN, "dataset_text": TRAIN,
        "benchmark_answer": "7", "dataset_answer": "7",
    }  # fmt: skip
    content = json.loads(counts.read_text())
    assert (content["rows"], content["distinct_problems"]) == (3, 2)
    assert content["benchmarks"]["tiny"] == {
        "problems": 2, "contaminated": 1, "share": 0.5, "exact": 1, "ngram": 0, "reworded": 0, "answer_agrees": 1,
        "answer_differs": 0, "pairs": 1, "problem_ids": ["p1"],
    }  # fmt: skip


def test_an_empty_result_has_all_columns_and_types(tmp_path):
    arguments = write_inputs(tmp_path, [{"id": 1, "problem": "Nothing of the kind", "answer": "7"}])
    output, counts = tmp_path / "pairs.parquet", tmp_path / "summary.json"
    script(
        "find_contamination.py", "--name", "set", "--kind", "rl", "--data", tmp_path / "rows.jsonl.gz", *arguments,
        "--output", output, "--summary", counts,
    )  # fmt: skip
    table = pq.read_table(output)
    assert table.num_rows == 0 and table.schema.equals(PAIRS)
    assert json.loads(counts.read_text())["benchmarks"]["tiny"]["contaminated"] == 0


@pytest.mark.parametrize(
    "row, message",
    [
        ({"id": 1, "problem": "", "answer": "7"}, "row 1: column `problem` is absent or empty"),
        ({"id": 1, "problem": "text", "answer": None}, "row 1: column `answer` is absent or empty"),
    ],
)
def test_a_row_without_a_problem_or_an_rl_answer_is_an_error(tmp_path, row, message):
    arguments = write_inputs(tmp_path, [row])
    result = script(
        "find_contamination.py", "--name", "set", "--kind", "rl", "--data", tmp_path / "rows.jsonl.gz", *arguments,
        "--output", tmp_path / "pairs.parquet", "--summary", tmp_path / "summary.json", check=False,
    )  # fmt: skip
    assert result.returncode == 1 and message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "pairs.parquet").exists()


def summary_of(dataset: str, found: list[str], names=("p1", "p2", "p3")) -> dict:
    problems = [Problem("b", name, f"{TRAIN} {name}", "7") for name in names]
    rows = [Row(name, f"{TRAIN} {name}", "7") for name in found]
    exact = scan(rows, problems, workers=1)
    exact = exact._replace(pairs=[pair for pair in exact.pairs if pair.match == "exact"])
    return summary(exact, problems, dataset, "rl", 1.0)


def test_overview_counts_a_problem_in_several_sets_once():
    table = overview({Path("x"): summary_of("x", ["p1", "p2"]), Path("y"): summary_of("y", ["p2"])})
    row = table.iloc[0]
    assert (row["benchmark"], row["problems"], row["x"], row["y"], row["any_set"]) == ("b", 3, 2, 1, 2)
    assert overview_markdown(table).splitlines()[-1] == "| b | 3 | 2 | 1 | 2 (66.7%) |"


def test_overview_refuses_summaries_that_do_not_fit_together():
    with pytest.raises(UserError, match="x has a summary already"):
        overview({Path("x"): summary_of("x", []), Path("y"): summary_of("x", [])})
    with pytest.raises(UserError, match="b has 2 problems here and 3 in another"):
        overview({Path("x"): summary_of("x", []), Path("y"): summary_of("y", [], names=("p1", "p2"))})


def test_table_script_writes_csv_and_markdown(tmp_path):
    for name in ("x", "y"):
        (tmp_path / f"{name}.json").write_text(json.dumps(summary_of(name, ["p1"])))
    summaries = ["--summaries", tmp_path / "x.json", tmp_path / "y.json"]
    script("contamination_table.py", *summaries, "--csv", tmp_path / "t.csv", "--markdown", tmp_path / "t.md")
    assert (tmp_path / "t.csv").read_text().splitlines() == ["benchmark,problems,x,y,any_set,any_set_share", "b,3,1,1,1,0.3333"]  # fmt: skip  # noqa: E501
    assert (tmp_path / "t.md").read_text().startswith("| benchmark | problems | x | y | any set |")


def read(path: str) -> list[dict]:
    opener = gzip.open if path.endswith(".gz") else open
    with opener(REAL_DATA / path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def benchmarks() -> list[Problem]:
    return [
        Problem(path.stem, row["id"], row["problem"], row["answer"])
        for path in sorted((REAL_DATA / "benchmarks").glob("*.jsonl"))
        for row in read(f"benchmarks/{path.name}")
    ]


def found(rows: list[dict], problems: list[Problem]) -> tuple[set, search.Scan]:
    result = scan((Row(row["id"], row["problem"], row["answer"]) for row in rows), problems, workers=1)
    return {(pair.row.id, pair.problem.id) for pair in result.pairs}, result


@needs_real_data
def test_all_aime_problems_in_math_train_are_found(benchmarks):
    rows = read("rl/math_train.jsonl.gz")
    known = {(row["id"], row["overlaps_benchmark"]) for row in rows if row["overlaps_benchmark"]}
    assert len(known) == 214
    pairs, result = found(rows, benchmarks)
    assert known <= pairs
    # Copies of MATH-500 were taken out of this set: what is left are siblings, told by their answers.
    kinds = Counter((p.match, p.answer_match) for p in result.pairs if p.problem.benchmark == "math500")
    assert kinds[("exact", True)] == 0 and kinds[("ngram", False)] > kinds[("ngram", True)]


@needs_real_data
def test_all_aime_problems_in_deepscaler_are_found_though_some_are_reworded(benchmarks):
    rows = read("rl/deepscaler_aime_1983_2023.jsonl.gz")
    known = {(row["id"], row["id"]) for row in rows} & {(p.id, p.id) for p in benchmarks}
    assert len(known) == 919
    pairs, result = found(rows, benchmarks)
    assert known <= pairs
    assert sum(pair.match == "exact" and pair.problem.benchmark == "math500" for pair in result.pairs) == 7


@needs_real_data
def test_a_set_of_other_problems_has_almost_none(benchmarks):
    # GSM8K's training problems are by the authors of its test set: one template with other numbers.
    _, result = found(read("rl/gsm8k_train.jsonl.gz"), benchmarks)
    assert {(p.problem.id, p.answer_match) for p in result.pairs} == {("gsm8k/test/602", False)}
