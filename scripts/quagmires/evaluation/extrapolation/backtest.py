"""Back-tests of Pass@large-k: predict it from the first samples, and compare with the unbiased value from all."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit

from quagmires.evaluation.extrapolation.extrapolate import BOOTSTRAPS, COMBINED, extrapolate
from quagmires.evaluation.pass_at_k import pass_at_k

# Problems drawn to know a world's own Pass@k.
POPULATION = 400_000


def backtest(
    n: np.ndarray, c: np.ndarray, first: int, c_first: np.ndarray, ks: list[int], seed: int, draws: int = BOOTSTRAPS
) -> pd.DataFrame:
    """Predict Pass@k at every k from `first` samples of each problem, `c_first` of them right.

    Returns
    -------
    DataFrame with from, k, model, predicted, low, high, unbiased (from all n samples), error (predicted - unbiased),
    chosen (whether `combined` stands on this model), trusted and reasons (both of `combined`)
    """
    result = extrapolate(np.full(len(n), first), c_first, ks, seed, draws)
    table = result.predictions.rename(columns={"value": "predicted"})
    table.insert(0, "from", first)
    table["unbiased"] = table["k"].map({k: float(pass_at_k(n, c, k).mean()) for k in ks})
    table["error"] = table["predicted"] - table["unbiased"]
    table["chosen"] = table["model"] == result.chosen
    table["trusted"] = table["k"].map(result.trusted)
    table["reasons"] = table["k"].map(lambda k: "; ".join(result.reasons[k]))
    columns = ["from", "k", "model", "predicted", "low", "high", "unbiased", "error", "chosen", "trusted", "reasons"]
    return table.sort_values("k", kind="stable")[columns].reset_index(drop=True)


def first_samples(grades: pd.DataFrame, first: int) -> pd.Series:
    """Right samples among the first `first` repetitions of each problem, by problem_id, sorted."""
    ordered = grades.sort_values("repetition")
    early = ordered[ordered.groupby("problem_id").cumcount() < first]
    return early.groupby("problem_id", sort=True)["correct"].sum()


def thinned(n: np.ndarray, c: np.ndarray, first: int, generator: np.random.Generator) -> np.ndarray:
    """Right samples among `first` of each problem's n drawn at random: counts have lost the order of repetitions."""
    return generator.hypergeometric(c, n - c, first)


World = Callable[[np.random.Generator, int], np.ndarray]


def beta(generator: np.random.Generator, problems: int) -> np.ndarray:
    """What the beta-binomial assumes."""
    return generator.beta(0.4, 0.9, problems)


def impossible(generator: np.random.Generator, problems: int) -> np.ndarray:
    """A quarter of the problems is never solved."""
    return generator.beta(0.6, 0.9, problems) * (generator.random(problems) >= 0.25)


def bimodal(generator: np.random.Generator, problems: int) -> np.ndarray:
    """60 % hard problems around 3 %, 40 % easy ones around 86 %, little between."""
    hard = generator.random(problems) < 0.6
    return np.where(hard, generator.beta(1, 30, problems), generator.beta(12, 2, problems))


def u_shaped(generator: np.random.Generator, problems: int) -> np.ndarray:
    """Half near 0, half near 1: a mixture of two betas, not one."""
    return np.where(
        generator.random(problems) < 0.5, generator.beta(0.5, 20, problems), generator.beta(20, 0.5, problems)
    )


def narrow(generator: np.random.Generator, problems: int) -> np.ndarray:
    """All problems about as hard: 2 %, give or take 0.4."""
    return generator.beta(20, 980, problems)


def logit_normal(generator: np.random.Generator, problems: int) -> np.ndarray:
    """Smooth and wide like the first world, with another tail near 0."""
    return expit(generator.normal(-1.5, 3, problems))


WORLDS: dict[str, World] = {
    world.__name__: world for world in (beta, impossible, bimodal, u_shaped, narrow, logit_normal)
}


def simulate(
    world: str, firsts: list[int], ks: list[int], samples: int, problems: int, repeats: int, seed: int, draws: int
) -> pd.DataFrame:
    """Back-tests on simulated problems: `repeats` sets of `problems`, with `samples` samples each.

    Returns
    -------
    what `backtest` returns, with world, repeat, and population: Pass@k over all problems of the world
    """
    draw = WORLDS[world]
    everything = draw(np.random.default_rng([seed, 0]), POPULATION)
    population = {k: float(-np.expm1(k * np.log1p(-everything)).mean()) for k in ks}
    tables = []
    for repeat in range(repeats):
        generator = np.random.default_rng([seed, 1, repeat])
        right = generator.random((problems, samples)) < draw(generator, problems)[:, None]
        n, c = np.full(problems, samples), right.sum(axis=1)
        for first in firsts:
            table = backtest(n, c, first, right[:, :first].sum(axis=1), ks, seed + repeat, draws)
            tables.append(table.assign(world=world, repeat=repeat, population=table["k"].map(population)))
    return pd.concat(tables, ignore_index=True)


def summarise(results: pd.DataFrame) -> pd.DataFrame:
    """What `simulate` found, by world, from, k and model.

    bias, average_error: mean and mean absolute error against the unbiased value of the same problems; covered and
    covered_population: how often the interval holds that value, and the world's own; distrusted: how often `combined`
    was not trusted; error_trusted, error_distrusted: average error where it was and was not.
    """

    def one(group: pd.DataFrame) -> pd.Series:
        error = group["error"].abs()
        return pd.Series(
            {
                "unbiased": group["unbiased"].mean(),
                "bias": group["error"].mean(),
                "average_error": error.mean(),
                "covered": group["unbiased"].between(group["low"], group["high"]).mean(),
                "covered_population": group["population"].between(group["low"], group["high"]).mean(),
                "width": (group["high"] - group["low"]).mean(),
                "distrusted": 1 - group["trusted"].mean(),
                "error_trusted": error[group["trusted"]].mean(),
                "error_distrusted": error[~group["trusted"]].mean(),
            }
        )

    keys = ["world", "from", "k", "model"]
    summary = results.groupby(keys, sort=False)[[*results.columns.difference(keys)]].apply(one).reset_index()
    # Trust is a verdict on the combined prediction alone.
    summary.loc[summary["model"] != COMBINED, ["distrusted", "error_trusted", "error_distrusted"]] = np.nan
    return summary
