"""Scores of one checkpoint from its graded responses: counts per problem, Pass@k and majority@k."""

import argparse
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from quagmires.common.errors import UserError
from quagmires.common.files import read_json, whole_file, write_json
from quagmires.evaluation.contamination.summaries import read_pairs
from quagmires.evaluation.majority import majority_at_k
from quagmires.evaluation.pass_at_k import powers_of_two
from quagmires.evaluation.scores import count, read_grades, score
from quagmires.grading.task import tasks_of

COLUMNS = ["problem_id", "repetition", "answer", "correct", "finish_reason", "reason", "n_tokens"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument(
        "--grades", type=Path, nargs="+", required=True, help="parquet files from grade.py, or its grades.json for all"
    )
    parser.add_argument("--benchmarks", nargs="+", default=[], help="benchmarks of parquet files, in the same order")
    parser.add_argument(
        "--contaminated",
        type=Path,
        nargs="*",
        help="parquet files with benchmark and problem_id: problems that the average `clean` leaves out",
    )
    parser.add_argument(
        "--task",
        nargs="+",
        default=[],
        metavar="[NAME=]TASK",
        help="the kind of problems of all benchmarks or of one, where it is not math",
    )
    parser.add_argument("--seed", type=int, default=0, help="of bootstrap and drawn votes (default: 0)")
    parser.add_argument("--scores", type=Path, required=True, help="JSON")
    parser.add_argument("--counts", type=Path, required=True, help="parquet of benchmark, problem_id, n, c, ...")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if options.grades[0].name == "grades.json" and not options.benchmarks:
        options.benchmarks = list(read_json(options.grades[0]))
        options.grades = [options.grades[0].parent / name / "grades.parquet" for name in options.benchmarks]
    if len(options.grades) != len(options.benchmarks) or len(set(options.benchmarks)) < len(options.benchmarks):
        raise UserError(
            f"--benchmarks: {len(options.benchmarks)} names for {len(options.grades)} files; give each file a name of"
            " its own"
        )
    tasks = tasks_of(options.benchmarks, options.task)
    tables, majority = [], {}
    for path, name in zip(options.grades, options.benchmarks, strict=True):
        grades = read_grades(path, COLUMNS)
        table = count(grades, path)
        table.insert(0, "benchmark", name)
        tables.append(table)
        generator = np.random.default_rng([options.seed, crc32(name.encode()), 1])
        majority[name] = majority_at_k(grades, powers_of_two(int(table["n"].min())), generator, tasks[name])
    counts = pd.concat(tables, ignore_index=True)
    contaminated = None if options.contaminated is None else read_pairs(options.contaminated)
    with whole_file(options.counts) as temporary:
        counts.to_parquet(temporary, index=False)
    write_json(options.scores, score(counts, options.seed, majority, contaminated))
