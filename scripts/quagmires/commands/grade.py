"""Grade sampled responses with math-verify: adds `answer`, `correct` and `reason`, one row out for each row in.

    quagmires grade --responses responses.jsonl --output grades.parquet

Reads parquet or JSON lines (plain or gzip) with `gold` and `response`, or with `problem_id` and `response` and the
golds in a benchmark file. Other columns pass through. With --shards-of it grades all benchmarks of one evaluation.
Files may be larger than the memory. They are checked as a whole before the first response is graded; a grading that was
killed, or found the disk full, goes on where it was when the same command is run again.
"""

import argparse
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from quagmires.common.errors import UserError
from quagmires.common.files import read_json, write_json
from quagmires.common.parquet_writer import row_groups
from quagmires.common.tabular import parquet_columns
from quagmires.evaluation.kept_verdicts import KeepingGrader, KeptVerdicts
from quagmires.evaluation.responses import Block, Survey, blocks, survey
from quagmires.grading.grader import Grader
from quagmires.grading.task import tasks_of

Part = TypeVar("Part")
Result = TypeVar("Result")


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
    if options.shards_of:
        benchmarks = {name: Path(path) for name, _, path in (one.partition("=") for one in options.shards_of)}
        tasks = tasks_of(benchmarks, options.task)
        # All files are looked through before the first response is graded.
        works = {
            name: Work.plan(
                shards(options.responses[0], name),
                benchmark,
                options.without,
                tasks[name],
                options.output / name / "grades.parquet",
            )
            for name, benchmark in benchmarks.items()
        }
        last = options.output / "grades.json"
    else:
        [task] = tasks_of(["responses"], options.task).values()
        files = files_of(options.responses)
        works = {"responses": Work.plan(files, options.benchmark, options.without, task, options.output)}
        last = options.output
    # One block's last slow answer must not keep all workers waiting.
    lanes = 1 if options.workers == 1 else 3
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(KeptVerdicts(last, options.timeout))
        graders = {
            task: KeepingGrader(task, stack.enter_context(Grader(options.workers, options.timeout, task)), kept)
            for task in {work.task for work in works.values()}
        }
        reasons = {name: grade_files(work, graders[work.task], lanes) for name, work in works.items()}
        if options.shards_of:
            write_json(last, reasons)


@dataclass(frozen=True)
class Work:
    """Files that were looked through, and the graded file that is made of them."""

    files: list[Survey]
    golds: dict | None
    schema: pa.Schema
    task: str
    output: Path

    @classmethod
    def plan(cls, files: list[Path], benchmark: Path | None, without: Sequence[str], task: str, output: Path) -> "Work":
        """Look files through; raises `UserError` at what could not be graded or written."""
        golds = golds_of(benchmark) if benchmark else None
        surveys, schema = survey(files, benchmark, golds, without)
        return cls(surveys, golds, schema, task, output)


def grade_files(work: Work, grader: KeepingGrader, lanes: int) -> dict[str, int]:
    """Grade the responses of files into one parquet, `lanes` blocks at a time; returns their number by reason."""
    reasons: Counter[str] = Counter()
    right = 0
    with row_groups(work.output, work.schema) as output:
        for table in in_order(lambda part: graded(part[0], part[1], work, grader), parts(work.files), lanes):
            output.write(table.select(work.schema.names))
            reasons.update(table["reason"].to_pylist())
            right += sum(table["correct"].to_pylist())
    total = reasons.total()
    counts = dict(reasons.most_common())
    print(f"{work.output}: {total} responses, {right / total:.1%} correct; {counts}")
    return counts


def parts(files: Sequence[Survey]) -> Iterator[tuple[Block, Survey]]:
    """The blocks of files, each with what is known of its file."""
    for file in files:
        rows = 0
        for block in blocks(file.path):
            yield block, file
            rows += len(block)
        if rows != file.rows:
            raise UserError(f"{file.path}: has changed while it was graded; grade again")


def in_order(function: Callable[[Part], Result], parts: Iterable[Part], lanes: int) -> Iterator[Result]:
    """`map` in threads, which holds no more parts and results than there are threads."""
    if lanes == 1:
        # Without a thread an interrupt ends it at once.
        yield from map(function, parts)
        return
    with ThreadPoolExecutor(lanes) as threads:
        running: deque[Future[Result]] = deque()
        for part in parts:
            running.append(threads.submit(function, part))
            if len(running) == lanes:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def graded(block: Block, file: Survey, work: Work, grader: KeepingGrader) -> pa.Table:
    """The columns of the output for a block, and in any case `correct` and `reason`."""
    golds, responses = file.texts(block, work.golds)
    grades = grader.grade_many(golds, responses)
    columns = {
        "gold": golds,
        "answer": [grade.answer for grade in grades],
        "correct": [grade.correct for grade in grades],
        "reason": [grade.reason for grade in grades],
    }
    arrays = {
        name: block.array(name, work.schema.field(name).type) for name in work.schema.names if name not in columns
    }
    own = {"correct": pa.bool_(), **dict.fromkeys(("gold", "answer", "reason"), pa.large_string())}
    return pa.table(arrays | {name: pa.array(values, own[name]) for name, values in columns.items()})


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


def golds_of(benchmark: Path) -> dict:
    """The gold of each problem of a benchmark's parquet."""
    table = parquet_columns(benchmark, ["id", "answer"])
    if table["id"].duplicated().any():
        twice = table.loc[table["id"].duplicated(), "id"].iloc[0]
        raise UserError(f"{benchmark}: id {twice!r} occurs twice; ids must be unique")
    return dict(zip(table["id"], table["answer"], strict=True))
