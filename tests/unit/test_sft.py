import doctest
import json
import struct

import pytest
import yaml

from quagmires import sft
from quagmires.errors import UserError
from support import ROOT


def write_safetensors(path, data: bytes, cut: int = 0):
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(data)], "data_offsets": [0, len(data)]}}).encode()
    whole = struct.pack("<Q", len(header)) + header + data
    path.write_bytes(whole[: len(whole) - cut])


def make_checkpoint(path, cut: int = 0, without: str | None = None):
    path.mkdir(parents=True)
    write_safetensors(path / "model.safetensors", b"x" * 100, cut)
    for name in ("optimizer.pt", "scheduler.pt"):
        (path / name).write_bytes(b"x")
    (path / "trainer_state.json").write_text('{"global_step": 4}')
    if without:
        (path / without).unlink()


def test_documented_examples_hold():
    assert doctest.testmod(sft).failed == 0


def test_a_global_batch_that_does_not_divide_is_refused():
    assert sft.accumulation_steps(128, 2, 8) == 8
    with pytest.raises(UserError, match="global_batch_size 100 is not a multiple"):
        sft.accumulation_steps(100, 3, 8)
    with pytest.raises(UserError, match="not a multiple"):
        sft.accumulation_steps(4, 8, 1)


def test_settings_may_not_set_what_the_workflow_sets(tmp_path):
    (tmp_path / "sft.yaml").write_text("learning_rate: 1\n")
    with pytest.raises(UserError, match="learning_rate is set by the workflow"):
        sft.read_settings(tmp_path / "sft.yaml")


@pytest.mark.parametrize("name", ["sft", "sft_cpu"])
def test_shipped_settings_train_on_the_response_only_without_packing(name):
    settings = sft.read_settings(ROOT / "config" / f"{name}.yaml")
    assert settings["train_on_prompt"] is False
    assert settings["packing"] is False
    assert settings["finetuning_type"] == "full"
    assert settings["lr_scheduler_type"] == "cosine"


def test_run_yaml_holds_the_recipe(tmp_path):
    run = {"model": "m", "learning_rate": 1e-5, "epochs": 2, "global_batch_size": 128, "per_device_batch_size": 2,
           "devices": 8, "cutoff_tokens": 8192, "save_steps": 5, "seed": 7}  # fmt: skip
    written = yaml.safe_load(sft.write_run(tmp_path, {"bf16": True}, run, tmp_path / "d.jsonl").read_text())
    assert written["gradient_accumulation_steps"] == 8
    assert written["learning_rate"] == 1e-5
    assert written["num_train_epochs"] == 2.0
    assert (written["seed"], written["cutoff_len"], written["bf16"]) == (7, 8192, True)


@pytest.mark.parametrize("fault", [{"cut": 1}, {"without": "trainer_state.json"}, {"without": "optimizer.pt"}])
def test_half_written_checkpoints_are_discarded_and_whole_ones_kept(tmp_path, fault):
    make_checkpoint(tmp_path / "checkpoint-4")
    make_checkpoint(tmp_path / "checkpoint-8", **fault)
    assert sft.discard_broken_checkpoints(tmp_path) == ["checkpoint-8"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-4"]


def test_a_sharded_checkpoint_counts_once_latest_is_written(tmp_path):
    (tmp_path / "checkpoint-4").mkdir()
    (tmp_path / "checkpoint-4" / "trainer_state.json").write_text("{}")
    assert not sft.is_whole_checkpoint(tmp_path / "checkpoint-4")
    (tmp_path / "checkpoint-4" / "latest").write_text("global_step4")
    assert sft.is_whole_checkpoint(tmp_path / "checkpoint-4")


def test_progress_is_none_until_there_is_some(tmp_path):
    assert sft.read_progress(tmp_path) is None
    (tmp_path / "trainer_log.jsonl").write_text('{"current_steps": 3, "total_steps": 9, "loss": 0.5}\n')
    assert (sft.read_progress(tmp_path).done, sft.read_progress(tmp_path).total) == (3, 9)
