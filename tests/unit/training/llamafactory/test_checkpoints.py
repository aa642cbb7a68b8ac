import json
import shutil
import struct

import pytest

from quagmires.training.llamafactory.checkpoints import (
    discard_broken_checkpoints,
    is_whole_checkpoint,
    keep_weights,
    mend_rungs,
    newest_step,
    rung_folder,
)


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


@pytest.mark.parametrize("fault", [{"cut": 1}, {"without": "trainer_state.json"}, {"without": "optimizer.pt"}])
def test_half_written_checkpoints_are_discarded_and_whole_ones_kept(tmp_path, fault):
    make_checkpoint(tmp_path / "checkpoint-4")
    make_checkpoint(tmp_path / "checkpoint-8", **fault)
    assert discard_broken_checkpoints(tmp_path, 1) == ["checkpoint-8"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-4"]


def test_a_sharded_checkpoint_counts_once_every_rank_has_written(tmp_path):
    """DeepSpeed's layout under ZeRO-3: a folder of shards, named by `latest`."""
    path = tmp_path / "checkpoint-4"
    folder = path / "global_step4"
    folder.mkdir(parents=True)
    (path / "trainer_state.json").write_text("{}")
    for rank in range(2):
        (path / f"rng_state_{rank}.pth").write_bytes(b"x")
        (folder / f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt").write_bytes(b"x")
    assert not is_whole_checkpoint(path, 2)
    (path / "latest").write_text("global_step4")
    assert is_whole_checkpoint(path, 2)
    (folder / "bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()
    assert not is_whole_checkpoint(path, 2)


def test_a_random_state_that_is_missing_makes_a_checkpoint_broken(tmp_path):
    make_checkpoint(tmp_path / "checkpoint-4")
    (tmp_path / "checkpoint-4" / "rng_state_0.pth").write_bytes(b"x")
    assert not is_whole_checkpoint(tmp_path / "checkpoint-4", 2)
    (tmp_path / "checkpoint-4" / "rng_state_1.pth").write_bytes(b"x")
    assert is_whole_checkpoint(tmp_path / "checkpoint-4", 2)


def test_the_newest_checkpoint_is_that_of_the_last_step(tmp_path):
    assert newest_step(tmp_path) is None
    for step in (80, 160):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert newest_step(tmp_path) == 160


def ended_at(path, epoch: float, weights: bytes):
    """A whole checkpoint that was saved after so many epochs."""
    make_checkpoint(path)
    write_safetensors(path / "model.safetensors", weights)
    (path / "trainer_state.json").write_text(json.dumps({"epoch": epoch}))


def weights_in(folder) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_kept_weights_outlive_their_checkpoint_and_take_no_optimizer(tmp_path):
    checkpoint, rung = tmp_path / "checkpoint-4", rung_folder(tmp_path / "rungs", 1)
    ended_at(checkpoint, 1.0, b"one")
    weights = weights_in(checkpoint)
    keep_weights(checkpoint, rung)
    shutil.rmtree(checkpoint)
    assert weights_in(rung) == weights
    assert {path.name for path in rung.iterdir()} == {"model.safetensors", "trainer_state.json"}
    # Nothing half-written beside it.
    assert [path.name for path in rung.parent.iterdir()] == ["epoch1"]


def test_a_run_that_was_killed_between_checkpoint_and_rung_keeps_the_rung_before_it_goes_on(tmp_path):
    output, rungs = tmp_path / "output", tmp_path / "rungs"
    ended_at(output / "checkpoint-4", 1.0, b"one")
    assert mend_rungs(output, rungs, [1, 2]) == []
    assert weights_in(rung_folder(rungs, 1)) == weights_in(output / "checkpoint-4")
    assert not rung_folder(rungs, 2).exists()
    assert newest_step(output) == 4


def test_a_rung_that_is_there_is_left_alone(tmp_path):
    output, rungs = tmp_path / "output", tmp_path / "rungs"
    ended_at(output / "checkpoint-4", 1.0, b"one")
    keep_weights(output / "checkpoint-4", rung_folder(rungs, 1))
    ended_at(output / "checkpoint-6", 1.5, b"more")
    assert mend_rungs(output, rungs, [1, 2]) == []
    assert newest_step(output) == 6


def test_a_run_goes_back_to_before_a_rung_that_is_lost(tmp_path):
    output, rungs = tmp_path / "output", tmp_path / "rungs"
    for step, epoch in ((2, 0.5), (6, 1.5)):
        ended_at(output / f"checkpoint-{step}", epoch, b"x")
    assert mend_rungs(output, rungs, [1, 2]) == ["checkpoint-6"]
    assert newest_step(output) == 2
    ended_at(output / "checkpoint-6", 1.5, b"x")
    shutil.rmtree(output / "checkpoint-2")
    (output / "model.safetensors").write_bytes(b"of the end")
    assert mend_rungs(output, rungs, [1, 2]) == ["checkpoint-6"]
    # LLaMA-Factory refuses to begin in a folder with a model and no checkpoint.
    assert not output.exists()


def test_runs_without_rungs_are_not_looked_into(tmp_path):
    make_checkpoint(tmp_path / "checkpoint-4")
    assert mend_rungs(tmp_path, tmp_path / "rungs", []) == []
    assert newest_step(tmp_path) == 4
