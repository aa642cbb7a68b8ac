"""Plans that take long to make: the whole paper, as it would be submitted, and what only shows in a run."""

import re
from collections import Counter

import pytest

from quagmires.config.experiment import Experiment, read_experiment
from support import MODELS, ROOT, overlay, planned, snakemake


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return read_experiment([ROOT / "config" / "base.yaml", ROOT / "config" / "paper.yaml"])


@pytest.fixture(scope="module")
def plan() -> str:
    """The dry run through the profile for SLURM, which plans the paper by default."""
    return snakemake("-n", "--printshellcmds", profile="slurm").stdout


def test_the_plan_holds_every_run_once(experiment, plan):
    jobs = planned(plan)
    assert jobs["sft"] == len(experiment.sft_runs) - 3
    assert jobs["rl"] == len(experiment.rl_runs) == 324
    assert jobs["samples"] == len(experiment.sft_runs)
    assert jobs["rl_samples"] == len(experiment.rl_runs)
    assert jobs["grade"] == jobs["score"] == len(experiment.checkpoints)
    assert jobs["base_model"] == jobs["model"] == jobs["prompt_parity"] == 3
    assert jobs["pool"] == 3 and jobs["download"] == 6


def test_no_job_writes_where_another_does(experiment):
    lines = snakemake("--summary", profile="slurm").stdout.splitlines()
    outputs = [line.split("\t")[0] for line in lines[1:]]
    assert len(outputs) > 4 * len(experiment.checkpoints)
    assert [path for path, count in Counter(outputs).items() if count > 1] == []
    assert all(re.fullmatch(r"(results|\.envs)/[\w.+/-]+", path) for path in outputs)


def test_every_wildcard_of_a_command_resolves(plan):
    commands = re.findall(r"^Shell command: (.+)$", plan, re.MULTILINE)
    assert len(commands) > 3500
    assert not [one for one in commands if re.search(r"\{(wildcards|input|output|params|resources|log)\b", one)]


def test_checkpoints_that_are_not_kept_go_once_they_are_sampled(tmp_path):
    checkpoint = "results/plan-test/toy/base/grpo/goals/run1/checkpoint1/model"
    kept, gone = (
        snakemake("-n", "--configfile", overlay(tmp_path, rl__keep_models=keep)).stdout for keep in (True, False)
    )
    assert f"Would remove temporary output {checkpoint}" in gone
    assert "Would remove temporary output" not in kept
    # What is trained does not depend on it.
    assert planned(kept) == planned(gone)


def test_run_sheet_lists_every_model(tmp_path):
    snakemake("--configfile", overlay(tmp_path), "--forcerun", "run_sheet", "--", "sheet")
    sheet = ROOT / "results" / "plan-test" / "run_sheet.tsv"
    lines = sheet.read_text().splitlines()
    sheet.unlink()
    sheet.parent.rmdir()
    assert len(lines) == 1 + MODELS
    assert lines[0].startswith("study\tlevel\tmodel\trecipe")
    # In the order of the config.
    assert "walks.longest-500+shortest-500.ep1.lr1e-3" in lines[-1]


def test_training_waits_for_prompt_parity(tmp_path):
    sft = "results/plan-test/toy/walks.random-1k.ep1.lr1e-3/sft/model/training.json"
    grpo = "results/plan-test/toy/base/grpo/goals/run1/metrics.jsonl"
    for target in (sft, grpo):
        jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path), "--", target).stdout)
        assert (jobs["prompt_parity"], jobs["rendered_prompts"]) == (1, 3)


def test_more_runs_and_checkpoints_multiply_rl_alone(tmp_path):
    jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path, rl__runs=3, rl__checkpoints=4)).stdout)
    assert jobs["sft"] == MODELS - 1
    assert jobs["rl"] == MODELS * 3
    assert (jobs["samples"], jobs["rl_samples"], jobs["grade"]) == (MODELS, MODELS * 3, MODELS * (1 + 3 * 4))
