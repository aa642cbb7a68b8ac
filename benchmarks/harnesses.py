"""The same evaluation as each tool wants it: its commands, its files, and how to read what it reports."""

import json
import re
import shutil
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from quagmires.common.files import read_json, write_json
from quagmires.common.tabular import iterate, write_jsonl

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS, RIVALS = ROOT / "scripts", ROOT / "benchmarks" / "rivals"
INSTRUCTION = r"Let's think step by step and output the final answer within \boxed{}."
SAMPLING = {"temperature": 1.0, "top_p": 1.0}
ENGINE = {
    "dtype": "float32",
    "max_num_seqs": 64,
    "enforce_eager": True,
    "kv_cache_memory_bytes": 134217728,
    "enable_chunked_prefill": False,
    "max_num_batched_tokens": 4096,
}
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}
# vLLM's progress bar when it is done: requests, requests/s, response tokens/s.
BAR = re.compile(r"(\d+)/\1 \[[^\]]*?([\d.]+)it/s, est\. speed input: [\d.]+ toks/s, output: ([\d.]+) toks/s\]")


@dataclass(frozen=True)
class Work:
    """What all tools are given: `samples` responses to each problem, in a folder of this run."""

    model: Path
    rows: list[dict]
    samples: int
    max_tokens: int
    seed: int
    environments: Path
    folder: Path
    timeout: float

    @property
    def longest_prompt(self) -> int:
        return max(row["prompt_tokens"] for row in self.rows)

    @property
    def engine(self) -> dict:
        return {**ENGINE, "max_model_len": self.max_tokens, "seed": self.seed}


@dataclass(frozen=True)
class Outcome:
    """What a tool reported. `responses` are its (gold, response) pairs as logged, `generation` seconds."""

    score: float
    responses: list[tuple[str, str]]
    generation: float | None
    tokens: float | None


def ours(work: Work) -> tuple[list[list], Callable[[], Outcome]]:
    """This project: sample, grade and score, one process after the other."""
    benchmark, evaluation = work.folder / "walks.parquet", work.folder / "eval"
    pd.DataFrame(work.rows)[["id", "problem", "answer"]].to_parquet(benchmark)
    grades = evaluation / "walks" / "grades.parquet"
    engine = {key: value for key, value in work.engine.items() if key not in ("seed", "max_model_len")}
    sample = [ROOT / ".envs" / "evaluate-cpu" / "bin" / "python", SCRIPTS / "sample.py", "--name", "base"]
    sample += ["--model", work.model, "--benchmark", f"walks={benchmark}", "--instruction", INSTRUCTION]
    sample += ["--samples", work.samples, "--repetitions-per-shard", 16, "--max-tokens", work.max_tokens]
    sample += ["--temperature", SAMPLING["temperature"], "--top-p", SAMPLING["top_p"], "--seed", work.seed]
    sample += ["--engine", json.dumps(engine), "--output", evaluation]
    grade = [sys.executable, SCRIPTS / "grade.py", "--responses", evaluation / "samples.json"]
    grade += ["--shards-of", f"walks={benchmark}", "--output", evaluation]
    score = [sys.executable, SCRIPTS / "score.py", "--grades", grades, "--benchmarks", "walks"]
    score += ["--scores", evaluation / "scores.json", "--counts", evaluation / "counts.parquet"]

    def read() -> Outcome:
        table, drawn = pd.read_parquet(grades), read_json(evaluation / "samples.json")["drawn"]
        golds = {row["id"]: row["answer"] for row in work.rows}
        pairs = list(zip(table["problem_id"].map(golds), table["response"], strict=True))
        return Outcome(table["correct"].mean(), pairs, drawn["seconds"], drawn["tokens"])

    return [sample, grade, score], read


def lm_eval(work: Work) -> tuple[list[list], Callable[[], Outcome]]:
    """lm-evaluation-harness: `repeats` copies of each request, and a filter that keeps them all."""
    problems_file, output = work.folder / "problems.jsonl", work.folder / "out"
    write_jsonl(problems_file, work.rows)
    task = string.Template((RIVALS / "lm_eval_task.yaml").read_text(encoding="utf-8"))
    settings = {"max_tokens": work.max_tokens - work.longest_prompt, "samples": work.samples, **SAMPLING}
    filled = task.substitute(settings, problems=problems_file)
    (work.folder / "task.yaml").write_text(filled, encoding="utf-8")
    shutil.copy(RIVALS / "lm_eval_grading.py", work.folder)
    engine = ",".join(f"{key}={value}" for key, value in {"pretrained": work.model, **work.engine}.items())
    command = [work.environments / "lm-eval" / "bin" / "lm_eval", "run", "--model", "vllm", "--model_args", engine]
    command += ["--tasks", "walks", "--include_path", work.folder, "--apply_chat_template", "--batch_size", "auto"]
    command += ["--log_samples", "--output_path", output, "--seed", work.seed]

    def read() -> Outcome:
        (results,), (samples,) = output.rglob("results_*.json"), output.rglob("samples_*.jsonl")
        score = read_json(results)["results"]["walks"]["accuracy,all"]
        rows = list(iterate(samples))
        pairs = [(row["doc"]["answer"], response) for row in rows for response in row["resps"][0]]
        return Outcome(score, pairs, *generation(work.folder / "log.txt"))

    return [command], read


def lighteval(work: Work) -> tuple[list[list], Callable[[], Outcome]]:
    """lighteval: `n` samples a request, through lighteval_model.py, as its own vLLM class needs vLLM 0.10."""
    data, output = work.folder / "data", work.folder / "out"
    write_jsonl(data / "train.jsonl", work.rows)
    settings = {"max_tokens": work.max_tokens - work.longest_prompt, "samples": work.samples, "data": str(data)}
    write_json(work.folder / "settings.json", {**settings, "engine": work.engine, "sampling": SAMPLING})
    for file in ("lighteval_model.py", "lighteval_task.py"):
        shutil.copy(RIVALS / file, work.folder)
    command = [work.environments / "lighteval" / "bin" / "lighteval", "custom", work.model, "lighteval_model.py"]
    command += ["walks|0", "--custom-tasks", "lighteval_task.py", "--output-dir", output, "--save-details"]

    def read() -> Outcome:
        (results,), (details,) = output.rglob("results_*.json"), output.rglob("details_*.parquet")
        score = read_json(results)["results"]["walks|0"][f"avg@n:n={work.samples}"]
        table = pd.read_parquet(details)
        pairs = [
            (doc["choices"][0], text)
            for doc, response in zip(table["doc"], table["model_response"], strict=True)
            for text in response["text"]
        ]
        return Outcome(score, pairs, *generation(work.folder / "log.txt"))

    return [command], read


TOOLS = {"ours": ours, "lm-eval": lm_eval, "lighteval": lighteval}


def generation(log: Path) -> tuple[float | None, float | None]:
    """Seconds and response tokens of all `LLM.generate` calls, by the last state of each progress bar in a log."""
    bars = log.read_text(encoding="utf-8", errors="replace").split("Processed prompts:   0%")[1:]
    ended = [BAR.findall(bar)[-1] for bar in bars if BAR.search(bar)]
    seconds = [int(count) / float(rate) for count, rate, _ in ended]
    if not seconds:
        return None, None
    tokens = sum(second * float(rate) for second, (_, _, rate) in zip(seconds, ended, strict=True))
    return round(sum(seconds), 2), round(tokens)
