"""What a model is after RL: the outcome, in three kinds, and how exactly each is known.

The paper reports the best checkpoint of all runs (Section 4.1). That is the maximum of noisy scores and lies above what
RL gives on average (winner's curse), the more so the more runs and checkpoints there are. So `best`, `last` and
`mean_of_run_best` stand side by side, each with its own error (outcome_spread.py). Give one study at a time.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from quagmires.common.errors import UserError
from quagmires.prediction.outcome_spread import layouts

KINDS = ("best", "last", "mean_of_run_best")


def with_outcome(models: pd.DataFrame, kind: str) -> pd.DataFrame:
    """A copy whose outcome and gain are those of `kind`.

    The errors of question sampling and the draws are those of the best checkpoint, whatever the kind, as the problems
    are the same; draws are moved to the new outcome.

    Raises
    ------
    UserError
        there is no such kind.
    """
    _check_kind(kind)
    models = models.copy()
    moved = models[f"outcome_{kind}"] - models["outcome"]
    models["outcome"] = models[f"outcome_{kind}"]
    models["gain"] = models["outcome"] - models["pass_at_1"]
    if "outcome_draws" in models:
        pairs = zip(models["outcome_draws"], moved, strict=True)
        models["outcome_draws"] = [np.asarray(draws, float) + by if np.ndim(draws) else None for draws, by in pairs]
    return models


def outcome_errors(models: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Standard errors of each model's outcome by source.

    Parameters
    ----------
    models
        of one study.
    kind
        of outcome: best, last or mean_of_run_best.

    Returns
    -------
    DataFrame with the index of `models`: questions, runs, checkpoints, and total, which adds the known parts in
    quadrature. A part is nan where it cannot be known: runs and checkpoints with one run, checkpoints with one
    checkpoint, questions with one problem; all without RL. Sampling of responses is in checkpoints and, as a small
    part, in questions.

    Raises
    ------
    UserError
        there is no such kind.
    """
    _check_kind(kind)
    errors = pd.DataFrame({"questions": models["outcome_se"].astype(float), "runs": np.nan, "checkpoints": np.nan})
    for layout in layouts(models):
        errors.iloc[layout.places, 1:] = layout.spread.errors(kind, layout.runs)
    errors["total"] = np.sqrt((errors**2).sum(axis=1, min_count=1))
    return errors


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise UserError(f"there is no outcome {kind!r}; choose one of {', '.join(KINDS)}")


def outcome_comparison(models: pd.DataFrame) -> pd.DataFrame:
    """The three outcomes of each model of a study that has been through RL, side by side.

    Returns
    -------
    DataFrame: recipe, subset, epochs, and for each kind its value, `<kind>_rank` (1 is best; ties share the better
    rank), and `<kind>_bias`, by how much it is expected to lie above what the mean run has at its best checkpoint.
    That of `best` is the winner's curse. A run's luck is real for its checkpoints, but will not come again.
    """
    models = models[np.isfinite(models["outcome_best"].astype(float))].reset_index(drop=True)
    comparison = models[["recipe", "subset", "epochs"]].copy()
    for kind in KINDS:
        comparison[kind] = models[f"outcome_{kind}"].astype(float)
        comparison[f"{kind}_rank"] = comparison[kind].rank(ascending=False, method="min").astype(int)
        comparison[f"{kind}_bias"] = np.nan
    for layout in layouts(models):
        for kind in KINDS:
            comparison.loc[layout.places, f"{kind}_bias"] = layout.spread.bias(kind, layout.runs)
    return comparison


@dataclass(frozen=True)
class RankingChanges:
    """Whether the kind of outcome matters: Kendall's tau with `best`, and the first model (recipe) under each kind."""

    models: int
    kendall_last: float | None
    kendall_mean_of_run_best: float | None
    first: dict[str, str]

    @property
    def same_first(self) -> bool:
        """The same model is first under each kind."""
        return len(set(self.first.values())) == 1


def ranking_changes(models: pd.DataFrame) -> RankingChanges:
    """From the models of a study; tau is None with fewer than two models, or if all have the same outcome."""
    comparison = outcome_comparison(models)
    last, mean_of_run_best = (_kendall(comparison["best"], comparison[kind]) for kind in KINDS[1:])
    first = {kind: comparison.loc[comparison[kind].idxmax(), "recipe"] for kind in KINDS} if len(comparison) else {}
    return RankingChanges(len(comparison), last, mean_of_run_best, first)


def _kendall(first: pd.Series, second: pd.Series) -> float | None:
    if len(first) < 2:
        return None
    tau = float(kendalltau(first, second).statistic)
    return None if np.isnan(tau) else tau
