"""Scores of a checkpoint: counts per problem, Pass@k and majority@k with errors, and the rates of what went wrong."""

from collections.abc import Mapping
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError, one_line
from quagmires.evaluation.entropy import logprob_counts, rollout_entropy
from quagmires.evaluation.pass_at_k import (
    bootstrap_means,
    macro_average,
    mean_with_error,
    pass_at_k,
    percentile_interval,
    powers_of_two,
    stored_entry,
)
from quagmires.grading.verdicts import NO_ANSWER, TIMEOUT, UNPARSABLE

FAILURES = (NO_ANSWER, TIMEOUT, UNPARSABLE)
RATES = ("truncated", *FAILURES, "mean_tokens")
CURVES = ("pass_at_k", "majority_at_k", "distinct_wrong_at_k")
# By curve, then by k: bootstrapped means, shape (draws,).
Draws = dict[str, np.ndarray]


def score(
    counts: pd.DataFrame,
    seed: int,
    majority: Mapping[str, pd.DataFrame] | None = None,
    contaminated: pd.DataFrame | None = None,
    wrong: Mapping[str, pd.DataFrame] | None = None,
) -> dict:
    """Pass@k, majority@k and distinct wrong answers with errors, rollout entropy, and rates, by benchmark and over all.

    Parameters
    ----------
    counts
        one row per benchmark and problem, as `count` returns them, with a column `benchmark`.
    seed
        of the bootstrap.
    majority
        by benchmark, what `majority.majority_at_k` returns.
    contaminated
        benchmark and problem_id of problems to leave out of `clean`; None for no `clean`.
    wrong
        by benchmark, what `majority.distinct_wrong_at_k` returns.

    Returns
    -------
    `benchmarks` by name, `macro`, their unweighted average, and `clean`: the same average without the contaminated
    problems, with the benchmarks' own scores, how many problems each lost (`left_out`), and the benchmarks that lost
    all (`dropped`).
    """
    majority, wrong = majority or {}, wrong or {}
    result = _summary(counts, seed, majority, wrong)
    if contaminated is not None:
        keys = pd.MultiIndex.from_frame(counts[["benchmark", "problem_id"]])
        bad = keys.isin(list(contaminated[["benchmark", "problem_id"]].itertuples(index=False, name=None)))
        left_out = pd.Series(bad).groupby(counts["benchmark"].to_numpy(), sort=False).sum()
        clean = _summary(counts[~bad], seed, majority, wrong)
        result["clean"] = {
            **clean["macro"],
            "benchmarks": clean["benchmarks"],
            "left_out": {name: int(number) for name, number in left_out.items()},
            "dropped": [name for name in result["benchmarks"] if name not in clean["benchmarks"]],
        }
    return result


def _summary(
    counts: pd.DataFrame, seed: int, majority: Mapping[str, pd.DataFrame], wrong: Mapping[str, pd.DataFrame]
) -> dict:
    benchmarks, draws = {}, {}
    for name, table in counts.groupby("benchmark", sort=False):
        # A benchmark's interval does not depend on which others are scored with it.
        generator = np.random.default_rng([seed, crc32(name.encode())])
        votes, answers = (one[name].loc[table["problem_id"]] if name in one else None for one in (majority, wrong))
        benchmarks[name], draws[name] = score_benchmark(table, generator, votes, answers)
    return {"benchmarks": benchmarks, "macro": macro_scores(benchmarks, draws)}


def macro_scores(benchmarks: dict[str, dict], draws: dict[str, Draws] | None = None) -> dict:
    """The unweighted average of benchmark scores, for every k that all of them have.

    Pass@k has an interval only with the benchmarks' bootstrap `draws`, by benchmark and k; scores.json holds none.
    Entropy has an average only where all benchmarks have one.
    """
    if not benchmarks:
        return {**{curve: {} for curve in CURVES}, "entropy": None, **dict.fromkeys(RATES)}
    scores = list(benchmarks.values())
    macro: dict = {curve: _macro_curve([one.get(curve, {}) for one in scores]) for curve in CURVES}
    macro["entropy"] = _macro_entropy([one.get("entropy") for one in scores])
    if draws:
        for k, entry in macro["pass_at_k"].items():
            entry |= _interval(np.mean([one[k] for one in draws.values()], axis=0), entry["standard_error"])
    return {**macro, **{name: float(np.mean([one[name] for one in scores])) for name in RATES}}


def macro_over(stored: dict, benchmarks: list[str]) -> dict:
    """The macro-average of stored scores (scores.json, or its `clean`) over `benchmarks`.

    That of all of a checkpoint's benchmarks is stored. A study that shares the checkpoint and has other benchmarks gets
    the average over its own.
    """
    if list(stored["benchmarks"]) == benchmarks:
        return stored.get("macro", stored)
    return macro_scores({name: stored["benchmarks"][name] for name in benchmarks})


def _macro_curve(curves: list[dict]) -> dict:
    ks = sorted(set.intersection(*(set(one) for one in curves)), key=int)
    return {k: _macro_entry([one[k] for one in curves]) for k in ks}


def _macro_entropy(entries: list[dict | None]) -> dict | None:
    known = [entry for entry in entries if entry is not None]
    if len(known) < len(entries):
        return None
    return {**_macro_entry(known), "responses": sum(entry["responses"] for entry in known)}


def _macro_entry(entries: list[dict]) -> dict[str, float | None]:
    value, error = macro_average(
        [entry["value"] for entry in entries],
        [np.nan if entry["standard_error"] is None else entry["standard_error"] for entry in entries],
    )
    return stored_entry(value, error)


def score_benchmark(
    table: pd.DataFrame,
    generator: np.random.Generator,
    majority: pd.DataFrame | None = None,
    wrong: pd.DataFrame | None = None,
) -> tuple[dict, Draws]:
    """Pass@k, majority@k, distinct wrong answers, entropy, rates and mean length on one benchmark; and the bootstrapped
    means of Pass@k, by k.
    """
    n, c = table["n"].to_numpy(), table["c"].to_numpy()
    ks = powers_of_two(int(n.min()))
    values = np.stack([pass_at_k(n, c, k) for k in ks], axis=1)
    draws = {str(k): column for k, column in zip(ks, bootstrap_means(values, generator).T, strict=True)}
    curve = {str(k): _entry(column) for k, column in zip(ks, values.T, strict=True)}
    for k, entry in curve.items():
        entry |= _interval(draws[k], entry["standard_error"])
    votes, answers = (
        {} if one is None else {str(k): _entry(one[k].to_numpy()) for k in one} for one in (majority, wrong)
    )
    rates = {name: float(table[name].sum() / n.sum()) for name in ("truncated", *FAILURES)}
    scores = {
        "problems": len(table),
        "samples": int(n.min()),
        "pass_at_k": curve,
        "majority_at_k": votes,
        "distinct_wrong_at_k": answers,
        "entropy": rollout_entropy(table),
        **rates,
        "mean_tokens": float(table["tokens"].sum() / n.sum()),
    }
    return scores, draws


def read_grades(path: Path, columns: list[str], optional: tuple[str, ...] = ()) -> pd.DataFrame:
    """Those columns of a file from grade.py, `optional` ones where it has them, and never its responses, which are most
    of it.

    Raises
    ------
    UserError
        the file is damaged, a column is missing, there are no rows, or a sample is there twice.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; write it with scripts/grade.py")
    wanted = sorted({*columns, "problem_id", "repetition"})
    try:
        there = pq.read_schema(path).names
        missing = sorted(set(wanted) - set(there))
        wanted += [column for column in optional if column in there]
        grades = pd.DataFrame() if missing else pd.read_parquet(path, columns=wanted)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged, or no parquet file ({one_line(error)}); grade again") from None
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; write it with scripts/grade.py")
    if grades.empty:
        raise UserError(f"{path}: no rows; sample and grade again")
    twice = grades.duplicated(["problem_id", "repetition"])
    if twice.any():
        row = grades[twice].iloc[0]
        raise UserError(
            f"{path}: repetition {row['repetition']} of problem {row['problem_id']} is there twice; grade again"
        )
    return grades


def count(grades: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Samples, right samples, failures and log-probabilities of each problem; one row per problem_id, sorted.

    Raises
    ------
    UserError
        problems have different numbers of samples; the message names `path`.
    """
    marks = pd.DataFrame(
        {
            "problem_id": grades["problem_id"],
            "n": 1,
            "c": grades["correct"].astype(int),
            "truncated": (grades["finish_reason"] == "length").astype(int),
            **{reason: (grades["reason"] == reason).astype(int) for reason in FAILURES},
            "tokens": grades["n_tokens"],
        }
    )
    counts = marks.groupby("problem_id", sort=True).sum().join(logprob_counts(grades)).reset_index()
    if counts["n"].nunique() > 1:
        raise UserError(
            f"{path}: problems have {counts['n'].min()} to {counts['n'].max()} samples; sample again to complete them"
        )
    return counts


def _entry(values: np.ndarray) -> dict[str, float | None]:
    return stored_entry(*mean_with_error(values))


def _interval(draws: np.ndarray, error: float | None) -> dict[str, float | None]:
    """Percentile interval; none where a single problem leaves nothing to draw from."""
    low, high = percentile_interval(draws)
    return {"low": None, "high": None} if error is None else {"low": float(low), "high": float(high)}
