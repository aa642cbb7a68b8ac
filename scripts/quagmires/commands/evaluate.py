"""Evaluate models on math benchmarks: sample with vLLM, grade with math-verify, report Pass@k.

    quagmires evaluate --model Qwen/Qwen3-4B-Base --benchmarks math500,aime_2025 --n 64 --output out/

Runs in the workflow environment; vLLM runs in its own, which is built when first needed. Run it again after a stop, or
with a larger --n: only what is missing is drawn. Several models, each with its --output, are drawn with one engine.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from quagmires.common import installation
from quagmires.common.errors import UserError
from quagmires.common.files import read_json, whole_file
from quagmires.config.task_names import other_tasks
from quagmires.data.problems import read_problems
from quagmires.evaluation import tool
from quagmires.evaluation.tool import Settings
from quagmires.reporting.evaluation_report import write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`; what is not given is the paper's (config/base.yaml)."""
    parser.add_argument(
        "--model", required=True, nargs="+", help="a Hugging Face directory, or an id on the hub; or several"
    )
    parser.add_argument("--revision", help="commit hash, branch or tag of a model on the hub; of one --model")
    parser.add_argument("--benchmarks", required=True, help="comma-separated names, or `all`; see config/base.yaml")
    parser.add_argument("--n", type=int, required=True, help="responses per problem")
    parser.add_argument(
        "--output", type=Path, required=True, nargs="+",
        help="directory for samples, grades, scores and figure; one for each --model",
    )  # fmt: skip
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


@dataclass(frozen=True)
class Evaluated:
    """A model as it was given, its directory, its output folder, and tokens of prompt and response together."""

    name: str
    model: Path
    output: Path
    max_tokens: int


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    settings = tool.load_settings([installation.shipped("config/base.yaml"), *cpu_file(options), *options.config])
    benchmarks = tool.choose(settings, options.benchmarks)
    models = models_of(options, settings.evaluation.max_tokens)
    problems = {one.name: prepare(settings, benchmarks, options.limit, one.output) for one in models}
    tasks = {name: settings.benchmarks[name].task for name in benchmarks}
    before = {one.name: written(one.output / "samples.json") for one in models}
    # Those that share a token limit share an engine.
    limits = dict.fromkeys(one.max_tokens for one in models)
    failed = [sample(options, settings, [one for one in models if one.max_tokens == limit], problems)
              for limit in limits]  # fmt: skip
    for one in models:
        # One that failed has no new responses, and the others do not lose theirs.
        if written(one.output / "samples.json") != before[one.name]:
            grade_and_score(options, one.output, problems[one.name], tasks)
            write_report(one.output, one.name)
    if any(failed):
        raise SystemExit(max(failed))


def models_of(options: argparse.Namespace, max_tokens: int) -> list[Evaluated]:
    """What is to be evaluated; a model on the hub is downloaded.

    Raises
    ------
    UserError
        Not one output for each model, one of them twice, or a model that cannot be evaluated.
    """
    names = [name.rstrip("/") for name in options.model]
    if len(options.output) != len(names):
        raise UserError(f"--output: {len(names)} models and {len(options.output)} outputs; give one for each")
    for option, values in (("--model", names), ("--output", [path.resolve() for path in options.output])):
        if len(set(values)) < len(values):
            raise UserError(f"{option}: {next(v for v in values if values.count(v) > 1)} is there twice; remove one")
    if options.revision and len(names) > 1:
        raise UserError("--revision: belongs to one model, and there are several; evaluate that one alone")
    found = []
    for name, given, output in zip(names, options.model, options.output, strict=True):
        model = tool.local_model(given, options.revision, options.chat_template)
        found.append(Evaluated(name, model, output, options.max_tokens or tool.fitting_tokens(model, max_tokens)))
    return found


def written(path: Path) -> tuple[int, int] | None:
    """What is another whenever a file is written anew, for it is renamed into its place."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.is_file() else None


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
    options: argparse.Namespace, settings: Settings, models: list[Evaluated], problems: dict[str, dict[str, Path]]
) -> int:
    """Draw what is missing of models with one token limit, in vLLM's environment; the exit status."""
    block, first = settings.evaluation, models[0]
    command = [
        "sample", *[f"--benchmark={name}={path}" for name, path in problems[first.name].items()],
        "--instruction", settings.prompt.instruction, "--samples", options.n,
        "--repetitions-per-shard", block.repetitions_per_shard, "--temperature", block.temperature,
        "--top-p", block.top_p, "--max-tokens", first.max_tokens,
        "--seed", settings.seed if options.seed is None else options.seed,
        "--engine", json.dumps({**block.engine, **options.engine}), "--devices", options.devices,
        "--log", first.output / "sample.log",
    ]  # fmt: skip
    for one in models:
        command += ["--checkpoint", one.name, one.model, one.output]
    command += ["--chat-template", options.chat_template] if options.chat_template else []
    command += ["--discard-others"] if options.discard_others else []
    variables = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": str(options.threads)}
    return status(evaluation_python(options.accelerator), command, variables | block.environment)


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


def grade_and_score(
    options: argparse.Namespace, output: Path, problems: dict[str, Path], tasks: dict[str, str]
) -> None:
    """Grade every benchmark, each by its task, and score them together."""
    others = ["--task", *other_tasks(tasks)] if other_tasks(tasks) else []
    start(sys.executable, ["grade", "--responses", output / "samples.json", "--without", "response",
         "--shards-of", *(f"{name}={path}" for name, path in problems.items()), "--workers", options.threads,
         "--output", output, *others], quiet=True)  # fmt: skip
    seed = read_json(output / "samples.json")["identity"]["seed"]
    command = ["score", "--grades", output / "grades.json", "--seed", seed,
               "--scores", output / "scores.json", "--counts", output / "counts.parquet",
               *others]  # fmt: skip
    command += ["--contaminated", *options.contaminated] if options.contaminated is not None else []
    start(sys.executable, command)


def start(python: Path | str, command: list, quiet: bool = False) -> None:
    """Run one step in an environment; it has said what is wrong when it fails."""
    if failed := status(python, command, quiet=quiet):
        raise SystemExit(failed)


def status(python: Path | str, command: list, environment: dict[str, str] | None = None, quiet: bool = False) -> int:
    """The exit status of one step.

    It imports this library, then what PYTHONPATH says, and nothing from the folder that the command is typed in.
    """
    path = os.pathsep.join(filter(None, [str(installation.import_path()), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [str(python), "-m", "quagmires.commands", *(str(part) for part in command)],
        env={**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **(environment or {})},
        stdout=subprocess.DEVNULL if quiet else None,
    ).returncode
