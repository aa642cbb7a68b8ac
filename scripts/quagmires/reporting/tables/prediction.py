"""The paper's kinds of tables (1 to 10): how well predictors foretell the outcome, by study, budget or fitted models.

Each is made as a tidy frame first, one line for each row of the table and predictor, with our values and the published
ones in columns of their own. That is its CSV; what is shown is made from it alone (prediction_layout.py).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from quagmires.common.errors import UserError
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.schema import TableSettings
from quagmires.prediction import rank_correlation, split_validation
from quagmires.prediction.predictors import BASELINE, PREDICTORS, Predictor, applicable, known
from quagmires.prediction.rank_correlation import RankAgreement, average_of, budget_groups, by_budget, rank_agreement
from quagmires.prediction.split_validation import SplitSummary, half, possible_fitting_sizes, r2_over_splits
from quagmires.reporting.tables.published import AVERAGE, Published, PublishedStudy

DECIMALS = 2
# Names of the statistics' fields in the CSV, where they differ.
RENAMED = {
    "mean": "value",
    "spearman": "value",
    "spearman_low": "low",
    "spearman_high": "high",
    "spearman_p": "p",
}
COLUMNS = (
    *("study", "model", "row", "fitting", "validation", "status", "with_outcome", "predictor", "note"),
    *("models", "value", "standard_deviation", "standard_error", "median", "q25", "q75"),
    *("all_variance_mean", "all_variance_median", "splits", "undefined", "low", "high", "p", "p_is_exact", "kendall"),
    *("gain", "best", "published_fitting", "published_validation"),
    *("published_mean", "published_std", "published_gain", "published_best"),
)
NOT_APPLICABLE = "not applicable"
NOT_ENOUGH = "not enough models"
UNDEFINED = "undefined"


@dataclass(frozen=True)
class Row:
    """A row of a table: as `PublishedRow`, but `group` is the label of a budget as we write it."""

    group: str
    fitting: int | None = None


# Some columns of a line of the frame.
Fields = dict[str, Any]
Statistics = dict[Row, Fields]


def prediction_frame(
    metrics: pd.DataFrame, table: TableSettings, settings: AnalysisSettings, published: Published
) -> pd.DataFrame:
    """A table as a tidy frame.

    Parameters
    ----------
    metrics
        metrics.parquet, its outcome of the kind that `settings` asks for.
    table, settings, published
        what it shows; seed and number of splits; what stands beside.

    Returns
    -------
    DataFrame of `COLUMNS`. `status` says how many models a row can rest on (`with_outcome`), or why it is empty;
    `models`, which can be fewer, is how many a cell rests on; `note` says why a cell is empty. Without models, or with
    too few, a row has its published values alone.
    """
    predictors = table_predictors(table, settings)
    lines = [
        line
        for name in table.studies
        for line in _study_lines(studied_models(metrics, name), name, table, predictors, settings, published)
    ]
    frame = pd.DataFrame(lines).reindex(columns=list(COLUMNS))
    whole = ["fitting", "validation", "with_outcome", "models", "splits", "undefined"]
    return frame.astype(dict.fromkeys([*whole, "published_fitting", "published_validation"], "Int64"))


def studied_models(metrics: pd.DataFrame, study: str) -> pd.DataFrame:
    """The rows of a study, none if it is not in the metrics."""
    return metrics[metrics["study"] == study].reset_index(drop=True)


def table_predictors(table: TableSettings, settings: AnalysisSettings) -> list[Predictor]:
    """The predictors that a table has a column for.

    Raises
    ------
    UserError
        the table names one that there is not.
    """
    if unknown := [name for name in table.predictors if name not in PREDICTORS]:
        raise UserError(f"tables: there is no predictor {unknown[0]}; there are {', '.join(PREDICTORS)}")
    if table.predictors:
        return [PREDICTORS[name] for name in table.predictors]
    return applicable(*(settings.studies[name].level for name in table.studies))


def _study_lines(
    models: pd.DataFrame,
    study: str,
    table: TableSettings,
    predictors: Sequence[Predictor],
    settings: AnalysisSettings,
    published: Published,
) -> list[Fields]:
    block = settings.studies[study]
    theirs = PublishedStudy(block.model_title, block.level)
    rows = _rows(models, theirs, table, settings, published)
    usable = [predictor for predictor in predictors if block.level in predictor.levels]
    found = {predictor.name: _statistics(models, predictor, rows, table, settings) for predictor in usable}
    # A difference of two predictors on different models would say more about the models.
    known_for = {predictor.name: tuple(known(models, predictor)) for predictor in usable} if len(models) else {}
    comparable = {name for name, mask in known_for.items() if mask == known_for.get(BASELINE)}
    lines = []
    for row in rows:
        status = _status(models, row, len(block.recipes), table, settings)
        cells = [_cell(predictor, row, table, found) for predictor in predictors]
        _compare(cells, comparable)
        printed = _published_cells(predictors, row, table.published, theirs, published)
        place: Fields = {"study": study, "model": block.model_title, "row": row.group, "status": status}
        place["with_outcome"] = _with_outcome(models, row, table, settings)
        lines += [{**place, **ours, **beside} for ours, beside in zip(cells, printed, strict=True)]
    return lines


def _rows(
    models: pd.DataFrame,
    study: PublishedStudy,
    table: TableSettings,
    settings: AnalysisSettings,
    published: Published,
) -> list[Row]:
    """Of one study: what can be shown, what is asked for, and what the paper has beside it."""
    theirs = published.rows(table.published, study)
    if table.statistic == "r2_by_fitting_size":
        sizes = table.fitting_sizes or sorted(
            {*possible_fitting_sizes(_count(models)), *(place.fitting for place in theirs if place.fitting)}
        )
        return [Row("ratio", size) for size in sizes] or [Row("ratio")]
    if table.statistic != "spearman_by_budget":
        return [Row("half" if table.statistic == "r2" else "all")]
    labels = budget_groups(models, settings.analysis.budgets)
    ours = {label.replace(" ", "") for label in labels}
    others = [place.group for place in theirs if place.group not in ours and place.group != AVERAGE]
    return [Row(label) for label in (*labels, *others, AVERAGE)]


def _statistics(
    models: pd.DataFrame, predictor: Predictor, rows: Sequence[Row], table: TableSettings, settings: AnalysisSettings
) -> Statistics:
    """The fields of each row that has any, under their names in the CSV."""
    if not len(models):
        return {}
    analysis, seed = settings.analysis, settings.seed
    if table.statistic == "spearman":
        return {rows[0]: _fields(rank_agreement(models, predictor, seed, analysis.confidence))}
    if table.statistic == "spearman_by_budget":
        groups = by_budget(models, predictor, analysis.budgets, seed, analysis.confidence)
        counted = [group.models for group in groups.values() if group.spearman is not None]
        average: Fields = {"value": average_of(groups), "models": sum(counted)}
        return {**{Row(label): _fields(group) for label, group in groups.items()}, Row(AVERAGE): average}
    count = int(known(models, predictor).sum())
    r2 = partial(r2_over_splits, models, predictor, splits=analysis.splits, seed=seed)
    sizes = {row: half(count) if row.group == "half" else row.fitting for row in rows}
    return {row: {**(_fields(r2(fitting=size)) if size else {}), "models": count} for row, size in sizes.items()}


def _fields(summary: RankAgreement | SplitSummary) -> Fields:
    return {RENAMED.get(name, name): value for name, value in asdict(summary).items()}


def _cell(predictor: Predictor, row: Row, table: TableSettings, found: dict[str, Statistics]) -> Fields:
    cell: Fields = {"predictor": predictor.name, "fitting": row.fitting, "value": None, "note": ""}
    if predictor.name not in found:
        return {**cell, "note": NOT_APPLICABLE}
    cell |= found[predictor.name].get(row, {})
    if cell["value"] is None:
        enough = cell.get("models", 0) >= _needed(row, table)
        cell |= {"note": UNDEFINED if enough else NOT_ENOUGH, "validation": None}
    return cell


def _compare(cells: list[Fields], comparable: set[str]) -> None:
    """Add to each cell its gain over the baseline, and whether it is the best of the row as it is shown."""
    baseline = next((cell for cell in cells if cell["predictor"] == BASELINE and cell["value"] is not None), None)
    for cell in cells:
        cell["best"] = is_best(cell["value"], [other["value"] for other in cells])
        if cell["value"] is None or baseline is None or cell is baseline or cell["predictor"] not in comparable:
            continue
        # Means over budgets can be of other budgets, as rho is undefined in some.
        if cell["models"] == baseline["models"]:
            cell["gain"] = cell["value"] - baseline["value"]


def is_best(value: float | None, values: Iterable[float | None], decimals: int = DECIMALS) -> bool:
    """Whether none of at least two values is higher, after rounding as shown: what looks the same is the same.

    >>> is_best(0.974, [0.974, 0.9661, None]), is_best(0.974, [0.974, 0.9849]), is_best(0.974, [0.974, None])
    (True, False, False)
    """
    known = [one for one in values if one is not None and not math.isnan(one)]
    if value is None or math.isnan(value) or len(known) < 2:
        return False
    return round(value, decimals) == round(max(known), decimals)


def _published_cells(
    predictors: Sequence[Predictor], row: Row, table: int | None, study: PublishedStudy, published: Published
) -> list[Fields]:
    values = [published.cell(table, study, predictor.name, row.group, row.fitting) for predictor in predictors]
    means = [value.mean for value in values if value]
    place = next(
        (place for place in published.rows(table, study) if row.fitting and place.fitting == row.fitting), None
    )
    where = {"published_fitting": place.fitting, "published_validation": place.validation} if place else {}
    baseline = published.cell(table, study, BASELINE, row.group, row.fitting)
    cells: list[Fields] = []
    for predictor, value in zip(predictors, values, strict=True):
        if value is None:
            cells.append({"published_best": False, **where})
            continue
        best = is_best(value.mean, means)
        # The paper prints the gain of the best; the file has it for some tables alone.
        computed = (
            round(value.mean - baseline.mean, DECIMALS) if baseline and best and predictor.name != BASELINE else None
        )
        gain = computed if value.gain is None else value.gain
        numbers = {"published_mean": value.mean, "published_std": value.standard_deviation, "published_gain": gain}
        cells.append({**numbers, "published_best": best, **where})
    return cells


def _status(models: pd.DataFrame, row: Row, asked: int, table: TableSettings, settings: AnalysisSettings) -> str:
    """How many models with an outcome a row rests on, of how many; or why it has no value."""
    if not len(models):
        return "no results yet"
    if table.statistic == "spearman_by_budget":
        return _budget_status(models, row.group, settings.analysis.budgets)
    if row.fitting is not None and row.fitting < split_validation.FEWEST_TO_FIT:
        return f"at least {split_validation.FEWEST_TO_FIT} models must be fitted"
    return _counted(models, asked, _needed(row, table))


def _with_outcome(models: pd.DataFrame, row: Row, table: TableSettings, settings: AnalysisSettings) -> int:
    """How many models with an outcome a row can rest on: what a cell's own number is compared with."""
    if table.statistic != "spearman_by_budget":
        return _count(models)
    groups = budget_groups(models, settings.analysis.budgets)
    counts = {label: _count(models[group]) for label, group in groups.items()}
    if row.group == AVERAGE:
        return sum(count for count in counts.values() if count >= rank_correlation.FEWEST_MODELS)
    return counts.get(row.group, 0)


def _needed(row: Row, table: TableSettings) -> int:
    """The fewest models that a value can be had from."""
    if table.statistic in ("spearman", "spearman_by_budget"):
        return rank_correlation.FEWEST_MODELS
    if row.fitting is None:
        return split_validation.FEWEST_MODELS
    return max(row.fitting, split_validation.FEWEST_TO_FIT) + split_validation.FEWEST_TO_VALIDATE


def _budget_status(models: pd.DataFrame, label: str, budgets: Sequence[float]) -> str:
    groups = {label: models[group] for label, group in budget_groups(models, budgets).items()}
    if label == AVERAGE:
        enough = sum(_count(group) >= rank_correlation.FEWEST_MODELS for group in groups.values())
        return f"mean of {enough} budget{'' if enough == 1 else 's'}" if enough else "no budget has enough models"
    if label not in groups:
        return "no such budget here"
    group = groups[label]
    return _counted(group, 0, rank_correlation.FEWEST_MODELS) if len(group) else "no models in this budget"


def _counted(models: pd.DataFrame, asked: int, needed: int) -> str:
    """Of the models that the study asks for, which may not all be in the metrics."""
    have, total = _count(models), max(asked, len(models))
    counted = f"{have} models" if have == total else f"{have} of {total} models"
    return counted if have >= needed else f"{counted}, {needed} are needed"


def _count(models: pd.DataFrame) -> int:
    return int(np.isfinite(models["outcome"].to_numpy(float)).sum())
