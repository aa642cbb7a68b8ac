"""Compare two checkpoints evaluated on the same problems: differences of Pass@k with paired standard errors.

    quagmires compare first/counts.parquet second/counts.parquet --output differences.csv

Writes a CSV with a row for each benchmark and each k, and prints it.
"""

import argparse
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from quagmires.common.errors import UserError
from quagmires.common.files import whole_file
from quagmires.evaluation.paired_difference import compare_checkpoints

COLUMNS = ["benchmark", "problem_id", "n", "c"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("first", type=Path, help="counts.parquet from score.py")
    parser.add_argument("second", type=Path, help="counts.parquet of the other; differences are second - first")
    parser.add_argument("--benchmarks", nargs="+", help="compare these alone")
    parser.add_argument("--output", type=Path, required=True, help="CSV")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    table = compare_checkpoints(read_counts(options.first), read_counts(options.second), options.benchmarks)
    with whole_file(options.output) as temporary:
        table.to_csv(temporary, index=False)
    print(f"first:  {options.first}\nsecond: {options.second}\n")
    print(table.to_string(index=False, float_format="{:.4f}".format))


def read_counts(path: Path) -> pd.DataFrame:
    """Counts per problem."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; write it with scripts/score.py")
    missing = sorted(set(COLUMNS) - set(pq.read_schema(path).names))
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; write it with scripts/score.py")
    return pd.read_parquet(path, columns=COLUMNS)
