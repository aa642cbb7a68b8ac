"""Scores of one checkpoint from its graded responses: counts per problem, Pass@k per benchmark and macro-average."""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.errors import UserError, command_line
from quagmires.files import whole_file, write_json
from quagmires.grading import NO_ANSWER, TIMEOUT, UNPARSABLE
from quagmires.scores import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grades", type=Path, nargs="+", required=True, help="parquet files from grade.py")
    parser.add_argument("--benchmarks", nargs="+", required=True, help="their benchmarks, in the same order")
    parser.add_argument("--scores", type=Path, required=True, help="JSON")
    parser.add_argument("--counts", type=Path, required=True, help="parquet of benchmark, problem_id, n, c, ...")
    options = parser.parse_args()

    counts = pd.concat(
        [
            count(pd.read_parquet(path), name, path)
            for path, name in zip(options.grades, options.benchmarks, strict=True)
        ],
        ignore_index=True,
    )
    with whole_file(options.counts) as temporary:
        counts.to_parquet(temporary, index=False)
    write_json(options.scores, score(counts))


def count(grades: pd.DataFrame, benchmark: str, path: Path) -> pd.DataFrame:
    """Samples, right samples and failures of each problem."""
    groups = grades.groupby("problem_id", sort=True)
    counts = pd.DataFrame(
        {
            "n": groups.size(),
            "c": groups["correct"].sum(),
            "truncated": groups["finish_reason"].agg(lambda reasons: (reasons == "length").sum()),
            **{
                reason: groups["reason"].agg(lambda reasons, reason=reason: (reasons == reason).sum())
                for reason in (NO_ANSWER, TIMEOUT, UNPARSABLE)
            },
            "tokens": groups["n_tokens"].sum(),
        }
    ).reset_index()
    if counts["n"].nunique() > 1:
        raise UserError(
            f"{path}: problems have {counts['n'].min()} to {counts['n'].max()} samples; sample again to complete them"
        )
    counts.insert(0, "benchmark", benchmark)
    return counts


if __name__ == "__main__":
    command_line(main)
