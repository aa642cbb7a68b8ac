"""Tables, figures and decisions: what each target needs. Only planned here."""

import shutil

import pytest

from support import ROOT, overlay, planned, snakemake

RANDOM_500 = "arithmetic.random-500.ep1.lr5e-4"


@pytest.fixture
def only_metrics():
    """A results folder with nothing in it but metrics."""
    folder = ROOT / "results" / "plan-test"
    folder.mkdir()
    (folder / "metrics.parquet").touch()
    yield folder
    shutil.rmtree(folder)


def test_ranking_and_predicting_start_no_rl(tmp_path):
    for target in ("rank", "predict"):
        jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path), "--", target).stdout)
        assert (jobs["sft"], jobs["score"]) == (6, 7)
        assert "grpo" not in jobs


def test_calibration_runs_rl_for_the_recipes_it_names_alone(tmp_path):
    config = overlay(tmp_path, studies__toy__calibration=["base", RANDOM_500], grpo__runs=3)
    jobs = planned(snakemake("-n", "--configfile", config, "--", "calibration").stdout)
    assert (jobs["grpo"], jobs["sft"]) == (6, 1)


def test_stored_metrics_are_enough_for_every_analysis_and_train_nothing(tmp_path, only_metrics):
    config = overlay(tmp_path)
    jobs = planned(snakemake("-n", "--configfile", config, "--", "all", "rank", "predict").stdout)
    assert {"tables", "figures", "ranking", "prediction", "report"} <= set(jobs)
    assert not {"sft", "grpo", "samples", "metrics", "pool", "model"} & set(jobs)
    (only_metrics / "data").mkdir()
    assert planned(snakemake("-n", "--configfile", config, "--", "figures").stdout)["grpo"] == 7


def test_the_plan_needs_no_results(tmp_path):
    jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path), "--", "plan").stdout)
    assert set(jobs) == {"merged_config", "plan", "total"}
