"""How often 90 % intervals hold what they should, in simulated worlds of known truth (simulation/known_truth.py).

    python benchmarks/coverage.py --worlds 2000

Prediction intervals of `predict`: some models have been through RL, the outcomes of six others are predicted. Intervals
of Spearman's rho: over all models of a world, against the rho of endlessly many. Ends with status 1 if prediction
intervals hold less than 85 % by more than chance, or, with more than three models, more than 95 %.

A table apart calibrates on the models with the lowest predictor, and predicts those above: intervals are about right as
long as the line goes on, as it does in these worlds, and wide. It is not judged, as no interval knows whether it does.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from quagmires.prediction.calibration import predict_outcomes  # noqa: E402
from quagmires.prediction.predictors import PREDICTORS, ranking  # noqa: E402
from quagmires.prediction.rank_correlation import bootstrap_interval  # noqa: E402
from quagmires.simulation.known_truth import World, population_spearman  # noqa: E402

CONFIDENCE = 0.9
PROMISED = (0.85, 0.95)
CANDIDATES = 6
# Up to so many models intervals may hold more: known errors bound them from below, and where these are nearly all there
# is, and one degree of freedom says little about the rest, both together are more than asked for.
CAUTIOUS = 3
# From the paper's measurements to a few responses to a few problems.
NOISE = {
    "paper": World(problems=3_811, samples=256, samples_after_rl=64),
    "modest": World(problems=500, samples=16, samples_after_rl=16, run_spread=0.01, rest_spread=0.005),
    "rough": World(problems=60, samples=8, samples_after_rl=8, run_spread=0.02, rest_spread=0.01),
    "one run": World(problems=500, samples=16, samples_after_rl=16, runs=1, run_spread=0.01, rest_spread=0.005),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2_000, help="default: 2000")
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 5, 8], help="models with RL results")
    parser.add_argument("--models", type=int, nargs="+", default=[6, 10, 17], help="of Spearman's rho")
    parser.add_argument("--predictors", nargs="+", default=["pass_at_large_k", "average"], choices=list(PREDICTORS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: all cores)")
    options = parser.parse_args()

    started = time.perf_counter()
    tables = []
    with ProcessPoolExecutor(options.workers) as pool:
        for function in (predictions, correlations, extrapolations):
            rows = chain.from_iterable(pool.map(partial(function, options), NOISE))
            tables.append(pd.DataFrame(rows))
            print(tables[-1].to_string(index=False, float_format="{:.3f}".format), end="\n\n", flush=True)
    print(
        f"{options.worlds:,} worlds in each row, seed {options.seed}, {time.perf_counter() - started:.0f} s", flush=True
    )
    low, high = PROMISED
    coverage, chance = tables[0]["coverage"], 2 * tables[0]["error"]
    too_narrow, too_wide = coverage < low - chance, coverage > high + chance
    broken = too_narrow | (too_wide & (tables[0]["models"] > CAUTIOUS))
    if broken.any():
        sys.exit(f"promised: prediction intervals that hold {low:.0%} to {high:.0%}; not so in {broken.sum()} rows")


def draw(world: World, worlds: int, seed: int) -> Iterator[pd.DataFrame]:
    for number in range(worlds):
        yield world.draw(np.random.default_rng([seed, number]))


def predictions(options: argparse.Namespace, noise: str) -> list[dict]:
    """Coverage and width of prediction intervals, by calibration models and predictor."""
    most = max(options.sizes)
    found: dict[tuple, list[tuple[float, float]]] = {}
    for models in draw(replace(NOISE[noise], models=most + CANDIDATES), options.worlds, options.seed):
        new = models.iloc[most:]
        for size in options.sizes:
            for name in options.predictors:
                intervals = predict_outcomes(models.iloc[:size], new, PREDICTORS[name], CONFIDENCE)
                held = new["outcome"].between(intervals["low"], intervals["high"]).mean()
                width = (intervals["high"] - intervals["low"]).median()
                found.setdefault((name, size), []).append((held, width))
    return [
        {"intervals": "outcome", "noise": noise, "predictor": name, "models": size, **summary(one)}
        for (name, size), one in sorted(found.items())
    ]


def extrapolations(options: argparse.Namespace, noise: str) -> list[dict]:
    """As `predictions`, calibrated on the models with the lowest predictor; combinations have no order before RL.

    `outside` is the mean over the candidates, in ranges of the calibration models.
    """
    found: dict[tuple, list[tuple[float, float]]] = {}
    outside: dict[tuple, list[float]] = {}
    for size in options.sizes:
        for models in draw(replace(NOISE[noise], models=size + CANDIDATES), options.worlds, options.seed):
            for name in options.predictors:
                ranks = PREDICTORS[name].rank(models)
                if ranks is None:
                    continue
                models_in_order = models.iloc[np.argsort(ranks)]
                measured, new = models_in_order.iloc[:size], models_in_order.iloc[size:]
                intervals = predict_outcomes(measured, new, PREDICTORS[name], CONFIDENCE)
                held = new["outcome"].between(intervals["low"], intervals["high"]).mean()
                width = (intervals["high"] - intervals["low"]).median()
                found.setdefault((name, size), []).append((held, width))
                outside.setdefault((name, size), []).append(intervals["outside"].mean())
    return [
        {
            "intervals": "outcome, lowest calibrated",
            "noise": noise,
            "predictor": name,
            "models": size,
            "outside": np.median(outside[name, size]),
            **summary(one),
        }
        for (name, size), one in sorted(found.items())
    ]


def correlations(options: argparse.Namespace, noise: str) -> list[dict]:
    """Coverage and width of intervals of Spearman's rho, by models and predictor."""
    rows = []
    for name in ("pass_at_1", "pass_at_large_k"):
        for size in options.models:
            world = replace(NOISE[noise], models=size)
            truth = population_spearman(abs(world.correlation(name)))
            found = []
            for models in draw(world, options.worlds, options.seed):
                ranks, outcome = ranking(models, PREDICTORS[name]), models["outcome"].to_numpy()
                low, high = bootstrap_interval(ranks, outcome, options.seed, CONFIDENCE)
                found.append((low <= truth <= high, high - low))
            row = {"intervals": "rho", "noise": noise, "predictor": name, "models": size, "truth": truth}
            rows.append({**row, **summary(found)})
    return rows


def summary(found: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Coverage with its standard error (worlds are independent), and the median width."""
    held, width = np.array(found, float).T
    return {"coverage": held.mean(), "error": held.std() / np.sqrt(len(held)), "width": np.median(width)}


if __name__ == "__main__":
    main()
