"""Time of R2 over random splits, all predictors, against a plain loop of statsmodels OLS on the same splits.

    python benchmarks/prediction.py --models 17 --splits 10000

The loop fits on fewer splits and its time is scaled; its R2 must be ours. Beside it, the rank correlations with their
intervals and p-values, and leave-one-out. Ends with status 1 if a promise is broken.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

# Before numpy: one core for both.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import statsmodels.api as sm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from quagmires.prediction.predictors import LEVELS, Predictor, applicable  # noqa: E402
from quagmires.prediction.rank_correlation import rank_agreement  # noqa: E402
from quagmires.prediction.selection_cost import choice, leave_one_out  # noqa: E402
from quagmires.prediction.split_validation import draw_splits, half, r2_over_splits, split_r2  # noqa: E402

MAX_SECONDS = 1.0
LARGEST_DIFFERENCE = 1e-9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=17)
    parser.add_argument("--splits", type=int, default=10_000)
    parser.add_argument("--baseline-splits", type=int, default=200, help="of the loop of statsmodels OLS")
    parser.add_argument("--runs", type=int, default=3, help="of ours, of which the median counts")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.models < 4 or options.splits < 1 or not 1 <= options.baseline_splits <= options.splits:
        parser.error("needs 4 models or more, and no more splits of the baseline than of ours")

    models = world(options.models, options.seed)
    fitting = half(options.models)
    masks = draw_splits(options.models, fitting, options.baseline_splits, options.seed)
    print(f"{options.models} models, {fitting} fitted, {options.splits:,} splits, one core, seed {options.seed}")
    print(f"{'predictor':<26}{'ours':>10}{'statsmodels':>14}{'ratio':>8}{'difference':>12}{'rank, leave-one-out':>22}")
    totals, worst = np.zeros(3), 0.0
    for predictor in applicable(*LEVELS):
        ours = measure(
            lambda one=predictor: r2_over_splits(models, one, fitting, options.splits, options.seed), options.runs
        )
        rest = measure(
            lambda one=predictor: (
                rank_agreement(models, one, options.seed), leave_one_out(models, one), choice(models, one)
            ),
            options.runs,
        )  # fmt: skip
        started = time.perf_counter()
        expected = by_statsmodels(models, predictor, masks)
        theirs = (time.perf_counter() - started) * options.splits / options.baseline_splits
        difference = np.nanmax(np.abs(split_r2(models, predictor, masks)[0] - expected) / np.maximum(1, abs(expected)))
        totals, worst = totals + (ours, theirs, rest), max(worst, difference)
        row(predictor.name, ours, theirs, rest, difference)
    row("all", *totals, worst)
    print(f"statsmodels: {options.baseline_splits} splits, scaled; difference: largest of R2, relative above one")
    if totals[0] >= MAX_SECONDS or not worst <= LARGEST_DIFFERENCE:
        sys.exit(f"promised: less than {MAX_SECONDS:g} s for all predictors, the same R2 to {LARGEST_DIFFERENCE:g}")


def world(count: int, seed: int) -> pd.DataFrame:
    """Models with an outcome that each predictor tells something about."""
    rng = np.random.default_rng(seed)
    outcome = rng.uniform(0.3, 0.6, count)
    before = 0.3 * outcome + rng.normal(0.2, 0.05, count)
    return pd.DataFrame(
        {
            "recipe": [f"random-{i}k" for i in range(count)],
            "pass_at_1": before,
            "pass_at_large_k": outcome + rng.normal(0.2, 0.03, count),
            "generalization_loss": 1 - outcome + rng.normal(0, 0.03, count),
            "outcome": outcome,
            "gain": outcome - before,
        }
    )


def measure(function: Callable[[], object], runs: int) -> float:
    """The median of the seconds of several runs."""
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def by_statsmodels(models: pd.DataFrame, predictor: Predictor, masks: np.ndarray) -> np.ndarray:
    """R2 of each split, split by split and line by line."""
    lines, outcome = predictor.lines(models), models["outcome"].to_numpy()
    result = []
    for fit in masks:
        predictions = []
        for line in lines:
            x = sm.add_constant(line.columns)
            predictions.append(sm.OLS(line.target[fit], x[fit]).fit().predict(x) + line.add)
        errors = np.mean(predictions, axis=0)[~fit] - outcome[~fit]
        result.append(1 - np.mean(errors**2) / outcome[~fit].var())
    return np.array(result)


def row(name: str, ours: float, theirs: float, rest: float, difference: float) -> None:
    print(
        f"{name:<26}{ours:>8.3f} s{theirs:>12.1f} s{theirs / ours:>8.0f}{difference:>12.0e}{rest:>20.3f} s", flush=True
    )


if __name__ == "__main__":
    main()
