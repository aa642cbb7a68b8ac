"""Join the benchmark problems that stand in several SFT and RL sets: one table of benchmark and problem_id."""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import whole_file
from quagmires.evaluation.contamination.summaries import read_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True, help="parquet files of find_contamination.py")
    parser.add_argument("--output", type=Path, required=True, help="parquet")
    options = parser.parse_args()

    pairs = read_pairs(options.pairs)
    with whole_file(options.output) as temporary:
        pairs.to_parquet(temporary, index=False)
    print(f"{len(pairs)} problems in {len(options.pairs)} sets")


if __name__ == "__main__":
    command_line(main)
