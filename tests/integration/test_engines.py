"""Each engine on its own: resuming, repeating, and agreeing with an independent calculation."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from quagmires.common.provenance import sha256_file
from quagmires.training.llamafactory.checkpoints import is_whole_checkpoint
from quagmires.training.verl.checkpoints import prune, saved_steps
from support import INSTRUCTION, ROOT, SCRIPTS, environment, python, script


def kill_when(command: list, target: Path, reached, whole_tree: bool = False, timeout: float = 240) -> None:
    """Start `command`, wait until `reached()`, then kill it, alone or with all it started, without warning."""
    child = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment(), start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + timeout
    while not reached():
        assert child.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "it never got far enough to be killed"
        time.sleep(0.02)
    for process in psutil.Process(child.pid).children(recursive=True) if whole_tree else []:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    os.killpg(child.pid, signal.SIGKILL)
    child.wait(30)
    # The engine dies with the script that started it.
    while any(str(target) in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < deadline, "the engine outlived its script"
        time.sleep(0.2)


def sft_command(small_run: Path, target: Path, devices: int = 1, engine: dict | None = None, **run) -> list:
    settings = {"learning_rate": 1e-3, "epochs": 60, "global_batch_size": 16, "per_device_batch_size": 16 // devices,
                "devices": devices, "cutoff_tokens": 128, "seed": 42, "engine": engine or {}, **run}  # fmt: skip
    return [
        python("sft"), SCRIPTS / "train_sft.py", "--name", "test", "--model", small_run / "data/base_model",
        "--data", small_run / "data/sft/walks/toy/shortest-64.jsonl", "--settings", ROOT / "config/sft_cpu.yaml",
        "--run", json.dumps(settings), "--save-steps", 80, "--work", target / "work", "--output", target / "model",
        "--log", target / "log",
    ]  # fmt: skip


def run_to_end(command: list, **options) -> subprocess.CompletedProcess:
    result = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=400
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result


@pytest.fixture(scope="module")
def whole(small_run, tmp_path_factory) -> Path:
    """The SFT run of `sft_command`, without a stop."""
    folder = tmp_path_factory.mktemp("whole")
    run_to_end(sft_command(small_run, folder))
    return folder


def test_a_killed_sft_run_resumes_and_ends_in_the_same_weights(small_run, whole, tmp_path):
    killed = tmp_path / "killed"
    output = killed / "work" / "output"
    kill_when(
        sft_command(small_run, killed), killed, lambda: (output / "checkpoint-80" / "trainer_state.json").is_file()
    )
    # What a kill in the middle of a write leaves behind.
    shutil.copytree(output / "checkpoint-80", output / "checkpoint-160")
    (output / "checkpoint-160" / "trainer_state.json").unlink()
    result = run_to_end(sft_command(small_run, killed))
    assert "discarded half-written checkpoint-160" in result.stderr
    assert sha256_file(killed / "model/model.safetensors") == sha256_file(whole / "model/model.safetensors")
    records = [json.loads((folder / "model/training.json").read_text()) for folder in (whole, killed)]
    assert records[0]["loss_curve"] == records[1]["loss_curve"]
    assert (records[0]["resumed_from"], records[1]["resumed_from"]) == (None, "checkpoint-80")
    assert not (killed / "work").exists()


def test_a_killed_ladder_keeps_its_models_and_ends_in_that_of_a_run_of_its_own(small_run, whole, tmp_path):
    """Killed after the checkpoint of the first epoch to keep and, as if at the worst time, before its weights are kept.
    What follows is then taken up by rule sft_rung's script.
    """
    command = sft_command(small_run, tmp_path, evaluate_at=[20, 60])
    output, rung = tmp_path / "work" / "output", tmp_path / "work" / "rungs" / "epoch20"
    kill_when(command, tmp_path, (rung / "trainer_state.json").is_file)
    # Four steps an epoch.
    assert json.loads((rung / "trainer_state.json").read_text())["global_step"] == 80
    rung.rename(tmp_path / "before")
    run_to_end(command)
    assert not output.exists()
    weights = {name: sha256_file(folder / "model.safetensors") for name, folder in {
        "before": tmp_path / "before", "20": tmp_path / "model/epoch20", "60": tmp_path / "model/epoch60",
        "whole": whole / "model"}.items()}  # fmt: skip
    assert weights["60"] == weights["whole"] != weights["20"] == weights["before"]
    first, last, alone = (
        json.loads((folder / "training.json").read_text())
        for folder in (tmp_path / "model/epoch20", tmp_path / "model/epoch60", whole / "model")
    )
    assert last["loss_curve"] == alone["loss_curve"] and first["loss_curve"] == alone["loss_curve"][:80]
    assert (first["steps"], first["scheduled_steps"], last["tokens_seen"]) == (80, 240, alone["tokens_seen"])
    assert first["tokens_seen"] == alone["tokens_seen"] / 3
    # Of the other files none differs from those of a run of its own.
    for name in {path.name for path in (whole / "model").iterdir()} - {"model.safetensors", "training.json"}:
        assert (tmp_path / "model/epoch20" / name).read_bytes() == (whole / "model" / name).read_bytes()
    script("adopt_rung.py", "--ladder", tmp_path / "model", "--epoch", 20, "--output", tmp_path / "adopted")
    adopted = tmp_path / "adopted" / "model.safetensors"
    assert adopted.samefile(tmp_path / "model/epoch20/model.safetensors")
    assert json.loads((tmp_path / "adopted/training.json").read_text()) == first


def stop_as_slurm_does(command: list, reached, timeout: float = 240) -> str:
    """Start `command`, wait until `reached()`, then send SIGTERM to all its processes; return what it said."""
    child = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environment(), start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # fmt: skip
    deadline = time.monotonic() + timeout
    while not reached():
        assert child.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < deadline, "it never got far enough to be stopped"
        time.sleep(0.02)
    for process in [*psutil.Process(child.pid).children(recursive=True), psutil.Process(child.pid)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, said = child.communicate(timeout=120)
    assert child.returncode == 128 + signal.SIGTERM
    return said


def steps_done(folder: Path) -> int:
    log = folder / "work" / "output" / "trainer_log.jsonl"
    return log.read_text().count("\n") if log.is_file() else 0


def test_an_sft_run_that_is_told_to_stop_saves_the_step_it_is_at(small_run, whole, tmp_path):
    stopped = tmp_path / "stopped"
    said = stop_as_slurm_does(sft_command(small_run, stopped), lambda: steps_done(stopped) >= 20)
    assert "told to stop; saving first" in said
    run_to_end(sft_command(small_run, stopped))
    assert sha256_file(stopped / "model/model.safetensors") == sha256_file(whole / "model/model.safetensors")
    record = json.loads((stopped / "model/training.json").read_text())
    assert record["loss_curve"] == json.loads((whole / "model/training.json").read_text())["loss_curve"]
    # None of the regular ones, which come every 80 steps.
    assert int(record["resumed_from"].removeprefix("checkpoint-")) % 80 > 0


def test_processes_that_are_told_to_stop_save_the_same_step(small_run, tmp_path):
    """Under torchrun. On CPUs torch cannot resume such a checkpoint: it looks for the device `cpu:0`."""
    command = sft_command(small_run, tmp_path, devices=2, engine={"ddp_backend": "gloo"})
    stop_as_slurm_does(command, lambda: steps_done(tmp_path) >= 20)
    (checkpoint,) = (tmp_path / "work" / "output").glob("checkpoint-*")
    assert is_whole_checkpoint(checkpoint, devices=2)
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    assert f"checkpoint-{state['global_step']}" == checkpoint.name


def grpo_command(small_run: Path, target: Path, save_steps: int = 10) -> list:
    settings = {"learning_rate": 1e-4, "warmup_steps": 0, "batch_size": 8, "rollouts": 4, "temperature": 1.0,
                "kl_coefficient": 0.0, "entropy_coefficient": 0.001, "epochs": 1, "max_prompt_tokens": 32,
                "max_response_tokens": 64, "checkpoints": 2, "devices": 1, "seed": 42}  # fmt: skip
    return [
        python("grpo"), SCRIPTS / "train_rl.py", "--name", "test", "--model", small_run / "toy/base/sft/model",
        "--data", small_run / "data/rl/goals/toy.parquet", "--settings", ROOT / "config/grpo_cpu.yaml",
        "--run", json.dumps(settings), "--accelerator", "cpu", "--save-steps", save_steps, "--work", target / "work",
        "--output", target, "--log", target / "log",
    ]  # fmt: skip


def test_a_killed_grpo_run_resumes_and_ends_in_the_same_weights(small_run, tmp_path):
    """The uninterrupted run is the workflow's own: same model, same settings, same seed, and other steps saved."""
    tracker = tmp_path / "work" / "checkpoints" / "latest_checkpointed_iteration.txt"
    metrics = tmp_path / "work" / "metrics000.jsonl"

    def three_of_four_steps_are_saved_and_logged() -> bool:
        return tracker.is_file() and metrics.read_text().count("\n") >= 3

    command = grpo_command(small_run, tmp_path, save_steps=1)
    kill_when(command, tmp_path, three_of_four_steps_are_saved_and_logged, whole_tree=True)
    # Between two looks nothing is removed; a longer run would have been pruned by now.
    prune(tmp_path / "work" / "checkpoints", wanted=[2, 4], logged={1, 2, 3})
    assert saved_steps(tmp_path / "work" / "checkpoints")[:2] == [2, 3]
    assert not list((tmp_path / "work" / "checkpoints" / "global_step_2").rglob("optim*"))
    run_to_end(command)
    whole = small_run / "toy/base/grpo/goals/run1"
    for index in (1, 2):
        weights = f"checkpoint{index}/model/model.safetensors"
        assert sha256_file(tmp_path / weights) == sha256_file(whole / weights)
    assert json.loads((tmp_path / "checkpoint2/model/checkpoint.json").read_text())["resumed_from_step"] == 3
    rewards = [[json.loads(line)["critic/score/mean"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
               for folder in (tmp_path, whole)]  # fmt: skip
    assert rewards[0] == rewards[1]


def test_a_grpo_setting_that_verl_does_not_know_is_refused(small_run, tmp_path):
    settings = tmp_path / "grpo_typo.yaml"
    settings.write_text((ROOT / "config/grpo_cpu.yaml").read_text().replace("clip_ratio:", "clip_ration:"))
    command = grpo_command(small_run, tmp_path / "run")
    command[command.index("--settings") + 1] = settings
    result = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 1
    assert f"error: {settings}: verl has no setting actor_rollout_ref.actor.clip_ration" in result.stderr


LOSS_BY_TRANSFORMERS = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
total = tokens = 0
for line in open(sys.argv[2]):
    row = json.loads(line)
    messages = [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["response"]}]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    start = tokenizer.apply_chat_template(messages[:1], add_generation_prompt=True, return_dict=False)
    labels = ids.clone()
    labels[:, : len(start)] = -100
    with torch.no_grad():
        loss = model(input_ids=ids, labels=labels).loss.item()
    count = ids.shape[1] - len(start)
    total, tokens = total + loss * count, tokens + count
print(json.dumps([total / tokens, tokens]))
"""


def test_generalization_loss_is_that_of_transformers(small_run):
    folder = small_run / "toy/walks.shortest-64.ep1.lr1e-3/sft"
    data = small_run / "data/sft/walks/toy/validation.jsonl"
    ours = json.loads((folder / "generalization_loss.walks.json").read_text())
    result = run_to_end([python("sft"), "-c", LOSS_BY_TRANSFORMERS, folder / "model", data])
    loss, tokens = json.loads(result.stdout.splitlines()[-1])
    assert ours["generalization_loss"] == pytest.approx(loss, abs=1e-5)
    assert ours["tokens"] == tokens
    examples = pd.read_parquet(folder / "generalization_loss.walks.parquet")
    assert len(examples) == ours["examples"] == 30
    assert examples["nll"].sum() / examples["tokens"].sum() == pytest.approx(ours["generalization_loss"], abs=1e-9)


def test_the_loss_on_traces_of_several_pools_is_that_of_each_trace_in_its_own_set(small_run, tmp_path):
    pool, sft = small_run / "data/sft/walks", small_run / "toy/walks.shortest-64.ep1.lr1e-3/sft"
    named = [part for name in ("walks", "again") for part in ("--pool", name, pool / "pool.parquet",
                                                                   pool / "toy/lengths.parquet")]  # fmt: skip
    script("select_common_validation.py", *named, "--from", "walks", "again", "--examples", 10,
           "--validation-examples", 30, "--cutoff", 128, "--instruction", INSTRUCTION, "--seed", 42,
           "--output", tmp_path / "common.jsonl", "--manifest", tmp_path / "common.json")  # fmt: skip
    run_to_end([python("sft"), SCRIPTS / "generalization_loss.py", "--model", sft / "model",
                "--data", tmp_path / "common.jsonl", "--output", tmp_path / "loss.json",
                "--examples", tmp_path / "loss.parquet"])  # fmt: skip
    common, own = (
        pd.read_parquet(tmp_path / "loss.parquet"),
        pd.read_parquet(sft / "generalization_loss.walks.parquet"),
    )
    assert common["pool"].tolist() == ["walks"] * 10 + ["again"] * 10
    known = own.set_index("id")["nll"]
    for row in common.itertuples():
        assert row.nll == pytest.approx(known[row.id.removeprefix(f"{row.pool}/")], abs=1e-3)
    summary = json.loads((tmp_path / "loss.json").read_text())
    assert summary["examples"] == 20 and {*summary["pools"]} == {"walks", "again"}
    assert summary["generalization_loss"] == pytest.approx(common["nll"].sum() / common["tokens"].sum())
    # Two names of one pool: the same traces, but for their names.
    assert summary["pools"]["again"] == pytest.approx(summary["pools"]["walks"])


def test_our_reward_runs_in_verls_own_reward_loop(small_run):
    """The CPU rollout goes round verl's reward loop, so the function is tried inside it here."""
    probe = ROOT / "tests" / "integration" / "reward_in_verl.py"
    result = run_to_end(
        [python("grpo"), probe, small_run / "toy/base/sft/model", SCRIPTS / "quagmires" / "grading" / "reward.py"]
    )
    out = json.loads(result.stdout.splitlines()[-1])
    assert out["scores"] == [1.0, 0.0, 1.0, 0.0]
    assert out["answered"] == [1.0, 1.0, 1.0, 0.0]
    # (score - mean) / standard deviation within the group.
    assert out["advantages"] == pytest.approx([0.866, -0.866, 0.866, -0.866], abs=1e-3)


def test_a_wrong_template_stops_with_both_renderings(small_run, tmp_path):
    shared = [
        "--model",
        small_run / "data/base_model",
        "--problems",
        small_run / "data/world/sft_pool.jsonl",
        "--instruction",
        INSTRUCTION,
    ]
    wrong, right = tmp_path / "llamafactory.json", small_run / "data/prompts/toy.vllm.json"
    script(
        "render_prompts.py",
        "--engine",
        "llamafactory",
        "--template",
        "llama3",
        *shared,
        "--output",
        wrong,
        python=python("sft"),
        env=environment(),
    )
    result = script(
        "check_prompt_parity.py", "--rendered", wrong, right, "--output", tmp_path / "parity.json", check=False
    )
    assert result.returncode == 1
    assert "error: prompts differ between llamafactory and vllm; make their templates agree" in result.stderr
    assert "<|start_header_id|>user<|end_header_id|>" in result.stderr
    assert "<|user|>Start at (" in result.stderr
    assert not (tmp_path / "parity.json").exists()


def check_response(small_run, tmp_path, **changes):
    rendered = json.loads((small_run / "data/prompts/toy.llamafactory.json").read_text())
    rendered["response"] |= changes
    (tmp_path / "llamafactory.json").write_text(json.dumps(rendered))
    arguments = ("--rendered", tmp_path / "llamafactory.json", "--output", tmp_path / "parity.json")
    return script("check_prompt_parity.py", *arguments, check=False)


def test_a_template_that_never_ends_is_refused(small_run, tmp_path):
    trained = json.loads((small_run / "data/prompts/toy.llamafactory.json").read_text())["response"]["ids"]
    result = check_response(small_run, tmp_path, ids=trained[:-1])
    assert result.returncode == 1
    assert "trains on another response than the trace and the end token" in result.stderr


def test_a_line_break_after_the_end_of_a_turn_is_accepted(small_run, tmp_path):
    trained = json.loads((small_run / "data/prompts/toy.llamafactory.json").read_text())["response"]["ids"]
    assert check_response(small_run, tmp_path, ids=[*trained, 5], rest="\n").returncode == 0
    assert check_response(small_run, tmp_path, ids=[*trained, 5], rest="more").returncode == 1


SAMPLER_AGAINST_FORWARD_PASS = """
import json, sys, torch
sys.path.insert(0, sys.argv[2])
from transformers import AutoModelForCausalLM, AutoTokenizer
from verl_cpu.sampler import sample_batch
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
texts = [f"<|user|>Start at (25,25). Go{' Kado' * n}.<|assistant|>" for n in (1, 2, 5)] * 8
prompts = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
draw = lambda seed: sample_batch(model, prompts, 40, 0.8, tokenizer.eos_token_id, torch.Generator().manual_seed(seed))
drawn = draw(1)
worst = 0.0
for prompt, (ids, logprobs) in zip(prompts, drawn):
    with torch.no_grad():
        logits = model(torch.tensor([prompt + ids])).logits[0, len(prompt) - 1 : -1]
    expected = torch.log_softmax(logits / 0.8, -1).gather(1, torch.tensor(ids)[:, None])[:, 0]
    worst = max(worst, (expected - torch.tensor(logprobs)).abs().max().item())
ended = [ids[-1] == tokenizer.eos_token_id or len(ids) == 40 for ids, _ in drawn]
lengths = [len(ids) for ids, _ in drawn]
print(json.dumps({"worst": worst, "same": draw(1) == drawn, "other": draw(2) == drawn, "ended": all(ended),
                  "lengths": len(set(lengths))}))
"""


def test_cpu_rollout_samples_from_the_model_it_was_given(small_run):
    command = [python("grpo"), "-c", SAMPLER_AGAINST_FORWARD_PASS, small_run / "data/base_model", SCRIPTS]
    out = json.loads(run_to_end(command).stdout.splitlines()[-1])
    assert out["worst"] < 1e-4
    assert (out["same"], out["other"]) == (True, False)
    assert out["ended"]
    # Rows that end early leave the batch: only then is the compaction tried.
    assert out["lengths"] > 3
