"""Choose some of an RL set's prompts, to sample SFT models on them: a table of id, problem and answer.

The same seed chooses the same prompts for all models whose RL set has them, in whatever order. A larger number adds
some and keeps the others.
"""

import argparse
import hashlib
from pathlib import Path

import pandas as pd

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import whole_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the RL set")
    parser.add_argument("--problems", type=Path, required=True, help="parquet of id, problem, answer")
    parser.add_argument(
        "--prompts", type=Path, required=True, help="parquet from write_rl_prompts.py: those that RL trains on"
    )
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    problems = pd.read_parquet(options.problems)
    trained_on = {info["id"] for info in pd.read_parquet(options.prompts, columns=["extra_info"])["extra_info"]}
    chosen = choose(problems[problems["id"].isin(trained_on)], options.number, options.seed)
    if chosen.empty:
        raise UserError(f"{options.prompts}: none of its prompts is in {options.problems}; make both anew")
    with whole_file(options.output) as temporary:
        chosen.to_parquet(temporary, index=False)
    print(f"{options.name}: {len(chosen)} of {len(trained_on)} prompts")


def choose(problems: pd.DataFrame, number: int, seed: int) -> pd.DataFrame:
    """`number` rows, or all if there are fewer: those whose ids have the smallest hashes, in the order of these."""
    hashes = problems["id"].map(lambda one: hashlib.sha256(f"{seed}\0{one}".encode()).hexdigest())
    return problems.loc[hashes.sort_values().index[:number]]


if __name__ == "__main__":
    command_line(main)
