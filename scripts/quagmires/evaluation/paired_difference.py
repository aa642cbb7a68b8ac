"""Differences between two checkpoints on the same problems, with paired errors (Miller 2024, arXiv 2411.00640).

Problems differ far more than checkpoints do. The error of per-problem differences leaves that out, and is the smaller
the more the two checkpoints find the same problems hard.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from quagmires.common.errors import UserError
from quagmires.evaluation.pass_at_k import CONFIDENCE, macro_average, mean_with_error, pass_at_k, powers_of_two

KEY = ["benchmark", "problem_id"]
MACRO = "macro"


@dataclass(frozen=True)
class Difference:
    """Second minus first, its standard error, z = value / error with the two-sided p, and a normal interval.

    Without spread (one problem, or the same difference everywhere) there is no z: nan.
    """

    difference: float
    standard_error: float
    z: float
    p: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, error: float, confidence: float = CONFIDENCE) -> "Difference":
        """From a difference and its standard error."""
        z = value / error if error > 0 else np.nan
        reach = norm.ppf((1 + confidence) / 2) * error
        return cls(value, error, z, float(2 * norm.sf(abs(z))), value - reach, value + reach)


def compare_checkpoints(
    first: pd.DataFrame, second: pd.DataFrame, benchmarks: Sequence[str] | None = None, ks: Sequence[int] | None = None
) -> pd.DataFrame:
    """Pass@k of `second` minus `first`, per benchmark and macro-averaged.

    Parameters
    ----------
    first, second
        counts per problem: benchmark, problem_id, n, c.
    benchmarks
        those to compare; all by default.
    ks
        powers of two up to the samples both have, by default.

    Returns
    -------
    DataFrame with benchmark (`macro` last, for every k that all benchmarks have), k, problems, first, second, and the
    fields of `Difference`

    Raises
    ------
    UserError
        a problem that only one of the two has, or a benchmark that neither has; a k beyond the samples.
    """
    first, second = _same_problems(first, second, benchmarks)
    rows, curves = [], []
    for name in dict.fromkeys(first["benchmark"]):
        one, other = (table[table["benchmark"] == name] for table in (first, second))
        samples = int(min(one["n"].min(), other["n"].min()))
        if ks is not None and max(ks) > samples:
            raise UserError(f"benchmark {name}: k = {max(ks)}, but there are {samples} samples; ask for a smaller k")
        curve = {k: _difference(one, other, k) for k in ks or powers_of_two(samples)}
        curves.append(curve)
        rows += [_row(name, k, len(one), *entry) for k, entry in curve.items()]
    for k in sorted(set.intersection(*(set(curve) for curve in curves))):
        before, after, values, errors = zip(*(curve[k] for curve in curves), strict=True)
        value, error = macro_average(values, errors)
        rows.append(_row(MACRO, k, len(first), float(np.mean(before)), float(np.mean(after)), value, error))
    return pd.DataFrame(rows)


def macro_difference(
    first: pd.DataFrame, second: pd.DataFrame, benchmarks: Sequence[str] | None = None, k: int = 1
) -> Difference:
    """The macro-averaged difference of Pass@k at one k; see `compare_checkpoints`."""
    row = compare_checkpoints(first, second, benchmarks, [k]).iloc[-1]
    return Difference.of(row["difference"], row["standard_error"])


def lost_coverage(
    base: pd.DataFrame, model: pd.DataFrame, k: int, benchmarks: Sequence[str] | None = None
) -> tuple[float, float]:
    """The share of problems that the base solves in k samples and the model, in k samples of its own, does not.

    Of each problem it is estimated by Pass@k of the base times 1 - Pass@k of the model: a product of two unbiased
    estimates of independent samples (Chen et al. 2021, arXiv 2107.03374), so unbiased. Shares are averaged over the
    problems of a benchmark and then over benchmarks. Chance is part of it, as of two draws of k one may miss: how much
    that is says `missed_again` of the base.

    Parameters
    ----------
    base, model
        counts per problem: benchmark, problem_id, n, c; drawn independently of each other.
    k
        1 <= k <= every n.
    benchmarks
        those to average over; all by default.

    Returns
    -------
    the share and its standard error over problems, each with both its counts (nan where a benchmark has one problem)

    Raises
    ------
    UserError
        as of `compare_checkpoints`.
    """
    base, model = _same_problems(base, model, benchmarks)
    solved, solved_after = (pass_at_k(table["n"].to_numpy(), table["c"].to_numpy(), k) for table in (base, model))
    return _macro_mean(base, solved * (1 - solved_after))


def missed_again(counts: pd.DataFrame, k: int, benchmarks: Sequence[str]) -> tuple[float, float]:
    """`lost_coverage` of a model against itself: the share of problems that it solves in k samples, not in k others.

    Of each problem it is Pass@2k - Pass@k: of two disjoint sets of k of its n samples, the first has a right one, the
    second none. Unbiased too; nan where a problem has fewer than 2k samples.
    """
    table = counts[counts["benchmark"].isin(benchmarks)]
    n, c = table["n"].to_numpy(), table["c"].to_numpy()
    if n.min() < 2 * k:
        return np.nan, np.nan
    return _macro_mean(table, pass_at_k(n, c, 2 * k) - pass_at_k(n, c, k))


def _macro_mean(table: pd.DataFrame, values: np.ndarray) -> tuple[float, float]:
    groups = pd.Series(values).groupby(table["benchmark"].to_numpy(), sort=False)
    means, errors = zip(*(mean_with_error(one.to_numpy()) for _, one in groups), strict=True)
    return macro_average(means, errors)


def _same_problems(
    first: pd.DataFrame, second: pd.DataFrame, benchmarks: Sequence[str] | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables in the order of the first, after a check that each has the other's problems, once."""
    if benchmarks is not None:
        for name in benchmarks:
            if name not in set(first["benchmark"]) | set(second["benchmark"]):
                raise UserError(f"benchmark {name}: neither table has it; ask for one of those evaluated")
        first, second = (table[table["benchmark"].isin(benchmarks)] for table in (first, second))
    keys = []
    for which, table in (("first", first), ("second", second)):
        twice = table.duplicated(KEY)
        if twice.any():
            raise UserError(f"{_named(table[twice].iloc[0])} is twice in the {which} table; score again")
        keys.append(pd.MultiIndex.from_frame(table[KEY]))
    if not len(keys[0]):
        raise UserError("the first table has no problems; score again")
    for which, missing in (("second", keys[0].difference(keys[1])), ("first", keys[1].difference(keys[0]))):
        if len(missing):
            raise UserError(
                f"{_named(dict(zip(KEY, missing[0], strict=True)))} is not in the {which} table; evaluate both"
                " checkpoints on the same problems, or choose --benchmarks"
            )
    return first, second.set_index(KEY).loc[keys[0]].reset_index()


def _named(key: Mapping[str, Any] | pd.Series) -> str:
    return f"problem {key['problem_id']} of {key['benchmark']}"


def _difference(first: pd.DataFrame, second: pd.DataFrame, k: int) -> tuple[float, float, float, float]:
    """Mean of the first, mean of the second, mean difference and its standard error."""
    before, after = (pass_at_k(table["n"].to_numpy(), table["c"].to_numpy(), k) for table in (first, second))
    return float(before.mean()), float(after.mean()), *mean_with_error(after - before)


def _row(name: str, k: int, problems: int, before: float, after: float, value: float, error: float) -> dict:
    return {
        "benchmark": name,
        "k": k,
        "problems": problems,
        "first": before,
        "second": after,
        **asdict(Difference.of(value, error)),
    }
