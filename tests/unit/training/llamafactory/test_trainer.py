from quagmires.training.llamafactory.trainer import command, read_progress


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
