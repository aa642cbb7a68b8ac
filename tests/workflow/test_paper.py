"""The paper's whole experiment as it would be run on a cluster: what is trained, and that the plan holds together."""

from collections import Counter

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from quagmires.config.experiment import Experiment
from quagmires.config.loading import Files, parse
from quagmires.planning.preflight import checked_experiment
from quagmires.planning.resources import rl_request, rl_samples_request, samples_request, sft_request
from support import ROOT

GOLDEN = ROOT / "tests" / "workflow" / "golden" / "paper_run_sheet.tsv"


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "paper.yaml"])
    config = parse(files.merged(), files)
    return checked_experiment(config, files, made={})


def test_the_run_sheet_is_the_reviewed_one(experiment):
    """After a wanted change: snakemake --profile profiles/local --configfile config/paper.yaml sheet, and copy it."""
    golden = pd.read_csv(GOLDEN, sep="\t")
    fresh = experiment.sheet.astype(golden.dtypes.to_dict())
    assert_frame_equal(fresh, golden)


@pytest.mark.parametrize(
    ("study", "models"),
    [("llama-dataset", 16), ("mistral-dataset", 10), ("llama-instance", 17), ("mistral-instance", 12)],
)
def test_the_tables_have_as_many_models_as_in_the_paper(experiment, study, models):
    rows = experiment.sheet[experiment.sheet["study"] == study]
    assert len(rows) == models
    assert "base" not in set(rows["recipe"])
    if study.endswith("instance"):
        # The training pipeline is fixed (paper, 2.2).
        assert rows["epochs"].eq(1).all() and rows["learning_rate"].nunique() == 1
    else:
        assert rows["subset"].str.startswith("random-").all()


def test_every_rl_outcome_is_the_best_of_enough_evaluations(experiment):
    """At least four runs of at least four evaluated checkpoints, on seven benchmarks or on MATH-500 (paper, 4.1)."""
    assert (experiment.sheet["grpo_runs"] >= 4).all() and (experiment.sheet["checkpoints"] >= 4).all()
    assert set(experiment.sheet["benchmarks"].str.count(",") + 1) == {1, 7}
    counts = Counter(checkpoint.samples for checkpoint in experiment.checkpoints.values())
    assert counts == {256: len(experiment.sft_runs), 64: 16 * len(experiment.sft_runs)}


def test_models_and_sets_are_pinned(experiment):
    used = {study.sft_dataset for study in experiment.config.studies.values()}
    pools = {name: experiment.config.sft_datasets[name].hub for name in used}
    assert sorted(used) == ["acereason", "llama-nemotron", "openr1-math"]
    # No public text names a commit of this one; its rows are checked.
    assert pools.pop("acereason").revision == ""
    sources = [*pools.values(), *(model.hub for model in experiment.config.models.values())]
    sources += [source.hub for source in experiment.config.rl_datasets.values()]
    sources += [source.hub for source in experiment.config.benchmarks.values()]
    assert all(len(source.revision) == 40 for source in sources)
    assert all(model.chat_template_sha256 for model in experiment.config.models.values())


def test_jobs_ask_for_what_they_need(experiment):
    """A node of 8 GPUs each, and the longest of what the paper did: GRPO runs of five days."""
    sft = {run.recipe: sft_request(run, experiment) for run in experiment.sft_runs.values() if run.subset != "base"}
    assert {request.devices for request in sft.values()} == {8}
    few, many = (sft[f"llama-nemotron.random-{size}.ep1.lr1e-5"].minutes for size in ("10k", "500k"))
    assert few < 180 < many < 5 * 24 * 60
    grpo = [rl_request(run, experiment) for run in experiment.rl_runs.values()]
    assert max(request.minutes for request in grpo) == 5 * 24 * 60
    # verl reserves 33 logical processors on 8 GPUs.
    assert all(request.processors >= 33 for request in grpo)
    before = samples_request(experiment.checkpoints["qwen3-4b-base/base/sft"], experiment).minutes
    run = experiment.rl_runs["qwen3-4b-base/base/grpo/deepscaler/run1"]
    one = samples_request(experiment.checkpoints[run.checkpoint(1)], experiment).minutes
    # All checkpoints of a run, one start.
    after = rl_samples_request(run, experiment).minutes
    assert one < after < 4 * one
    assert after <= before + 45 < 3 * 24 * 60
