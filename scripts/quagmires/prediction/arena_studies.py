"""Studies that the arena judges predictors on: SFT models with what was measured of them, and the outcome of RL.

A study is one of stored metrics, or a CSV file of one row for each SFT model (docs/arena.md has the schema). Every
mistake in a CSV is one line that names file, line and column.
"""

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from quagmires.common.errors import UserError, one_line
from quagmires.prediction import early_rl
from quagmires.prediction.arena_costs import Costs, planned_costs
from quagmires.prediction.metrics_file import COLUMNS, read_stored, stored_label
from quagmires.prediction.outcomes import with_outcome
from quagmires.prediction.paired_comparison import FROM_OUTCOME
from quagmires.prediction.predictors import LEVELS, MEASUREMENTS, PREDICTORS, Predictor

# Of a CSV: what must be there, and what may be beside the columns of predictors.
REQUIRED = ("study", "model", "outcome")
TEXTS = ("study", "model", "level", "group", "cost_unit", "source")
COSTS = (*(f"cost_{name}" for name in MEASUREMENTS), "cost_rl")
OPTIONAL = ("level", "group", "source", "outcome_se", "samples", "large_k", "rl_group_size", "cost_unit", *COSTS)
CURVES = ("study", "model", "compute", "score")
# Losses of models on different data cannot be compared: who says nothing is taken not to claim it.
DEFAULT_LEVEL = "instance"
SHARES = ("outcome", "pass_at_1", "pass_at_large_k", "early_rl_score", "early_rl_reward", "early_rl_ceiling")
MEASURED, GIVEN = "measured", "given as a table"


@dataclass(frozen=True)
class Study:
    """SFT models that have been through RL.

    `models` has a row for each, with study, recipe, outcome, the columns of predictors, and group where models belong
    to groups; `origin` says where the numbers are from; `costs` is what measuring cost, of all these models.
    """

    name: str
    origin: str
    level: str
    models: pd.DataFrame
    costs: Costs = field(default_factory=Costs)


def required_columns(predictor: Predictor) -> list[str]:
    """The columns of models that a predictor asks for, found by asking it."""
    models = pd.DataFrame({"outcome": [1.0, 2.0]})
    while True:
        try:
            predictor.make_lines(models)
            if predictor.score:
                predictor.score(models)
        except KeyError as error:
            name = str(error.args[0])
            if name in models:
                raise
            models[name] = [1.0, 2.0]
            continue
        return [name for name in models if name != "outcome"]


def predictor_columns() -> list[str]:
    """The columns that any registered predictor asks for, without those that follow from the outcome."""
    names = dict.fromkeys(name for one in PREDICTORS.values() for name in required_columns(one))
    return [name for name in names if name not in FROM_OUTCOME]


def metrics_studies(path: Path, outcome: str) -> list[Study]:
    """The studies of a file of metrics whose models have been through RL.

    Parameters
    ----------
    path
        metrics.parquet. Beside it may be grpo_training.parquet, for rewards early in RL, and decisions/plan.json, for
        costs.
    outcome
        which of `outcomes.KINDS`.

    Raises
    ------
    UserError
        no such file, or one without the columns of metrics; a study without a model that has been through RL is left
        out, and a file without any other study is an error.
    """
    metrics = read_stored(path)
    if missing := [name for name in COLUMNS if name not in metrics]:
        raise UserError(f"{path}: no column {', '.join(missing)}; collect the metrics again")
    levels = metrics.groupby("study", sort=False)["level"].first()
    # Showcases stand in figures alone, unless there is nothing else.
    judged = [name for name, level in levels.items() if level != "showcase"] or list(levels.index)
    training = _training(path.with_name("grpo_training.parquet"))
    studies = []
    for name in judged:
        models = metrics[(metrics["study"] == name) & np.isfinite(metrics["outcome"].astype(float))]
        if len(models):
            models = with_outcome(models.reset_index(drop=True), outcome)
            models = models.assign(**_early_columns(models, training))
            costs = planned_costs(path.parent / "decisions" / "plan.json", str(name), models)
            label = stored_label(path) or MEASURED
            studies.append(Study(f"{path.parent.name}/{name}", label, str(levels[name]), models, costs))
    if not studies:
        raise UserError(f"{path}: no model has been through RL; give metrics with outcomes")
    return studies


def _training(path: Path) -> pd.DataFrame | None:
    """Rewards by study, recipe and step, means over runs; None where nothing is stored."""
    if not path.is_file():
        return None
    stored = read_stored(path)
    if missing := [name for name in ("study", "recipe", "run", "step", "reward") if name not in stored]:
        raise UserError(f"{path}: no column {', '.join(missing)}; collect the metrics again")
    rewards = stored.assign(reward=stored["reward"].astype(float)).dropna(subset=["reward"])
    return rewards.groupby(["study", "recipe", "step"], as_index=False, sort=True)["reward"].mean()


def _early_columns(models: pd.DataFrame, training: pd.DataFrame | None) -> dict[str, list[float]]:
    """early_rl_score, of the first of several checkpoints; early_rl_reward and early_rl_ceiling, of the rewards."""
    columns = {
        "early_rl_score": [
            float(np.reshape(scores, (int(runs), -1))[:, 0].mean()) if checkpoints > 1 else math.nan
            for scores, runs, checkpoints in models[["outcome_scores", "grpo_runs", "checkpoints"]].to_numpy()
        ]
    }
    if training is None:
        return columns
    own = training[training["study"].isin(models["study"])]
    curves = {recipe: curve for recipe, curve in own.groupby("recipe") if recipe in set(models["recipe"])}
    if not curves:
        return columns
    run = early_rl.median_run([curve["step"].max() for curve in curves.values()])
    rewards, ceilings = [], []
    for recipe in models["recipe"]:
        curve = curves.get(recipe, own.iloc[:0])
        steps, values = curve["step"].to_numpy(float), curve["reward"].to_numpy(float)
        first = values[steps <= max(1.0, early_rl.SCORED * run)]
        rewards.append(float(first.mean()) if len(first) else math.nan)
        ceilings.append(early_rl.ceiling(steps, values, early_rl.FITTED * run))
    return {**columns, "early_rl_reward": rewards, "early_rl_ceiling": ceilings}


def table_studies(path: Path) -> list[Study]:
    """The studies of a CSV file, and of NAME.curves.csv beside NAME.csv where there is one.

    Raises
    ------
    UserError
        see `read_table` and `read_curves`; a study whose level, source or cost unit changes from row to row.
    """
    table = read_table(path)
    curves_path = path.with_name(f"{path.stem}.curves.csv")
    curves = read_curves(curves_path, table) if curves_path.is_file() else None
    return [_table_study(path, str(name), models, curves) for name, models in table.groupby("study", sort=False)]


def _table_study(path: Path, name: str, models: pd.DataFrame, curves: pd.DataFrame | None) -> Study:
    facts = {}
    for column in ("level", "source", "cost_unit"):
        values = list(dict.fromkeys(models[column])) if column in models else [""]
        if len(values) > 1:
            raise UserError(f"{path}: study {name}: {column} is both {values[0]!r} and {values[1]!r}; give one")
        facts[column] = values[0]
    models = models.drop(columns=[column for column in facts if column in models]).reset_index(drop=True)
    models["recipe"] = models["model"]
    if "pass_at_1" in models:
        models["gain"] = models["outcome"] - models["pass_at_1"]
    amounts = {column: float(models[column].sum(skipna=False)) for column in COSTS if column in models}
    own = curves[curves["study"] == name] if curves is not None else None
    if own is not None and len(own):
        run = early_rl.median_run(list(own.groupby("model")["compute"].max()))
        columns = _curve_columns(models, own, run)
        models = models.assign(**{column: values for column, values in columns.items() if column not in models})
        for column, share in (("cost_early_score", early_rl.SCORED), ("cost_early_curve", early_rl.FITTED)):
            amounts.setdefault(column, share * run * len(models))
    costs = Costs(
        unit=facts["cost_unit"],
        amounts={key.removeprefix("cost_"): value for key, value in amounts.items() if math.isfinite(value)},
        unknown="the study does not give it",
    )
    return Study(name, facts["source"] or GIVEN, facts["level"] or DEFAULT_LEVEL, models, costs)


def _curve_columns(models: pd.DataFrame, curves: pd.DataFrame, run: float) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {"early_rl_score": [], "early_rl_ceiling": []}
    for model in models["model"]:
        curve = curves[curves["model"] == model].sort_values("compute")
        points = curve["compute"].to_numpy(float), curve["score"].to_numpy(float)
        columns["early_rl_score"].append(early_rl.score_after(*points, early_rl.SCORED * run))
        columns["early_rl_ceiling"].append(early_rl.ceiling(*points, early_rl.FITTED * run))
    return columns


def read_table(path: Path) -> pd.DataFrame:
    """A CSV of studies, checked.

    Raises
    ------
    UserError
        no such file, or no CSV; a column is missing, or unknown; a cell is empty that must not be, is no number, or
        lies where its column cannot; a model is there twice; costs have no unit; no model of a study has an outcome.
    """
    table = _read_cells(path, REQUIRED)
    columns = predictor_columns()
    known = [*REQUIRED, *OPTIONAL, *columns]
    if unknown := [name for name in table if name not in known]:
        near = difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"predictors read {', '.join(columns)}"
        raise UserError(f"{path}: no predictor reads the column {unknown[0]!r}; {hint}")
    table = _numbers(path, table, [name for name in table if name not in TEXTS])
    _require(path, table, table["level"].isin(["", *LEVELS]) if "level" in table else None, "level",
             f"no level; give one of {', '.join(sorted(LEVELS))}")  # fmt: skip
    for name in table.columns.intersection(SHARES):
        _require(path, table, table[name].isna() | table[name].between(0, 1), name, "not between 0 and 1; give a share")
    for name in table.columns.intersection(["outcome_se", *COSTS]):
        _require(path, table, table[name].isna() | (table[name] >= 0), name, "below 0; correct it")
    _once(path, table, ["study", "model"])
    if table.columns.intersection(COSTS).size and not ("cost_unit" in table and (table["cost_unit"] != "").all()):
        raise UserError(f"{path}: costs without a unit; fill in cost_unit, such as GPU-hours")
    for study, outcomes in table.groupby("study", sort=False)["outcome"]:
        if outcomes.isna().all():
            raise UserError(f"{path}: no model of study {study} has an outcome; fill in outcome, or remove the study")
    return table


def read_curves(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Scores along RL of the models of `table`: study, model, compute since RL began, score.

    Raises
    ------
    UserError
        as `read_table`; a model that `table` does not have.
    """
    curves = _read_cells(path, CURVES)
    if unknown := [name for name in curves if name not in CURVES]:
        raise UserError(f"{path}: unknown column {unknown[0]!r}; there are {', '.join(CURVES)}")
    curves = _numbers(path, curves, ["compute", "score"])
    _require(path, curves, curves["compute"] >= 0, "compute", "not 0 or more; it counts from the beginning of RL")
    _require(path, curves, curves["score"].between(0, 1), "score", "not between 0 and 1; give a share")
    models = set(zip(table["study"], table["model"], strict=True))
    there = pd.Series([pair in models for pair in zip(curves["study"], curves["model"], strict=True)], curves.index)
    _require(path, curves, there, "model", "no such model in the table of the study; add it there")
    _once(path, curves, ["study", "model", "compute"])
    return curves


def _read_cells(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Every cell as text, without blanks around it."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False, skipinitialspace=True)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give a CSV of a study (docs/arena.md)") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path}: not a CSV file ({one_line(error)}); docs/arena.md has an example") from None
    table = table.rename(columns=str.strip)
    # A row with more cells than there are columns makes an index of the first of them.
    if not isinstance(table.index, pd.RangeIndex):
        raise UserError(f"{path}: rows have more cells than there are columns; quote texts with commas")
    if missing := [name for name in required if name not in table]:
        raise UserError(f"{path}: no column {', '.join(missing)}; every row needs {', '.join(required)}")
    if table.empty:
        raise UserError(f"{path}: no rows; give one for each SFT model")
    table = table.fillna("").apply(lambda column: column.str.strip())
    for name in ("study", "model"):
        _require(path, table, table[name] != "", name, "empty; give a name")
    return table


def _numbers(path: Path, table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The columns as numbers, nan where a cell is empty."""
    for name in columns:
        numbers = pd.to_numeric(table[name].mask(table[name] == ""), errors="coerce").astype(float)
        _require(path, table, (table[name] == "") | np.isfinite(numbers), name, "no number; give one, or nothing")
        table[name] = numbers
    return table


def _require(path: Path, table: pd.DataFrame, good: pd.Series | None, column: str, problem: str) -> None:
    """Refuse a table with a cell that is not good, naming the first."""
    if good is not None and not good.all():
        place = int(np.flatnonzero(~good.to_numpy())[0])
        value = table[column].iloc[place]
        shown = repr(value) if isinstance(value, str) else f"{value:g}"
        raise UserError(f"{path}: line {place + 2}: {column} {shown} is {problem}")


def _once(path: Path, table: pd.DataFrame, key: Sequence[str]) -> None:
    twice = table.duplicated(list(key)).to_numpy()
    if twice.any():
        place = int(np.flatnonzero(twice)[0])
        names = ", ".join(f"{name} {table[name].iloc[place]}" for name in key)
        raise UserError(f"{path}: line {place + 2}: {names} is there twice; remove one of the rows")


def check_names(studies: Sequence[Study]) -> None:
    """Refuse two studies of one name."""
    names: Mapping[str, int] = pd.Series([study.name for study in studies]).value_counts().to_dict()
    if twice := [name for name, count in names.items() if count > 1]:
        raise UserError(f"two studies are called {twice[0]}; rename one, or its results folder")
