"""What one engine for several checkpoints saves: against an engine for each, on the same prompts, settings and seeds.

    .envs/workflow/bin/python benchmarks/checkpoints.py --problems results/demo-small/data/benchmarks/hard.parquet \
        --models results/demo-small/toy/*/sft/model

Whole commands are timed, in turn. The overhead of a checkpoint is the time beside the seconds in which its responses
are drawn: in a command of its own, and between the end of the one before and its own end in a command for all.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import NamedTuple

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
        starts += [seconds - one.seconds for seconds, [one] in each]
        between += [after.end - before.end - after.seconds for before, after in pairwise(drawn)]
        ratios.append(fresh / wall)
        print(f"run {number + 1}, {len(asked)} checkpoints: {fresh:.1f} s with an engine for each, {wall:.1f} s with"
              f" one engine, of which {sum(one.seconds for one in drawn):.1f} s of drawing; the same responses",
              flush=True)  # fmt: skip
    start, gap = statistics.median(starts), statistics.median(between)
    print(f"an engine for each: {start:.2f} s of overhead a checkpoint (median of {len(starts)})")
    print(f"one engine: {gap:.2f} s between two checkpoints, at most {max(between):.2f} s (median of {len(between)})")
    print(f"ratio of overheads, one engine to an engine for each: {gap / start:.3f} (2 s at most are wanted)")
    print(f"ratio, all commands with an engine for each to one command for all: {statistics.median(ratios):.2f}")


class Drawn(NamedTuple):
    """When a checkpoint was whole, and the seconds in which its responses were drawn."""

    end: float
    seconds: float


def check_same(alone: Path, together: Path) -> None:
    """Every file of responses is the same, byte by byte."""
    for path in alone.rglob("*.parquet"):
        if path.read_bytes() != (together / path.relative_to(alone)).read_bytes():
            raise SystemExit(f"{path.relative_to(alone)}: one engine drew other responses than an engine of its own")


def draw(
    options: argparse.Namespace, settings: Settings, checkpoints: list[tuple[str, str]], output: Path
) -> tuple[float, list[Drawn]]:
    """Wall seconds of one command, and when and how long each checkpoint was drawn."""
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
    files = [output / name / "samples.json" for name, _ in checkpoints]
    return wall, [Drawn(path.stat().st_mtime, read_json(path)["drawn"]["seconds"]) for path in files]


if __name__ == "__main__":
    main()
