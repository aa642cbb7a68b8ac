"""Sampling with the real vLLM: growing, repeating, dying, and the evaluation tool on top of it."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from support import INSTRUCTION, ROOT, SCRIPTS, environment, python, run, script

VLLM = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_LOGGING_LEVEL": "ERROR"}
ENGINE = {"dtype": "float32", "max_num_seqs": 64, "enforce_eager": True, "kv_cache_memory_bytes": 134217728,
          "enable_chunked_prefill": False, "max_num_batched_tokens": 4096}  # fmt: skip


def settings(small_run: Path, log: Path, samples: int, *extra) -> list:
    """The command without its checkpoints."""
    benchmarks = [f"--benchmark={name}={small_run}/data/benchmarks/{name}.parquet" for name in ("easy", "hard")]
    return [
        python("evaluate"), SCRIPTS / "sample.py", *benchmarks, "--instruction", INSTRUCTION, "--samples", samples,
        "--repetitions-per-shard", 4, "--temperature", 1.0, "--top-p", 1.0, "--max-tokens", 64, "--seed", 5,
        "--engine", json.dumps(ENGINE), "--log", log, "--cache", log.parent / "cache", *extra,
    ]  # fmt: skip


def command(small_run: Path, output: Path, samples: int, *extra) -> list[str]:
    one = ["--name", "test", "--model", small_run / "toy/base/sft/model", "--output", output]
    return [str(part) for part in settings(small_run, output.with_suffix(".log"), samples, *one, *extra)]


def sample(small_run: Path, output: Path, samples: int, *extra) -> dict:
    run(*command(small_run, output, samples, *extra), env=environment(**VLLM))
    return json.loads((output / "samples.json").read_text())


def shards(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in sorted(output.glob("*/samples/*.parquet"))}


def engine_of(process: subprocess.Popen) -> psutil.Process:
    """vLLM's engine among the processes a running sample.py has started."""
    return next(child for child in psutil.Process(process.pid).children() if "spawn_main" in " ".join(child.cmdline()))


def started(small_run: Path, output: Path) -> subprocess.Popen:
    """A run with much to do, stopped by nobody, that has written its first shard."""
    child = subprocess.Popen(
        command(small_run, output, 4000),
        env=environment(**VLLM),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 240
    while not shards(output):
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() < deadline, "no shard was written"
        time.sleep(0.05)
    return child


def gone(process: psutil.Process, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def drawn(small_run, tmp_path_factory) -> Path:
    """An output folder with four responses to each problem."""
    output = tmp_path_factory.mktemp("drawn") / "eval"
    sample(small_run, output, 4)
    assert len(shards(output)) == 2
    return output


def test_more_samples_are_added_and_lost_shards_are_drawn_again_alike(small_run, drawn, tmp_path):
    output = made_from(drawn, tmp_path / "eval")
    first = shards(output)
    (output / "hard/samples/repetitions00000-00003.parquet").unlink()
    summary = sample(small_run, output, 8)
    # The lost one with other neighbours in the batch, in another order of work.
    assert summary["drawn"]["responses"] == (2 + 1) * 8 * 4
    assert summary["chat_template_sha256"] and summary["generation_config"]["eos_token_id"]
    grown = shards(output)
    assert len(grown) == 4
    assert {name: grown[name] for name in first} == first
    listed = sample(small_run, output, 4)["shards"]
    # Fewer samples delete nothing; they are only not counted.
    assert sum(map(len, listed.values())) == 2
    assert shards(output) == grown
    rows = pd.concat(pd.read_parquet(path) for path in output.glob("easy/samples/*.parquet"))
    assert sorted(rows["repetition"].unique()) == list(range(8))
    assert rows.groupby("problem_id")["seed"].nunique().eq(8).all()
    assert set(rows["finish_reason"]) <= {"stop", "length"}
    assert not rows["response"].str.contains("<|", regex=False).any()
    known = against_a_forward_pass(small_run, output / "easy/samples/repetitions00000-00003.parquet", "easy")
    assert len({ours for ours, _ in known}) > 8
    for ours, theirs in known:
        assert ours == pytest.approx(theirs, abs=1e-4)


LOGPROBS_BY_TRANSFORMERS = """
import json, sys, torch
import pyarrow.parquet as pq
sys.path.insert(0, sys.argv[1])
from transformers import AutoModelForCausalLM
from quagmires.data.prompts import load_tokenizer, prompt_ids
model = AutoModelForCausalLM.from_pretrained(sys.argv[2], dtype=torch.float32).eval()
tokenizer = load_tokenizer(sys.argv[2])
problems = dict(zip(*(pq.read_table(sys.argv[4])[name].to_pylist() for name in ("id", "problem"))))
found = []
for row in pq.read_table(sys.argv[3]).to_pylist():
    prompt = prompt_ids(tokenizer, problems[row["problem_id"]], sys.argv[5])
    end = [tokenizer.eos_token_id] if row["finish_reason"] == "stop" else []
    response = tokenizer.encode(row["response"], add_special_tokens=False) + end
    with torch.no_grad():
        logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
    each = torch.log_softmax(logits, -1).gather(1, torch.tensor(response)[:, None])
    # A text can be spelled in other tokens than those that were drawn.
    found.append([row["logprob_sum"], each.double().sum().item(), len(response) == row["n_tokens"]])
print(json.dumps(found))
"""


def against_a_forward_pass(small_run: Path, shard: Path, benchmark: str) -> list[tuple[float, float]]:
    """Stored sums of log-probabilities, and those of transformers, of responses whose tokens are known."""
    result = run(python("evaluate"), "-c", LOGPROBS_BY_TRANSFORMERS, SCRIPTS, small_run / "toy/base/sft/model", shard,
                 small_run / f"data/benchmarks/{benchmark}.parquet", INSTRUCTION, env=environment())  # fmt: skip
    rows = json.loads(result.stdout.splitlines()[-1])
    known = [(ours, theirs) for ours, theirs, alike in rows if alike]
    assert len(known) >= 0.75 * len(rows)
    return known


def made_from(source: Path, target: Path) -> Path:
    """A copy of a directory, to be changed."""
    shutil.copytree(source, target)
    return target


def test_many_checkpoints_of_one_engine_are_as_each_from_its_own(small_run, tmp_path):
    """Also on two devices against one, with stop tokens of their own, and with damaged weights among them."""
    sft = small_run / "toy/walks.shortest-64.ep1.lr1e-3/sft/model"
    models = {"first": small_run / "toy/base/sft/model", "second": made_from(sft, tmp_path / "second"),
              "broken": made_from(sft, tmp_path / "broken"), "third": sft}  # fmt: skip
    # It stops at any number, of one digit or of two.
    tokenizer = json.loads((sft / "tokenizer.json").read_text())
    vocabulary = {**tokenizer["model"]["vocab"], **{one["content"]: one["id"] for one in tokenizer["added_tokens"]}}
    generation = json.loads((sft / "generation_config.json").read_text())
    generation["eos_token_id"] = [number for token, number in vocabulary.items() if re.fullmatch("[0-9]+", token)]
    (models["second"] / "generation_config.json").write_text(json.dumps(generation))
    (models["broken"] / "model.safetensors").write_bytes(b"not weights")
    out, log = tmp_path / "out", tmp_path / "together.log"

    def together(*names: str) -> list:
        return [part for name in names for part in ("--checkpoint", name, models[name], out / name)]

    asked = [*settings(small_run, log, 4, "--devices", 2), *together(*models)]
    result = run(*asked, env=environment(**VLLM), check=False)
    assert result.returncode == 1
    assert "error: broken: vLLM failed; finished shards are kept, a rerun draws the others." in result.stderr
    assert not (out / "broken" / "samples.json").exists() and not shards(out / "broken")
    text = log.read_text()
    assert len(shards(out / "third")) == 2
    # The one after the damaged one gets an engine of its own.
    assert text.count("an engine started in ") == 2
    [seconds] = re.findall(r"loaded into the running engine in ([\d.]+) s", text)
    assert float(seconds) < 2
    alone, ahead, waiting = tmp_path / "alone", tmp_path / "ahead", tmp_path / "waiting.txt"
    # What another command waits for is drawn too, and left for it to finish.
    other = [*settings(small_run, log, 4)[2:], "--checkpoint", "third", models["third"], ahead]
    waiting.write_text(shlex.join(map(str, other)))
    one = ["--name", "second", "--model", models["second"], "--output", alone, "--waiting", waiting]
    run(*settings(small_run, alone.with_suffix(".log"), 4, *one), env=environment(**VLLM))
    assert shards(out / "second") == shards(alone)
    assert shards(out / "third") == shards(ahead)
    assert (ahead / "drawn.json").is_file() and not (ahead / "samples.json").exists()
    assert (out / "second/easy/identity.json").read_bytes() == (alone / "easy/identity.json").read_bytes()
    rows = pd.concat(pd.read_parquet(path) for path in (out / "second").glob("*/samples/*.parquet"))
    assert (rows["finish_reason"] == "stop").any() and not rows["response"].str.contains(r"\d\D|\d{3}").any()
    # Snakemake removes samples.json before a job. It is made again without what takes long to import.
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for module in ("torch", "vllm", "transformers"):
        (blocked / f"{module}.py").write_text(f"raise SystemExit('{module} was imported')\n")
    before = (out / "second" / "samples.json").read_bytes()
    for name in ("first", "second", "third"):
        (out / name / "samples.json").unlink()
    asked = [*settings(small_run, log, 4, "--devices", 2), *together("first", "second", "third")]
    run(*asked, env=environment(**VLLM, PYTHONPATH=str(blocked)))
    assert (out / "second" / "samples.json").read_bytes() == before
    assert json.loads(before)["drawn"]["responses"] == 2 * 8 * 4
    # No cache is left in use, and none elsewhere.
    assert len(list((tmp_path / "cache").glob("*/engine-*"))) == 2


KEY = """
import sys
from pathlib import Path
from vllm.engine.arg_utils import AsyncEngineArgs

def key(path):
    return AsyncEngineArgs(model=str(path), dtype="float32", max_model_len=64).create_engine_config().compute_hash()

link, models = Path(sys.argv[1]), [Path(path).resolve() for path in sys.argv[2:]]
for model in models:
    link.unlink(missing_ok=True)
    link.symlink_to(model)
    print("KEY", key(link), key(model))
"""


def test_the_key_of_vllms_compile_cache_holds_the_models_path_and_stays_with_a_link(small_run, tmp_path):
    models = [small_run / "toy" / recipe / "sft/model" for recipe in ("base", "walks.shortest-64.ep1.lr1e-3")]
    output = run(python("evaluate"), "-c", KEY, tmp_path / "model", *models, env=environment(**VLLM)).stdout
    (link, first), (same, second) = re.findall(r"^KEY (\w+) (\w+)$", output, re.MULTILINE)
    assert link == same
    assert len({link, first, second}) == 3


def test_shards_of_another_setting_are_never_mixed_in(small_run, drawn, tmp_path):
    output = made_from(drawn, tmp_path / "eval")
    before = shards(output)
    refused = run(*command(small_run, output, 4, "--temperature", 0.5), env=environment(**VLLM), check=False)
    assert refused.returncode == 1
    assert (
        f"error: {output}/easy: holds samples drawn with another temperature; choose another output" in refused.stderr
    )
    assert shards(output) == before
    sample(small_run, output, 4, "--temperature", 0.5, "--discard-others", "--samples-of", "hard=2")
    assert len(shards(output)) == len(before)
    assert not set(shards(output).values()) & set(before.values())
    # A number of its own for one of the benchmarks.
    assert json.loads((output / "samples.json").read_text())["samples_of"] == {"hard": 2}
    assert len(pd.read_parquet(output / "hard/samples")) == 8 * 2
    # At another temperature too, what is stored is the model's own probability.
    for ours, theirs in against_a_forward_pass(
        small_run, output / "hard/samples/repetitions00000-00001.parquet", "hard"
    ):
        assert ours == pytest.approx(theirs, abs=1e-4)


def test_a_prompt_without_room_for_an_answer_is_named(small_run, tmp_path):
    result = run(*command(small_run, tmp_path / "eval", 1, "--max-tokens", 5), env=environment(**VLLM), check=False)
    assert result.returncode == 1
    assert "error: easy: problem easy-0 has a prompt of 14 tokens, evaluation.max_tokens is 5" in result.stderr
    long = run(*command(small_run, tmp_path / "eval", 1, "--max-tokens", 9999), env=environment(**VLLM), check=False)
    assert "evaluation.max_tokens is 9999; lower it" in long.stderr


def test_a_dead_engine_ends_the_run_and_leaves_the_finished_shards(small_run, tmp_path):
    output = tmp_path / "eval"
    child = started(small_run, output)
    engine_of(child).kill()
    words = child.communicate(timeout=60)[1]
    assert child.returncode == 1
    assert "error: test: vLLM failed; finished shards are kept, a rerun draws the others." in words
    assert not (output / "samples.json").exists()
    assert all(len(pd.read_parquet(path)) == 8 * 4 for path in output.glob("*/samples/*.parquet"))
    assert not list(output.glob("*/samples/.*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_engine_outlives_a_killed_run(small_run, tmp_path, number):
    child = started(small_run, tmp_path / "eval")
    engine = engine_of(child)
    os.kill(child.pid, number)
    child.communicate(timeout=60)
    assert child.returncode == (143 if number == signal.SIGTERM else -9)
    assert gone(engine)


def evaluate(small_run: Path, tmp_path: Path, n: int, *extra):
    (tmp_path / "benchmarks.yaml").write_text(
        "benchmarks:\n"
        + "".join(
            f"  {name}: {{path: {small_run}/data/world/benchmark_{name}.jsonl, rows: 8}}\n" for name in ("easy", "hard")
        )
    )
    return script(
        "evaluate.py", "--benchmarks", "easy,hard", "--n", n, "--config", tmp_path / "benchmarks.yaml",
        "--accelerator", "cpu", *extra,
    )  # fmt: skip


def test_the_evaluation_tool_goes_from_a_model_to_a_table_and_grows(small_run, tmp_path):
    base, sft = (small_run / "toy" / name / "sft/model" for name in ("base", "walks.shortest-64.ep1.lr1e-3"))
    out, other = tmp_path / "out", tmp_path / "other"
    output = evaluate(small_run, tmp_path, 16, "--model", base, sft, "--output", out, other).stdout
    assert (out / "sample.log").read_text().count("an engine started in ") == 1
    # A table and results for each model.
    assert output.index(f"are in {out}\n") < output.index(f"are in {other}\n")
    assert json.loads((other / "samples.json").read_text())["identity"]["name"] == str(sft)
    assert json.loads((other / "scores.json").read_text())["benchmarks"].keys() == {"easy", "hard"}
    assert "Pass@16" in output and "maj@16" in output and "average" in output
    assert "Distinct wrong answers among 16 samples" in output and "nats a token." in output
    # As shards were before log-probabilities were stored.
    for path in out.glob("*/samples/*.parquet"):
        pd.read_parquet(path).drop(columns="logprob_sum").to_parquet(path)
    scores = json.loads((out / "scores.json").read_text())
    assert scores["benchmarks"]["easy"]["samples"] == 16
    assert set(scores["benchmarks"]["easy"]["pass_at_k"]) == {"1", "2", "4", "8", "16"}
    counts = pd.read_parquet(out / "counts.parquet")
    assert (counts["n"] == 16).all() and len(counts) == 16
    assert (out / "pass_at_k.png").read_bytes().startswith(b"\x89PNG")
    before = shards(out)
    pairs = tmp_path / "pairs.parquet"
    pd.DataFrame({"benchmark": ["easy"], "problem_id": ["easy-0"]}).to_parquet(pairs)
    table = evaluate(small_run, tmp_path, 32, "--model", base, "--output", out, "--contaminated", pairs).stdout
    assert "average, clean" in table and "Pass@32" in table
    assert {name: shards(out)[name] for name in before} == before
    grades = pd.read_parquet(out / "easy" / "grades.parquet")
    assert "response" not in grades and len(grades) == 8 * 32
    assert "nats a token, of 256 of 512 responses." in table
    assert grades["logprob_sum"].isna().sum() == 8 * 16
    assert json.loads((out / "scores.json").read_text())["clean"]["left_out"] == {"easy": 1, "hard": 0}
