import shutil

import numpy as np
import pandas as pd
import pytest

from quagmires.common.files import read_json, write_json
from quagmires.evaluation.paired_difference import lost_coverage, missed_again
from quagmires.evaluation.reward_signal import reward_signal
from quagmires.evaluation.scores import score
from quagmires.prediction.metrics_row import metrics_row
from support import script

RUN = {
    "study": "s", "level": "instance", "model": "m", "recipe": "pool.random-10.ep1.lr1e-5", "sft_dataset": "pool",
    "subset": "random-10", "examples": 10, "epochs": 1, "learning_rate": 1e-5, "rl_dataset": "rl", "grpo_runs": 2,
    "checkpoints": 2, "benchmarks": "easy,hard",
}  # fmt: skip
SUCCESS = {"run1/checkpoint1": 0.4, "run1/checkpoint2": 0.8, "run2/checkpoint1": 0.5, "run2/checkpoint2": 0.6}


def evaluate(folder, success, samples=8):
    """Counts and scores as score.py leaves them."""
    rng = np.random.default_rng(int(success * 1000))
    counts = pd.DataFrame(
        [
            {"benchmark": name, "problem_id": f"{name}-{i}", "n": samples, "c": rng.binomial(samples, success),
             "truncated": 0, "no_answer": 0, "timeout": 0, "unparsable": 0, "tokens": 10 * samples}
            for name in ("easy", "hard") for i in range(20)
        ]
    )  # fmt: skip
    folder.mkdir(parents=True)
    counts.to_parquet(folder / "counts.parquet")
    write_json(folder / "scores.json", score(counts, seed=1, contaminated=counts.iloc[:2]))


@pytest.fixture
def root(tmp_path):
    sft = tmp_path / "m" / RUN["recipe"] / "sft"
    evaluate(sft / "eval", 0.3)
    write_json(sft / "model" / "training.json", {"tokens_seen": 1000, "steps": 4})
    write_json(sft / "generalization_loss.pool.json", {"generalization_loss": 0.5, "standard_error": 0.01})
    examples = pd.DataFrame({"id": list("abc"), "nll": [5.0, 9.0, 4.0], "tokens": [10, 20, 6]})
    examples.to_parquet(sft / "generalization_loss.pool.parquet")
    return tmp_path


@pytest.fixture
def root_with_rl(root):
    for path, success in SUCCESS.items():
        evaluate(root / "m" / RUN["recipe"] / "grpo" / "rl" / path / "eval", success)
    return root


def row(root):
    return metrics_row(root, RUN, large_k=4, seed=3)


def test_a_model_without_rl_has_predictors_and_no_outcome(root):
    found = row(root)
    assert found["pass_at_1"] < found["pass_at_large_k"]
    assert found["sft_tokens"] == 1000
    assert np.isnan([found["outcome"], found["outcome_last"], found["gain"], found["no_answer_after"]]).all()
    assert found["outcome_scores"] is None and found["outcome_draws"] is None


def test_rl_that_is_not_finished_is_no_outcome(root_with_rl):
    (root_with_rl / "m" / RUN["recipe"] / "grpo" / "rl" / "run2/checkpoint2/eval/scores.json").unlink()
    assert np.isnan(row(root_with_rl)["outcome"])


def test_outcomes_are_taken_over_runs_and_checkpoints(root_with_rl):
    found = row(root_with_rl)
    scores = found["outcome_scores"].reshape(2, 2)
    assert found["outcome"] == found["outcome_best"] == scores[0, 1] == scores.max()
    assert found["outcome_last"] == pytest.approx(scores[:, 1].mean())
    assert found["outcome_mean_of_run_best"] == pytest.approx(scores.max(axis=1).mean())
    assert found["gain"] == pytest.approx(found["outcome"] - found["pass_at_1"])


def test_draws_spread_as_the_standard_errors(root_with_rl):
    found = row(root_with_rl)
    for name in ("pass_at_1", "pass_at_large_k", "outcome"):
        assert np.std(found[f"{name}_draws"], ddof=1) == pytest.approx(found[f"{name}_se"], rel=0.25)
    # Both were measured on the same problems.
    paired = np.std(found["outcome_draws"] - found["pass_at_1_draws"], ddof=1)
    assert paired == pytest.approx(found["gain_se"], rel=0.25)


def test_missing_rl_is_refused_unless_it_is_optional(root):
    sheet, output = root / "sheet.tsv", root / "metrics.parquet"
    pd.DataFrame([RUN]).to_csv(sheet, sep="\t", index=False)
    arguments = ["--sheet", sheet, "--root", root, "--large-k", 4, "--seed", 3, "--output", output]
    result = script("collect_metrics.py", *arguments, check=False)
    assert result.returncode == 1 and not output.exists()
    assert "run1/checkpoint1/eval/scores.json: no such file; evaluate the checkpoint" in result.stderr
    script("collect_metrics.py", *arguments, "--rl-optional")
    assert pd.read_parquet(output)["outcome"].isna().all()


def test_metrics_of_older_scores_lack_what_was_not_stored(root):
    """scores.json and counts from before: no entropy, no distinct wrong answers, no RL prompts."""
    path = root / "m" / RUN["recipe"] / "sft" / "eval" / "scores.json"
    scores = read_json(path)
    for one in (scores["macro"], scores["clean"], *scores["benchmarks"].values()):
        del one["entropy"], one["distinct_wrong_at_k"]
    write_json(path, scores)
    found = row(root)
    missing = ["entropy_before", "entropy_before_se", "entropy_after", "distinct_wrong", "lost_coverage", "rl_prompts",
               "rl_informative_share", "rl_success_deviation_se"]  # fmt: skip
    assert np.isnan([found[name] for name in missing]).all()
    assert found["entropy_before_responses"] == 0
    assert found["pass_at_1"] < found["pass_at_large_k"]


def test_entropy_wrong_answers_and_rl_prompts_of_the_scores_are_columns(root_with_rl):
    signal = reward_signal(pd.DataFrame({"n": 8, "c": [0, 4, 8]}), 4)
    entropy = {"value": 0.5, "standard_error": 0.1, "responses": 320}
    for path in root_with_rl.glob("**/eval/scores.json"):
        scores = read_json(path)
        scores["macro"]["entropy"] = entropy
        scores["macro"]["distinct_wrong_at_k"] = {"4": {"value": 1.5, "standard_error": 0.2}}
        # Of another study's RL set too.
        write_json(path, {**scores, "rl_prompts": {"rl.other": reward_signal(pd.DataFrame({"n": [2], "c": [1]}), 4),
                                                   "rl.rl": signal}})  # fmt: skip
    found = row(root_with_rl)
    for when in ("before", "after"):
        assert [found[f"entropy_{when}{end}"] for end in ("", "_se", "_responses")] == [0.5, 0.1, 320]
    assert (found["distinct_wrong"], found["distinct_wrong_se"]) == (1.5, 0.2)
    assert (found["rl_prompts"], found["rl_samples"], found["rl_group_size"]) == (3, 8, 4)
    assert found["rl_informative_share"] == signal["informative_share"]["value"]


def test_coverage_is_compared_with_the_base_of_the_study(root):
    assert np.isnan(row(root)["lost_coverage"])
    base = root / "m" / "base" / "sft"
    evaluate(base / "eval", 0.6)
    write_json(base / "model" / "training.json", {"tokens_seen": 0, "steps": 0})
    for end in (".json", ".parquet"):
        shutil.copy(root / "m" / RUN["recipe"] / "sft" / f"generalization_loss.pool{end}", base)
    found = metrics_row(root, RUN, large_k=4, seed=3, with_base=True)
    tables = [pd.read_parquet(root / "m" / name / "sft/eval/counts.parquet") for name in ("base", RUN["recipe"])]
    assert (found["lost_coverage"], found["lost_coverage_se"]) == lost_coverage(*tables, 4)
    sheet, output = root / "sheet.tsv", root / "metrics.parquet"
    rows = [RUN, RUN | {"recipe": "base", "subset": "base"}, RUN | {"study": "without"}]
    pd.DataFrame(rows).to_csv(sheet, sep="\t", index=False)
    script("collect_metrics.py", "--sheet", sheet, "--root", root, "--large-k", 4, "--seed", 3, "--output", output,
           "--rl-optional")  # fmt: skip
    stored = pd.read_parquet(output)["lost_coverage"]
    # Of the base itself, what it misses at a second try.
    assert stored[1] == pytest.approx(missed_again(tables[0], 4, ["easy", "hard"])[0])
    assert stored[0] == found["lost_coverage"] and np.isnan(stored[2])


def test_the_loss_on_the_validation_set_of_several_pools_has_its_own_columns(root):
    off = row(root)
    assert np.isnan(off["generalization_loss_common"]) and off["generalization_loss_common_draws"] is None
    folder = root / "m" / RUN["recipe"] / "sft"
    summary = {"generalization_loss": 0.8, "standard_error": 0.02, "pools": {}}
    write_json(folder / "generalization_loss.common.json", summary)
    examples = pd.DataFrame({"id": list("dc"), "nll": [8.0, 8.0], "tokens": [10, 10], "pool": ["a", "b"]})
    examples.to_parquet(folder / "generalization_loss.common.parquet")
    # A file of another time counts for nothing where the run sheet names no pools.
    assert np.isnan(row(root)["generalization_loss_common"])
    for none in ("", np.nan):
        assert np.isnan(metrics_row(root, {**RUN, "common_validation": none}, 4, 3)["generalization_loss_common"])
    on = metrics_row(root, {**RUN, "common_validation": "a,b"}, large_k=4, seed=3)
    assert (on["generalization_loss_common"], on["generalization_loss_common_se"]) == (0.8, 0.02)
    assert on["generalization_loss_common_draws"] == pytest.approx(0.8)
    assert on["generalization_loss"] == off["generalization_loss"] == 0.5


def test_a_model_of_a_ladder_names_the_epochs_of_its_schedule(root):
    assert row(root)["scheduled_epochs"] == RUN["epochs"]
    assert metrics_row(root, {**RUN, "scheduled_epochs": 8}, large_k=4, seed=3)["scheduled_epochs"] == 8
