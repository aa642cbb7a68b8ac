"""Draw all figures as PDF, SVG and PNG from stored metrics."""

import argparse
from pathlib import Path

import pandas as pd

from quagmires.errors import command_line
from quagmires.figures import draw_all, save

# No dates in the files: the same metrics give the same bytes.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--training", type=Path, required=True)
    parser.add_argument("--label", default="", help="shown on every figure")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    options = parser.parse_args()

    tables = [pd.read_parquet(path) for path in (options.metrics, options.curves, options.training)]
    for name, figure in draw_all(*tables, options.label):
        save(figure, options.output, name)
        print(name)


if __name__ == "__main__":
    command_line(main)
