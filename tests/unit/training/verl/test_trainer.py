import sys
import types
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from quagmires.common.errors import UserError
from quagmires.training.base import Job
from quagmires.training.runs import RLRunSettings
from quagmires.training.verl import trainer
from quagmires.training.verl.trainer import Verl

RUN = RLRunSettings(
    learning_rate=1e-6, warmup_steps=0, batch_size=2, rollouts=2, temperature=1.0, kl_coefficient=0.0,
    entropy_coefficient=0.0, epochs=1, max_prompt_tokens=8, max_response_tokens=8, checkpoints=2, devices=1, seed=1,
)  # fmt: skip


def job(folder: Path, run: RLRunSettings) -> Job[RLRunSettings]:
    pq.write_table(pa.table({"prompt": ["a"] * 8}), folder / "data.parquet")
    (folder / "work").mkdir(exist_ok=True)
    return Job("ours", folder / "model", folder / "data.parquet", folder / "grpo.yaml", run, save_steps=10,
               stall_minutes=1, work=folder / "work", output=folder / "output", log=folder / "log")  # fmt: skip


def test_a_run_of_a_file_that_names_grpo_itself_keeps_its_identity(tmp_path, monkeypatch):
    """An attempt from before there was a choice is resumed. verl itself is not there to be asked for its keys."""
    checks = types.SimpleNamespace(refuse_unknown=lambda settings, where: None)
    monkeypatch.setitem(sys.modules, "quagmires.training.verl.checks", checks)
    monkeypatch.setattr(trainer.provenance, "model_fingerprint", lambda model: "model")
    given = job(tmp_path, RUN)
    given.settings.write_text("algorithm: {adv_estimator: grpo}\n")
    assert Verl().identity(given)["settings"] == {"algorithm": {"adv_estimator": "grpo"}}


def test_what_is_refused_at_the_launch_leaves_no_folder_behind(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(trainer.tempfile, "mkdtemp", lambda **options: made.append(options) or str(tmp_path / "ray"))
    wrong = RUN.model_copy(update={"engine": {"trainer.save_freq": 3}})
    with pytest.raises(UserError, match="rl.engine: trainer.save_freq is set by the workflow"):
        Verl().launch(job(tmp_path, wrong), None)
    assert made == []
    launch = Verl().launch(job(tmp_path, RUN), None)
    assert launch.scratch == tmp_path / "ray" and "trainer.save_freq=2" in launch.command
