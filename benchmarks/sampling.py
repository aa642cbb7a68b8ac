"""Tokens/s of our sampling against bare `LLM.generate`, on the same prompts, settings and seeds, in turn.

    .envs/workflow/bin/python benchmarks/sampling.py --model results/demo-small/toy/base/sft/model \
        --problems results/demo-small/data/benchmarks/hard.parquet

Generation alone is compared, and the whole process with its start. Bare vLLM runs in its two modes, the engine in the
process itself and in one of its own, and once more with the log-probability of each sampled token, which we store: what
that costs. The ratio that counts is against the fastest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from quagmires.common.files import read_json  # noqa: E402
from quagmires.evaluation.tool import load_settings  # noqa: E402

# Runs in vLLM's environment: what somebody would write who needs n responses to each problem.
BARE = """
import json, sys, time
from pathlib import Path
from vllm import LLM, SamplingParams
sys.path.insert(0, sys.argv[1])
from quagmires.data.prompts import load_tokenizer, prompt_ids
import pyarrow.parquet as pq
task = json.loads(sys.argv[2])
tokenizer = load_tokenizer(task["model"])
problems = pq.read_table(task["problems"])["problem"].to_pylist()
ids = [prompt_ids(tokenizer, problem, task["instruction"]) for problem in problems]
llm = LLM(model=task["model"], max_model_len=task["max_tokens"], seed=1, **task["engine"])
prompts, parameters = [], []
for block in range(task["n"] // task["repetitions"]):
    for number, one in enumerate(ids):
        prompts.append({"prompt_token_ids": one})
        seed = 1000 * (block * len(ids) + number)
        parameters.append(SamplingParams(n=task["repetitions"], temperature=1.0, top_p=1.0, seed=seed,
                                         max_tokens=task["max_tokens"] - len(one), **task["logprobs"]))
start = time.monotonic()
outputs = llm.generate(prompts, parameters, use_tqdm=False)
seconds = time.monotonic() - start
tokens = sum(len(one.token_ids) for output in outputs for one in output.outputs)
print("RESULT", json.dumps({"tokens": tokens, "seconds": seconds}), flush=True)
llm.llm_engine.engine_core.shutdown()
import os
os._exit(0)
"""


BARE_NAME, WITH_LOGPROBS = "LLM.generate, one process", ", log-probabilities"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--problems", required=True, help="parquet of id, problem, answer")
    parser.add_argument("--n", type=int, default=512, help="responses per problem")
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    settings = load_settings([ROOT / "config" / "base.yaml", ROOT / "config" / "evaluation_cpu.yaml"])
    engine = {**settings.evaluation.engine, "dtype": "float32"}
    names = ("ours", BARE_NAME, f"{BARE_NAME}{WITH_LOGPROBS}", "LLM.generate, engine process")
    results: dict[str, list[dict]] = {name: [] for name in names}
    for number in range(options.runs):
        for name, runs in results.items():
            runs.append(measure(name, options, settings, engine))
            one = runs[-1]
            print(f"run {number + 1}, {name}: {one['tokens']} tokens, {one['seconds']:.1f} s of generation,"
                  f" {one['wall']:.1f} s in all", flush=True)  # fmt: skip
    speeds = {name: statistics.median(one["tokens"] / one["seconds"] for one in runs) for name, runs in results.items()}
    walls = {name: statistics.median(one["tokens"] / one["wall"] for one in runs) for name, runs in results.items()}
    for name in results:
        print(f"{name:46} {speeds[name]:8,.0f} tokens/s of generation, {walls[name]:8,.0f} with the start (medians)")
    ours, *bare = results
    print(f"ratio, generation: {speeds[ours] / max(speeds[name] for name in bare):.2f} (at least 0.95 is wanted)")
    cost = speeds[f"{BARE_NAME}{WITH_LOGPROBS}"] / speeds[BARE_NAME]
    print(f"ratio, generation with log-probabilities to without, both bare: {cost:.2f}")
    print(f"ratio, whole process: {walls[ours] / max(walls[name] for name in bare):.2f}")


def measure(name: str, options: argparse.Namespace, settings, engine: dict) -> dict:
    """One run: tokens drawn, seconds of generation, wall seconds of the process."""
    variables = {**os.environ, **settings.evaluation.environment, "OMP_NUM_THREADS": str(options.threads),
                 "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}  # fmt: skip
    python = ROOT / ".envs" / "evaluate-cpu" / "bin" / "python"
    started = time.monotonic()
    if name == "ours":
        with tempfile.TemporaryDirectory() as folder:
            output, log = Path(folder) / "eval", Path(folder) / "log"
            run([python, ROOT / "scripts" / "sample.py", "--name", "benchmark", "--model", options.model,
                 "--benchmark", f"problems={options.problems}", "--instruction", settings.prompt.instruction,
                 "--samples", options.n, "--repetitions-per-shard", settings.evaluation.repetitions_per_shard,
                 "--temperature", 1.0, "--top-p", 1.0, "--max-tokens", options.max_tokens, "--seed", 1,
                 "--engine", json.dumps(engine), "--output", output, "--log", log], variables)  # fmt: skip
            drawn = read_json(output / "samples.json")["drawn"]
        return {**drawn, "wall": time.monotonic() - started}
    variables["VLLM_ENABLE_V1_MULTIPROCESSING"] = str(int(name.endswith("engine process")))
    if name.endswith(WITH_LOGPROBS):
        # As ours: a function for the ranks of tokens, which nobody wants here, is not compiled at the first token.
        variables["TORCHDYNAMO_DISABLE"] = "1"
    task = {"model": options.model, "problems": options.problems, "instruction": settings.prompt.instruction,
            "max_tokens": options.max_tokens, "n": options.n, "engine": engine,
            "logprobs": {"logprobs": 0, "flat_logprobs": True} if name.endswith(WITH_LOGPROBS) else {},
            "repetitions": settings.evaluation.repetitions_per_shard}  # fmt: skip
    output = run([python, "-c", BARE, ROOT / "scripts", json.dumps(task)], variables)
    result = json.loads(next(line for line in output.splitlines() if line.startswith("RESULT")).removeprefix("RESULT"))
    return {**result, "wall": time.monotonic() - started}


def run(command: list, variables: dict[str, str]) -> str:
    """Run a process to its end, bounded; its output."""
    result = subprocess.run(
        [str(part) for part in command], env=variables, capture_output=True, text=True, timeout=1800, cwd=ROOT
    )
    if result.returncode:
        raise SystemExit(f"{command[1]} failed: {result.stderr[-2000:]}")
    return result.stdout


if __name__ == "__main__":
    main()
