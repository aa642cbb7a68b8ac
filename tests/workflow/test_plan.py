"""What Snakemake plans, and what it refuses before any job starts. Nothing is run here."""

import json
import re
import shlex

import pytest
import yaml

from support import CHECKPOINTS, DEMO, MODELS, ROOT, overlay, planned, snakemake


def test_demo_plans_one_of_everything_for_every_recipe(tmp_path):
    jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path)).stdout)
    # Ten models, one of them without SFT, and three checkpoints of an RL run of each.
    assert jobs["sft"] == 9
    assert jobs["rl"] == 10
    assert jobs["samples"] == jobs["rl_samples"] == 10
    assert jobs["score"] == jobs["grade"] == 10 + 30
    assert jobs["generalization_loss"] == 10
    assert jobs["rendered_prompts"] == 3
    assert jobs["pretrained_model"] == jobs["model"] == jobs["pool"] == 1
    # LLaMA-Factory's settings and verl's.
    assert jobs["settings_to_check"] == jobs["checked_settings"] == 2
    # One for the SFT pool, one for the RL set.
    assert (jobs["contamination"], jobs["contamination_table"]) == (2, 1)


def test_a_benchmark_of_the_paper_is_named_and_comes_from_the_hub(tmp_path):
    names = ["easy", "math500", "aime_2025"]
    output = snakemake("-n", "-p", "--configfile", overlay(tmp_path, studies__toy__benchmarks=names)).stdout
    assert planned(output)["benchmark_problems"] == 3
    assert "HuggingFaceH4/MATH-500" in output and "6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be" in output


def test_a_benchmark_with_two_sources_is_refused(tmp_path):
    both = {"math500": {"path": "mine.jsonl"}}
    result = snakemake("-n", "--configfile", overlay(tmp_path, benchmarks=both, studies__toy__benchmarks=["math500"]),
                       check=False)  # fmt: skip
    assert result.returncode == 1
    assert "benchmarks.math500: " in result.stderr
    assert "give either `path` or `hub`, and set the other to null" in result.stderr


def test_sft_models_can_be_had_without_rl(tmp_path):
    jobs = planned(snakemake("-n", "--configfile", overlay(tmp_path), "--", "sft_models").stdout)
    assert jobs["sft"] == MODELS - 1
    assert "rl" not in jobs


def test_rl_prompts_are_sampled_in_the_jobs_of_sft_models_alone(tmp_path):
    on = overlay(tmp_path, evaluation__rl_prompts=128, evaluation__rl_samples=32)
    output = snakemake("-n", "-p", "--configfile", on).stdout
    jobs = planned(output)
    assert jobs["samples"] == jobs["rl_samples"] == MODELS
    assert jobs["grade"] == jobs["score"] == MODELS * (1 + CHECKPOINTS)
    assert jobs["rl_prompts_to_sample"] == 1
    path = "results/plan-test/data/rl/goals/toy.sampled.parquet"
    assert f"--number 128 --seed 42 --output {path}" in output
    commands = {name: [line for line in output.splitlines() if f"scripts/{name}.py" in line]
                for name in ("sample", "grade", "score")}  # fmt: skip
    for name, given in (
        ("sample", (f"rl.goals={path}", "--samples-of rl.goals=32 ")),
        ("grade", (f"rl.goals={path}",)),
        ("score", ("--rl-prompts rl.goals=16 ",)),
    ):
        # An RL run's checkpoints are one sampling job.
        assert len(commands[name]) == MODELS * (2 if name == "sample" else 1 + CHECKPOINTS)
        for line in commands[name]:
            assert all((part in line) != ("/checkpoint" in line) for part in given)


def test_without_rl_prompts_no_command_knows_of_them(tmp_path):
    """Else Snakemake would repeat what was done before there were any."""
    output = snakemake("-n", "-p", "--configfile", overlay(tmp_path)).stdout
    assert "rl.goals=" not in output and "--samples-of" not in output and "rl_prompts_to_sample" not in output


LADDER = {"subset": "random-60", "epochs": 8, "evaluate_at": [1, 2, 4, 8]}


def test_a_ladder_is_one_training_and_each_of_its_models_goes_its_own_way(tmp_path):
    config = overlay(tmp_path, studies__toy__recipes=["base", "random-60", LADDER], tables={}, figures={})
    result = snakemake("-n", "-p", "--configfile", config)
    jobs = planned(result.stdout)
    assert (jobs["sft"], jobs["sft_ladder"], jobs["sft_rung"]) == (1, 1, 4)
    assert jobs["rl"] == jobs["generalization_loss"] == 6
    assert (jobs["samples"], jobs["rl_samples"], jobs["grade"]) == (6, 6, 6 + 6 * CHECKPOINTS)
    assert jobs["subset"] == 2
    [training] = [line for line in result.stdout.splitlines() if "train_sft.py" in line and ".ep8." in line]
    assert '"epochs": 8.0, "evaluate_at": [1, 2, 4, 8]' in training
    rungs = re.findall(
        r"adopt_rung.py --ladder \S+ (\S+)/sft/ladder/\S+ --epoch (\d) --output \S+ (\S+)/sft/m", result.stdout
    )
    run, *others = (f"results/plan-test/toy/walks.random-60.ep8{at}.lr1e-3" for at in ("", "at1", "at2", "at4"))
    assert sorted(rungs) == [(run, epoch, model) for epoch, model in zip("1248", (*others, run), strict=True)]


def test_a_recipe_is_a_ladder_for_one_model_and_a_run_for_another(tmp_path):
    path = "results/plan-test/data/base_model"
    models = {name: {**DEMO["models"]["toy"], "path": path} for name in ("toy", "other")}
    toy = DEMO["studies"]["toy"]
    studies = {"toy": {**toy, "recipes": [LADDER]},
               "other": {**toy, "model": "other", "recipes": [{"subset": "random-60", "epochs": 8}]}}  # fmt: skip
    config = overlay(tmp_path, models=models, studies=studies, tables={}, figures={})
    jobs = planned(snakemake("-n", "--configfile", config, "--", "sft_models").stdout)
    assert (jobs["sft"], jobs["sft_ladder"], jobs["sft_rung"]) == (1, 1, 4)


def test_a_ladder_that_cannot_be_is_refused_before_anything_is_planned(tmp_path):
    config = overlay(tmp_path, studies__toy__recipes=[{**LADDER, "evaluate_at": [1, 16]}])
    result = snakemake("-n", "--configfile", config, check=False)
    assert result.returncode == 1
    [line] = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert line.endswith(
        "studies.toy.recipes[0].evaluate_at: 16 is beyond the 8 epochs of the training; raise `epochs`"
    )


def test_a_validation_set_of_several_pools_is_made_once_and_measured_for_every_model(tmp_path):
    pool = {**DEMO["sft_datasets"]["walks"], "path": "results/plan-test/data/world/sft_pool.jsonl"}
    changes = {
        "sft_datasets": {"walks": pool, "other": pool},
        "sft__validation": {"from": ["other"], "examples": 100},
    }
    result = snakemake("-n", "-p", "--configfile", overlay(tmp_path, **changes))
    jobs = planned(result.stdout)
    assert (jobs["common_validation"], jobs["generalization_loss"]) == (1, 2 * MODELS)
    # Also the pool that traces are taken from alone is read and measured.
    assert (jobs["pool"], jobs["token_lengths"]) == (2, 2)
    [command] = [line for line in result.stdout.splitlines() if "select_common_validation.py" in line]
    folder = "results/plan-test/data/sft"
    for name in ("walks", "other"):
        assert f"--pool {name} {folder}/{name}/pool.parquet {folder}/{name}/toy/lengths.parquet" in command
    assert "--from other --examples 100 --validation-examples 300 --cutoff 128" in command
    assert f"--data {folder}/common/toy/validation.jsonl" in result.stdout


def test_batch_invariant_kernels_are_asked_for_in_every_sampling_job(tmp_path):
    on = overlay(tmp_path, accelerator="cuda", evaluation__environment={"VLLM_BATCH_INVARIANT": "1"})
    output = snakemake("-n", "-p", "--configfile", on).stdout
    commands = [line for line in output.splitlines() if "scripts/sample.py" in line]
    assert commands
    for command in commands:
        options = shlex.split(command)
        assert json.loads(options[options.index("--environment") + 1])["VLLM_BATCH_INVARIANT"] == "1"


def test_commands_take_settings_from_params_alone():
    """A setting formatted into a command directly would not repeat the job when it changes."""
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for block in re.findall(r"    shell:\n(.*?)(?=\n\n|\Z)", path.read_text(), re.DOTALL):
            assert not re.search(r"\{(CONFIG|WORLD|EXPERIMENT)\b", block), path.name


@pytest.mark.parametrize(("setting", "value"), [("set-resources", "grpo:mem_mb=9000"), ("set-threads", "grpo=4")])
def test_settings_of_a_rule_by_its_old_name_are_refused(tmp_path, setting, value):
    """Snakemake would drop them in silence."""
    result = snakemake("-n", "--configfile", overlay(tmp_path), f"--{setting}", value, "--", "sheet", check=False)
    [line] = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert line.startswith(
        f"error: {setting}: grpo: this rule is called `rl` now, and would not get what is set; write"
    )
    assert "Traceback" not in result.stderr


def test_a_profile_that_names_the_old_rule_is_refused(tmp_path):
    profile = yaml.safe_load((ROOT / "profiles" / "local" / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**profile, "set-resources": {"grpo": {"mem_mb": 9000}}}))
    result = snakemake("-n", "--configfile", overlay(tmp_path), "--", "sheet", profile=str(tmp_path), check=False)
    assert "error: set-resources: grpo: this rule is called `rl` now" in result.stderr


OTHER_TRAINER = """
from quagmires.training.llamafactory.trainer import LLaMAFactory
from quagmires.training.trainers import TRAINERS

class Ours(LLaMAFactory):
    environment = "grpo"

TRAINERS["sft"]["ours"] = Ours()
"""


def test_another_trainer_is_named_and_the_demos_base_stays_llamafactorys(tmp_path):
    """Also one in the environment of RL's trainer, which is checked by itself."""
    snakefile = tmp_path / "Snakefile"
    snakefile.write_text(f'{OTHER_TRAINER}\ninclude: "{ROOT}/Snakefile"\n')
    config = overlay(tmp_path, sft__trainer="ours")
    output = snakemake("-n", "-p", "--snakefile", snakefile, "--configfile", config, "--", "all").stdout
    commands = re.findall(r"\.envs/(\w+)-cpu/bin/python scripts/(\w+\.py)(.*)", output)

    def ran(name: str) -> set[tuple[str, str]]:
        return {
            (environment, found[1])
            for environment, script, options in commands
            if script == name
            and (found := re.search(r"(?:^| )(--trainer \w+|--engine \w+(?: --trainer \w+)?)", options))
        }

    assert ran("train_sft.py") == {("grpo", "--trainer ours")}
    assert ran("check_settings.py") == {("grpo", "--engine sft --trainer ours"), ("grpo", "--engine grpo")}
    assert ran("render_prompts.py") == {
        ("grpo", "--engine ours"),
        ("grpo", "--engine verl"),
        ("evaluate", "--engine vllm"),
    }
    assert any(found[:2] == ("sft", "train_sft.py") and "base model" in found[2] for found in commands)


def test_old_and_new_names_of_the_rl_block_count_in_the_order_of_the_files(tmp_path):
    """Snakemake has merged them by then; what the report reads has the new name alone."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("grpo: {runs: 3, algorithm: dr_grpo}\n")
    new.write_text("rl: {runs: 2}\n")
    given = ("--configfile", overlay(tmp_path), old, new)
    assert planned(snakemake("-n", *given, "--", "all").stdout)["rl"] == MODELS * 2
    output = snakemake("-n", *given, "--config", 'grpo={"algorithm": "rloo"}', "--", "all").stdout
    assert planned(output)["rl"] == MODELS * 2 and "RLOO toy" in output
    new.write_text("rl: {runs: 2}\ngrpo: {runs: 3}\n")
    result = snakemake("-n", *given, "--", "all", check=False)
    assert result.stderr.count("error: ") == 1
    assert f"error: {new}: grpo: the old name of `rl`, which is there too; make them one" in result.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sft__learning_rat": 1e-5}, "sft.learning_rat: unknown key; did you mean `learning_rate`?"),
        (
            {"studies__toy__recipes": ["random-5k"]},
            "studies.toy.recipes[0]: random-5k asks for 5000 examples, but walks has 4200",
        ),
        ({"studies__toy__benchmarks": ["aime"]}, "studies.toy.benchmarks[0]: unknown benchmark 'aime'"),
        (
            {"benchmarks__easy__path": "results/plan-test/data/world/benchmark_eazy.jsonl"},
            "benchmarks.easy.path: no such file: results/plan-test/data/world/benchmark_eazy.jsonl",
        ),
        (
            {"sft_datasets__walks__rows": 4600},
            "sft_datasets.walks.rows: the walk world will have 4500 rows, not 4600",
        ),
        ({"benchmarks__easy__path": "data/none.jsonl"}, "benchmarks.easy.path: no such file: data/none.jsonl"),
        (
            {"evaluation__environment": {"VLLM_BATCH_INVARIANT": "1"}},
            "evaluation.environment.VLLM_BATCH_INVARIANT: vLLM has no such kernels for CPUs",
        ),
    ],
)
def test_mistakes_stop_with_one_line_before_any_job(tmp_path, changes, message):
    result = snakemake("--configfile", overlay(tmp_path, **changes), check=False)
    assert result.returncode != 0
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {tmp_path}/experiment.yaml: {message}")
    assert "Traceback" not in result.stderr
    assert "Building DAG" not in result.stderr


def test_a_model_without_a_chat_template_stops_before_any_job(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "tokenizer_config.json").write_text("{}")
    result = snakemake("-n", "--configfile", overlay(tmp_path, models__toy__path=str(model)), check=False)
    assert result.returncode != 0
    assert f"models.toy.path: {model} has no chat template; save one as {model}/chat_template.jinja" in result.stderr
