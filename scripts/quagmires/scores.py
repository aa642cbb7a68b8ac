"""Scores of a checkpoint from counts per problem: Pass@k with errors, and the rates of what went wrong."""

import numpy as np
import pandas as pd

from quagmires.grading import NO_ANSWER, TIMEOUT, UNPARSABLE
from quagmires.pass_at_k import macro_average, mean_with_error, pass_at_k, powers_of_two


def score(counts: pd.DataFrame) -> dict:
    """Pass@k with standard errors, and rates, by benchmark and over all."""
    benchmarks = {name: score_benchmark(table) for name, table in counts.groupby("benchmark", sort=False)}
    return {"benchmarks": benchmarks, "macro": macro_scores(benchmarks)}


def macro_scores(benchmarks: dict[str, dict]) -> dict:
    """The unweighted average of benchmark scores, for every k that all of them have."""
    shared = set.intersection(*(set(one["pass_at_k"]) for one in benchmarks.values()))
    macro = {}
    for k in sorted(shared, key=int):
        entries = [one["pass_at_k"][k] for one in benchmarks.values()]
        value, error = macro_average(
            [entry["value"] for entry in entries],
            [np.nan if entry["standard_error"] is None else entry["standard_error"] for entry in entries],
        )
        macro[k] = {"value": value, "standard_error": _number(error)}
    rates = {
        name: float(np.mean([one[name] for one in benchmarks.values()]))
        for name in ("truncated", NO_ANSWER, TIMEOUT, UNPARSABLE, "mean_tokens")
    }
    return {"pass_at_k": macro, **rates}


def score_benchmark(table: pd.DataFrame) -> dict:
    """Pass@k, rates and mean length on one benchmark."""
    n, c = table["n"].to_numpy(), table["c"].to_numpy()
    curve = {}
    for k in powers_of_two(int(n.min())):
        value, error = mean_with_error(pass_at_k(n, c, k))
        curve[str(k)] = {"value": value, "standard_error": _number(error)}
    rates = {name: float(table[name].sum() / n.sum()) for name in ("truncated", NO_ANSWER, TIMEOUT, UNPARSABLE)}
    return {
        "problems": len(table),
        "samples": int(n.min()),
        "pass_at_k": curve,
        **rates,
        "mean_tokens": float(table["tokens"].sum() / n.sum()),
    }


def _number(value: float) -> float | None:
    """nan is not JSON."""
    return None if np.isnan(value) else float(value)
