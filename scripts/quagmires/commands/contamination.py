"""Find the benchmark problems that stand in an SFT or RL set, word for word or nearly so.

    quagmires contamination --name mine --kind sft --data traces.jsonl \\
        --columns '{"id": "id", "problem": "question", "response": "trace"}' --benchmark math500=math500.parquet \\
        --output pairs.parquet --summary summary.json
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.common.files import whole_file, write_json
from quagmires.common.tabular import iterate, read_columns
from quagmires.config.task_names import MATH
from quagmires.evaluation.contamination.search import Problem, Row, Scan, scan
from quagmires.evaluation.contamination.summaries import pairs_table, summary
from quagmires.grading.task import find_task, tasks_of

ROWS_AT_ONCE = 4_096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--name", required=True, help="name of the training set")
    parser.add_argument("--kind", choices=("sft", "rl"), required=True)
    parser.add_argument("--data", type=Path, required=True, help=".jsonl, .jsonl.gz or .parquet")
    parser.add_argument(
        "--columns",
        type=json.loads,
        required=True,
        help="JSON: our column name -> the file's, for id, problem and answer; an SFT set without answers may have"
        " `response` instead, whose last \\boxed{} is the answer",
    )
    parser.add_argument("--benchmark", action="append", required=True, help="NAME=FILE, parquet of id, problem, answer")
    parser.add_argument(
        "--task",
        nargs="+",
        default=[],
        metavar="[NAME=]TASK",
        help="the kind of problems of all benchmarks or of one, where it is not math",
    )
    parser.add_argument("--output", type=Path, required=True, help="parquet of the pairs found, with both texts")
    parser.add_argument("--summary", type=Path, required=True, help="JSON of counts")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes; default: cores")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    start = time.monotonic()
    problems = read_benchmarks(options.benchmark)
    tasks = tasks_of(dict.fromkeys(problem.benchmark for problem in problems), options.task)
    found = scan_by_task(options, problems, tasks)
    counts = summary(found, problems, options.name, options.kind, time.monotonic() - start)
    with whole_file(options.output) as temporary:
        pq.write_table(pairs_table(found.pairs, options.name, options.kind), temporary)
    write_json(options.summary, counts)
    print(f"{options.name}: {found.rows} rows, {found.distinct_problems} distinct problems, {counts['seconds']} s")
    for benchmark, count in counts["benchmarks"].items():
        print(
            f"{benchmark}: {count['contaminated']} of {count['problems']} problems ({count['exact']} exact,"
            f" {count['ngram']} by n-grams, {count['reworded']} reworded; {count['answer_differs']} with other answers)"
        )


def scan_by_task(options: argparse.Namespace, problems: list[Problem], tasks: Mapping[str, str]) -> Scan:
    """Look for the problems of each task among the rows, whose answers are read as that task reads them."""
    found = []
    for task in dict.fromkeys(tasks.values()) or [MATH]:
        of_task = [problem for problem in problems if tasks[problem.benchmark] == task]
        rows = read_rows(options.data, options.columns, options.kind, find_task(task).extract)
        found.append(scan(rows, of_task, options.workers, task=task))
    return found[0]._replace(pairs=[pair for one in found for pair in one.pairs])


def read_benchmarks(arguments: list[str]) -> list[Problem]:
    """The problems of all benchmarks, in the order given."""
    problems: list[Problem] = []
    for argument in arguments:
        name, separator, path = argument.partition("=")
        if not (name and separator and path):
            raise UserError(f"--benchmark {argument}: expected NAME=FILE, such as math500=math500.parquet")
        if any(problem.benchmark == name for problem in problems):
            raise UserError(f"--benchmark {argument}: {name} is given twice; remove one")
        columns = {column: column for column in ("id", "problem", "answer")}
        frame = read_columns(path, columns)
        problems += [Problem(name, *values) for values in frame[list(columns)].itertuples(index=False)]
    return problems


def read_rows(path: Path, columns: Mapping[str, str], kind: str, extract: Callable[[str], str | None]) -> Iterator[Row]:
    """Stream a training set; `extract` finds the answer of a response.

    Raises
    ------
    UserError
        A column is missing or a problem empty. Only an SFT set may do without answers.
    """
    wanted = {name: columns[name] for name in ("id", "problem", "answer", "response") if name in columns}
    required = ("id", "problem", "answer") if kind == "rl" else ("id", "problem")
    if absent := set(required) - wanted.keys():
        raise UserError(f"--columns: no entry for {', '.join(sorted(absent))}; name the columns of {path}")
    for number, row in enumerate(read_records(path, list(wanted.values())), start=1):
        for name in required:
            if row.get(wanted[name]) in (None, ""):
                raise UserError(
                    f"{path}, row {number}: column `{wanted[name]}` is absent or empty; set --columns or remove the row"
                )
        yield Row(str(row[wanted["id"]]), str(row[wanted["problem"]]), row_answer(row, wanted, extract))


def row_answer(row: Mapping[str, Any], columns: Mapping[str, str], extract: Callable[[str], str | None]) -> str | None:
    """The answer of a row: its own column, or else the answer of its response."""
    answer = row.get(columns.get("answer", ""))
    if answer not in (None, ""):
        return str(answer)
    response = row.get(columns.get("response", ""))
    return extract(response) if isinstance(response, str) else None


def read_records(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a file; of a Parquet file only the columns named, for traces are a hundred times the problems."""
    if not (path.name.endswith(".parquet") and path.is_file()):
        yield from iterate(path)
        return
    with pq.ParquetFile(path) as content:
        present = [name for name in columns if name in content.schema_arrow.names]
        for batch in content.iter_batches(batch_size=ROWS_AT_ONCE, columns=present):
            yield from batch.to_pylist()
