"""The arena's tables: what each predictor is worth in each study, and which could not be computed, and why."""

from collections.abc import Sequence

import pandas as pd

from quagmires.common.shown_numbers import MISSING, number, p_value, share, signed, with_interval
from quagmires.common.shown_numbers import score as shown_score
from quagmires.prediction.arena import CHANCE, COLUMNS, direction
from quagmires.prediction.early_rl import FITTED, SCORED
from quagmires.prediction.predictors import PREDICTORS
from quagmires.reporting.tables.formats import Cell, Column, TableLayout
from quagmires.reporting.tables.prediction import is_best
from quagmires.reporting.tables.published import Published

# The paper's tables of rank correlations.
PUBLISHED_TABLES = (1, 3)
NOT_RECOMPUTED = "published, not recomputed"
TABLE_3 = "The paper's Table 3 has means over budgets of SFT tokens."
NOT_PUBLISHED = "the paper prints no value"
# Of the numbers, whether the highest or the lowest is the best of a study, and with how many decimals they are shown.
SIGNS = {"rho": 1, "rho_within_groups": 1, "regret_at_1": -1, "top3_recall": 1, "loo_mae": -1}
DECIMALS = {"regret_at_1": 3, "loo_mae": 3}


def published_rows(published: Published) -> pd.DataFrame:
    """The rank correlations that the paper prints, in the arena's columns: for reference, nothing is computed."""
    rows = []
    for table in PUBLISHED_TABLES:
        for study in published.studies(table):
            for name, predictor in PREDICTORS.items():
                value = published.cell(table, study, name)
                rows.append(
                    {
                        "study": f"paper, Table {table}: {study.model}",
                        "origin": NOT_RECOMPUTED,
                        "level": study.level,
                        "predictor": name,
                        "label": predictor.title(pd.DataFrame()),
                        "better": direction(predictor),
                        "reason": "" if value else NOT_PUBLISHED,
                        "rho": value and value.mean,
                    }
                )
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def arena_layout(frame: pd.DataFrame, confidence: float) -> TableLayout:
    """The predictors that could be computed, by study, in the order of registration; the best of a study in bold."""
    percent = f"[{100 * confidence:g} %]"
    baseline = next(iter(frame["baseline"].dropna()), "the baseline")
    titles = (
        *("better", "models", f"Spearman's ρ {percent}", "ρ within groups", "regret@1", "top-3 recall"),
        *("leave-one-out error", "cost", f"Δρ to {baseline} {percent}", "p (Holm)", f"Δregret {percent}", "p (Holm)"),
    )
    shown = frame[frame["reason"] == ""]
    return TableLayout(
        [Column("study", left=True), Column("predictor", left=True), *map(Column, titles)],
        [_cells(line, lines) for _, lines in shown.groupby("study", sort=False) for _, line in lines.iterrows()],
        _notes(frame),
    )


def _cells(line: pd.Series, lines: pd.DataFrame) -> list[Cell]:
    rivals = lines[lines["predictor"] != CHANCE]

    def cell(name: str, text: str) -> Cell:
        signs, decimals = SIGNS[name], DECIMALS.get(name, 2)
        best = line["predictor"] != CHANCE and is_best(signs * line[name], signs * rivals[name].astype(float), decimals)
        return Cell(text, best)

    return [
        Cell(line["study"]),
        Cell(line["label"]),
        Cell(line["better"]),
        Cell(number(line["models"], 0)),
        cell("rho", with_interval(line["rho"], line["rho_low"], line["rho_high"])),
        cell("rho_within_groups", number(line["rho_within_groups"])),
        cell("regret_at_1", shown_score(line["regret_at_1"])),
        cell("top3_recall", number(line["top3_recall"])),
        cell("loo_mae", shown_score(line["loo_mae"])),
        Cell(shown_cost(line)),
        Cell(_difference(line, "rho", 2)),
        Cell(p_value(line["rho_difference_p_holm"], None)),
        Cell(_difference(line, "regret", 3)),
        Cell(p_value(line["regret_difference_p_holm"], None)),
    ]


def shown_cost(line: pd.Series) -> str:
    """A cost with its unit, and as a share of what all RL of the study cost."""
    if pd.isna(line["cost"]):
        return MISSING
    if line["cost"] == 0:
        return "0"
    shown = f"{number(line['cost'])} {line['cost_unit']}"
    if pd.isna(line["cost_share"]):
        return shown
    part = "under 1%" if line["cost_share"] < 0.01 else share(line["cost_share"])
    return f"{shown} ({part} of RL)"


def _difference(line: pd.Series, name: str, decimals: int) -> str:
    value, low, high = (line[f"{name}_difference{end}"] for end in ("", "_low", "_high"))
    if pd.isna(value):
        return MISSING
    return f"{signed(value, decimals)} [{signed(low, decimals)}, {signed(high, decimals)}]"


def missing_layout(frame: pd.DataFrame) -> TableLayout:
    """The predictors that could not be computed for a study, and why; those of one reason together."""
    rows = frame[frame["reason"] != ""]
    columns = [Column(title, left=True) for title in ("study", "not computed", "why")]
    return TableLayout(
        columns,
        [
            [Cell(study), Cell(", ".join(lines["predictor"])), Cell(reason)]
            for (study, reason), lines in rows.groupby(["study", "reason"], sort=False)
        ],
    )


def _notes(frame: pd.DataFrame) -> Sequence[str]:
    shown = frame[frame["reason"] == ""]
    origins = [
        f"{study}: {lines['origin'].iloc[0]}, level {lines['level'].iloc[0]}."
        for study, lines in shown.groupby("study", sort=False)
    ]
    tried = [
        f"{study} {lines['tried'].dropna().iloc[0]:.0f}"
        for study, lines in shown.groupby("study", sort=False)
        if lines["tried"].notna().any()
    ]
    costs = [
        f"{study}: {', '.join(lines['predictor'])}: {why}."
        for (study, why), lines in shown.dropna(subset=["cost_unknown"]).groupby(["study", "cost_unknown"], sort=False)
    ]
    differences = [
        f"{study}: {', '.join(lines['predictor'])}: no comparison, {why}."
        for (study, why), lines in shown[shown["difference_unknown"].fillna("") != ""].groupby(
            ["study", "difference_unknown"], sort=False
        )
    ]
    resampled = shown.loc[shown["over_problems"].fillna(False).astype(bool), "study"].unique()
    return [
        *origins,
        *([TABLE_3] if (shown["origin"] == NOT_RECOMPUTED).any() else []),
        "better: the direction that the predictor's source claims, set beforehand; `fit` where fits on the other models"
        " decide. Nothing was turned round to fit the outcomes.",
        "ρ within groups: after each group's mean rank is subtracted.",
        "Regret and errors are in the unit of the outcome.",
        "A model at random: ρ is 0, regret and recall are what chance gives, and the prediction is the others' mean.",
        f"Early in RL: {SCORED:.0%} of the study's median run, or the first evaluated checkpoint; the sigmoid is fitted"
        f" on {FITTED:.0%}. An outcome that is the best of all checkpoints may be that very one.",
        "Cost: of measuring all models of the study, without SFT.",
        "Intervals of differences are paired, over models"
        + (
            f", and over problems too in {', '.join(resampled)}, where both predictors have draws."
            if len(resampled)
            else "."
        ),
        "p: exchanges of the two predictors' ranks, corrected by Holm's method for all predictors that were compared"
        f" in the study ({', '.join(tried) or 'none'}).",
        *(f"Cost not known in {text}" for text in costs),
        *differences,
    ]
