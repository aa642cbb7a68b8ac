"""Tables, figures and decisions: what each target needs. Only planned here."""

import shutil

import pytest

from quagmires.config.analysis_settings import AnalysisSettings
from support import MODELS, ROOT, overlay, planned, snakemake

RANDOM_1K = "walks.random-1k.ep1.lr1e-3"


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
        assert (jobs["sft"], jobs["score"]) == (MODELS - 1, MODELS)
        assert "rl" not in jobs


def test_calibration_runs_rl_for_the_recipes_it_names_alone(tmp_path):
    config = overlay(tmp_path, studies__toy__calibration=["base", RANDOM_1K], rl__runs=3)
    jobs = planned(snakemake("-n", "--configfile", config, "--", "calibration").stdout)
    assert (jobs["rl"], jobs["sft"]) == (6, 1)


def test_stored_metrics_are_enough_for_every_analysis_and_train_nothing(tmp_path, only_metrics):
    config = overlay(tmp_path)
    jobs = planned(snakemake("-n", "--configfile", config, "--", "all", "rank", "predict").stdout)
    assert {"tables", "figures", "ranking", "prediction", "report"} <= set(jobs)
    assert not {"sft", "rl", "samples", "metrics", "pool", "model"} & set(jobs)
    (only_metrics / "data").mkdir()
    assert planned(snakemake("-n", "--configfile", config, "--", "figures").stdout)["rl"] == MODELS


def test_the_plan_needs_no_results(tmp_path):
    jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path), "--", "plan").stdout)
    assert set(jobs) == {"merged_config", "plan", "total"}


def test_a_plan_above_the_limit_is_printed_and_then_refused_and_nothing_else_starts(tmp_path):
    """On first use: no config.json stands there yet."""
    limit = tmp_path / "limit.yaml"
    limit.write_text("experiment: plan-limit\ncosts: {max_gpu_hours: 1000}\n")
    folder = ROOT / "results" / "plan-limit"
    arguments = ("--configfile", "config/paper.yaml", limit, "--")
    try:
        result = snakemake(*arguments, "plan", check=False)
        assert result.returncode == 1
        assert "mistral-dataset" in result.stdout and "GPU-hours" in result.stdout
        assert "costs.max_gpu_hours" in result.stdout + result.stderr
        assert (folder / "decisions" / "plan.json").is_file()
        refused = snakemake("-n", *arguments, "sft_models", check=False)
        assert refused.returncode == 1
        assert "costs.max_gpu_hours" in refused.stderr and "Traceback" not in refused.stderr
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_stored_metrics_bring_their_label_with_them(tmp_path, only_metrics):
    """Simulated numbers under the name of another experiment are still called simulated."""
    shutil.copy(ROOT / "results" / "example" / "metrics.parquet", only_metrics)
    config = overlay(tmp_path, base="paper")
    snakemake("--configfile", config, "--", only_metrics.relative_to(ROOT) / "analysis.json")
    assert AnalysisSettings.read(only_metrics / "analysis.json").label == "simulated, not measured"


def test_a_mistake_is_said_to_be_in_the_file_that_has_it(tmp_path):
    config = overlay(tmp_path, analysis={"outcome": "lst"})
    result = snakemake("-n", "--configfile", config, check=False)
    assert result.returncode == 1
    assert f"{config}: analysis.outcome: " in result.stderr
