"""What an experiment costs, before anything runs: tokens, GPU-hours, wall time, disk, jobs and money.

    quagmires plan --config config/base.yaml config/paper.yaml --output-folder results/paper/decisions

Prints the plan and writes plan.txt, plan.csv (one row per study and stage) and plan.json (all of it, each job too).
Then it fails if the plan asks for more than `costs.max_gpu_hours`. What it counts and assumes: docs/plan.md.
"""

import argparse
import os
from pathlib import Path

import pandas as pd

from quagmires.common import installation
from quagmires.common.files import whole_file, write_json, write_text
from quagmires.config.experiment import read_experiment
from quagmires.planning import throughput
from quagmires.planning.choice_costs import choice_costs
from quagmires.planning.costs import check_budget, make_plan, on_gpus
from quagmires.planning.jobs import planned_jobs, stage_titles
from quagmires.planning.spending import spent
from quagmires.reporting.plan_text import plan_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="YAML or JSON, laid over each other")
    parser.add_argument("--measured", type=Path, help="speeds of its own runs (results/<experiment>/throughput.yaml)")
    parser.add_argument("--benchmarks", type=Path, help="Snakemake's benchmarks, to show what was spent")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="without GPUs: jobs at the same time")
    parser.add_argument(
        "--no-limit", action="store_true", help="of what has run: above costs.max_gpu_hours is no error"
    )
    parser.add_argument("--output-folder", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    experiment = read_experiment(map(installation.given_or_shipped, options.config))
    config, speeds = experiment.config, throughput.of(experiment.config, options.measured)
    jobs = planned_jobs(experiment, speeds)
    plan = make_plan(experiment, speeds, jobs, config.costs.gpus if on_gpus(config) else options.jobs)
    plan["choosing"] = choice_costs(experiment, jobs, options.benchmarks, Path(experiment.root))
    if options.benchmarks:
        # By the speeds known before: those measured here agree with what was spent by themselves.
        before = planned_jobs(experiment, throughput.read(config, config.costs.throughput))
        plan["spent"] = spent(before, options.benchmarks, Path(experiment.root), stage_titles(experiment))
    text = plan_text(plan)
    print(text, end="")
    write_text(options.output_folder / "plan.txt", text)
    with whole_file(options.output_folder / "plan.csv") as temporary:
        pd.DataFrame(plan["study_stages"]).to_csv(temporary, index=False)
    write_json(options.output_folder / "plan.json", plan)
    if not options.no_limit:
        check_budget(experiment, jobs)
