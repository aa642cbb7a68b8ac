import os
from types import SimpleNamespace

import pytest

from quagmires.planning.progress import finished_scores, only_metrics


@pytest.fixture
def experiment(tmp_path):
    config = SimpleNamespace(models=["toy"])
    checkpoints = {"toy/base/sft": None, "toy/base/grpo/rl/run1/checkpoint1": None}
    return SimpleNamespace(root=str(tmp_path), config=config, checkpoints=checkpoints)


def test_stored_metrics_alone_are_only_metrics(experiment, tmp_path):
    assert not only_metrics(experiment)
    (tmp_path / "metrics.parquet").touch()
    (tmp_path / "README.md").touch()
    assert only_metrics(experiment)


@pytest.mark.parametrize("folder", ["data", "toy"])
def test_beside_runs_they_are_not(folder, experiment, tmp_path):
    (tmp_path / "metrics.parquet").touch()
    (tmp_path / folder).mkdir()
    assert not only_metrics(experiment)


def test_finished_scores_change_when_a_score_is_written_anew(experiment, tmp_path):
    assert finished_scores(experiment) == []
    scores = tmp_path / "toy" / "base" / "sft" / "eval" / "scores.json"
    scores.parent.mkdir(parents=True)
    scores.write_text("{}")
    before = finished_scores(experiment)
    assert len(before) == 1 and before[0].startswith(str(scores))
    os.utime(scores, ns=(1, 2))
    assert finished_scores(experiment) == [f"{scores} 2"]
