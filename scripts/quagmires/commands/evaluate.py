"""Evaluate one model on math benchmarks: sample with vLLM, grade with math-verify, report Pass@k.

    quagmires evaluate --model Qwen/Qwen3-4B-Base --benchmarks math500,aime_2025 --n 64 --output out/

Runs in the workflow environment; vLLM runs in its own, which is built when first needed. Run it again after a stop, or
with a larger --n: only what is missing is drawn.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from quagmires.common import installation
from quagmires.common.files import read_json, whole_file
from quagmires.config.task_names import other_tasks
from quagmires.data.problems import read_problems
from quagmires.evaluation import tool
from quagmires.evaluation.tool import Settings
from quagmires.reporting.evaluation_report import write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`; what is not given is the paper's (config/base.yaml)."""
    parser.add_argument("--model", required=True, help="a Hugging Face directory, or an id on the hub")
    parser.add_argument("--revision", help="commit hash, branch or tag of a model on the hub")
    parser.add_argument("--benchmarks", required=True, help="comma-separated names, or `all`; see config/base.yaml")
    parser.add_argument("--n", type=int, required=True, help="responses per problem")
    parser.add_argument("--output", type=Path, required=True, help="directory for samples, grades, scores and figure")
    parser.add_argument("--config", type=Path, nargs="+", default=[], help="YAML laid over base.yaml: more benchmarks")
    parser.add_argument("--limit", type=int, help="only the first so many problems of each benchmark")
    parser.add_argument(
        "--max-tokens", type=int, help="prompt and response together (default: the model's, at most 8192)"
    )
    parser.add_argument("--chat-template", type=Path, help="a Jinja file, for a model without one")
    parser.add_argument(
        "--contaminated", type=Path, nargs="*", help="pairs by find_contamination.py, for a clean average"
    )
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), default="cuda" if tool.gpus() else "cpu")
    parser.add_argument("--devices", type=int, default=max(1, tool.gpus()), help="GPUs to use (default: all)")
    parser.add_argument("--engine", type=json.loads, default={}, help="JSON of further arguments of vLLM's engine")
    parser.add_argument("--threads", type=int, default=1, help="of vLLM on CPU, and workers of the grader")
    parser.add_argument("--seed", type=int, help="of sampling and bootstrap")
    parser.add_argument("--discard-others", action="store_true", help="remove samples of another model or setting")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    settings = tool.load_settings([installation.shipped("config/base.yaml"), *cpu_file(options), *options.config])
    benchmarks = tool.choose(settings, options.benchmarks)
    model = tool.local_model(options.model, options.revision, options.chat_template)
    max_tokens = options.max_tokens or tool.fitting_tokens(model, settings.evaluation.max_tokens)
    problems = prepare(settings, benchmarks, options.limit, options.output)
    sample(options, settings, model, max_tokens, problems)
    grade_and_score(options, problems, {name: settings.benchmarks[name].task for name in benchmarks})
    write_report(options.output, options.model)


def cpu_file(options: argparse.Namespace) -> list[Path]:
    """What differs without a GPU."""
    return [installation.shipped("config/evaluation_cpu.yaml")] if options.accelerator == "cpu" else []


def prepare(settings: Settings, benchmarks: list[str], limit: int | None, output: Path) -> dict[str, Path]:
    """Benchmark -> its problems as a parquet file below the output."""
    files = {}
    for name in benchmarks:
        block = settings.benchmarks[name]
        source = block.model_dump(include={"path", "hub"}, exclude_none=True)
        columns = {column: block.columns.get(column, column) for column in ("id", "problem", "answer")}
        table = read_problems(name, source, columns, block.gold, block.rows, block.task)
        files[name] = output / "benchmarks" / f"{name}.parquet"
        with whole_file(files[name]) as temporary:
            table.head(limit or len(table)).to_parquet(temporary, index=False)
    return files


def sample(
    options: argparse.Namespace, settings: Settings, model: Path, max_tokens: int, problems: dict[str, Path]
) -> None:
    """Draw what is missing, in vLLM's environment."""
    block = settings.evaluation
    command = [
        "sample", "--name", options.model.rstrip("/"), "--model", model,
        *[f"--benchmark={name}={path}" for name, path in problems.items()],
        "--instruction", settings.prompt.instruction, "--samples", options.n,
        "--repetitions-per-shard", block.repetitions_per_shard, "--temperature", block.temperature,
        "--top-p", block.top_p, "--max-tokens", max_tokens,
        "--seed", settings.seed if options.seed is None else options.seed,
        "--engine", json.dumps({**block.engine, **options.engine}), "--devices", options.devices,
        "--output", options.output, "--log", options.output / "sample.log",
    ]  # fmt: skip
    command += ["--chat-template", options.chat_template] if options.chat_template else []
    command += ["--discard-others"] if options.discard_others else []
    variables = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": str(options.threads)}
    start(evaluation_python(options.accelerator), command, variables | block.environment)


def evaluation_python(accelerator: str) -> Path:
    """This interpreter where it has vLLM; else that of our own environment.

    Ours is built if it is not there or its lock has changed.
    """
    if find_spec("vllm"):
        return Path(sys.executable)
    environment = installation.environments() / f"evaluate-{accelerator}"
    lock = installation.shipped(f"envs/evaluate-{accelerator}.lock")
    if not tool.is_built(environment, lock):
        print(f"Building vLLM's environment in {environment}", file=sys.stderr)
        stamp, log = environment / "built.sha256", installation.logs() / "environments" / f"{environment.name}.log"
        start(sys.executable, ["build_environment", "--lock", lock, "--environment", environment, "--stamp", stamp,
                               "--log", log])  # fmt: skip
    return environment / "bin" / "python"


def grade_and_score(options: argparse.Namespace, problems: dict[str, Path], tasks: dict[str, str]) -> None:
    """Grade every benchmark, each by its task, and score them together."""
    others = ["--task", *other_tasks(tasks)] if other_tasks(tasks) else []
    start(sys.executable, ["grade", "--responses", options.output / "samples.json", "--without", "response",
         "--shards-of", *(f"{name}={path}" for name, path in problems.items()), "--workers", options.threads,
         "--output", options.output, *others], quiet=True)  # fmt: skip
    seed = read_json(options.output / "samples.json")["identity"]["seed"]
    command = ["score", "--grades", options.output / "grades.json", "--seed", seed,
               "--scores", options.output / "scores.json", "--counts", options.output / "counts.parquet",
               *others]  # fmt: skip
    command += ["--contaminated", *options.contaminated] if options.contaminated is not None else []
    start(sys.executable, command)


def start(python: Path | str, command: list, environment: dict[str, str] | None = None, quiet: bool = False) -> None:
    """Run one step in an environment; it has said what is wrong when it fails.

    It imports this library, then what PYTHONPATH says, and nothing from the folder that the command is typed in.
    """
    path = os.pathsep.join(filter(None, [str(installation.import_path()), os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [str(python), "-m", "quagmires.commands", *(str(part) for part in command)],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **(environment or {})},
        stdout=subprocess.DEVNULL if quiet else None,
    )
    if result.returncode:
        raise SystemExit(result.returncode)
