"""The table of the paper's claims: each with the number measured in a study, its interval and the verdict.

What is measured, and by which rule it is judged: prediction/claims.py and docs/claims.md.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from quagmires.common.shown_numbers import points, with_interval
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.schema import TableSettings
from quagmires.prediction.claims import CLAIMS, CONFIDENCE, Result, result, study_of
from quagmires.reporting.tables.formats import Cell, Column, TableLayout
from quagmires.reporting.tables.prediction import studied_models

COLUMNS = (
    *("study", "level", "claim", "text", "source", "number", "unit", "null", "side"),
    *("value", "low", "high", "confidence", "count", "counted", "verdict", "note"),
)
NOT_TESTED = "not tested"


def claims_frame(metrics: pd.DataFrame, table: TableSettings, settings: AnalysisSettings) -> pd.DataFrame:
    """One row for each study and claim, of `COLUMNS`.

    Values are as measured: performances and rank correlations, not points. `null` and `side` say what would confirm the
    claim: an interval (`low` to `high`) on that side of the null. A claim that is not tested has no value, and `note`
    says why.

    Parameters
    ----------
    metrics
        metrics.parquet, its outcome of the kind that `settings` asks for.
    table, settings
        which studies, and their levels; the seed of the bootstrap.
    """
    studies = {
        name: study_of(
            studied_models(metrics, name), settings.studies[name].level, settings.analysis.outcome, settings.seed
        )
        for name in table.studies
    }
    rows = [
        {"study": name, "level": study.level, "confidence": CONFIDENCE, **_fields(result(one, study))}
        for name, study in studies.items()
        for one in CLAIMS.values()
    ]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype({"count": "Int64"})


def _fields(judged: Result) -> dict[str, Any]:
    one, found = judged.claim, judged.measured
    fields: dict[str, Any] = {"claim": one.name, "text": one.text, "source": one.source, "number": one.number}
    fields |= {"unit": one.unit, "null": one.null, "side": one.side, "verdict": judged.verdict, "note": judged.note}
    values = (found.value, found.low, found.high) if found else (np.nan, np.nan, np.nan)
    fields |= dict(zip(("value", "low", "high"), values, strict=True))
    return {**fields, "count": found.count if found else None, "counted": found.counted if found else ""}


def claims_layout(frame: pd.DataFrame) -> TableLayout:
    """A row for each claim, a column for each study: verdict, number and n; confirmed and contradicted in bold."""
    studies = list(dict.fromkeys(frame["study"]))
    titles = ("the paper says", "measured here", *studies)
    by_claim = [lines.set_index("study") for _, lines in frame.groupby("claim", sort=False)]
    return TableLayout(
        [Column(title, left=True, wrapped=True) for title in titles],
        [[*_claim_cells(lines.iloc[0]), *(_cell(lines.loc[study]) for study in studies)] for lines in by_claim],
        list(_notes(frame)),
    )


def _claim_cells(line: pd.Series) -> list[Cell]:
    unit = "" if line["unit"] == "rho" else f", in {line['unit']}"
    return [Cell(f"{line['text']} ({line['source']})"), Cell(line["number"] + unit)]


def _cell(line: pd.Series) -> Cell:
    """`confirmed: 1.8 [1.3, 2.2], n = 5`."""
    if line["verdict"] == NOT_TESTED:
        return Cell(f"{NOT_TESTED}: {line['note']}")
    values = line["value"], line["low"], line["high"]
    shown = with_interval(*values) if line["unit"] == "rho" else points(*values)
    note = f"; {line['note']}" if line["note"] else ""
    text = f"{line['verdict']}: {shown}, n = {line['count']}{note}"
    return Cell(text, bold=line["verdict"] in ("confirmed", "contradicted"))


def _notes(frame: pd.DataFrame) -> Iterator[str]:
    tested = int((frame["verdict"] != NOT_TESTED).sum())
    yield (
        f"Confirmed: the {100 * CONFIDENCE:g} % interval lies on the paper's side of 0, for Spearman's ρ of Pass@1 on"
        " its side of 0.90. Contradicted: it lies on the other side; for the regret, it is 0 for sure. Not seen: it"
        " excludes neither. The rule was written before a measured study was looked at."
    )
    yield (
        f"{tested} numbers were tested, without a correction for their number: of claims that are empty, one in 40 is"
        " confirmed by chance, and one in 40 contradicted."
    )
    yield (
        f"In brackets: {100 * CONFIDENCE:g} % intervals. A point is a hundredth of Pass@1. n: models, pairs or sets of"
        " models that have been through RL."
    )
