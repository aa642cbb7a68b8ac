"""Grade sampled responses with math-verify: adds `answer`, `correct` and `reason`, one row out for each row in.

Reads parquet or JSON lines (plain or gzip) with `gold` and `response`, or with `problem_id` and `response` and the
golds in a benchmark file. Other columns pass through.
"""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.errors import UserError, command_line
from quagmires.files import read_json, whole_file
from quagmires.grading import Grader
from quagmires.records import iterate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--responses", type=Path, nargs="+", required=True, help="files, or directories of parquet shards"
    )
    parser.add_argument("--benchmark", type=Path, help="parquet of id and answer: the golds by problem_id")
    parser.add_argument(
        "--shards-of", help="--responses is a samples.json: grade the shards of this benchmark it lists"
    )
    parser.add_argument("--output", type=Path, required=True, help="parquet file to write")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for one comparison")
    options = parser.parse_args()

    files = shards(options.responses[0], options.shards_of) if options.shards_of else options.responses
    responses = read_responses(files)
    if options.benchmark:
        responses["gold"] = golds_of(responses, options.benchmark)
    for column in ("gold", "response"):
        if column not in responses:
            raise UserError(f"{options.responses[0]}: no column `{column}`; it has {', '.join(responses.columns)}")
    with Grader(options.workers, options.timeout) as grader:
        grades = grader.grade_many(responses["gold"].astype(str).tolist(), responses["response"].tolist())
    graded = responses.assign(
        answer=[grade.answer for grade in grades],
        correct=[grade.correct for grade in grades],
        reason=[grade.reason for grade in grades],
    )
    with whole_file(options.output) as temporary:
        graded.to_parquet(temporary, index=False, compression="zstd")
    print(f"{len(graded)} responses, {graded['correct'].mean():.1%} correct; {dict(graded['reason'].value_counts())}")


def shards(samples: Path, benchmark: str) -> list[Path]:
    """The shards that make up an evaluation; others may lie beside them, from one with more or fewer samples."""
    return [samples.parent / path for path in read_json(samples)["shards"][benchmark]]


def read_responses(paths: list[Path]) -> pd.DataFrame:
    """All rows of all files."""
    files = [file for path in paths for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not files:
        raise UserError(f"{paths[0]}: no parquet shards in this directory; sample first")
    tables = [pd.read_parquet(file) if file.suffix == ".parquet" else pd.DataFrame(iterate(file)) for file in files]
    frame = pd.concat(tables, ignore_index=True)
    if frame.empty:
        raise UserError(f"{files[0]}: no responses")
    if {"problem_id", "repetition"} <= set(frame.columns) and frame.duplicated(["problem_id", "repetition"]).any():
        raise UserError(
            f"{files[0].parent}: a repetition of a problem occurs twice; remove the folder and sample again"
        )
    return frame


def golds_of(responses: pd.DataFrame, benchmark: Path) -> pd.Series:
    """The gold answer of each response's problem."""
    golds = pd.read_parquet(benchmark).set_index("id")["answer"]
    unknown = sorted(set(responses["problem_id"]) - set(golds.index))
    if unknown:
        raise UserError(f"{benchmark}: no problem {unknown[0]!r}, which has responses; sample this benchmark again")
    return responses["problem_id"].map(golds)


if __name__ == "__main__":
    command_line(main)
