"""Which of verl's checkpoints are kept, and which one a run resumes from."""

import pytest

from quagmires.training.verl.checkpoints import prune, repair_tracker, saved_steps

RANKS = 2


def make_checkpoint(folder, step: int, without: str = ""):
    actor = folder / f"global_step_{step}" / "actor"
    actor.mkdir(parents=True)
    for rank in range(RANKS):
        for kind in ("model", "optim", "extra_state"):
            (actor / f"{kind}_world_size_{RANKS}_rank_{rank}.pt").write_text("x")
    (actor.parent / "data.pt").write_text("x")
    if without:
        (actor.parent / without).unlink()


def optimizers(folder) -> list[int]:
    return [step for step in saved_steps(folder) if list((folder / f"global_step_{step}/actor").glob("optim_*"))]


def logged(until: int) -> set[int]:
    return set(range(1, until + 1))


@pytest.mark.parametrize("tracker", ["", "8", "4", None])
def test_tracker_is_pointed_at_a_whole_checkpoint(tmp_path, tracker):
    make_checkpoint(tmp_path, 4)
    make_checkpoint(tmp_path, 8, without="data.pt")
    if tracker is not None:
        (tmp_path / "latest_checkpointed_iteration.txt").write_text(tracker)
    assert repair_tracker(tmp_path, logged(8)) == 4
    assert (tmp_path / "latest_checkpointed_iteration.txt").read_text() == "4"
    assert saved_steps(tmp_path) == [4]


def test_a_run_without_a_checkpoint_begins_anew(tmp_path):
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("8")
    assert repair_tracker(tmp_path, set()) is None
    assert not (tmp_path / "latest_checkpointed_iteration.txt").exists()


def test_a_run_killed_before_its_last_step_was_logged_repeats_that_step(tmp_path):
    for step in (4, 8):
        make_checkpoint(tmp_path, step)
    assert repair_tracker(tmp_path, logged(7)) == 4
    assert saved_steps(tmp_path) == [4]


def test_kept_are_wanted_weights_and_one_checkpoint_to_resume_from(tmp_path):
    for step in (2, 4, 6, 8):
        make_checkpoint(tmp_path, step)
    prune(tmp_path, wanted=[4, 12], logged=logged(9))
    assert saved_steps(tmp_path) == [4, 8]
    assert optimizers(tmp_path) == [8]
    # The wanted one without its optimizer stays, and is not resumed from.
    assert repair_tracker(tmp_path, logged(9)) == 8


def test_nothing_is_removed_until_a_newer_checkpoint_is_whole_and_logged(tmp_path):
    for step in (2, 4):
        make_checkpoint(tmp_path, step)
    prune(tmp_path, wanted=[4], logged=logged(3))
    assert optimizers(tmp_path) == [2, 4]
    make_checkpoint(tmp_path, 6, without="data.pt")
    prune(tmp_path, wanted=[8], logged=logged(6))
    # Step 6 is being written: step 4 is the one to resume from.
    assert saved_steps(tmp_path) == [4, 6]
    assert optimizers(tmp_path) == [4, 6]


def test_an_optimizer_removed_by_half_is_not_resumed_from(tmp_path):
    make_checkpoint(tmp_path, 2)
    make_checkpoint(tmp_path, 4, without=f"actor/optim_world_size_{RANKS}_rank_1.pt")
    assert repair_tracker(tmp_path, logged(4)) == 2


def test_a_removal_that_was_cut_off_is_finished(tmp_path):
    (tmp_path / ".discarded-2" / "actor").mkdir(parents=True)
    make_checkpoint(tmp_path, 4)
    assert repair_tracker(tmp_path, logged(4)) == 4
    assert not (tmp_path / ".discarded-2").exists()
