"""The arena: every registered predictor on every study that has outcomes, by one protocol, and none left out.

Of each predictor: Spearman's rho with its interval, what choosing by it would have cost (selection_cost.py), the error
of its leave-one-out predictions, the cost of measuring it, and the paired difference to the baseline
(paired_comparison.py). One that cannot be computed for a study has the reason instead.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from quagmires.prediction.arena_studies import Study, required_columns
from quagmires.prediction.paired_comparison import FROM_OUTCOME, Comparison, compare, holm, order
from quagmires.prediction.predictors import BASELINE, PREDICTORS, Predictor, known, ranking
from quagmires.prediction.rank_correlation import DECIMALS, FEWEST_MODELS, rank_agreement, spearman
from quagmires.prediction.selection_cost import TOP, choice, leave_one_out

# The row of a study that says what choosing without any predictor would give.
CHANCE = "chance"
COLUMNS = (
    *("study", "origin", "level", "predictor", "label", "better", "reason", "with_outcome", "models"),
    *("rho", "rho_low", "rho_high", "rho_p", "rho_within_groups", "groups"),
    *("picked", "regret_at_1", "top3_recall", "loo_mae", "loo_r2"),
    *("cost", "cost_share", "cost_unit", "cost_unknown"),
    *("baseline", "compared_models", "over_problems", "tried", "rho_difference", "rho_difference_low"),
    *("rho_difference_high", "rho_difference_p", "rho_difference_p_holm", "regret_difference", "regret_difference_low"),
    *("regret_difference_high", "regret_difference_p", "regret_difference_p_holm", "difference_unknown"),
)
Row = dict[str, Any]


def judge(studies: Iterable[Study], seed: int, confidence: float = 0.9, baseline: str = BASELINE) -> pd.DataFrame:
    """Judge all predictors on all studies.

    Parameters
    ----------
    studies
        see arena_studies.py.
    seed
        of resamples and permutations.
    confidence
        of all intervals.
    baseline
        the predictor that the others are compared with.

    Returns
    -------
    DataFrame of `COLUMNS`, for each study one row for each registered predictor in the order of registration, then one
    for `CHANCE`. `better` is higher, lower or fit (a combination that is fitted); `reason` says why a row is empty,
    `cost_unknown` and `difference_unknown` why these are. Scores, errors and regret are in the unit of the outcome.
    `tried` is the number of comparisons that Holm's correction is for: those of the study.
    """
    rows = [row for study in studies for row in _study_rows(study, seed, confidence, PREDICTORS[baseline])]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def _study_rows(study: Study, seed: int, confidence: float, baseline: Predictor) -> list[Row]:
    rows = [_predictor_row(study, predictor, seed, confidence) for predictor in PREDICTORS.values()]
    for row in rows:
        row["baseline"] = baseline.name
    _compare_with(baseline, study, rows, seed, confidence)
    return [*rows, _chance_row(study)]


def _place(study: Study) -> Row:
    finished = int(np.isfinite(study.models["outcome"].to_numpy(float)).sum())
    return {"study": study.name, "origin": study.origin, "level": study.level, "with_outcome": finished}


def _predictor_row(study: Study, predictor: Predictor, seed: int, confidence: float) -> Row:
    models = study.models
    row = {
        **_place(study),
        "predictor": predictor.name,
        "label": predictor.title(models),
        "better": direction(predictor),
        "reason": reason(study, predictor),
    }
    if row["reason"]:
        return row
    agreement = rank_agreement(models, predictor, seed, confidence)
    chosen, left_out = choice(models, predictor), leave_one_out(models, predictor)
    row |= {
        "models": agreement.models,
        "rho": agreement.spearman,
        "rho_low": agreement.spearman_low,
        "rho_high": agreement.spearman_high,
        "rho_p": agreement.spearman_p,
        "picked": chosen.picked,
        "regret_at_1": chosen.regret_at_1,
        "top3_recall": chosen.top3_recall,
        "loo_mae": left_out.mae,
        "loo_r2": left_out.r2,
        **_within_groups(models, predictor),
        **_cost(study, predictor),
    }
    return row


def direction(predictor: Predictor) -> str:
    """Whether higher or lower values are better, as the predictor's rank has it; `fit` where fits decide.

    Found by asking for the ranks of two models of which one has the higher values.
    """
    if predictor.score is None:
        return "fit"
    models = pd.DataFrame(dict.fromkeys(required_columns(predictor), [1.0, 2.0]))
    first, second = predictor.score(models)
    return "higher" if second > first else "lower"


def reason(study: Study, predictor: Predictor) -> str:
    """Why a predictor cannot be computed for a study, in a few words; empty where it can."""
    models = study.models[np.isfinite(study.models["outcome"].to_numpy(float))]
    columns = [name for name in required_columns(predictor) if name not in FROM_OUTCOME]
    if missing := [name for name in columns if name not in models or models[name].isna().all()]:
        return f"the study has no {', '.join(missing)}"
    if study.level not in predictor.levels:
        return f"does not apply to studies of level {study.level}"
    usable = known(models, predictor)
    if usable.sum() < FEWEST_MODELS:
        return f"known for {usable.sum()} of {len(models)} models; {FEWEST_MODELS} are needed"
    models = models[usable]
    if np.ptp(np.round(models["outcome"].to_numpy(float), DECIMALS)) == 0:
        return "all models have the same outcome"
    if np.ptp(np.round(ranking(models, predictor), DECIMALS)) == 0:
        return "the same for all models"
    return ""


def _within_groups(models: pd.DataFrame, predictor: Predictor) -> Row:
    """Rho after each group's mean rank is subtracted from predictor and outcome; of groups with two models or more."""
    if "group" not in models:
        return {}
    models = models[known(models, predictor)]
    models = models[models.groupby("group")["group"].transform("size") > 1]
    count = models["group"].nunique()
    if len(models) < FEWEST_MODELS + count - 1:
        return {"groups": count}
    values, outcome = (
        pd.Series(rankdata(np.round(one, DECIMALS)), models.index)
        for one in (ranking(models, predictor), models["outcome"].to_numpy(float))
    )
    centred = [one - one.groupby(models["group"]).transform("mean") for one in (values, outcome)]
    rho = float(spearman(*(np.round(one.to_numpy(), DECIMALS) for one in centred)))
    return {"groups": count, "rho_within_groups": None if np.isnan(rho) else rho}


def _cost(study: Study, predictor: Predictor) -> Row:
    cost, of_rl = study.costs.of(predictor.needs), study.costs.of(["rl"])
    if cost is None:
        return {"cost_unknown": study.costs.unknown}
    return {"cost": cost, "cost_unit": study.costs.unit, "cost_share": cost / of_rl if of_rl else None}


def _compare_with(baseline: Predictor, study: Study, rows: Sequence[Row], seed: int, confidence: float) -> None:
    """Add to each row its paired difference to the baseline, on the models that both know."""
    why = reason(study, baseline)
    unknown = why and f"{baseline.name}: {why}"
    for row in rows:
        if row["reason"] or row["predictor"] == baseline.name:
            continue
        row["difference_unknown"] = unknown
        if unknown:
            continue
        found = _comparison(study.models, PREDICTORS[row["predictor"]], baseline, seed, confidence)
        if found is None:
            row["difference_unknown"] = f"fewer than {FEWEST_MODELS} models are known to both"
            continue
        row |= {"compared_models": found.models, "over_problems": found.over_problems}
        for name, one in (("rho", found.rho), ("regret", found.regret)):
            row |= {f"{name}_difference": one.value, f"{name}_difference_low": one.low}
            row |= {f"{name}_difference_high": one.high, f"{name}_difference_p": one.p}
    for name in ("rho", "regret"):
        p_values = [row.get(f"{name}_difference_p") for row in rows]
        for row, adjusted in zip(rows, holm(p_values), strict=True):
            row[f"{name}_difference_p_holm"] = adjusted
            if adjusted is not None:
                row["tried"] = sum(value is not None for value in p_values)


def _comparison(
    models: pd.DataFrame, one: Predictor, other: Predictor, seed: int, confidence: float
) -> Comparison | None:
    models = models[known(models, one) & known(models, other)].reset_index(drop=True)
    if len(models) < FEWEST_MODELS:
        return None
    first, second = (order(models, predictor, required_columns(predictor)) for predictor in (one, other))
    return compare(models, first, second, seed, confidence)


def _chance_row(study: Study) -> Row:
    """A model drawn at random: rho 0, the mean regret, and the mean of the others as prediction."""
    outcome = study.models["outcome"].to_numpy(float)
    outcome = outcome[np.isfinite(outcome)]
    count = len(outcome)
    row = {**_place(study), "predictor": CHANCE, "label": "a model at random", "better": "", "reason": ""}
    if count < FEWEST_MODELS:
        return row
    errors = (outcome - outcome.mean()) * count / (count - 1)
    return row | {
        "models": count,
        "rho": 0.0,
        "regret_at_1": float(outcome.max() - outcome.mean()),
        "top3_recall": TOP / count if count > TOP else None,
        "loo_mae": float(np.abs(errors).mean()),
        "loo_r2": float(1 - (errors**2).mean() / outcome.var()) if np.ptp(outcome) else None,
        "cost": 0.0,
        "cost_unit": study.costs.unit,
        "cost_share": 0.0,
    }
