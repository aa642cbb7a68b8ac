"""Write RL problems as verl reads them."""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.errors import command_line
from quagmires.files import whole_file
from quagmires.prompts import conversation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=Path, required=True, help="parquet of id, problem, answer")
    parser.add_argument("--name", required=True, help="name of the RL set")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    rows = verl_rows(pd.read_parquet(options.problems), options.name, options.instruction)
    with whole_file(options.output) as temporary:
        rows.to_parquet(temporary, index=False)


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
