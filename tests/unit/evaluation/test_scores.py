import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from quagmires.evaluation.pass_at_k import mean_with_error, pass_at_k
from quagmires.evaluation.scores import macro_scores
from support import script

SEED = 5


def graded(problems: int, samples: int, seed: int) -> pd.DataFrame:
    """Responses as grade.py leaves them: a fifth of the wrong ones is cut off without an answer."""
    generator = np.random.default_rng(seed)
    ids = np.repeat([f"p{i:03}" for i in range(problems)], samples)
    correct = generator.random(len(ids)) < np.repeat(generator.beta(0.5, 0.8, problems), samples)
    silent = ~correct & (generator.random(len(ids)) < 0.2)
    wrong = generator.integers(0, 9, len(ids)).astype(str)
    return pd.DataFrame(
        {
            "problem_id": ids,
            "repetition": np.tile(np.arange(samples), problems),
            "response": "thought",
            "finish_reason": np.where(silent, "length", "stop"),
            "n_tokens": generator.integers(10, 90, len(ids)),
            "answer": pd.Series(np.where(correct, "gold", wrong)).mask(silent),
            "correct": correct,
            "reason": np.select([correct, silent], ["exact", "no_answer"], "different"),
        }
    )


TABLES = {"easy": graded(40, 12, 1), "hard": graded(25, 16, 2)}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("grades")
    for name, table in TABLES.items():
        table.to_parquet(folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in TABLES}


def scored(files: dict[str, Path], folder: Path, *arguments, **options):
    """scores.json and counts of the two benchmarks."""
    outputs = ("--scores", folder / "scores.json", "--counts", folder / "counts.parquet")
    result = script(
        "score.py", "--grades", *files.values(), "--benchmarks", *files, "--seed", SEED, *outputs, *arguments, **options
    )
    if result.returncode:
        return result
    return json.loads((folder / "scores.json").read_text()), pd.read_parquet(folder / "counts.parquet")


def pairs(path: Path, rows: list[tuple[str, str]]) -> Path:
    pd.DataFrame(rows, columns=["benchmark", "problem_id"]).assign(kind="exact").to_parquet(path)
    return path


def test_scores_are_the_estimators_of_the_counts(files, tmp_path):
    scores, counts = scored(files, tmp_path)
    assert list(scores) == ["benchmarks", "macro"]
    for name, table in TABLES.items():
        entry = scores["benchmarks"][name]
        right = table.groupby("problem_id")["correct"].sum().to_numpy()
        n = entry["samples"]
        assert list(entry["pass_at_k"]) == list(entry["majority_at_k"])
        for k in (1, 4, n):
            value, error = mean_with_error(pass_at_k(n, right, k))
            at_k = entry["pass_at_k"][str(k)]
            assert (at_k["value"], at_k["standard_error"]) == pytest.approx((value, error))
            assert at_k["low"] < value < at_k["high"]
            # 3.29 standard errors between the 5 % quantiles of a normal distribution.
            assert at_k["high"] - at_k["low"] == pytest.approx(3.29 * error, rel=0.2)
        assert entry["majority_at_k"]["1"]["value"] == pytest.approx(table["correct"].mean())
        assert entry["no_answer"] == pytest.approx((table["reason"] == "no_answer").mean())
        assert entry["truncated"] == pytest.approx((table["finish_reason"] == "length").mean())
        assert entry["mean_tokens"] == pytest.approx(table["n_tokens"].mean())
    assert list(counts) == [
        "benchmark", "problem_id", "n", "c", "truncated", "no_answer", "timeout", "unparsable", "tokens",
        "logprob_responses", "logprob_tokens", "logprob_sum",
    ]  # fmt: skip
    assert counts["c"].sum() == sum(table["correct"].sum() for table in TABLES.values())


def test_macro_average_has_every_k_that_all_have_and_a_narrower_interval(files, tmp_path):
    macro = (scores := scored(files, tmp_path)[0])["macro"]
    assert list(macro["pass_at_k"]) == list(macro["majority_at_k"]) == ["1", "2", "4", "8"]
    parts = [one["pass_at_k"]["8"] for one in scores["benchmarks"].values()]
    entry = macro["pass_at_k"]["8"]
    assert entry["value"] == pytest.approx(np.mean([part["value"] for part in parts]))
    assert entry["high"] - entry["low"] < max(part["high"] - part["low"] for part in parts)
    # From the file alone, as for a study of other benchmarks: the same numbers, without the interval.
    again = macro_scores(scores["benchmarks"])
    assert again["pass_at_k"]["8"] == {key: entry[key] for key in ("value", "standard_error")}
    assert again["mean_tokens"] == macro["mean_tokens"]


def test_scores_repeat_with_their_seed_and_do_not_depend_on_company(files, tmp_path):
    first, _ = scored(files, tmp_path)
    assert scored(files, tmp_path)[0] == first
    alone, _ = scored({"hard": files["hard"]}, tmp_path)
    assert alone["benchmarks"]["hard"] == first["benchmarks"]["hard"]


def test_clean_leaves_contaminated_problems_out(files, tmp_path):
    bad = [("hard", f"p{i:03}") for i in range(5)]
    some = pairs(tmp_path / "some.parquet", [*bad, bad[0], ("another benchmark", "p001")])
    scores, counts = scored(files, tmp_path, "--contaminated", some, pairs(tmp_path / "none.parquet", []))
    clean = scores["clean"]
    assert clean["left_out"] == {"easy": 0, "hard": 5}
    assert clean["dropped"] == []
    kept = counts[(counts["benchmark"] == "hard") & ~counts["problem_id"].isin([problem for _, problem in bad])]
    hard = (kept["c"] / kept["n"]).mean()
    assert clean["benchmarks"]["hard"]["pass_at_k"]["1"]["value"] == pytest.approx(hard)
    easy = scores["benchmarks"]["easy"]["pass_at_k"]["1"]["value"]
    assert clean["pass_at_k"]["1"]["value"] == pytest.approx((easy + hard) / 2)
    assert clean["majority_at_k"]["1"]["value"] == pytest.approx((easy + hard) / 2)
    assert set(scores["macro"]) < set(clean)
    assert len(counts) == 65


def test_benchmark_without_a_clean_problem_is_dropped_and_named(files, tmp_path):
    hard = [("hard", problem) for problem in TABLES["hard"]["problem_id"].unique()]
    clean = scored(files, tmp_path, "--contaminated", pairs(tmp_path / "hard.parquet", hard))[0]["clean"]
    assert clean["dropped"] == ["hard"]
    assert list(clean["benchmarks"]) == ["easy"]
    assert clean["pass_at_k"]["1"]["value"] == pytest.approx(TABLES["easy"]["correct"].mean())
    easy = [("easy", problem) for problem in TABLES["easy"]["problem_id"].unique()]
    clean = scored(files, tmp_path, "--contaminated", pairs(tmp_path / "all.parquet", hard + easy))[0]["clean"]
    assert clean["dropped"] == ["easy", "hard"]
    assert clean["pass_at_k"] == {}


def test_nothing_contaminated_means_clean_is_everything(files, tmp_path):
    scores = scored(files, tmp_path, "--contaminated")[0]
    assert scores["clean"]["pass_at_k"] == scores["macro"]["pass_at_k"]
    assert scores["clean"]["left_out"] == {"easy": 0, "hard": 0}


def test_one_problem_has_no_error_and_no_interval(tmp_path):
    graded(1, 4, 3).to_parquet(tmp_path / "one.parquet")
    entry = scored({"one": tmp_path / "one.parquet"}, tmp_path)[0]["macro"]["pass_at_k"]["1"]
    assert [entry[key] for key in ("standard_error", "low", "high")] == [None, None, None]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.iloc[:-1], "problems have 11 to 12 samples"),
        (lambda table: table.drop(columns="reason"), "no column reason"),
        (lambda table: table.iloc[:0], "no rows"),
        (lambda table: pd.concat([table.iloc[:-1], table.head(1)]), "repetition 0 of problem p000 is there twice"),
    ],
)
def test_broken_grades_are_an_error_in_one_line(tmp_path, spoil, message):
    spoil(TABLES["easy"]).to_parquet(tmp_path / "easy.parquet")
    result = scored({"easy": tmp_path / "easy.parquet"}, tmp_path, check=False)
    assert result.returncode == 1
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "scores.json").exists()


def test_damaged_grades_are_an_error_in_one_line(tmp_path):
    (tmp_path / "easy.parquet").write_bytes(b"PAR1 and no more")
    result = scored({"easy": tmp_path / "easy.parquet"}, tmp_path, check=False)
    assert result.returncode == 1
    assert "easy.parquet: damaged, or no parquet file (" in result.stderr
    assert result.stderr.count("\n") == 1


def test_responses_among_the_grades_are_never_read(tmp_path):
    path = tmp_path / "easy.parquet"
    TABLES["easy"].assign(response=[f"{i} at length" * 9 for i in range(480)]).to_parquet(path)
    group = pq.read_metadata(path).row_group(0)
    [column] = [group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == "response"]
    start = column.dictionary_page_offset or column.data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    with pytest.raises(OSError):
        pd.read_parquet(path)
    assert scored({"easy": path}, tmp_path)[0]["benchmarks"]["easy"]["problems"] == 40


def test_contaminated_ids_of_another_type_are_an_error_and_not_a_clean_bill(files, tmp_path):
    path = tmp_path / "numbers.parquet"
    pd.DataFrame({"benchmark": ["hard"], "problem_id": [1]}).to_parquet(path)
    result = scored(files, tmp_path, "--contaminated", path, check=False)
    assert result.returncode == 1
    assert "problem_id is int64, not text" in result.stderr


def with_logprobs(folder: Path, **settings) -> dict[str, Path]:
    """An evaluation folder: -0.5 nats a token in `easy`, half of whose responses are older; -2 in `hard`."""
    for name, table in TABLES.items():
        (folder / name).mkdir(parents=True)
        sums = table["n_tokens"] * (-0.5 if name == "easy" else -2.0)
        old = (table["repetition"] < 6) & (name == "easy")
        table.assign(logprob_sum=sums.mask(old)).to_parquet(folder / name / "grades.parquet")
        (folder / name / "identity.json").write_text(json.dumps({"temperature": 1.0, "top_p": 1.0} | settings))
    return {name: folder / name / "grades.parquet" for name in TABLES}


def test_entropy_is_of_the_responses_that_have_a_log_probability(tmp_path):
    scores, counts = scored(with_logprobs(tmp_path / "eval"), tmp_path)
    easy = scores["benchmarks"]["easy"]["entropy"]
    assert easy == {"value": pytest.approx(0.5), "standard_error": pytest.approx(0, abs=1e-12), "responses": 40 * 6}
    macro = scores["macro"]["entropy"]
    assert (macro["value"], macro["responses"]) == (pytest.approx(1.25), 40 * 6 + 25 * 16)
    assert counts[counts["benchmark"] == "easy"]["logprob_responses"].eq(6).all()
    assert macro_scores(scores["benchmarks"])["entropy"] == macro


@pytest.mark.parametrize("settings", [{"temperature": 0.6}, {"top_p": 0.95}, {"temperature": None}])
def test_samples_of_another_distribution_have_no_entropy(tmp_path, settings):
    scores, _ = scored(with_logprobs(tmp_path / "eval", **settings), tmp_path)
    assert scores["benchmarks"]["hard"]["entropy"] is None and scores["macro"]["entropy"] is None


def test_a_benchmark_without_entropy_leaves_the_average_without(tmp_path):
    files = with_logprobs(tmp_path / "eval")
    TABLES["hard"].to_parquet(files["hard"])
    scores, _ = scored(files, tmp_path)
    assert scores["benchmarks"]["easy"]["entropy"] and scores["macro"]["entropy"] is None


def test_distinct_wrong_answers_are_counted_by_k(files, tmp_path):
    scores, _ = scored(files, tmp_path)
    hard = scores["benchmarks"]["hard"]["distinct_wrong_at_k"]
    wrong = TABLES["hard"][~TABLES["hard"]["correct"]].groupby("problem_id")["answer"].nunique()
    assert hard["16"]["value"] == pytest.approx(wrong.sum() / 25)
    one = scores["benchmarks"]["hard"]
    assert hard["1"]["value"] == pytest.approx(1 - one["pass_at_k"]["1"]["value"] - one["no_answer"])
    assert list(scores["macro"]["distinct_wrong_at_k"]) == ["1", "2", "4", "8"]


def test_rl_prompts_are_in_no_average(files, tmp_path):
    without, counts = scored(files, tmp_path)
    rl = graded(30, 6, 9)
    rl.to_parquet(tmp_path / "rl.parquet")
    given = {**files, "rl.sums": tmp_path / "rl.parquet"}
    scores, again = scored(given, tmp_path, "--rl-prompts", "rl.sums=4")
    signal = scores.pop("rl_prompts")
    assert scores == without and again.equals(counts)
    assert list(signal) == ["rl.sums"]
    assert (signal["rl.sums"]["prompts"], signal["rl.sums"]["samples"], signal["rl.sums"]["group_size"]) == (30, 6, 4)
    assert signal["rl.sums"]["pass_at_1"]["value"] == pytest.approx(rl["correct"].mean())
    stored = pd.read_parquet(tmp_path / "rl_counts.parquet")
    assert stored["c"].sum() == rl["correct"].sum() and set(stored["benchmark"]) == {"rl.sums"}
    # Of a scoring without them nothing old is left.
    scored(files, tmp_path)
    assert not (tmp_path / "rl_counts.parquet").exists()


@pytest.mark.parametrize("given", ["rl.sums=4", "easy", "easy=0", "easy=many"])
def test_rl_prompts_that_are_not_there_are_refused(files, tmp_path, given):
    result = scored(files, tmp_path, "--rl-prompts", given, check=False)
    assert result.returncode == 1
    assert f"error: --rl-prompts: {given!r}; give NAME=ROLLOUTS, NAME one of easy, hard" in result.stderr
    assert not (tmp_path / "scores.json").exists()
