"""Pass@k beyond the samples there are, from models of difficulty, and whether to trust it.

What k samples would solve hangs on problems that n samples did not solve, and of those the samples show only how many
there are. So several families are fitted, compared on problems held out, and asked whether they agree.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from quagmires.evaluation.extrapolation.beta_binomial import CannotFit, Counts
from quagmires.evaluation.extrapolation.doubts import doubts_at_k, doubts_of_fit
from quagmires.evaluation.extrapolation.families import FREE, PARAMETERS, Difficulty, cross_validate, fit, lead
from quagmires.evaluation.pass_at_k import CONFIDENCE, pass_at_k, percentile_interval

COMBINED = "combined"
BOOTSTRAPS = 200
# A family fewer standard errors behind the best is not ruled out.
CLOSE = 1.0


@dataclass(frozen=True)
class Extrapolation:
    """Predicted Pass@k with intervals, the model chosen, and reasons not to trust what it says.

    predictions
        model, k, value, low, high: one row per model and k; `combined` is the one to use.
    chosen
        the model behind `combined`; None where none can be fitted.
    held_out
        log-likelihood per held-out problem by model, the free mixture's for reference.
    reasons
        by k: what speaks against `combined`; empty for k <= n, where it is the unbiased estimate.
    """

    predictions: pd.DataFrame
    chosen: str | None
    held_out: dict[str, float]
    reasons: dict[int, list[str]]

    def trusted(self, k: int) -> bool:
        """Whether nothing speaks against the combined prediction at k."""
        return not self.reasons[k]


def extrapolate(
    n: np.ndarray, c: np.ndarray, ks: list[int], seed: int, draws: int = BOOTSTRAPS, confidence: float = CONFIDENCE
) -> Extrapolation:
    """Pass@k at every k of `ks` from n samples, c of them right, per problem (shapes (problems,)).

    The rows named after a family are its Pass@k of a new problem, as in the papers. `combined` is the unbiased
    estimate up to the smallest n; beyond, the mean over the observed problems of Pass@k given their own counts, under
    the family that explains held-out problems best. Its interval spans those of all families within one standard error
    of the best.

    Intervals come from a bootstrap over problems with every fit repeated. A parametric one would take the fitted family
    for the truth, which is what is in doubt.
    """
    n, c = np.broadcast_arrays(np.asarray(n), np.asarray(c))
    counts, grid, smallest = Counts.of(n, c), np.array(ks), int(n.min())
    try:
        models = {name: fit(name, counts) for name in PARAMETERS}
        held_out = cross_validate(n, c, np.random.default_rng([seed, 0]))
    except CannotFit as error:
        doubts = [f"no model can be fitted: {error}"]
        rows = _rows(COMBINED, grid, pass_at_k_of_these(counts, None, grid), *np.full((2, len(ks)), np.nan))
        return Extrapolation(pd.DataFrame(rows), None, {}, {k: doubts if k > smallest else [] for k in ks})

    # Rounded, so that a zero-inflated fit without any zeros does not beat the beta-binomial that it is.
    chosen = max(PARAMETERS, key=lambda name: round(held_out[name].sum(), 3))
    close = [name for name in PARAMETERS if lead(held_out[chosen], held_out[name]) < CLOSE]
    new, these, failed = bootstrap(counts, models, grid, np.random.default_rng([seed, 1]), draws)
    rows = []
    for name, model in models.items():
        rows += _rows(name, grid, model.pass_at_k(grid), *percentile_interval(new[name], confidence))
    # By family: value, low and high at each k.
    ranges = {
        name: (pass_at_k_of_these(counts, models[name], grid), *percentile_interval(these[name], confidence))
        for name in close
    }
    low = np.min([one[1] for one in ranges.values()], axis=0)
    high = np.max([one[2] for one in ranges.values()], axis=0)
    rows += _rows(COMBINED, grid, ranges[chosen][0], low, high)

    general = doubts_of_fit(counts, chosen, models[chosen], lead(held_out[FREE], held_out[chosen]), failed)
    reasons: dict[int, list[str]] = {k: [] for k in ks}
    for index, k in enumerate(ks):
        if k > smallest:
            at_k = {
                name: (float(value[index]), float(below[index]), float(above[index]))
                for name, (value, below, above) in ranges.items()
            }
            reasons[k] = general + doubts_at_k(k, smallest, chosen, at_k)
    means = {name: float(values.mean()) for name, values in held_out.items()}
    return Extrapolation(pd.DataFrame(rows), chosen, means, reasons)


def pass_at_k_of_these(counts: Counts, model: Difficulty | None, ks: np.ndarray) -> np.ndarray:
    """Pass@k of the observed problems, shape (ks,): unbiased up to the smallest n, and beyond it the model's,
    given their counts; nan there without a model.
    """
    known = ks <= counts.n.min()
    share = counts.problems / counts.problems.sum()
    values = np.full(len(ks), np.nan)
    values[known] = [share @ pass_at_k(counts.n, counts.c, int(k)) for k in ks[known]]
    if model is not None and not known.all():
        values[~known] = share @ model.pass_at_k_given(counts.n, counts.c, ks[~known])
    return values


def bootstrap(
    counts: Counts, models: dict[str, Difficulty], ks: np.ndarray, generator: np.random.Generator, draws: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], float]:
    """Pass@k of a new problem and of the drawn ones, by model, shape (draws, ks), over resamples of the problems.

    The third value is the share of resamples that cannot be fitted; their rows are nan.
    """
    new = {name: np.full((draws, len(ks)), np.nan) for name in models}
    these = {name: np.full((draws, len(ks)), np.nan) for name in models}
    failed = 0
    for draw in range(draws):
        again = counts.resample(generator)
        try:
            for name, model in models.items():
                refitted = fit(name, again, start=model)
                new[name][draw] = refitted.pass_at_k(ks)
                these[name][draw] = pass_at_k_of_these(again, refitted, ks)
        except CannotFit:
            failed += 1
    return new, these, failed / draws


def _rows(model: str, ks: np.ndarray, values: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[dict]:
    return [
        {"model": model, "k": int(k), "value": float(value), "low": float(below), "high": float(above)}
        for k, value, below, above in zip(ks, values, low, high, strict=True)
    ]
