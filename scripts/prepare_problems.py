"""Write a problem set as one table: id, problem, and the gold as one string."""

import argparse
import json
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import whole_file
from quagmires.config.gold_rules import GOLD_RULES
from quagmires.config.task_names import MATH, TASK_NAMES
from quagmires.data.problems import read_problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", type=json.loads, required=True, help="JSON: a `path`, or a `hub` with its keys")
    parser.add_argument("--name", required=True, help="name of the benchmark or RL set")
    parser.add_argument("--columns", type=json.loads, required=True, help="JSON: our column name -> the source's")
    parser.add_argument("--rows", type=int, help="rows the config declares")
    parser.add_argument("--gold", choices=GOLD_RULES, default="text", help="how the gold is read")
    parser.add_argument("--task", choices=TASK_NAMES, default=MATH, help="the kind of problems (default: math)")
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    problems = read_problems(options.name, options.source, options.columns, options.gold, options.rows, options.task)
    with whole_file(options.output) as temporary:
        problems.to_parquet(temporary, index=False)
    print(f"{options.name}: {len(problems)} problems")


if __name__ == "__main__":
    command_line(main)
