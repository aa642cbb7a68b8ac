"""Write problems with their answers as a benchmark (id, problem, answer) or as verl's RL prompts."""

import argparse
import json
from pathlib import Path

import pandas as pd

from quagmires.errors import command_line
from quagmires.files import whole_file
from quagmires.prompts import conversation
from quagmires.records import read_columns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help=".jsonl, .jsonl.gz or .parquet")
    parser.add_argument("--name", required=True, help="name of the benchmark or RL set")
    parser.add_argument("--columns", type=json.loads, required=True, help="JSON: our column name -> the file's")
    parser.add_argument("--rows", type=int, help="rows the config declares")
    parser.add_argument("--kind", choices=("benchmark", "rl"), required=True)
    parser.add_argument("--instruction", help="for --kind rl")
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    problems = read_columns(options.source, options.columns, options.rows)[["id", "problem", "answer"]]
    table = problems if options.kind == "benchmark" else verl_rows(problems, options.name, options.instruction)
    with whole_file(options.output) as temporary:
        table.to_parquet(temporary, index=False)
    print(f"{options.name}: {len(table)} problems")


def verl_rows(problems: pd.DataFrame, name: str, instruction: str) -> pd.DataFrame:
    """The columns that verl's RLHFDataset reads."""
    return pd.DataFrame(
        [
            {
                "data_source": name,
                "prompt": conversation(row.problem, instruction),
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": row.answer},
                "extra_info": {"index": index, "id": row.id},
            }
            for index, row in enumerate(problems.itertuples(index=False))
        ]
    )


if __name__ == "__main__":
    command_line(main)
