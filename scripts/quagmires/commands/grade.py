"""Grade sampled responses with math-verify: adds `answer`, `correct` and `reason`, one row out for each row in.

    quagmires grade --responses responses.jsonl --output grades.parquet

Reads parquet or JSON lines (plain or gzip) with `gold` and `response`, or with `problem_id` and `response` and the
golds in a benchmark file. Other columns pass through. With --shards-of it grades all benchmarks of one evaluation.
"""

import argparse
import contextlib
from pathlib import Path

import pandas as pd

from quagmires.common.errors import UserError
from quagmires.common.files import read_json, whole_file, write_json
from quagmires.common.tabular import iterate
from quagmires.grading.grader import Grader
from quagmires.grading.task import tasks_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument(
        "--responses", type=Path, nargs="+", required=True, help="files, or directories of parquet shards"
    )
    parser.add_argument("--benchmark", type=Path, help="parquet of id and answer: the golds by problem_id")
    parser.add_argument(
        "--shards-of",
        nargs="+",
        metavar="NAME=FILE",
        help="--responses is a samples.json: grade the shards it lists of these benchmarks, each with the parquet of"
        " its golds, into NAME/grades.parquet below --output, and grades.json last",
    )
    parser.add_argument("--output", type=Path, required=True, help="parquet file to write, or folder with --shards-of")
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="COLUMN", help="columns to leave out, such as `response`"
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for one comparison")
    parser.add_argument(
        "--task",
        nargs="+",
        default=[],
        metavar="[NAME=]TASK",
        help="the kind of problems, or that of a benchmark of --shards-of, where it is not math",
    )


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if not options.shards_of:
        [task] = tasks_of(["responses"], options.task).values()
        with Grader(options.workers, options.timeout, task) as grader:
            grade_files(files_of(options.responses), options.benchmark, grader, options.without, options.output)
        return
    benchmarks = {name: Path(path) for name, _, path in (one.partition("=") for one in options.shards_of)}
    tasks = tasks_of(benchmarks, options.task)
    graded = {}
    with contextlib.ExitStack() as stack:
        graders = {
            task: stack.enter_context(Grader(options.workers, options.timeout, task)) for task in set(tasks.values())
        }
        for name, benchmark in benchmarks.items():
            files = shards(options.responses[0], name)
            output = options.output / name / "grades.parquet"
            graded[name] = grade_files(files, benchmark, graders[tasks[name]], options.without, output)
    write_json(options.output / "grades.json", graded)


def grade_files(
    files: list[Path], benchmark: Path | None, grader: Grader, without: list[str], output: Path
) -> dict[str, int]:
    """Grade the responses in `files` into one parquet; returns the number of responses by reason."""
    golds = pd.read_parquet(benchmark).set_index("id")["answer"] if benchmark else None
    graded = []
    # File by file: the texts of a whole evaluation do not fit into memory.
    for file in files:
        responses = read_responses(file)
        if benchmark:
            responses["gold"] = golds_of(responses, golds, benchmark)
        check(responses, file)
        graded.append(grade(responses, grader).drop(columns=without, errors="ignore"))
    table = pd.concat(graded, ignore_index=True)
    check_repetitions(table, files[0].parent)
    with whole_file(output) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")
    reasons = {str(reason): int(count) for reason, count in table["reason"].value_counts().items()}
    print(f"{output}: {len(table)} responses, {table['correct'].mean():.1%} correct; {reasons}")
    return reasons


def grade(responses: pd.DataFrame, grader: Grader) -> pd.DataFrame:
    """The responses with `answer`, `correct` and `reason`."""
    grades = grader.grade_many(responses["gold"].tolist(), responses["response"].tolist())
    return responses.assign(
        answer=[grade.answer for grade in grades],
        correct=[grade.correct for grade in grades],
        reason=[grade.reason for grade in grades],
    )


def shards(samples: Path, benchmark: str) -> list[Path]:
    """The shards that make up an evaluation; others may lie beside them, from one with more or fewer samples."""
    listed = read_json(samples)["shards"]
    if benchmark not in listed:
        raise UserError(f"{samples}: no samples of {benchmark}; it has {', '.join(listed)}; sample it first")
    return [samples.parent / path for path in listed[benchmark]]


def files_of(paths: list[Path]) -> list[Path]:
    """The given files, and the parquet shards of the given directories."""
    files = [file for path in paths for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not files:
        raise UserError(f"{paths[0]}: no parquet shards in this directory; sample first")
    return files


def read_responses(file: Path) -> pd.DataFrame:
    """All rows of a file."""
    if not file.is_file():
        raise UserError(f"{file}: no such file of responses")
    frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.DataFrame(map(encodable, iterate(file)))
    if frame.empty:
        raise UserError(f"{file}: no responses")
    return frame


def encodable(row: dict) -> dict:
    """A row without halves of surrogate pairs: JSON can hold them, parquet cannot."""
    return {
        name: value.encode(errors="replace").decode() if isinstance(value, str) else value
        for name, value in row.items()
    }


def check(responses: pd.DataFrame, file: Path) -> None:
    """Refuse a missing column and values that are no text; numbers are golds too."""
    for column in ("gold", "response"):
        if column not in responses:
            raise UserError(f"{file}: no column `{column}`; it has {', '.join(responses.columns)}")
    responses["gold"] = [
        str(gold) if isinstance(gold, int | float) and gold == gold else gold for gold in responses["gold"]
    ]
    for column in ("gold", "response"):
        for number, value in enumerate(responses[column], start=1):
            if not isinstance(value, str):
                raise UserError(f"{file}, row {number}: `{column}` is {value!r}, not text; mend or remove the row")


def check_repetitions(table: pd.DataFrame, folder: Path) -> None:
    """Refuse a repetition that was drawn twice."""
    key = ["problem_id", "repetition"]
    if set(key) <= set(table.columns) and table.duplicated(key).any():
        raise UserError(f"{folder}: a repetition of a problem occurs twice; remove the folder and sample again")


def golds_of(responses: pd.DataFrame, golds: pd.Series, benchmark: Path) -> pd.Series:
    """The gold of each response's problem."""
    unknown = sorted(set(responses["problem_id"]) - set(golds.index))
    if unknown:
        raise UserError(f"{benchmark}: no problem {unknown[0]!r}, which has responses; sample this benchmark again")
    return responses["problem_id"].map(golds)
