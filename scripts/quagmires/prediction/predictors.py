"""Predictors of performance after RL (paper, Section 3): a line fitted on models whose outcome is known.

A predictor is a registered function from models (rows of metrics.parquet) to one or more `Line`s. It appears in every
table, figure and decision. To add one:

    @predictor("majority", "SFT majority vote (of {samples})", rank=lambda models: models["majority_vote"])
    def majority(models):
        return [outcome_on(models, "majority_vote")]

In labels, `{samples}` and `{large_k}` become the values of these columns. `rank` is for a predictor that orders models
without any outcome; higher is better. Give `levels` if it does not apply to all studies. What others propose is in
proposed_predictors.py: these are judged in the arena (arena.py) and stand in no other table unless it names them.

How well predictors predict is the subject of split_validation.py (R2 over splits), rank_correlation.py and
selection_cost.py (what choosing by a predictor costs).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from quagmires.common.errors import UserError

LEVELS = frozenset({"dataset", "instance", "showcase"})
# The validation sets of instance-level studies differ in distribution: their losses cannot be compared (Section 4.3).
SAME_DISTRIBUTION = LEVELS - {"instance"}
BASELINE = "pass_at_1"
# What differs by less, relative to its size, differs by rounding; rates and predictions have a size of about one.
ROUNDING = 1e-12
# After centring and scaling to length one, columns with a smaller share of their own are copies of the others.
COLLINEAR = 1e-10
# What has to be measured of each SFT model before a predictor is known, and so what it costs: see arena_costs.py.
MEASUREMENTS = {
    "samples": "the responses to the benchmarks' problems, as many as were drawn",
    "loss": "the loss on the validation set of the model's own pool",
    "common_loss": "the loss on the validation set of all pools",
    "rl_samples": "responses to prompts of the RL set",
    "early_score": "RL up to where it is first scored on the benchmarks, and that evaluation",
    "early_reward": "the first tenth of RL",
    "early_curve": "the first quarter of RL",
}
# Of these, what the arena computes from curves of RL: metrics do not hold it.
EARLY_RL = frozenset({"early_score", "early_reward", "early_curve"})
# What a predictor's function makes of models.
Made = TypeVar("Made")


@dataclass(frozen=True)
class Line:
    """A least-squares fit, with intercept, of `target` on `x`; the prediction is the fit plus `add`.

    Parameters
    ----------
    x
        (models,) or (models, columns).
    target
        (models,), nan where not known yet.
    add
        (models,), or one number for all.
    """

    x: np.ndarray
    target: np.ndarray
    add: np.ndarray | float = 0.0

    @property
    def columns(self) -> np.ndarray:
        """`x` as (models, columns)."""
        return self.x[:, None] if self.x.ndim == 1 else self.x

    @property
    def predictable(self) -> np.ndarray:
        """(models,): `x` and `add` are known."""
        return np.isfinite(self.columns).all(axis=1) & np.isfinite(self.add)


@dataclass(frozen=True)
class Predictor:
    """A registered predictor: see `predictor`."""

    name: str
    label: str
    levels: frozenset[str]
    make_lines: Callable[[pd.DataFrame], list[Line]]
    score: Callable[[pd.DataFrame], pd.Series] | None = None
    needs: tuple[str, ...] = ("samples",)
    arena_only: bool = False

    def lines(self, models: pd.DataFrame) -> list[Line]:
        """The lines whose mean prediction is the predictor's.

        Raises
        ------
        UserError
            the metrics lack a column.
        """
        return self._from_columns(self.make_lines, models)

    def rank(self, models: pd.DataFrame) -> np.ndarray | None:
        """(models,): higher is better; None for a predictor that cannot order models without a fit.

        The direction is the predictor's claim: a Pass@1 that falls as the outcome rises has a negative rho.
        """
        return None if self.score is None else self._from_columns(self.score, models).to_numpy(float)

    def title(self, models: pd.DataFrame) -> str:
        """The label, filled from the columns it names; a bracket whose column is missing is left out."""

        def filled(bracket: re.Match[str]) -> str:
            column = bracket[1]
            values = models[column].dropna().astype(int) if column in models else pd.Series(dtype=int)
            if values.empty:
                return ""
            low, high = values.min(), values.max()
            return bracket[0].replace(f"{{{column}}}", str(low) if low == high else f"{low}-{high}")

        return re.sub(r" \([^()]*?\{(\w+)\}[^()]*\)", filled, self.label)

    def _from_columns(self, function: Callable[[pd.DataFrame], Made], models: pd.DataFrame) -> Made:
        try:
            return function(models)
        except KeyError as error:
            raise UserError(
                f"the metrics have no column {error.args[0]}, which predictor {self.name} needs; collect them again"
            ) from None


PREDICTORS: dict[str, Predictor] = {}


def predictor(
    name: str,
    label: str,
    levels: Iterable[str] = LEVELS,
    rank: Callable[[pd.DataFrame], pd.Series] | None = None,
    needs: Sequence[str] = ("samples",),
    arena_only: bool = False,
) -> Callable[[Callable[[pd.DataFrame], list[Line]]], Callable[[pd.DataFrame], list[Line]]]:
    """Register the decorated function, models -> list of `Line`, as a predictor.

    Parameters
    ----------
    name
        as tables and settings call it.
    label
        of its column in tables; a bracket may name one column of the metrics: ` (avg. of {samples})`.
    levels
        of the studies it applies to.
    rank
        models -> (models,), higher is better; without it models are ranked pair by pair: see `ranking`.
    needs
        which of `MEASUREMENTS` it is made of.
    arena_only
        it is judged in the arena, and stands in no table, figure or decision that does not name it.

    Raises
    ------
    ValueError
        the name is taken, or there is no such level or measurement.
    """
    if name in PREDICTORS:
        raise ValueError(f"there is a predictor {name} already; choose another name")
    if unknown := set(levels) - LEVELS:
        raise ValueError(f"predictor {name}: no level {min(unknown)}; levels are {', '.join(sorted(LEVELS))}")
    if unknown := set(needs) - set(MEASUREMENTS):
        raise ValueError(f"predictor {name}: no measurement {min(unknown)}; there are {', '.join(MEASUREMENTS)}")

    def register(function: Callable[[pd.DataFrame], list[Line]]) -> Callable[[pd.DataFrame], list[Line]]:
        PREDICTORS[name] = Predictor(name, label, frozenset(levels), function, rank, tuple(needs), arena_only)
        return function

    return register


def outcome_on(models: pd.DataFrame, *columns: str) -> Line:
    """outcome ~ the columns."""
    # One by one: pandas' error for several columns names none of them.
    return Line(
        np.column_stack([models[column] for column in columns]).astype(float), models["outcome"].to_numpy(float)
    )


@predictor("pass_at_1", "SFT Pass@1 (avg. of {samples})", rank=lambda models: models["pass_at_1"])
def pass_at_1(models: pd.DataFrame) -> list[Line]:
    """The paper's baseline: outcome ~ Pass@1 after SFT."""
    return [outcome_on(models, "pass_at_1")]


@predictor(
    "generalization_loss",
    "SFT generalization loss",
    levels=SAME_DISTRIBUTION,
    rank=lambda models: -models["generalization_loss"],
    needs=["loss"],
)
def generalization_loss(models: pd.DataFrame) -> list[Line]:
    """outcome ~ generalization loss (Section 3.1)."""
    return [outcome_on(models, "generalization_loss")]


@predictor(
    "generalization_loss_gain",
    "SFT Pass@1 + gain by gen. loss",
    levels=SAME_DISTRIBUTION,
    needs=["samples", "loss"],
)
def generalization_loss_gain(models: pd.DataFrame) -> list[Line]:
    """Pass@1 after SFT plus a gain ~ generalization loss: the other reading of Section 3.1 (Figure 5)."""
    loss, gain, before = (models[name].to_numpy(float) for name in ("generalization_loss", "gain", "pass_at_1"))
    return [Line(loss, gain, add=before)]


@predictor("pass_at_large_k", "SFT Pass@large k (k={large_k})", rank=lambda models: models["pass_at_large_k"])
def pass_at_large_k(models: pd.DataFrame) -> list[Line]:
    """outcome ~ Pass@k after SFT at a large k (Section 3.2)."""
    return [outcome_on(models, "pass_at_large_k")]


@predictor("average", "Gen. loss + Pass@large k ({large_k})", levels=SAME_DISTRIBUTION, needs=["samples", "loss"])
def average(models: pd.DataFrame) -> list[Line]:
    """The mean of the predictions from generalization loss and from Pass@large-k."""
    return generalization_loss(models) + pass_at_large_k(models)


def applicable(*levels: str) -> list[Predictor]:
    """The predictors of tables, figures and decisions that apply to studies of any of the levels.

    In the order they were registered, without those of the arena alone.
    """
    return [one for one in PREDICTORS.values() if one.levels.intersection(levels) and not one.arena_only]


def known(models: pd.DataFrame, predictor: Predictor) -> np.ndarray:
    """(models,): True where what the predictor needs and the outcome are known: the models to evaluate it on."""
    usable = np.isfinite(models["outcome"].to_numpy(float))
    for line in predictor.lines(models):
        usable = usable & line.predictable & np.isfinite(line.target)
    return usable


def fit_predict(predictor: Predictor, models: pd.DataFrame, fit: np.ndarray) -> np.ndarray:
    """Predict the outcome of all models from fits on some of them.

    Parameters
    ----------
    predictor, models
        see above.
    fit
        bool, (models,) or (splits, models): the models to fit on. Those whose outcome or predictor is unknown are left
        out of the fit.

    Returns
    -------
    array of the shape of `fit`: nan where the predictor of a model is unknown, or nothing is left to fit on. Where the
    fitted models do not differ in the predictor, it is the mean of their targets.
    """
    masks = np.atleast_2d(fit)
    lines = predictor.lines(models)
    predictions = np.mean([_predict_line(line, masks) for line in lines], axis=0)
    return predictions.reshape(np.shape(fit))


def _predict_line(line: Line, masks: np.ndarray) -> np.ndarray:
    """(splits, models): ordinary least squares of all splits at once; statsmodels fits one of thousands at a time.

    Columns are centred and scaled within each split before the normal equations, which keeps them as exact as an
    orthogonal decomposition for the few columns of a predictor. Columns that are combinations of others get the
    coefficients of least norm on the scaled columns; constant ones get none.
    """
    x = np.where(line.predictable[:, None], line.columns, 0.0)
    target = np.where(np.isfinite(line.target), line.target, 0.0)
    weights = (masks & line.predictable & np.isfinite(line.target)).astype(float)
    counts = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        # nan where nothing is left to fit on.
        means = weights @ target[:, None] / counts
        centres = weights @ x / np.maximum(counts, 1)
    centred = x - centres[:, None, :]
    fitted = centred * weights[:, :, None]
    lengths = np.sqrt(np.einsum("smc,smc->sc", fitted, fitted))
    varies = lengths > ROUNDING * np.sqrt(len(x)) * np.abs(x).max(axis=0, initial=0)
    scales = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=varies)
    gram = np.einsum("smc,smd->scd", fitted, fitted) * scales[:, :, None] * scales[:, None, :]
    moments = np.einsum("smc,sm->sc", fitted, target - means) * scales
    inverse = np.linalg.pinv(gram, rcond=COLLINEAR, hermitian=True)
    slopes = np.einsum("scd,sd->sc", inverse, moments) * scales
    predictions = means + np.einsum("smc,sc->sm", centred, slopes) + line.add
    return np.where(line.predictable, predictions, np.nan)


def ranking(models: pd.DataFrame, predictor: Predictor) -> np.ndarray:
    """(models,): what a rank correlation compares with the outcome, higher is better; nan where unknown.

    That is the predictor itself where it is one number. Of a combination of fits it is, for each model, how many more
    models it beats than beat it, each pair predicted by a fit on all models but the two (leave-pair-out: Airola et al.
    2011, doi:10.1016/j.csda.2010.11.023). Neither of the simpler ways is fair. Predictions of a fit on all models have
    seen the outcomes. Leave-one-out predictions are each shifted against their own model, as the others' mean is lower
    without a good one: with 10 models and nothing to find, their mean rho is -0.4, that of the former +0.4.
    """
    ranks = predictor.rank(models)
    return _pairs_won(models, predictor) if ranks is None else ranks


def _pairs_won(models: pd.DataFrame, predictor: Predictor) -> np.ndarray:
    usable = np.flatnonzero(known(models, predictor))
    one, other = (usable[side] for side in np.triu_indices(len(usable), k=1))
    pairs = np.arange(len(one))
    fit = np.ones((len(one), len(models)), dtype=bool)
    fit[pairs, one] = fit[pairs, other] = False
    predictions = fit_predict(predictor, models, fit)
    difference = predictions[pairs, one] - predictions[pairs, other]
    # Equal up to rounding is a draw.
    won = np.sign(np.where(np.abs(difference) > ROUNDING, difference, 0.0))
    balance = np.full(len(models), np.nan)
    balance[usable] = 0.0
    np.add.at(balance, one, won)
    np.add.at(balance, other, -won)
    return balance


def leave_one_out_predictions(models: pd.DataFrame, predictor: Predictor) -> np.ndarray:
    """(models,): each model's outcome predicted by a fit on all others; nan where the predictor is unknown."""
    return np.diagonal(fit_predict(predictor, models, ~np.eye(len(models), dtype=bool))).copy()
