"""What choosing one model costs against taking all through RL: sums of a plan, and of what finished jobs took."""

import json

import pytest

from quagmires.config.experiment import read_experiment
from quagmires.planning import throughput
from quagmires.planning.choice_costs import choice_costs
from quagmires.planning.jobs import planned_jobs
from support import ROOT

CONFIG = ROOT / "config"


@pytest.fixture(scope="module")
def demo():
    experiment = read_experiment([CONFIG / "base.yaml", CONFIG / "demo.yaml"])
    return experiment, planned_jobs(experiment, throughput.read(experiment.config, experiment.config.costs.throughput))


def test_all_models_through_rl_against_one(demo):
    experiment, jobs = demo
    costs = choice_costs(experiment, jobs)
    assert costs["unit"] == "CPU-minutes"
    (study,) = costs["studies"]
    models, runs = len(experiment.sft_runs), len(experiment.rl_runs)
    minutes = {
        stage: 60 * sum(job.device_hours for job in jobs if job.stage == stage) for stage in {j.stage for j in jobs}
    }
    assert (study["models"], study["rl_runs"], study["rl_runs_of_one"]) == (models, runs, runs / models)
    assert study["rl_cost"] == pytest.approx(minutes["grpo"] + minutes["samples_after"])
    assert study["rl_cost_saved"] == pytest.approx(study["rl_cost"] * (1 - 1 / models))
    assert study["rl_cost_saved"] + study["rl_cost_of_one"] == pytest.approx(study["rl_cost"])
    assert study["measuring"] == {
        "samples": pytest.approx(minutes["samples_before"]),
        "loss": pytest.approx(minutes["loss"]),
        "samples+loss": pytest.approx(minutes["samples_before"] + minutes["loss"]),
    }
    assert not study["recorded"]


def test_a_job_of_two_studies_counts_for_both_and_gpus_in_gpu_hours():
    experiment = read_experiment([CONFIG / "base.yaml", CONFIG / "paper.yaml"])
    jobs = planned_jobs(experiment, throughput.read(experiment.config, experiment.config.costs.throughput))
    costs = choice_costs(experiment, jobs)
    assert costs["unit"] == "GPU-hours"
    for study in costs["studies"]:
        own = [job for job in jobs if study["study"] in job.studies]
        assert study["models"] == len(experiment.sheet[experiment.sheet["study"] == study["study"]])
        assert study["rl_cost"] == pytest.approx(
            sum(job.device_hours for job in own if job.stage in ("grpo", "samples_after"))
        )


def test_finished_jobs_count_what_they_took(demo, tmp_path):
    experiment, jobs = demo
    planned = choice_costs(experiment, jobs)["studies"][0]
    benchmarks, results = tmp_path / "benchmarks", tmp_path / "results"
    runs = [job for job in jobs if job.stage == "grpo"]
    for job in runs:
        model, recipe, algorithm, rl, run = job.name.split("/")
        path = benchmarks / algorithm / model / f"{recipe}.{rl}.{run}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\th:m:s\n600.0\t0:10:00\n")
        found = choice_costs(experiment, jobs, benchmarks, results)["studies"][0]
        assert found["recorded"] == (job is runs[-1])
    evaluation = 60 * sum(job.device_hours for job in jobs if job.stage == "samples_after")
    assert found["rl_cost"] == pytest.approx(10 * len(runs) + evaluation)
    assert found["measuring"] == planned["measuring"]
    drawn = next(job for job in jobs if job.stage == "samples_before")
    record = results / drawn.name.removesuffix("/samples") / "eval" / "samples.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"drawn": {"seconds": drawn.work.seconds + 120}}))
    found = choice_costs(experiment, jobs, benchmarks, results)["studies"][0]
    assert found["measuring"]["samples"] == pytest.approx(planned["measuring"]["samples"] + 2)
