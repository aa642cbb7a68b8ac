import json
from pathlib import Path

import pytest

from quagmires.common.errors import UserError
from quagmires.training.verl import settings as grpo
from support import ROOT

RUN = {"learning_rate": 1e-6, "warmup_steps": 0, "batch_size": 128, "rollouts": 16, "temperature": 1.0,
       "kl_coefficient": 0.0, "entropy_coefficient": 0.001, "epochs": 3, "max_prompt_tokens": 1024,
       "max_response_tokens": 7168, "checkpoints": 4, "devices": 8, "seed": 42}  # fmt: skip


def test_steps_count_whole_batches():
    # MATH train and DeepScaleR at the paper's batch size and epochs.
    assert grpo.total_steps(7500, 128, 3) == 174
    assert grpo.total_steps(40315, 128, 3) == 942
    with pytest.raises(UserError, match="larger than the RL set"):
        grpo.total_steps(100, 128, 3)


def test_checkpoints_are_evenly_spaced_and_end_with_training():
    assert grpo.checkpoint_steps(16, 2) == [8, 16]
    assert grpo.checkpoint_steps(942, 4)[-1] == 942
    for total, checkpoints in ((174, 4), (942, 4), (945, 4), (100, 7)):
        steps = [0, *grpo.checkpoint_steps(total, checkpoints)]
        gaps = [after - before for before, after in zip(steps, steps[1:], strict=False)]
        assert len(gaps) == checkpoints
        assert max(gaps) <= 1.5 * min(gaps)
    with pytest.raises(UserError, match="more than the 3 steps"):
        grpo.checkpoint_steps(3, 4)
    with pytest.raises(UserError, match="6 checkpoints cannot be spaced evenly over the 11 steps"):
        grpo.checkpoint_steps(11, 6)


def overrides(saves=(10, 20)):
    return grpo.overrides(RUN, Path("m"), Path("d"), Path("c"), Path("r.py"), 7500, list(saves))


def test_overrides_are_the_papers_grpo():
    made = dict(item.split("=", 1) for item in overrides())
    assert made["actor_rollout_ref.rollout.n"] == "16"
    assert made["actor_rollout_ref.rollout.temperature"] == "1.0"
    assert made["actor_rollout_ref.actor.use_kl_loss"] == "false"
    assert made["algorithm.use_kl_in_reward"] == "false"
    assert made["actor_rollout_ref.actor.entropy_coeff"] == "0.001"
    assert made["trainer.total_training_steps"] == "174"
    assert made["trainer.resume_mode"] == "auto"
    assert made["reward.custom_reward_function.name"] == "compute_score"
    # The old key is accepted by verl and ignored.
    assert not any(key.startswith("custom_reward_function") for key in made)


@pytest.mark.parametrize("name", ["grpo", "grpo_cpu"])
def test_shipped_settings_do_not_overrule_the_workflow(name):
    assert grpo.read_settings(ROOT / "config" / f"{name}.yaml")["algorithm"]["adv_estimator"] == "grpo"


def test_saved_are_the_wanted_steps_and_some_to_resume_from():
    made = dict(item.split("=", 1) for item in overrides((43, 80, 86)))
    assert made["trainer.save_freq"] == "43"
    assert made["+trainer.save_steps"] == "[43, 80, 86]"
    assert set(grpo.checkpoint_steps(174, 4)) <= set(grpo.save_steps(grpo.checkpoint_steps(174, 4), 10))
    assert grpo.save_steps([4, 8], 100) == [4, 8]


def test_engine_keys_may_not_overrule_the_workflow():
    with pytest.raises(UserError, match="grpo.engine: trainer.save_freq is set by the workflow"):
        grpo.engine_overrides({"trainer.save_freq": 3})
    with pytest.raises(UserError, match="trainer.save_steps is set by the workflow"):
        grpo.engine_overrides({"trainer.save_steps": [3]})
    made = grpo.engine_overrides({"a.b": True, "a.c": None, "a.d": 0.5, "a.e": "x,y"})
    assert made == ["++a.b=true", "++a.c=null", "++a.d=0.5", "++a.e='x,y'"]


def test_settings_may_not_set_what_the_workflow_sets(tmp_path):
    (tmp_path / "grpo.yaml").write_text("data:\n  train_batch_size: 8\n")
    with pytest.raises(UserError, match="data.train_batch_size is set by the workflow"):
        grpo.read_settings(tmp_path / "grpo.yaml")


def test_a_setting_that_verl_does_not_know_is_found():
    known = {"trainer": {"device": "cuda", "free": {}}, "data": None}
    assert grpo.unknown_keys({"trainer": {"devise": 1, "free": {"x": 1}}, "dta": {}}, known) == [
        "trainer.devise",
        "dta",
    ]
    assert grpo.unknown_keys({"hydra": {}, "defaults": []}, known) == []


def test_metrics_of_a_resumed_run_count_every_step_once(tmp_path):
    def lines(*pairs):
        return "".join(
            json.dumps({"step": step, "data": {"critic/score/mean": reward, "x": "text"}}) + "\n"
            for step, reward in pairs
        )

    (tmp_path / "metrics000.jsonl").write_text(lines((1, 0.1), (2, 0.2), (3, 0.3)) + '{"step": 4, "da')
    (tmp_path / "metrics001.jsonl").write_text(lines((3, 0.31), (4, 0.4)))
    metrics = grpo.read_metrics(sorted(tmp_path.glob("*.jsonl")))
    assert [(row["step"], row["critic/score/mean"]) for row in metrics] == [(1, 0.1), (2, 0.2), (3, 0.31), (4, 0.4)]
    assert grpo.read_progress(sorted(tmp_path.glob("*.jsonl")), 9).done == 4
