"""What readers see of the paper's kinds of tables: rounded as there, the best of a row in bold with its gain."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from quagmires.common.shown_numbers import MISSING, signed, with_error, with_interval
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.schema import TableSettings
from quagmires.prediction.predictors import Predictor
from quagmires.reporting.tables.formats import PUBLISHED, Cell, Column, TableLayout
from quagmires.reporting.tables.prediction import NOT_APPLICABLE, NOT_ENOUGH, table_predictors
from quagmires.reporting.tables.published import AVERAGE, Published, PublishedStudy

R2 = ("r2", "r2_by_fitting_size")
# Headings that fit a wide table: all predictors are measured after SFT.
SHORT = {
    "pass_at_1": "Pass@1",
    "generalization_loss": "gen. loss",
    "generalization_loss_gain": "Pass@1 + gain",
    "pass_at_large_k": "Pass@large k",
    "average": "avg.",
}
# Short names that do not speak for themselves have a note.
EXPLAINED = {
    "generalization_loss_gain": "Pass@1 + gain: the gain is predicted from generalization loss.",
    "average": "avg.: the mean of the predictions from generalization loss and from Pass@large k.",
}


def prediction_layout(
    frame: pd.DataFrame,
    table: TableSettings,
    settings: AnalysisSettings,
    published: Published,
    metrics: pd.DataFrame,
) -> TableLayout:
    """A table of predictors: a column for each, and one for each that the paper has a value of.

    Parameters
    ----------
    frame
        of `prediction_frame`.
    table, settings, published, metrics
        that it was made of.
    """
    predictors = table_predictors(table, settings)
    models = metrics[metrics["study"].isin(table.studies)]
    theirs = [one for one in predictors if one.name in _published_predictors(frame)]
    columns = [
        Column(_first_title(table), left=True),
        Column("based on", left=True),
        *(Column(_heading(predictor, models)) for predictor in predictors),
        # Bare of our numbers of samples and k: the paper's stand in its own tables.
        *(Column(_heading(predictor, pd.DataFrame()), PUBLISHED) for predictor in theirs),
    ]
    chunks = [frame.iloc[start : start + len(predictors)] for start in range(0, len(frame), len(predictors))]
    rows = [
        [
            Cell(_row_title(lines.iloc[0], lines["validation"].max(), table, settings)),
            Cell(lines.iloc[0]["status"]),
            *(_cell(line, table) for _, line in lines.iterrows()),
            *(
                _published_cell(line)
                for _, line in lines.iterrows()
                if line["predictor"] in {one.name for one in theirs}
            ),
        ]
        for lines in chunks
    ]
    return TableLayout(columns, rows, _prediction_notes(frame, table, settings, published))


def _heading(predictor: Predictor, models: pd.DataFrame) -> str:
    """The short name, with the bracket that the predictor's own title has; without a short name that title."""
    title, bare = predictor.title(models), predictor.title(pd.DataFrame())
    bracket = "" if predictor.name in EXPLAINED else title.removeprefix(bare)
    return SHORT.get(predictor.name, bare) + bracket


def _published_predictors(frame: pd.DataFrame) -> set[str]:
    return set(frame.loc[frame["published_mean"].notna(), "predictor"])


def _first_title(table: TableSettings) -> str:
    by_row = {"spearman_by_budget": "SFT budget", "r2_by_fitting_size": "number of models"}
    return by_row.get(table.statistic, "model")


def _row_title(line: pd.Series, validation: int, table: TableSettings, settings: AnalysisSettings) -> str:
    if table.statistic not in ("spearman_by_budget", "r2_by_fitting_size"):
        return _study_title(line["study"], table.studies, settings)
    if line["row"] != "ratio":
        title = "average" if line["row"] == AVERAGE else f"{line['row']} tokens"
    elif pd.isna(line["fitting"]):
        title = "any number"
    else:
        title = f"Fitting: {line['fitting']}{_validation(validation, line['published_validation'])}"
    return title if len(table.studies) == 1 else f"{_study_title(line['study'], table.studies, settings)}, {title}"


def _validation(ours: int, theirs: int) -> str:
    if pd.isna(ours):
        return "" if pd.isna(theirs) else f"; Validation: {theirs} (published)"
    return f"; Validation: {ours}" + ("" if pd.isna(theirs) or theirs == ours else f" (published: {theirs})")


def _study_title(study: str, studies: Sequence[str], settings: AnalysisSettings) -> str:
    """The model, as in the paper, unless it has several of the studies."""
    titles = Counter(settings.studies[name].model_title for name in studies)
    block = settings.studies[study]
    return block.model_title if titles[block.model_title] == 1 else block.title


def _cell(line: pd.Series, table: TableSettings) -> Cell:
    # The status of the row says how many models there are.
    fewer = "" if pd.isna(line["models"]) or line["models"] == line["with_outcome"] else f" ({line['models']} models)"
    if pd.isna(line["value"]):
        return Cell(
            MISSING if line["note"] == NOT_ENOUGH and not fewer else line["note"].removesuffix(" models") + fewer
        )
    if table.statistic in R2:
        text = with_error(line["value"], line["standard_deviation"])
    else:
        text = with_interval(line["value"], line["low"], line["high"])
    gain = f" ({signed(line['gain'])})" if line["best"] and not pd.isna(line["gain"]) else ""
    return Cell(text + gain + fewer, bool(line["best"]))


def _published_cell(line: pd.Series) -> Cell:
    if pd.isna(line["published_mean"]):
        return Cell(MISSING)
    gain = "" if pd.isna(line["published_gain"]) else f" ({signed(line['published_gain'])})"
    return Cell(with_error(line["published_mean"], line["published_std"]) + gain, bool(line["published_best"]))


def _prediction_notes(
    frame: pd.DataFrame, table: TableSettings, settings: AnalysisSettings, published: Published
) -> list[str]:
    notes = [text for name, text in EXPLAINED.items() if frame["predictor"].eq(name).any()]
    if frame["status"].str.contains(" of .* models").any():
        notes.append("Models that have been through RL, of those that the study asks for.")
    if table.statistic in R2:
        notes.append(
            f"± is the standard deviation over {settings.analysis.splits:,} random splits; the standard error of their"
            " mean is in the CSV."
        )
    elif frame["low"].notna().any():
        notes.append(f"In brackets: {100 * settings.analysis.confidence:g} % bootstrap intervals over SFT models.")
    if frame.loc[frame["best"].eq(True), "gain"].notna().any():
        notes.append("In parentheses: the gain over Pass@1, taken before rounding.")
    if undefined := int(frame["undefined"].fillna(0).max()):
        notes.append(f"In up to {undefined} splits of a row all held-out outcomes are the same: no R², left out.")
    if (frame["value"] < frame["q25"]).any():
        notes.append(
            "Means below their own lower quartile are carried by a few splits with R² far below zero: see medians,"
            " quartiles and R² against the variance of all models in the CSV."
        )
    if frame["note"].eq(NOT_APPLICABLE).any():
        notes.append(f"{NOT_APPLICABLE.capitalize()}: not comparable between the models of the study (paper, 4.3).")
    return notes + _published_notes(table, settings, published)


def _published_notes(table: TableSettings, settings: AnalysisSettings, published: Published) -> list[str]:
    """Where the paper's values are not what its text says, and what to compare ours with."""
    notes = []
    blocks = (settings.studies[name] for name in table.studies)
    for study in dict.fromkeys(PublishedStudy(block.model_title, block.level) for block in blocks):
        title = study.model
        source = published.copied_from(table.published, study, "half" if table.statistic == "r2" else "all")
        if source is None:
            continue
        number, row = source
        if row.group == AVERAGE:
            notes.append(
                f"The published values of {title} are the paper's means over budgets (its Table {number}), ours are"
                " over all models."
            )
        elif row.fitting and row.validation and abs(row.fitting - row.validation) > 1:
            notes.append(
                f"The published values of {title} are the paper's for {row.fitting} fitted and {row.validation}"
                f" predicted models (its Table {number}), not for half of them."
            )
    return notes
