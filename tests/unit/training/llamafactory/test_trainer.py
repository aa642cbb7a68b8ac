import json

import pytest

from quagmires.common.errors import UserError
from quagmires.training.base import Job
from quagmires.training.llamafactory.trainer import LLaMAFactory, command, read_progress
from quagmires.training.runs import SFTRunSettings
from support import ROOT


def test_gpus_are_driven_by_torchrun_which_leaves_the_end_to_us():
    started, environment = command({}, 8)
    assert started[1:4] == ["-m", "torch.distributed.run", "--standalone"]
    assert started[started.index("--nproc-per-node") + 1] == "8"
    assert "SIGTERM" not in environment["TORCHELASTIC_SIGNALS_TO_HANDLE"]
    assert "torch.distributed.run" in command({}, 1)[0]
    assert "torch.distributed.run" not in command({"use_cpu": True}, 1)[0]


def test_progress_is_none_until_there_is_some(tmp_path):
    assert read_progress(tmp_path) is None
    (tmp_path / "trainer_log.jsonl").write_text('{"current_steps": 3, "total_steps": 9, "loss": 0.5}\n')
    assert (read_progress(tmp_path).done, read_progress(tmp_path).total) == (3, 9)


def state(steps: int, epoch: float) -> str:
    history = [
        {"step": step, "loss": 2 / step, "learning_rate": 1e-3, "epoch": step / 4} for step in range(1, steps + 1)
    ]
    ended = {"global_step": steps, "epoch": epoch, "num_input_tokens_seen": 100 * steps}
    return json.dumps({**ended, "log_history": [*history, {"train_loss": 1.0, "step": steps}]})


@pytest.fixture
def job(tmp_path) -> Job[SFTRunSettings]:
    """A ladder of epochs 1 and 2, trained for 8 steps, as LLaMA-Factory and KeepEpochs leave it."""
    output, rung = tmp_path / "work" / "output", tmp_path / "work" / "rungs" / "epoch1"
    for folder, content in ((output, b"after 2"), (rung, b"after 1")):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(content)
    (output / "trainer_state.json").write_text(state(8, 2.0))
    (rung / "trainer_state.json").write_text(state(4, 1.0))
    for name in ("config.json", "tokenizer.json", "chat_template.jinja"):
        (output / name).write_text(f'"{name}"')
    run = SFTRunSettings(learning_rate=1e-3, epochs=2, global_batch_size=16, per_device_batch_size=16, devices=1,
                         cutoff_tokens=128, seed=7, evaluate_at=(1, 2))  # fmt: skip
    paths = {"model": tmp_path, "data": tmp_path, "settings": ROOT / "config" / "sft_cpu.yaml", "log": tmp_path / "log"}
    return Job(name="test", run=run, save_steps=80, stall_minutes=1, work=tmp_path / "work",
               output=tmp_path / "ladder", **paths)  # fmt: skip


def record() -> dict:
    return {"seconds": 12.5, "versions": {"torch": "2"}, "identity": {"run": 1}}


def test_each_model_of_a_ladder_has_a_record_up_to_its_epoch(job):
    LLaMAFactory().write_models(job, 4, record)
    first, last, whole = (
        json.loads((job.output / name / "training.json").read_text()) for name in ("epoch1", "epoch2", ".")
    )
    assert (first["steps"], first["epochs"], first["tokens_seen"]) == (4, 1.0, 400)
    assert (first["scheduled_steps"], first["scheduled_epochs"]) == (8, 2.0)
    assert first["loss_curve"] == last["loss_curve"][:4]
    assert (last["steps"], last["epochs"], last["tokens_seen"]) == (8, 2.0, 800)
    assert first["versions"] == last["versions"] and first["resumed_from"] == last["resumed_from"] == "checkpoint-4"
    # The training's seconds are nobody's speed but the last one's (planning/speed_measurement.py).
    assert "seconds" not in first and first["seconds_of_all_epochs"] == last["seconds"] == 12.5
    assert whole == last and "scheduled_epochs" not in last


def test_models_of_a_ladder_differ_in_their_weights_alone(job):
    LLaMAFactory().write_models(job, None, record)
    first, last = ({path.name: path.read_bytes() for path in (job.output / f"epoch{n}").iterdir()} for n in (1, 2))
    assert first.pop("model.safetensors") == b"after 1" and last.pop("model.safetensors") == b"after 2"
    del first["training.json"], last["training.json"]
    assert first == last
    assert {*first} == {"config.json", "tokenizer.json", "chat_template.jinja"}


def test_a_run_without_a_ladder_is_written_as_the_last_of_one(job, tmp_path):
    LLaMAFactory().write_models(job, None, record)
    plain = Job(**{**vars(job), "run": job.run.model_copy(update={"evaluate_at": ()}), "output": tmp_path / "plain"})
    LLaMAFactory().write_models(plain, None, record)
    models = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in
              (plain.output, job.output / "epoch2")]  # fmt: skip
    assert models[0] == models[1]


def test_a_ladder_that_lacks_a_model_is_not_written(job):
    (job.work / "rungs" / "epoch1").rename(job.work / "rungs" / "epoch3")
    with pytest.raises(
        UserError, match=r"epoch1: the training has ended without this model; remove \S+/work and train"
    ):
        LLaMAFactory().write_models(job, None, record)
    assert not job.output.exists()


def test_the_engine_is_told_which_epochs_to_keep_but_the_last(job):
    job.data.joinpath("x").write_text("")
    launched = LLaMAFactory().launch(job, None).command
    assert launched[-3:] == [str(job.work / "stop"), str(job.work / "rungs"), "1"]
    plain = Job(**{**vars(job), "run": job.run.model_copy(update={"evaluate_at": ()})})
    assert LLaMAFactory().launch(plain, None).command == launched[:-2]


def test_steps_instead_of_epochs_are_refused_for_a_ladder(job):
    with_steps = job.run.model_copy(update={"engine": {"max_steps": 5}})
    with pytest.raises(UserError, match="max_steps overrules the epochs that evaluate_at counts; remove it"):
        LLaMAFactory().launch(Job(**{**vars(job), "run": with_steps}), None)
