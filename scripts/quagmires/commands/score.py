"""Scores of one checkpoint from its graded responses: counts per problem, Pass@k, majority@k, entropy, RL prompts."""

import argparse
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from quagmires.commands.named_numbers import named_numbers
from quagmires.common.errors import UserError
from quagmires.common.files import read_json, read_record, remove, whole_file, write_json
from quagmires.evaluation.contamination.summaries import read_pairs
from quagmires.evaluation.majority import distinct_wrong_at_k, majority_at_k, tally
from quagmires.evaluation.pass_at_k import powers_of_two
from quagmires.evaluation.reward_signal import reward_signal
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
    parser.add_argument(
        "--rl-prompts",
        nargs="+",
        default=[],
        metavar="NAME=ROLLOUTS",
        help="those of the names that are prompts of an RL set and no benchmark, with its rollouts of a prompt; their"
        " counts go into rl_counts.parquet beside --counts",
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
    rollouts = rollouts_of(options.rl_prompts, options.benchmarks)
    tasks = tasks_of(options.benchmarks, options.task)
    tables, majority, wrong, rl_tables = [], {}, {}, []
    for path, name in zip(options.grades, options.benchmarks, strict=True):
        # Entropy is an average of log-probabilities only of responses drawn from the model's own distribution.
        optional = ("logprob_sum",) if drawn_from_the_model(path.with_name("identity.json")) else ()
        grades = read_grades(path, COLUMNS, optional)
        table = count(grades, path)
        table.insert(0, "benchmark", name)
        if name in rollouts:
            rl_tables.append(table)
            continue
        tables.append(table)
        generator = np.random.default_rng([options.seed, crc32(name.encode()), 1])
        ks, votes = powers_of_two(int(table["n"].min())), tally(grades, tasks[name])
        majority[name], wrong[name] = majority_at_k(votes, ks, generator), distinct_wrong_at_k(votes, ks)
    counts = pd.concat(tables, ignore_index=True)
    contaminated = None if options.contaminated is None else read_pairs(options.contaminated)
    scores = score(counts, options.seed, majority, contaminated, wrong)
    if rl_tables:
        scores["rl_prompts"] = {
            table["benchmark"].iloc[0]: reward_signal(table, rollouts[table["benchmark"].iloc[0]])
            for table in rl_tables
        }
    write_counts(options.counts, counts)
    write_counts(options.counts.with_name("rl_counts.parquet"), pd.concat(rl_tables) if rl_tables else None)
    write_json(options.scores, scores)


def rollouts_of(given: list[str], names: list[str]) -> dict[str, int]:
    """Name -> rollouts of a prompt, of --rl-prompts; some other name must be left to score."""
    found = named_numbers("--rl-prompts", given, names, "ROLLOUTS")
    if set(found) == set(names):
        raise UserError("--rl-prompts: names all there is; give the grades of a benchmark too")
    return found


def drawn_from_the_model(identity: Path) -> bool:
    """Whether samples were drawn at temperature 1 and top-p 1, by what sampling left beside them; if not known, no."""
    settings = read_record(identity)
    return settings.get("temperature") == settings.get("top_p") == 1


def write_counts(path: Path, counts: pd.DataFrame | None) -> None:
    """Write a table of counts; without one, what an earlier scoring left there goes."""
    if counts is None:
        remove(path)
        return
    with whole_file(path) as temporary:
        counts.to_parquet(temporary, index=False)
