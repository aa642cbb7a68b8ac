"""Draw all figures as PDF, SVG and PNG from stored metrics."""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from quagmires.errors import command_line
from quagmires.figures import draw_all
from quagmires.files import whole_file

# No dates in the files: the same metrics give the same bytes.
METADATA = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}


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
        for suffix, metadata in METADATA.items():
            with whole_file(options.output / f"{name}.{suffix}") as temporary:
                figure.savefig(temporary, format=suffix, metadata=metadata)
        plt.close(figure)
        print(name)


if __name__ == "__main__":
    command_line(main)
