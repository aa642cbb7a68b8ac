from pathlib import Path

import pytest

from quagmires.common.errors import UserError
from quagmires.config.algorithms import ALGORITHMS
from quagmires.training.runs import RLRunSettings
from quagmires.training.verl import settings as verl
from support import ROOT

RUN = RLRunSettings(
    learning_rate=1e-6, warmup_steps=0, batch_size=128, rollouts=16, temperature=1.0, kl_coefficient=0.0,
    entropy_coefficient=0.001, epochs=3, max_prompt_tokens=1024, max_response_tokens=7168, checkpoints=4, devices=8,
    seed=42,
)  # fmt: skip


def test_steps_count_whole_batches():
    # MATH train and DeepScaleR at the paper's batch size and epochs.
    assert verl.total_steps(7500, 128, 3) == 174
    assert verl.total_steps(40315, 128, 3) == 942
    with pytest.raises(UserError, match="larger than the RL set"):
        verl.total_steps(100, 128, 3)


def test_checkpoints_are_evenly_spaced_and_end_with_training():
    assert verl.checkpoint_steps(16, 2) == [8, 16]
    assert verl.checkpoint_steps(942, 4)[-1] == 942
    for total, checkpoints in ((174, 4), (942, 4), (945, 4), (100, 7)):
        steps = [0, *verl.checkpoint_steps(total, checkpoints)]
        gaps = [after - before for before, after in zip(steps, steps[1:], strict=False)]
        assert len(gaps) == checkpoints
        assert max(gaps) <= 1.5 * min(gaps)
    with pytest.raises(UserError, match="more than the 3 steps"):
        verl.checkpoint_steps(3, 4)
    with pytest.raises(UserError, match="6 checkpoints cannot be spaced evenly over the 11 steps"):
        verl.checkpoint_steps(11, 6)


def with_engine(engine):
    return RUN.model_copy(update={"engine": engine})


def overrides(saves=(10, 20), run=RUN):
    return verl.overrides(run, Path("m"), Path("d"), Path("c"), Path("r.py"), 7500, list(saves))


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
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_shipped_settings_do_not_overrule_the_workflow_and_are_of_no_algorithm(name, algorithm):
    file = ROOT / "config" / f"{name}.yaml"
    assert verl.read_settings(file, algorithm)["data"]["truncation"] == "error"


def test_an_algorithm_is_its_settings_of_verl():
    made = dict(item.split("=", 1) for item in overrides())
    assert made["algorithm.adv_estimator"] == "grpo" and made["algorithm.norm_adv_by_std_in_grpo"] == "true"
    other = dict(item.split("=", 1) for item in overrides(run=RUN.model_copy(update={"algorithm": "dr_grpo"})))
    assert other["actor_rollout_ref.actor.loss_agg_mode"] == "seq-mean-token-sum-norm"
    assert other["algorithm.norm_adv_by_std_in_grpo"] == "false"


def test_a_file_of_another_algorithm_is_refused(tmp_path):
    """Files of an earlier version name their algorithm; with it they are read as ever."""
    (tmp_path / "grpo.yaml").write_text("algorithm:\n  adv_estimator: grpo\n")
    assert verl.read_settings(tmp_path / "grpo.yaml", "grpo") == {"algorithm": {"adv_estimator": "grpo"}}
    with pytest.raises(UserError, match="adv_estimator is 'grpo', and rl.algorithm rloo is 'rloo'; remove it here"):
        verl.read_settings(tmp_path / "grpo.yaml", "rloo")
    with pytest.raises(UserError, match="rl.engine: algorithm.adv_estimator is 'opo'"):
        overrides(run=with_engine({"algorithm.adv_estimator": "opo"}))


def test_saved_are_the_wanted_steps_and_some_to_resume_from():
    made = dict(item.split("=", 1) for item in overrides((43, 80, 86)))
    assert made["trainer.save_freq"] == "43"
    assert made["+trainer.save_steps"] == "[43, 80, 86]"
    assert set(verl.checkpoint_steps(174, 4)) <= set(verl.save_steps(verl.checkpoint_steps(174, 4), 10))
    assert verl.save_steps([4, 8], 100) == [4, 8]


def test_engine_keys_may_not_overrule_the_workflow():
    with pytest.raises(UserError, match="rl.engine: trainer.save_freq is set by the workflow"):
        overrides(run=with_engine({"trainer.save_freq": 3}))
    with pytest.raises(UserError, match="trainer.save_steps is set by the workflow"):
        overrides(run=with_engine({"trainer.save_steps": [3]}))
    made = overrides(run=with_engine({"a.b": True, "a.c": None, "a.d": 0.5, "a.e": "x,y"}))
    assert made[:4] == ["++a.b=true", "++a.c=null", "++a.d=0.5", "++a.e='x,y'"]


def test_settings_may_not_set_what_the_workflow_sets(tmp_path):
    (tmp_path / "grpo.yaml").write_text("data:\n  train_batch_size: 8\n")
    with pytest.raises(UserError, match="data.train_batch_size is set by the workflow"):
        verl.read_settings(tmp_path / "grpo.yaml", "grpo")


def test_a_setting_that_verl_does_not_know_is_found():
    known = {"trainer": {"device": "cuda", "free": {}}, "data": None}
    assert verl.unknown_keys({"trainer": {"devise": 1, "free": {"x": 1}}, "dta": {}}, known) == [
        "trainer.devise",
        "dta",
    ]
    assert verl.unknown_keys({"hydra": {}, "defaults": []}, known) == []
