"""What one engine for several checkpoints saves: against an engine for each, on the same prompts, settings and seeds.

    .envs/workflow/bin/python benchmarks/checkpoints.py --problems results/demo-small/data/benchmarks/hard.parquet \
        --models results/demo-small/toy/*/sft/model

Whole commands are timed, in turn. The overhead of a checkpoint is what it adds to a command beyond the seconds in which
its responses are drawn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from quagmires.common.files import read_json  # noqa: E402
from quagmires.evaluation.tool import Settings, load_settings  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", required=True, nargs="+", help="of one architecture and tokenizer; taken in turn")
    parser.add_argument("--problems", required=True, help="parquet of id, problem, answer")
    parser.add_argument("--checkpoints", type=int, default=4)
    parser.add_argument("--n", type=int, default=64, help="responses per problem")
    parser.add_argument("--max-tokens", type=int, default=96)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    settings = load_settings([ROOT / "config" / "base.yaml", ROOT / "config" / "evaluation_cpu.yaml"])
    asked = [
        (f"checkpoint{number}", model)
        for number, model in enumerate(islice(cycle(options.models), options.checkpoints))
    ]
    ratios, between, starts = [], [], []
    for number in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            alone, together = Path(folder) / "alone", Path(folder) / "together"
            each = [draw(options, settings, [one], alone) for one in asked]
            wall, drawn = draw(options, settings, asked, together)
            check_same(alone, together)
        fresh = sum(seconds for seconds, _ in each)
        starts.append(statistics.mean(seconds - sum(drawing) for seconds, drawing in each))
        # The first checkpoint pays for the start of the engine.
        between.append((wall - sum(drawn) - starts[-1]) / (len(asked) - 1))
        ratios.append(fresh / wall)
        print(f"run {number + 1}, {len(asked)} checkpoints: {fresh:.1f} s with an engine for each, {wall:.1f} s with"
              f" one engine, of which {sum(drawn):.1f} s of drawing; the same responses", flush=True)  # fmt: skip
    print(f"engine for each: {statistics.median(starts):.2f} s of overhead a checkpoint (medians)")
    print(f"one engine: {statistics.median(between):.2f} s between two checkpoints (at most 2 are wanted)")
    print(f"ratio, all commands with an engine each to one engine: {statistics.median(ratios):.2f}")


def check_same(alone: Path, together: Path) -> None:
    """Every file of responses is the same, byte by byte."""
    for path in alone.rglob("*.parquet"):
        if path.read_bytes() != (together / path.relative_to(alone)).read_bytes():
            raise SystemExit(f"{path.relative_to(alone)}: one engine drew other responses than an engine of its own")


def draw(
    options: argparse.Namespace, settings: Settings, checkpoints: list[tuple[str, str]], output: Path
) -> tuple[float, list[float]]:
    """Wall seconds of one command, and the seconds in which each checkpoint's responses were drawn."""
    block = settings.evaluation
    command = [ROOT / ".envs/evaluate-cpu/bin/python", ROOT / "scripts/sample.py",
               "--benchmark", f"problems={options.problems}", "--instruction", settings.prompt.instruction,
               "--samples", options.n, "--repetitions-per-shard", block.repetitions_per_shard, "--temperature", 1.0,
               "--top-p", 1.0, "--max-tokens", options.max_tokens, "--seed", 1,
               "--engine", json.dumps({**block.engine, "dtype": "float32"}), "--cache", output.parent / "cache",
               "--log", output / "log"]  # fmt: skip
    for name, model in checkpoints:
        command += ["--checkpoint", name, model, output / name]
    variables = {**os.environ, **block.environment, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
                 "VLLM_NO_USAGE_STATS": "1"}  # fmt: skip
    started = time.monotonic()
    result = subprocess.run(
        [str(part) for part in command], env=variables, capture_output=True, text=True, timeout=1800, cwd=ROOT
    )
    wall = time.monotonic() - started
    if result.returncode:
        raise SystemExit(f"sample.py failed: {result.stderr[-2000:]}")
    return wall, [read_json(output / name / "samples.json")["drawn"]["seconds"] for name, _ in checkpoints]


if __name__ == "__main__":
    main()
