"""The whole workflow at toy size, with the real engines, and what a second run does."""

import base64
import json
import re
import shutil
from html import escape
from pathlib import Path

import pandas as pd
import pytest
import yaml

from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.bootstrap import DRAWS
from quagmires.reporting.captions import figure_caption
from support import ROOT, SMALL, snakemake

SFT = "toy/walks.shortest-64.ep1.lr1e-3"


def planned(*arguments) -> set[str]:
    """The rules that would run."""
    output = snakemake("-n", "--configfile", *arguments).stdout
    return {name for name, _ in re.findall(r"^([a-z_]+) +(\d+)$", output, re.MULTILINE)} - {"total", "all"}


def test_every_stage_leaves_its_results(small_run):
    metrics = pd.read_parquet(small_run / "metrics.parquet")
    assert list(metrics["recipe"]) == ["base", "walks.shortest-64.ep1.lr1e-3"]
    numbers = metrics[["pass_at_1", "pass_at_large_k", "generalization_loss", "outcome", "gain"]]
    assert numbers.notna().all(axis=None)
    assert metrics["outcome_scores"].map(len).eq(2).all()
    assert metrics["pass_at_1_draws"].map(len).eq(DRAWS).all()
    for name in ("models.csv", "predictors.csv", "spearman.tex", "tables.md"):
        assert (small_run / "tables" / name).stat().st_size > 100
    for name in ("sft_and_rl", "loss_and_gain", "pass_at_k", "grpo_training"):
        assert (small_run / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "test, toy model" in (small_run / "figures" / f"{name}.svg").read_text()


def test_an_engine_goes_on_from_checkpoint_to_checkpoint(small_run):
    logs = ROOT / "logs" / "demo-small" / "samples" / "toy"
    text = "".join(path.read_text() for path in logs.rglob("*.log"))
    checkpoints = list(small_run.glob("toy/*/sft")) + list(small_run.glob("toy/*/grpo/goals/run1/checkpoint*"))
    assert all((path / "eval/samples.json").is_file() for path in checkpoints) and len(checkpoints) == 6
    # Each at most once, though several jobs may look for what is due.
    loaded = re.findall(r"^\S+/demo-small/(\S+)/model: (?:an engine started|loaded into)", text, re.MULTILINE)
    assert sorted(loaded) == sorted(str(path.relative_to(small_run)) for path in checkpoints)
    assert text.count("an engine started") <= 4


def test_predictors_have_what_they_need(small_run):
    metrics = pd.read_parquet(small_run / "metrics.parquet")
    numbers = ["entropy_before", "entropy_before_se", "entropy_after", "distinct_wrong", "distinct_wrong_se"]
    numbers += [f"rl_{name}" for name in ("pass_at_1", "informative_share", "success_variance", "success_deviation")]
    assert metrics[numbers].notna().all(axis=None)
    assert metrics["entropy_before_responses"].eq(2 * 8 * 8).all()
    assert metrics["entropy_after_responses"].eq(2 * 8 * 4).all()
    assert (metrics["rl_prompts"].eq(12) & metrics["rl_samples"].eq(8) & metrics["rl_group_size"].eq(4)).all()
    # Twice as many samples as k would be needed to say what the base misses again.
    assert metrics["lost_coverage"].isna().tolist() == [True, False]


def test_rl_prompts_are_graded_and_in_no_score(small_run):
    folder = small_run / SFT / "sft" / "eval"
    counts = pd.read_parquet(folder / "rl_counts.parquet")
    grades = pd.read_parquet(folder / "rl.goals" / "grades.parquet")
    assert grades["correct"].sum() == counts["c"].sum() and counts["n"].eq(8).all()
    problems = pd.read_parquet(small_run / "data/rl/goals.problems.parquet")
    assert len(counts) == 12 and set(counts["problem_id"]) < set(problems["id"])
    scores = json.loads((folder / "scores.json").read_text())
    assert list(scores["benchmarks"]) == ["easy", "hard"]
    assert set(pd.read_parquet(folder / "counts.parquet")["benchmark"]) == {"easy", "hard"}
    assert scores["rl_prompts"]["rl.goals"]["pass_at_1"]["value"] == pytest.approx(grades["correct"].mean())
    assert not (small_run / SFT / "grpo/goals/run1/checkpoint1/eval/rl.goals").exists()


def test_training_is_on_record(small_run):
    record = json.loads((small_run / SFT / "sft" / "model" / "training.json").read_text())
    assert record["steps"] == 4
    assert [point["step"] for point in record["loss_curve"]] == [1, 2, 3, 4]
    manifest = json.loads((small_run / "data/sft/walks/toy/shortest-64.manifest.json").read_text())
    assert record["tokens_seen"] == manifest["prompt_tokens"] + manifest["response_tokens"]
    assert record["versions"]["llamafactory"] == "0.9.5"
    steps = [json.loads(line) for line in (small_run / SFT / "grpo/goals/run1/metrics.jsonl").read_text().splitlines()]
    assert [one["step"] for one in steps] == [1, 2, 3, 4]
    assert all(0 <= one["critic/score/mean"] <= 1 for one in steps)
    for index, step in ((1, 2), (2, 4)):
        checkpoint = json.loads(
            (small_run / SFT / f"grpo/goals/run1/checkpoint{index}/model/checkpoint.json").read_text()
        )
        assert (checkpoint["step"], checkpoint["of_steps"]) == (step, 4)
        assert checkpoint["versions"]["verl"] == "0.9.1"


def test_scores_are_those_of_the_graded_responses(small_run):
    grades = pd.read_parquet(small_run / SFT / "sft" / "eval" / "easy" / "grades.parquet")
    assert len(grades) == 8 * 8
    assert grades.groupby("problem_id").size().eq(8).all()
    # Else what follows would compare zeros.
    assert 0 < grades["correct"].mean() < 1
    scores = json.loads((small_run / SFT / "sft" / "eval" / "scores.json").read_text())
    easy = scores["benchmarks"]["easy"]
    assert easy["pass_at_k"]["1"]["value"] == pytest.approx(grades["correct"].mean())
    assert easy["pass_at_k"]["8"]["value"] == pytest.approx(grades.groupby("problem_id")["correct"].max().mean())
    assert easy["no_answer"] == pytest.approx((grades["reason"] == "no_answer").mean())
    macro = scores["macro"]["pass_at_k"]["1"]["value"]
    assert macro == pytest.approx(
        (easy["pass_at_k"]["1"]["value"] + scores["benchmarks"]["hard"]["pass_at_k"]["1"]["value"]) / 2
    )


def test_the_three_engines_saw_one_prompt(small_run):
    parity = json.loads((small_run / "data/prompts/toy.parity.json").read_text())
    assert sorted(parity["engines"]) == ["llamafactory", "verl", "vllm"]
    assert parity["example"].startswith("<|user|>Start at (")
    assert parity["example"].endswith("\\boxed{}.<|assistant|>")


def test_a_second_run_has_nothing_to_do(small_run):
    assert "Nothing to be done" in snakemake("-n", "--configfile", SMALL).stdout


def test_a_decision_asked_for_later_needs_no_engine(small_run):
    """With RL done, it is made anew from what there is; the whole experiment has nothing to do but to put it back."""
    rules = planned(SMALL, "--", "rank", "predict")
    assert rules <= {"rank", "predict", "metrics_so_far", "ranking", "prediction"}
    assert {"rank", "predict"} <= rules


def test_an_edited_comment_reruns_nothing(small_run):
    for name in ("train_sft.py", "sample.py", "quagmires/grading/grader.py"):
        path = ROOT / "scripts" / name
        original = path.read_bytes()
        try:
            path.write_bytes(original + b"\n# An edited comment.\n")
            assert planned(SMALL) == set()
        finally:
            path.write_bytes(original)


def test_checkpoints_that_were_sampled_one_by_one_stay_finished(small_run):
    """As they were before all of an RL run were one job: Snakemake repeats a job whose inputs are others."""
    records = {}
    for folder in small_run.glob("toy/*/grpo/goals/run1/checkpoint*"):
        folder = folder.relative_to(ROOT)
        name = base64.b64encode(f"{folder}/eval/samples.json".encode()).decode()
        benchmarks = f"{small_run.relative_to(ROOT)}/data/benchmarks/sets/easy+hard.txt"
        records[ROOT / ".snakemake/metadata" / name] = sorted([f"{folder}/model", benchmarks])
    before = {path: path.read_bytes() for path in records}
    assert len(before) == 4
    try:
        for rule, reruns in (("samples", False), ("rl_samples", True)):
            for path, inputs in records.items():
                path.write_text(json.dumps({**json.loads(before[path]), "rule": rule, "input": inputs}))
            assert ("rl_samples" in planned(SMALL)) == reruns
            assert reruns or planned(SMALL) == set()
    finally:
        for path, record in before.items():
            path.write_bytes(record)
    assert planned(SMALL) == set()


def changed(tmp_path: Path, **changes) -> Path:
    """The small config with blocks updated."""
    config = yaml.safe_load(SMALL.read_text())
    for block, values in changes.items():
        config[block] = config.get(block, {}) | values
    target = tmp_path / "changed.yaml"
    target.write_text(yaml.safe_dump(config, sort_keys=False))
    return target


def test_a_changed_recipe_reruns_only_what_depends_on_it(small_run, tmp_path):
    config = yaml.safe_load(SMALL.read_text())
    config["studies"]["toy"]["recipes"] = ["base", {"subset": "shortest-64", "epochs": 2}]
    target = tmp_path / "changed.yaml"
    target.write_text(yaml.safe_dump(config))
    output = snakemake("-n", "--configfile", target).stdout
    jobs = dict(re.findall(r"^([a-z_]+) +(\d+)$", output, re.MULTILINE))
    assert jobs["sft"] == jobs["rl"] == jobs["generalization_loss"] == "1"
    assert jobs["samples"] == jobs["rl_samples"] == "1"
    assert not {"pretrained_model", "token_lengths", "subset", "rendered_prompts", "environment"} & set(jobs)


@pytest.mark.parametrize(
    ("block", "values", "first", "untouched"),
    [
        ("rl", {"learning_rate": 2.0e-4}, "rl", {"sft", "generalization_loss", "pretrained_model"}),
        ("sft", {"per_device_batch_size": 8}, "sft", {"pretrained_model", "token_lengths", "subset"}),
        ("evaluation", {"samples_after_rl": 8}, "rl_samples", {"sft", "rl", "samples"}),
        ("evaluation", {"rl_prompts": 16}, "rl_prompts_to_sample", {"sft", "rl", "rl_prompts"}),
        ("evaluation", {"temperature": 0.7}, "samples", {"sft", "rl", "subset"}),
        ("evaluation", {"grading_timeout_seconds": 3.0}, "grade", {"samples", "rl_samples", "rl"}),
        ("sft", {"validation_examples": 33}, "subset", {"token_lengths", "pretrained_model"}),
        ("prompt", {"instruction": "Go."}, "walk_world", {"environment"}),
        ("walk_world", {"careful_share": 0.5}, "walk_world", {"environment"}),
        ("walk_world", {"hidden_size": 128}, "untrained_model", {"walk_world", "environment"}),
    ],
)
def test_a_setting_reruns_its_stage_and_what_follows(small_run, tmp_path, block, values, first, untouched):
    jobs = planned(changed(tmp_path, **{block: values}))
    assert {first, "metrics", "tables", "figures"} <= jobs
    assert not untouched & jobs


@pytest.mark.parametrize(
    ("block", "values"),
    [
        ("sft", {"save_steps": 3, "stall_minutes": 7}),
        ("rl", {"save_steps": 1, "stall_minutes": 7}),
        ("sft_datasets", {"walks": {"path": "results/demo-small/data/world/sft_pool.jsonl", "rows": 360,
                                         "kept_rows": 360}}),
        ("cluster", {"max_hours": 24}),
    ],
)  # fmt: skip
def test_how_runs_are_watched_and_what_is_written_down_repeats_nothing(small_run, tmp_path, block, values):
    # What was used is in the report, and what it costs follows from it.
    assert planned(changed(tmp_path, **{block: values})) <= {"merged_config", "costs", "report"}


def test_the_report_is_one_file_with_tables_and_figures(small_run):
    text = (small_run / "report.html").read_text(encoding="utf-8")
    assert "The workflow in a few minutes" in text
    assert "test, toy model" in text
    settings = AnalysisSettings.read(small_run / "analysis.json")
    for name in ("sft_and_rl", "loss_and_gain", "pass_at_k", "grpo_training"):
        assert escape(figure_caption(name, settings), quote=False)[:60] in text
    assert not re.search(r"(src|href)=[\"']?https?:", text)


def test_models_are_ranked_and_told_apart_from_predictions(small_run):
    """With two models nothing can be fitted, which is said and is no error."""
    assert "no SFT" in (small_run / "decisions" / "rank.txt").read_text()
    assert "not enough models" in (small_run / "decisions" / "predict.txt").read_text()


def test_stored_metrics_alone_give_every_table_and_figure(small_run, tmp_path):
    """On a machine that holds nothing but the stored metrics, by the same target."""
    laptop = ROOT / "results" / "test-laptop"
    config = yaml.safe_load(SMALL.read_text()) | {"experiment": "test-laptop"}
    path = tmp_path / "laptop.yaml"
    path.write_text(yaml.safe_dump(config))
    try:
        laptop.mkdir()
        for name in ("metrics.parquet", "pass_at_k.parquet", "grpo_training.parquet"):
            shutil.copy(small_run / name, laptop)
        snakemake("--configfile", path, "--", "tables", "figures", timeout=300)
        for kind, pattern in (("figures", "*.png"), ("tables", "*.csv")):
            fresh = {one.name: one.read_bytes() for one in (laptop / kind).glob(pattern)}
            assert len(fresh) >= 5
            for name, content in fresh.items():
                assert content == (small_run / kind / name).read_bytes(), name
    finally:
        shutil.rmtree(laptop)
