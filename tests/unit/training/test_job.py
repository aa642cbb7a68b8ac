"""What the workflow does around any trainer."""

import json
from pathlib import Path

import pytest

from quagmires.training import job as jobs
from quagmires.training.base import Job
from quagmires.training.llamafactory.trainer import LLaMAFactory
from quagmires.training.runs import RLRunSettings, SFTRunSettings
from quagmires.training.verl import trainer as verl

SFT = SFTRunSettings(
    epochs=1, learning_rate=1e-5, global_batch_size=1, per_device_batch_size=1, devices=1, cutoff_tokens=1, seed=1
)
RL = RLRunSettings(
    learning_rate=1e-6, warmup_steps=0, batch_size=1, rollouts=2, temperature=1.0, kl_coefficient=0.0,
    entropy_coefficient=0.0, epochs=1, max_prompt_tokens=1, max_response_tokens=1, checkpoints=2, devices=1, seed=1,
)  # fmt: skip


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, and how to set it on."""
    now = [1000.0]
    monkeypatch.setattr(jobs.time, "time", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def job(folder: Path, run) -> Job:
    (folder / "settings.yaml").write_text("{}")
    return Job("ours", folder / "model", folder / "data", folder / "settings.yaml", run, save_steps=1, stall_minutes=1,
               work=folder / "work", output=folder / "output", log=folder / "log")  # fmt: skip


def without_engine(monkeypatch, trainer, resumed: int) -> None:
    """All steps have been trained: what is left is to write the models."""
    monkeypatch.setattr(trainer, "identity", lambda job: {"run": "ours"})
    monkeypatch.setattr(trainer, "newest_checkpoint", lambda job: resumed)
    monkeypatch.setattr(trainer, "launch", lambda job, resumed: None)


def test_seconds_of_sft_count_the_copy_of_the_model(tmp_path, monkeypatch, clock):
    trainer = LLaMAFactory()
    without_engine(monkeypatch, trainer, 3)
    monkeypatch.setattr("quagmires.training.llamafactory.trainer.training_record", lambda output: {"steps": 3})
    monkeypatch.setattr("quagmires.training.llamafactory.trainer.copy_model", lambda source, target: clock(90))
    jobs.train(trainer, job(tmp_path, SFT))
    record = json.loads((tmp_path / "output" / "training.json").read_text())
    assert (record["seconds"], record["resumed_from"], record["identity"]) == (90.0, "checkpoint-3", {"run": "ours"})
    assert not (tmp_path / "work").exists()


def test_seconds_of_an_rl_checkpoint_count_the_merges_before_it(tmp_path, monkeypatch, clock):
    trainer, written = verl.Verl(), []
    without_engine(monkeypatch, trainer, 4)
    monkeypatch.setattr(verl, "_problems", lambda job: 4)
    monkeypatch.setattr(verl, "read_metrics", lambda files: [{"step": step} for step in (1, 2, 3, 4)])

    def merge(actor, target, start, record):
        written.append((actor.parent.name, record["step"], record["seconds"]))
        clock(60)

    monkeypatch.setattr(verl, "merge", merge)
    jobs.train(trainer, job(tmp_path, RL))
    assert written == [("global_step_2", 2, 0.0), ("global_step_4", 4, 60.0)]
