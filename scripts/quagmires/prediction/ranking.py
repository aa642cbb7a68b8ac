"""Which SFT models to take through RL, from what is known without any RL (paper, Sections 3.1 and 5).

First, "clearly suboptimal models (i.e., those with both low performance and high loss)" are set aside. How low, the
paper does not say. Here a model is set aside if, of the models it can be compared with,

1. it is in the lower half by Pass@1 and in the worse half by generalization loss, and
2. a single one beats it in both, each by more than the error of the difference.

The second alone would set aside nearly all: errors of differences on the same problems are so small that every model
falls to the best one, and what is left to Pass@large-k is no choice. In the simulated example it takes 14 of 16 models
of a study, the second best after RL among them. The first alone has no regard for error.

The rest are ordered by Pass@large-k. Models that differ by no more than the error of their difference are tied.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import norm

from quagmires.config.labels import recipe_labels
from quagmires.config.subset_names import BASE, parse_subset
from quagmires.prediction.errors_in_variables import difference_error, draws_of
from quagmires.prediction.predictors import SAME_DISTRIBUTION

# From here on nearly all problems are solved by nearly all models, and few are left to tell them apart.
SATURATED = 0.99
NOT_COMPARABLE = (
    "No model is set aside: generalization losses cannot be compared between differently selected traces (paper,"
    " Section 4.3)."
)


def rank_candidates(models: pd.DataFrame, level: str, confidence: float) -> pd.DataFrame:
    """Order the SFT models of a study.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study; no column of RL is used.
    level
        of the study, as the settings name it; see `comparable`.
    confidence
        of intervals and differences (two-sided).

    Returns
    -------
    DataFrame, the first to take through RL first, with the index of `models`:
    recipe, label; group (1, 2, ...; missing for those not ranked), tied (others are in the group); pass_at_large_k,
    low, high; highest_in (share of the joint bootstrap draws in which it is the highest of those ranked; nan without
    draws); behind, behind_error (how far it is below the first, and the paired standard error); pass_at_1,
    generalization_loss; tied_with (the group of the model directly above, if that is another group's and the two cannot
    be told apart); set_aside, as_good_as (for a model set aside whose Pass@large-k is not below that of the best SFT
    model kept, beyond error: its recipe); worse_than (recipe of the one with the highest Pass@1 of those better in
    both); median_pass_at_1, median_loss of the models it is compared with; pass_at_1_gap, pass_at_1_gap_error,
    loss_gap, loss_gap_error from the one it is worse than (differences are positive).
    Groups come in order, and within a group the higher Pass@large-k. Those set aside are last, and so is a model
    without Pass@large-k.
    """
    models = models.reset_index(drop=False, names="place")
    aside = _set_aside(models, level, confidence)
    value = models["pass_at_large_k"].to_numpy(float)
    ranked = np.flatnonzero(aside["worse_than"].isna() & np.isfinite(value))
    groups = pd.Series(pd.NA, index=models.index, dtype="Int64")
    for number, members in enumerate(ties(models, ranked, "pass_at_large_k", confidence), start=1):
        groups[members] = number
    table = pd.concat(
        [
            pd.DataFrame({"recipe": models["recipe"], "label": recipe_labels(models), "group": groups}),
            pd.DataFrame({"tied": groups.map(groups.value_counts()).gt(1).fillna(False).astype(bool)}),
            _intervals(models, "pass_at_large_k", confidence),
            _behind_first(models, ranked, "pass_at_large_k"),
            models[["pass_at_1", "generalization_loss"]].astype(float),
            aside,
            _as_good_as(models, aside["set_aside"], ranked, confidence),
        ],
        axis=1,
    )
    order = table.assign(last=aside["set_aside"]).sort_values(
        ["last", "group", "pass_at_large_k"], ascending=[True, True, False], kind="stable"
    )
    order.insert(4, "tied_with", _tied_with_above(models, order["group"], confidence))
    return order.drop(columns="last").set_axis(models.loc[order.index, "place"].to_numpy())


def comparable(models: pd.DataFrame, level: str) -> list[list[int]]:
    """For each model the places of those whose generalization loss can be compared with its own, itself among them.

    None in instance-level studies (Section 4.3), elsewhere those trained on traces selected the same way. The loss of
    the base model is high because it has not seen such traces, which says nothing about RL: it is not compared.
    """
    selections = [_selection(subset) for subset in models["subset"]]
    if level not in SAME_DISTRIBUTION:
        return [[] for _ in selections]
    return [
        [place for place, other in enumerate(selections) if other is not None and other == selection]
        for selection in selections
    ]


def better_in_both(models: pd.DataFrame, one: int, others: list[int], confidence: float) -> list[int]:
    """Those of the `others` with a higher Pass@1 and a lower generalization loss than model `one`, beyond error."""
    before, loss = (models[name].to_numpy(float) for name in ("pass_at_1", "generalization_loss"))
    return [
        other
        for other in others
        if before[other] > before[one]
        and loss[other] < loss[one]
        and _differ(models, other, one, "pass_at_1", confidence)
        and _differ(models, other, one, "generalization_loss", confidence)
    ]


def ties(models: pd.DataFrame, places: np.ndarray, column: str, confidence: float) -> list[list[int]]:
    """Groups of models, the highest first: each has those that cannot be told from its first one.

    Parameters
    ----------
    models
        of one study.
    places
        rows to be ordered.
    column
        higher is better.
    confidence
        at which a difference counts. Without a known error any difference does.

    Returns
    -------
    lists of places. Being tied does not carry over: the second of a group may well be tied with the first of the next.
    Nor need groups be next to each other in value, where one model is known less exactly than another.
    """
    value = models[column].to_numpy(float)
    left = sorted(places, key=lambda place: -value[place])
    groups = []
    while left:
        first = left[0]
        groups.append(
            [place for place in left if place == first or not _differ(models, first, place, column, confidence)]
        )
        left = [place for place in left if place not in groups[-1]]
    return groups


def notes(ranking: pd.DataFrame, level: str, confidence: float) -> list[str]:
    """What to know before trusting the order, in sentences.

    Parameters
    ----------
    ranking
        of `rank_candidates`.
    level, confidence
        that it was made with.
    """
    ranked = ranking[ranking["group"].notna()]
    told = [] if level in SAME_DISTRIBUTION else [NOT_COMPARABLE]
    first = ranked[ranked["group"] == 1]
    if len(first) > 1:
        told.append(
            f"The first {len(first)} are tied: Pass@large-k does not tell them from the highest at"
            f" {confidence:.0%} confidence."
        )
    if saturated := mostly_saturated(ranked["pass_at_large_k"]):
        told.append(
            f"Pass@large-k of {saturated} of {len(ranked)} models is {SATURATED} or more: it cannot tell them apart."
            " Use harder benchmarks or a smaller k."
        )
    by_recipe = ranking.set_index("recipe")
    for row in ranking[ranking["as_good_as"].notna()].itertuples():
        kept = by_recipe.loc[row.as_good_as]
        told.append(
            f"{row.label} is set aside although its Pass@large-k, {row.pass_at_large_k:.3f}, is not below that of the"
            f" best SFT model kept, {kept['label']}, {kept['pass_at_large_k']:.3f}: the two rules disagree on it."
        )
    for label in ranking.loc[ranking["pass_at_large_k"].isna(), "label"]:
        told.append(f"{label} has no Pass@large-k and is not ranked.")
    return told


def mostly_saturated(values: Iterable[float]) -> int:
    """How many of some models' Pass@large-k are saturated, if most are; else 0."""
    marks = [value >= SATURATED for value in values]
    return sum(marks) if 2 * sum(marks) > len(marks) else 0


def rule_text(confidence: float) -> str:
    """The rule by which models are set aside, with its numbers."""
    return (
        "Set aside (paper, Section 3.1) are models below the median Pass@1 and above the median generalization loss, if"
        f" a single other model is better in both, each by more than {_reach(confidence):.3f} standard errors of the"
        f" difference ({confidence:.0%} confidence; same problems, same validation examples). Compared are models"
        " trained on traces selected the same way. The base model is not compared: its loss is high for not having seen"
        " such traces."
    )


def _set_aside(models: pd.DataFrame, level: str, confidence: float) -> pd.DataFrame:
    before, loss = (models[name].to_numpy(float) for name in ("pass_at_1", "generalization_loss"))
    rows = []
    for place, group in enumerate(comparable(models, level)):
        row = {"set_aside": False, "worse_than": None}
        if group:
            row["median_pass_at_1"], row["median_loss"] = np.nanmedian(before[group]), np.nanmedian(loss[group])
            if before[place] < row["median_pass_at_1"] and loss[place] > row["median_loss"]:
                better = better_in_both(models, place, group, confidence)
                row |= _worst_comparison(models, place, better) if better else {}
        rows.append(row)
    columns = ["set_aside", "worse_than", "median_pass_at_1", "median_loss"]
    columns += ["pass_at_1_gap", "pass_at_1_gap_error", "loss_gap", "loss_gap_error"]
    return pd.DataFrame(rows, columns=columns).astype({"worse_than": object, **dict.fromkeys(columns[2:], float)})


def _worst_comparison(models: pd.DataFrame, place: int, better: list[int]) -> dict:
    """How far a model is behind the one with the highest Pass@1 of those better in both."""
    best = max(better, key=lambda other: models["pass_at_1"].iloc[other])
    row = {"set_aside": True, "worse_than": models["recipe"].iloc[best]}
    for name, column in (("pass_at_1", "pass_at_1"), ("loss", "generalization_loss")):
        row[f"{name}_gap"] = abs(models[column].iloc[best] - models[column].iloc[place])
        row[f"{name}_gap_error"] = difference_error(models, best, place, column)
    return row


def _as_good_as(models: pd.DataFrame, aside: pd.Series, ranked: np.ndarray, confidence: float) -> pd.Series:
    """The base model is no measure: where it is the best start, no SFT model would ever be as good."""
    found = pd.Series(None, index=models.index, dtype=object, name="as_good_as")
    value = models["pass_at_large_k"].to_numpy(float)
    kept = [place for place in ranked if models["subset"].iloc[place] != BASE]
    if not kept:
        return found
    best = max(kept, key=lambda place: value[place])
    for place in np.flatnonzero(aside & np.isfinite(value)).tolist():
        if value[place] >= value[best] or not _differ(models, best, place, "pass_at_large_k", confidence):
            found[place] = models["recipe"].iloc[best]
    return found


def _tied_with_above(models: pd.DataFrame, groups: pd.Series, confidence: float) -> pd.Series:
    """For models in order, by place: groups are told by their first models, which hides a close neighbour."""
    found = pd.Series(pd.NA, index=groups.index, dtype="Int64")
    ranked = groups.dropna()
    for above, place in pairwise(ranked.index):
        if ranked[above] != ranked[place] and not _differ(models, above, place, "pass_at_large_k", confidence):
            found[place] = ranked[above]
    return found


def _selection(subset: str) -> frozenset[str] | None:
    """How traces were selected, whatever their number; None for the base model."""
    return None if subset == BASE else frozenset(part.rule for part in parse_subset(subset)) or frozenset({"random"})


def _reach(confidence: float) -> float:
    return float(norm.ppf((1 + confidence) / 2))


def _differ(models: pd.DataFrame, one: int, other: int, column: str, confidence: float) -> bool:
    """Whether two values differ by more than their paired error; any difference does if that is unknown."""
    difference = abs(models[column].iloc[one] - models[column].iloc[other])
    error = difference_error(models, one, other, column)
    return bool(difference > (_reach(confidence) * error if np.isfinite(error) else 0.0))


def _intervals(models: pd.DataFrame, column: str, confidence: float) -> pd.DataFrame:
    """The value, and quantiles of its draws; without draws a normal interval, nan without a standard error."""
    value = models[column].to_numpy(float)
    reach = _reach(confidence) * models[f"{column}_se"].to_numpy(float)
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws_of(models, column), [tail, 1 - tail], axis=1)
    low, high = (np.where(np.isfinite(drawn), drawn, value + side) for drawn, side in ((low, -reach), (high, reach)))
    return pd.DataFrame({column: value, "low": low, "high": high})


def _behind_first(models: pd.DataFrame, ranked: np.ndarray, column: str) -> pd.DataFrame:
    """Of those ranked: in how many draws each is the highest, and the paired difference from the first."""
    table = pd.DataFrame(np.nan, index=models.index, columns=["highest_in", "behind", "behind_error"])
    if not len(ranked):
        return table
    draws, value = draws_of(models.iloc[ranked], column), models[column].to_numpy(float)
    if np.isfinite(draws).all():
        highest = draws == draws.max(axis=0)
        table.loc[ranked, "highest_in"] = (highest / highest.sum(axis=0)).mean(axis=1)
    first = ranked[value[ranked].argmax()]
    table.loc[ranked, "behind"] = value[first] - value[ranked]
    table.loc[ranked, "behind_error"] = [
        0.0 if place == first else difference_error(models, first, place, column) for place in ranked
    ]
    return table
