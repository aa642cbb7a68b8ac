"""Draw every figure as PDF, SVG and PNG from stored metrics."""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.metrics_file import read_metrics, read_stored
from quagmires.reporting.figures.drawing import Results, draw_and_save, figure_names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.parquet")
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json")
    parser.add_argument("--curves", type=Path, help="pass_at_k.parquet")
    parser.add_argument("--training", type=Path, help="grpo_training.parquet")
    parser.add_argument("--output", type=Path, required=True, help="folder")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1)")
    options = parser.parse_args()

    settings = AnalysisSettings.read(options.analysis)
    curves = [path and read_stored(path) for path in (options.curves, options.training)]
    results = Results.of(settings, read_metrics(options.metrics, settings), *curves)
    draw_all(results, options.output, options.workers)


def draw_all(results: Results, folder: Path, workers: int) -> None:
    """Draw all figures, each in one of `workers` processes."""
    names = figure_names(results)
    task = partial(draw_and_save, results=results, folder=folder)
    if workers < 2:
        for name in names:
            task(name)
        return
    with ProcessPoolExecutor(workers) as pool:
        # The last ones have the most in them: started late, they would keep one process waiting for the other.
        for _ in pool.map(task, reversed(names)):
            pass


if __name__ == "__main__":
    command_line(main)
