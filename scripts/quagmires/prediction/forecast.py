"""What the models of a study that have been through RL say about the others; or, if all have, about each other."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from quagmires.config.labels import recipe_labels
from quagmires.prediction.calibration import FAR, NotEnoughModels, predict_outcomes
from quagmires.prediction.next_run import chances, next_runs
from quagmires.prediction.outcomes import with_outcome
from quagmires.prediction.predictors import PREDICTORS, Predictor, applicable
from quagmires.prediction.selection_cost import leave_one_out

# Choosing the predictor that does best on the few calibration models would be fitting them once more. This one applies
# to all studies and is good in all the paper has (Tables 1 to 4).
DEFAULT = "pass_at_large_k"
COLUMNS = ["predictor", "recipe", "label", "prediction", "low", "high", "standard_error", "fit", "scatter", "questions"]
COLUMNS += ["runs", "checkpoints", "degrees_of_freedom", "outside", "best_of_predicted", "beats_calibration", "outcome"]
COLUMNS += ["inside"]
# With fewer, what the spread is remains a guess, and intervals are wide for it.
ENOUGH_MODELS = 5


@dataclass(frozen=True)
class Question:
    """What is asked: the kind of outcome, by which predictor first, and how sure to be."""

    predictor: str
    outcome: str
    confidence: float
    seed: int
    errors_in_variables: bool = False


@dataclass(frozen=True)
class Forecast:
    """The answer for one study.

    `table` has a row for each applicable predictor and each model predicted, see `forecast`. `checked` says that all
    models have RL results and each was predicted from the others. `shown` is the predictor that the rest is about.
    `trouble` says why there is no prediction. `models` are those given, with label, and the outcome asked for.
    """

    shown: Predictor
    models: pd.DataFrame
    table: pd.DataFrame
    checked: bool
    trouble: str | None = None
    warnings: list[str] = field(default_factory=list)
    next_runs: pd.DataFrame = field(default_factory=pd.DataFrame)
    left_out_r2: float | None = None
    left_out_mae: float | None = None

    @property
    def calibration(self) -> pd.DataFrame:
        """The models with RL results."""
        return self.models[self.models["outcome"].notna()]

    @property
    def shown_table(self) -> pd.DataFrame:
        """The rows of the predictor shown, the highest prediction first."""
        rows = self.table[self.table["predictor"] == self.shown.name]
        return rows.sort_values("prediction", ascending=False, kind="stable")


def forecast(models: pd.DataFrame, level: str, question: Question) -> Forecast:
    """Predict the outcomes of a study's models.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study.
    level
        of the study: what predictors apply.
    question
        see there.

    Returns
    -------
    a `Forecast`, whose `table` has: predictor, recipe, label; the columns of `calibration.predict_outcomes`; those of
    `next_run.chances`; and outcome and inside (whether it lies in the interval), if all models have RL results
    """
    models = with_outcome(models.reset_index(drop=True), question.outcome)
    models["label"] = recipe_labels(models)
    measured = models["outcome"].notna()
    calibration, candidates = models[measured], models[~measured]
    shown, warnings = _shown(question.predictor, level)
    tables, troubles = {}, {}
    for predictor in applicable(level):
        try:
            tables[predictor.name] = (
                _predicted(calibration, candidates, predictor, question)
                if len(candidates)
                else _left_out(models, predictor, question)
            )
        except NotEnoughModels as error:
            troubles[predictor.name] = str(error)
    table = pd.concat(tables.values(), ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
    if shown.name in troubles:
        return Forecast(shown, models, table, not len(candidates), troubles[shown.name], warnings)
    left_out = leave_one_out(calibration, shown)
    return Forecast(
        shown=shown,
        models=models,
        table=table,
        checked=not len(candidates),
        warnings=warnings + cautions(tables[shown.name], left_out.r2, calibration, shown),
        next_runs=_next_runs(calibration, candidates, shown, question),
        left_out_r2=left_out.r2,
        left_out_mae=left_out.mae,
    )


def cautions(table: pd.DataFrame, r2: float | None, calibration: pd.DataFrame, predictor: Predictor) -> list[str]:
    """Why not to rely on predictions, in sentences.

    Parameters
    ----------
    table
        predictions by one predictor.
    r2
        of the calibration models, each left out in turn.
    calibration
        the models with RL results.
    predictor
        that of the table.
    """
    told = []
    checked = table["outcome"].notna().any()
    if len(calibration) - checked < ENOUGH_MODELS:
        degrees = degrees_of_freedom(table["degrees_of_freedom"].min())
        told.append(
            f"The calibration set is small: the intervals rest on {degrees}."
            " Each further RL run narrows them a good deal."
        )
    if r2 is not None and r2 <= 0:
        told.append(
            f"Left out one at a time, models with RL results are predicted no better than by their mean (R2 {r2:.2f})."
            " Here the predictor has not shown that it predicts."
        )
    if all(np.ptp(line.columns[np.isfinite(line.target)], axis=0).max() == 0 for line in predictor.lines(calibration)):
        told.append("The models with RL results do not differ in the predictor: every prediction is their mean.")
    if checked:
        return told
    outside = table[table["outside"] > 0].sort_values("outside", ascending=False)
    if len(outside):
        names = [
            f"{label} (by {share:.0%} of their range)" for label, share in outside[["label", "outside"]].to_numpy()
        ]
        told.append(
            f"Outside the models with RL results: {', '.join(names)}. That the line goes on there is an assumption, and"
            " intervals do not allow for its being wrong. Run RL across the range of the predictor, low and high."
        )
    if (outside["outside"] > FAR).any():
        told.append(
            f"No chances (-) for models outside by more than {FAR:.0%} of the range: they would rest on that"
            " assumption. Chances of the others to be best are among themselves."
        )
    for label in table.loc[table["prediction"].isna(), "label"]:
        told.append(f"{label} is not predicted: its predictor is unknown.")
    return told


def degrees_of_freedom(count: float) -> str:
    """
    >>> degrees_of_freedom(1.0), degrees_of_freedom(2.52)
    ('1 degree of freedom', '2.5 degrees of freedom')
    """
    degrees = f"{round(count, 1):g}"
    return f"{degrees} degree{'s'[degrees == '1' :]} of freedom"


def _shown(name: str, level: str) -> tuple[Predictor, list[str]]:
    if level in PREDICTORS[name].levels:
        return PREDICTORS[name], []
    return PREDICTORS[DEFAULT], [f"{name} does not apply to {level}-level studies: {DEFAULT} takes its place here."]


def _fit_options(question: Question) -> dict:
    return {"outcome": question.outcome, "errors_in_variables": question.errors_in_variables}


def _predicted(
    calibration: pd.DataFrame, candidates: pd.DataFrame, predictor: Predictor, question: Question
) -> pd.DataFrame:
    options = _fit_options(question)
    table = predict_outcomes(calibration, candidates, predictor, question.confidence, **options)
    best = chances(calibration, candidates, predictor, question.seed, **options)
    return _complete(candidates, predictor, table.join(best).assign(outcome=np.nan))


def _left_out(models: pd.DataFrame, predictor: Predictor, question: Question) -> pd.DataFrame:
    """Each model predicted from all others."""
    rows = [
        predict_outcomes(
            models.drop(place), models.loc[[place]], predictor, question.confidence, **_fit_options(question)
        )
        for place in models.index
    ]
    table = pd.concat(rows).assign(best_of_predicted=np.nan, beats_calibration=np.nan, outcome=models["outcome"])
    return _complete(models, predictor, table)


def _complete(models: pd.DataFrame, predictor: Predictor, table: pd.DataFrame) -> pd.DataFrame:
    inside = table["outcome"].between(table["low"], table["high"]).astype("boolean")
    table["inside"] = inside.mask(table["outcome"].isna() | table["prediction"].isna())
    return pd.concat([models[["recipe", "label"]], table], axis=1).assign(predictor=predictor.name)[COLUMNS]


def _next_runs(
    calibration: pd.DataFrame, candidates: pd.DataFrame, predictor: Predictor, question: Question
) -> pd.DataFrame:
    if candidates.empty:
        return pd.DataFrame()
    table = next_runs(calibration, candidates, predictor, question.confidence, **_fit_options(question))
    return candidates.loc[table.index, ["recipe", "label"]].join(table).reset_index(drop=True)
