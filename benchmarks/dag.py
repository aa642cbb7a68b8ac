"""Time to plan the paper's grid, and grids of three and ten times its size, against a trivial workflow of as many jobs.

    python benchmarks/dag.py --factors 1 3 10 --runs 3

Both are `snakemake -n` with the same profile in processes of their own, run in turn. The trivial workflow has one rule,
whose jobs have one output and a shell command; `bare` is the ratio to it without any profile. A larger grid is the
paper's studies again at other learning rates. Last come the seconds that the plan of the paper's costs takes, and its
check against `costs.max_gpu_hours`, which stands before every run: beside the dry run of the paper they should be few.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from quagmires.config.experiment import read_experiment  # noqa: E402
from quagmires.planning import throughput  # noqa: E402
from quagmires.planning.costs import check_budget, make_plan  # noqa: E402
from quagmires.planning.jobs import planned_jobs  # noqa: E402
from quagmires.reporting.plan_text import plan_text  # noqa: E402

TRIVIAL = """rule all:
    input: expand("out/{{i}}", i=range({jobs}))
rule job:
    output: "out/{{i}}"
    shell: "touch {{output}}"
"""


class Run(NamedTuple):
    """One dry run: jobs planned, seconds of wall and processor time, GiB of memory at its peak."""

    jobs: int
    wall: float
    processor: float
    memory: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--factors", type=int, nargs="+", default=[1, 3, 10], help="times the paper's grid")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, of which the median counts")
    parser.add_argument("--profile", default="slurm")
    options = parser.parse_args()

    header = ("grid", "jobs", "plan", "trivial", "ratio", "processor time", "bare", "memory")
    print("{:>5} {:>7} {:>9} {:>9} {:>6} {:>15} {:>6} {:>9}".format(*header))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for factor in options.factors:
            config = grid(factor, directory)
            # Snakemake looks for a profile's name in the working directory.
            arguments = ["--profile", str((ROOT / options.profile).resolve()), "--configfile", str(config)]
            plans, trivials, bares = [], [], []
            for _ in range(options.runs):
                plans.append(dry_run(arguments, ROOT))
                trivials.append(trivial(plans[0].jobs, directory, arguments))
                bares.append(trivial(plans[0].jobs, directory, []))
            ours, theirs, bare = middle(plans), middle(trivials), middle(bares)
            print(
                f"{factor:>4}x {ours.jobs:>7} {ours.wall:>7.1f} s {theirs.wall:>7.1f} s {ours.wall / theirs.wall:>6.2f}"
                f" {ours.processor / theirs.processor:>15.2f} {ours.wall / bare.wall:>6.2f} {ours.memory:>5.2f} GiB",
                flush=True,
            )
    print("costs of the paper: plan {:.2f} s, check of its budget {:.2f} s".format(*cost_seconds()))


def cost_seconds() -> tuple[float, float]:
    """Processor seconds of the plan that `quagmires plan` prints, and of the check before every run."""
    os.chdir(ROOT)
    experiment = read_experiment(["config/base.yaml", "config/paper.yaml"])
    costs = experiment.config.costs.model_copy(update={"max_gpu_hours": 1e9})
    limited = replace(experiment, config=experiment.config.model_copy(update={"costs": costs}))
    started = time.process_time()
    speeds = throughput.of(experiment.config)
    plan_text(make_plan(experiment, speeds, planned_jobs(experiment, speeds), experiment.config.costs.gpus))
    planned = time.process_time()
    check_budget(limited)
    return planned - started, time.process_time() - planned


def grid(factor: int, directory: Path) -> Path:
    """The paper's config with its studies `factor` times, each time at other learning rates."""
    config = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text(encoding="utf-8"))
    base = yaml.safe_load((ROOT / "config" / "base.yaml").read_text(encoding="utf-8"))
    studies = dict(config["studies"])
    for k in range(1, factor):
        for name, study in config["studies"].items():
            recipes = [{"subset": one} if isinstance(one, str) else dict(one) for one in study["recipes"]]
            for recipe in recipes:
                # All have the base model in common.
                if recipe["subset"] != "base":
                    recipe["learning_rate"] = recipe.get("learning_rate", base["sft"]["learning_rate"]) * (1 + k / 100)
            studies[f"{name}-{k}"] = {**study, "recipes": recipes}
    target = directory / f"grid{factor}.yaml"
    # Results of its own: what lies in the real ones changes the plan.
    target.write_text(yaml.safe_dump({**config, "experiment": "benchmark-dag", "studies": studies}), encoding="utf-8")
    return target


def trivial(jobs: int, directory: Path, arguments: list[str]) -> Run:
    """A dry run of as many jobs that need nothing."""
    folder = directory / "trivial"
    folder.mkdir(exist_ok=True)
    # One of the jobs is `all`.
    (folder / "Snakefile").write_text(TRIVIAL.format(jobs=jobs - 1), encoding="utf-8")
    run = dry_run(arguments, folder)
    assert run.jobs == jobs, f"planned {run.jobs} jobs, not {jobs}"
    return run


def dry_run(arguments: list[str], folder: Path) -> Run:
    """`snakemake -n` in `folder`."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", *arguments],
        cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output = process.communicate(timeout=3600)[0]
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"^total +(\d+)", output, re.MULTILINE)
    if process.returncode or not found:
        raise SystemExit(f"snakemake -n failed in {folder}:\n{output[-3000:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The peak of the largest child so far: plans come before the smaller trivial ones.
    return Run(int(found[1]), wall, processor, after.ru_maxrss / 2**20)


def middle(runs: list[Run]) -> Run:
    """The medians of several runs."""
    return Run(runs[0].jobs, *(statistics.median(values) for values in list(zip(*runs, strict=True))[1:]))


if __name__ == "__main__":
    main()
