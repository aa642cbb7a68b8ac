"""The settings for GPUs pass the engines' own checks on a CPU, and each likely mistake is one line that names its key.

One process of each engine checks all mistakes: it takes ten seconds to start.
"""

import json
from pathlib import Path

import pytest
import yaml

from quagmires.common.tabular import write_jsonl
from quagmires.config.algorithms import ALGORITHMS, nested
from quagmires.config.experiment import read_experiment
from quagmires.config.loading import laid_over
from quagmires.training import runs as run_settings
from quagmires.training.checks import runs_to_check
from support import ROOT, environment, python, script

SFT_RUN = {"learning_rate": 1e-5, "epochs": 3, "global_batch_size": 128, "per_device_batch_size": 2, "devices": 8,
           "cutoff_tokens": 8192, "seed": 42, "engine": {"template": "llama3"}}  # fmt: skip
RL_RUN = {"learning_rate": 1e-6, "warmup_steps": 0, "batch_size": 128, "rollouts": 16, "temperature": 1.0,
            "kl_coefficient": 0.0, "entropy_coefficient": 0.001, "epochs": 3, "max_prompt_tokens": 1024,
            "max_response_tokens": 7168, "checkpoints": 4, "devices": 8, "seed": 42, "engine": {}}  # fmt: skip
ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
ZERO2 = {"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu"}}}

# A mistake -> (changes of the settings file, changes of the run, what the line says).
SFT_MISTAKES = {
    "misspelt": ({"weight_decai": 0.1}, {}, "sft.yaml with sft.engine: LLaMA-Factory refuses it: Some keys are not used"
                 " by the HfArgumentParser: ['weight_decai']"),
    "misspelt_in_engine": ({}, {"engine": {"flash_atn": "fa2"}}, "['flash_atn']"),
    "scheduler": ({"lr_scheduler_type": "cosin"}, {}, "cosin is not a valid SchedulerType"),
    "method": ({"finetuning_type": "fulll"}, {}, "Invalid fine-tuning method"),
    "no_as_truth": ({"eval_strategy": False}, {}, "False is not a valid IntervalStrategy"),
    "template": ({}, {"engine": {"template": "lama3"}}, "sft.yaml with sft.engine: template 'lama3' is none that"
                 " LLaMA-Factory has; correct it"),
    "text_for_truth": ({"packing": "maybe"}, {}, "packing is text ('maybe'); write true or false"),
    "text_for_number": ({"weight_decay": "1e-2"}, {}, "weight_decay is text ('1e-2'); write a number"),
    "owned": ({"stage": "sft"}, {}, "sft.yaml: stage is set by the workflow from the `sft` block of the config"),
    "owned_data": ({"dataset": "mine"}, {}, "dataset is set by the workflow"),
    "owned_in_engine": ({}, {"engine": {"learning_rate": 1e-4}}, "sft.engine: learning_rate is set by the workflow"),
    "zero2_offloaded": ({"deepspeed": "ZERO2"}, {}, "ZeRO stage 2 with offload_optimizer drops the gradients"),
    "no_deepspeed_file": ({"deepspeed": "config/zero9.json"}, {}, "config/zero9.json is not a readable JSON file"),
    "batch": ({}, {"per_device_batch_size": 3}, "sft.global_batch_size 128 is not a multiple of per_device_batch_size 3"
              " x devices 8"),
}  # fmt: skip
RL_MISTAKES = {
    "misspelt": ({f"{ROLLOUT}.gpu_mem_util": 0.5}, {}, f"verl has no setting {ROLLOUT}.gpu_mem_util"),
    "misspelt_in_engine": ({}, {"engine": {f"{ACTOR}.ppo_max_tokens": 1}}, "rl.engine: verl has no setting"
                           f" {ACTOR}.ppo_max_tokens"),
    "owned": ({"trainer.resume_mode": "always"}, {}, "trainer.resume_mode is set by the workflow"),
    "owned_logger": ({"trainer.logger": ["consol"]}, {}, "trainer.logger is set by the workflow"),
    "owned_batch": ({f"{ACTOR}.ppo_mini_batch_size": 256}, {}, f"{ACTOR}.ppo_mini_batch_size is set by the workflow"),
    "owned_in_engine": ({}, {"engine": {f"{ROLLOUT}.n": 8}}, f"rl.engine: {ROLLOUT}.n is set by the workflow"),
    "text_for_number": ({f"{ACTOR}.ppo_epochs": "one"}, {}, f"{ACTOR}.ppo_epochs is text ('one'); write a number"),
    "text_for_truth": ({f"{ROLLOUT}.free_cache_engine": "yes please"}, {}, "is text ('yes please'); write true or"),
    "text_in_engine": ({}, {"engine": {f"{ACTOR}.grad_clip": "x"}}, "grpo.yaml with rl.engine:"
                       f" {ACTOR}.grad_clip is text ('x'); write a number"),
    "estimator": ({"algorithm.adv_estimator": "rloo"}, {}, "algorithm.adv_estimator is 'rloo', and rl.algorithm grpo is"
                  " 'grpo'"),
    "algorithm": ({}, {"algorithm": "grppo"}, "--run: algorithm: input should be 'grpo', 'dr_grpo' or 'rloo'"),
    "critic": ({"critic.enable": True}, {}, "critic.enable trains a critic"),
    "rollout": ({f"{ROLLOUT}.name": "vlm"}, {}, f"{ROLLOUT}.name 'vlm' is none of"),
    "strategy": ({f"{ACTOR}.strategy": "fsdpx"}, {}, f"{ACTOR}.strategy 'fsdpx' is none of fsdp, fsdp2"),
    "parallel": ({f"{ROLLOUT}.tensor_model_parallel_size": 3}, {}, "3 does not divide the 8 devices"),
    "processors": ({"ray_kwargs.ray_init.num_cpus": 16}, {}, "ray_kwargs.ray_init.num_cpus 16 is less than the 33"),
    "tokens": ({f"{ACTOR}.ppo_max_token_len_per_gpu": 4096}, {}, f"{ACTOR}.ppo_max_token_len_per_gpu 4096 is less than"
               " a prompt and a response (8192)"),
    "memory": ({f"{ROLLOUT}.gpu_memory_utilization": 60}, {}, "60 is not between 0 and 1"),
    "old_reward": ({"custom_reward_function.path": "mine.py"}, {}, "custom_reward_function.path is a key that verl"
                   " ignores"),
    "aggregation": ({f"{ACTOR}.loss_agg_mode": "mean"}, {}, "verl refuses it: Invalid loss_agg_mode: mean"),
    "micro_batch": ({f"{ACTOR}.use_dynamic_bsz": False}, {}, "verl refuses it: [actor] Please set at least one of"
                    " 'actor.ppo_micro_batch_size'"),
    "positions": ({}, {"max_response_tokens": 8000}, "is 9024, and MODEL/config.json has max_position_embeddings 8192"),
}  # fmt: skip


@pytest.fixture(scope="module")
def model(environments, tmp_path_factory) -> Path:
    """A tiny Llama with a context of 8,192 tokens: the checks read its configuration and tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    write_jsonl(folder / "corpus.jsonl", [{"prompt": f"What is {n} + 1?", "response": str(n + 1)} for n in range(50)])
    script("make_tiny_model.py", "--corpus", folder / "corpus.jsonl", "--hidden-size", 32, "--layers", 1, "--seed", 1,
           "--output", folder / "llama", python=python("sft"), env=environment())  # fmt: skip
    config = folder / "llama" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "max_position_embeddings": 8192}))
    return folder / "llama"


def write_runs(folder: Path, model: Path, engine: str, run: dict, mistakes: dict) -> Path:
    """A settings file for each mistake, and the list of runs that use them."""
    base = yaml.safe_load((ROOT / "config" / f"{engine}.yaml").read_text())
    (folder / "zero2.json").write_text(json.dumps(ZERO2))
    runs = []
    for name, (settings, changes, _) in mistakes.items():
        settings = nested(
            {key: str(folder / "zero2.json") if value == "ZERO2" else value for key, value in settings.items()}
        )
        (folder / name).mkdir()
        file = folder / name / f"{engine}.yaml"
        file.write_text(yaml.safe_dump(laid_over(base, settings)))
        runs.append({"name": name, "model": str(model), "settings": str(file), "run": {**run, **changes}})
    path = folder / "runs.json"
    path.write_text(json.dumps(runs))
    return path


def errors(folder: Path, model: Path, engine: str, run: dict, mistakes: dict) -> dict[str, str]:
    """The line of each mistake."""
    runs = write_runs(folder, model, engine, run, mistakes)
    result = check(engine, runs, folder / "ok.json", check=False)
    assert result.returncode == 1
    assert not (folder / "ok.json").exists()
    lines = [line.split(": ", 2) for line in result.stderr.splitlines() if line.startswith("error: ")]
    return {name: line for _, name, line in lines}


def check(engine: str, runs: Path, output: Path, **options):
    arguments = ("--engine", engine, "--runs", runs, "--output", output)
    return script("check_settings.py", *arguments, python=python(engine), env=environment(), **options)


@pytest.fixture(scope="module")
def sft_errors(model, tmp_path_factory) -> dict[str, str]:
    return errors(tmp_path_factory.mktemp("sft"), model, "sft", SFT_RUN, SFT_MISTAKES)


@pytest.fixture(scope="module")
def rl_errors(model, tmp_path_factory) -> dict[str, str]:
    return errors(tmp_path_factory.mktemp("grpo"), model, "grpo", RL_RUN, RL_MISTAKES)


@pytest.mark.parametrize("mistake", SFT_MISTAKES)
def test_a_mistake_in_sft_settings_is_one_line(sft_errors, mistake):
    assert SFT_MISTAKES[mistake][2] in sft_errors[mistake]


@pytest.mark.parametrize("mistake", RL_MISTAKES)
def test_a_mistake_in_grpo_settings_is_one_line(rl_errors, model, mistake):
    assert RL_MISTAKES[mistake][2].replace("MODEL", str(model)) in rl_errors[mistake]


@pytest.mark.parametrize(("engine", "run"), [("sft", SFT_RUN), ("grpo", RL_RUN)])
def test_the_settings_for_gpus_pass_and_seeds_are_checked_once(model, tmp_path, engine, run):
    settings = str(ROOT / "config" / f"{engine}.yaml")
    runs = [{"name": f"run{seed}", "model": str(model), "settings": settings, "run": {**run, "seed": seed}}
            for seed in (1, 2, 3)]  # fmt: skip
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    check(engine, tmp_path / "runs.json", tmp_path / "ok.json")
    result = json.loads((tmp_path / "ok.json").read_text())
    assert (result["runs"], result["different"]) == (3, 1)


def test_every_algorithm_passes(model, tmp_path):
    settings = str(ROOT / "config" / "grpo.yaml")
    runs = [{"name": name, "model": str(model), "settings": settings, "run": {**RL_RUN, "algorithm": name}}
            for name in ALGORITHMS]  # fmt: skip
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    check("grpo", tmp_path / "runs.json", tmp_path / "ok.json")
    assert json.loads((tmp_path / "ok.json").read_text())["different"] == len(ALGORITHMS)


@pytest.mark.parametrize(("engine", "runs"), [("sft", 78), ("grpo", 3)])
def test_every_run_of_the_paper_passes(model, tmp_path, engine, runs):
    """With the tiny model in place of each of the paper's; nothing of theirs is looked at but the context length."""
    experiment = read_experiment([ROOT / "config" / "base.yaml", ROOT / "config" / "paper.yaml"])
    listed = [check for name, check in runs_to_check(experiment).items() if name.startswith(f"{engine}.")]
    assert len(listed) == 3
    if engine == "sft":
        # The workflow checks one run of each model; here it is every one.
        listed = [
            {"name": run.recipe, "settings": experiment.sft[run.model].settings,
             "run": run_settings.sft_settings(run, experiment).as_dict()}
            for run in experiment.sft_runs.values() if run.recipe != "base"
        ]  # fmt: skip
    (tmp_path / "runs.json").write_text(json.dumps([run | {"model": str(model)} for run in listed]))
    check(engine, tmp_path / "runs.json", tmp_path / "ok.json")
    assert json.loads((tmp_path / "ok.json").read_text())["runs"] == runs
