"""The paper's claims as numbers measured on one study, each with an interval and a verdict.

The rule was written before any measured study was looked at. Every claim names a number, a value of it at which the
claim would be empty (`null`), and on which side of that the paper is. With the `CONFIDENCE` interval of the number, a
claim is

    confirmed       the interval lies on the paper's side of the null
    contradicted    it lies on the other side; of a regret, which has no other side, if it is 0 for sure
    not seen        it does not exclude the null
    not tested      the study has not the models for it

Whatever rests on pairs or sets of models has the interval of their mean by Student's t, but never a
narrower one than the errors of the scores allow. Differences of two rank correlations are bootstrapped in pairs: each
resample takes problems (the joint draws of bootstrap.py) and models, the same for both. Only models that have been
through RL count. To add a claim, write a function from `Study` to `Measured`, and an entry at the end of this module.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from quagmires.config.labels import ladder_epochs
from quagmires.config.subset_names import BASE, parse_subset
from quagmires.prediction.best_models import Regret, regret, score_covariance
from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.errors_in_variables import draws_of
from quagmires.prediction.predictors import BASELINE, PREDICTORS, SAME_DISTRIBUTION, Predictor, known, ranking
from quagmires.prediction.rank_correlation import DECIMALS, bootstrap_interval, spearman

CONFIDENCE = 0.95
# What the paper calls effective: "achieving >= 0.90 Spearman correlation" (Takeaway 1).
EFFECTIVE = 0.90
# A bootstrap over fewer models says little.
FEWEST_MODELS = 6
FEWEST_CONTRASTS = 2
# Resamples of models for each of the joint draws over problems.
RESAMPLES = 10
SIMULATED = 20_000

Verdict = Literal["confirmed", "not seen", "contradicted", "not tested"]
Unit = Literal["points", "points per doubling", "rho"]


class Study(NamedTuple):
    """What claims are tested on: models of one study that have been through RL (rows of metrics.parquet, numbered from
    0), its level, the kind of outcome they have, and a seed.
    """

    models: pd.DataFrame
    level: str
    kind: str
    seed: int


class NotTested(Exception):
    """A study has not what a claim needs; the message says what."""


@dataclass(frozen=True)
class Measured:
    """A claim's number (performances as such, not in points), its interval, and how many of what it rests on."""

    value: float
    low: float
    high: float
    count: int
    counted: str
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """What the paper says and where, the number that tests it, on which side of the null the paper is, and the function
    that measures it; `bounded` if the number cannot be below the null.
    """

    name: str
    text: str
    source: str
    number: str
    unit: Unit
    side: Literal["above", "below"]
    measure: Callable[[Study], Measured]
    null: float = 0.0
    bounded: bool = False


@dataclass(frozen=True)
class Result:
    """A claim on one study; `measured` is None, and `note` says why, where it is not tested."""

    claim: Claim
    verdict: Verdict
    measured: Measured | None
    note: str = ""


def judge(one: Claim, measured: Measured) -> Verdict:
    """The verdict by the rule above."""
    low, high = (measured.low, measured.high) if one.side == "above" else (-measured.high, -measured.low)
    null = one.null if one.side == "above" else -one.null
    if low > null:
        return "confirmed"
    return "contradicted" if high < null or (one.bounded and high == null) else "not seen"


def study_of(models: pd.DataFrame, level: str, kind: str, seed: int) -> Study:
    """What claims are tested on.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study, the outcome of the `kind` (outcomes.with_outcome); those that have not
        been through RL are left out.
    level
        of the study.
    seed
        of resamples and simulated errors.
    """
    measured = models[np.isfinite(models["outcome"].astype(float)) & np.isfinite(models["pass_at_1"].astype(float))]
    return Study(measured.reset_index(drop=True), level, kind, seed)


def result(one: Claim, study: Study) -> Result:
    """A claim's number in a study, and the verdict."""
    try:
        found = one.measure(study)
    except NotTested as why:
        return Result(one, "not tested", None, str(why))
    return Result(one, judge(one, found), found, found.note)


# The SFT score misleads.


def sft_score_regret(study: Study) -> Measured:
    """See `best_models.regret`; the note has the chance that the pick is the best, by normal errors of the outcomes."""
    models = study.models
    _enough(len(models), 2, "models")
    before, outcome = (models[name].to_numpy(float) for name in ("pass_at_1", "outcome"))
    picked = np.round(before, DECIMALS) == np.round(before, DECIMALS).max()
    covariance = score_covariance(models, "outcome", study.kind)
    found: Regret = regret(outcome, covariance, picked, CONFIDENCE, study.seed)
    if found.low is None or found.high is None:
        raise NotTested("the errors of the outcomes are not known")
    generator = np.random.default_rng([study.seed, len(models), 2])
    drawn = generator.multivariate_normal(outcome, covariance, size=SIMULATED, method="eigh")
    chance = float(picked[drawn.argmax(axis=1)].mean())
    told = f"the pick is the best with a chance of {chance:.0%}"
    return Measured(found.value, found.low, found.high, len(models), "models", told)


def sft_score_rank(study: Study) -> Measured:
    """With its bootstrap interval over models (rank_correlation.py)."""
    return _rho(study.models["pass_at_1"], study.models["outcome"], study.seed)


# Epochs.


def epochs_raise_sft_score(study: Study) -> Measured:
    """Mean slope of Pass@1 on log2(epochs) over sets of examples."""
    return _mean(study, "pass_at_1", *_by_epochs(study.models))


def epochs_lower_gain(study: Study) -> Measured:
    """Mean slope of the gain on log2(epochs) over sets of examples."""
    return _mean(study, "gain", *_by_epochs(study.models))


def half_twice_sft_score(study: Study) -> Measured:
    """Mean difference over pairs of the same rule and learning rate."""
    return _mean(study, "pass_at_1", *_half_twice(study.models))


def half_twice_outcome(study: Study) -> Measured:
    """As `half_twice_sft_score`, after RL."""
    return _mean(study, "outcome", *_half_twice(study.models))


# The shortest traces.


def shortest_raise_sft_score(study: Study) -> Measured:
    """Mean difference over pairs of the same size, epochs and learning rate."""
    return _mean(study, "pass_at_1", *_shortest_and_random(study.models))


def shortest_end_lower(study: Study) -> Measured:
    """As `shortest_raise_sft_score`, after RL."""
    return _mean(study, "outcome", *_shortest_and_random(study.models))


# Predictors.


def loss_predicts_gain(study: Study) -> Measured:
    """Of SFT models without the base, whose loss is high for not having seen such traces."""
    models = _comparable_losses(study)
    return _rho(models["generalization_loss"], models["gain"], study.seed)


def loss_ranks_better(study: Study) -> Measured:
    """Of SFT models without the base."""
    return _gain_in_rho(study, _comparable_losses(study), PREDICTORS["generalization_loss"])


def large_k_ranks_better(study: Study) -> Measured:
    """Of all models."""
    return _gain_in_rho(study, study.models, PREDICTORS["pass_at_large_k"])


def average_ranks_better(study: Study) -> Measured:
    """Of SFT models without the base."""
    return _gain_in_rho(study, _comparable_losses(study), PREDICTORS["average"])


def _enough(count: int, needed: int, what: str) -> None:
    if count < needed:
        raise NotTested(f"{needed} {what} are needed, found: {count}")


def _comparable_losses(study: Study) -> pd.DataFrame:
    if study.level not in SAME_DISTRIBUTION:
        raise NotTested("losses cannot be compared between differently selected examples (Section 4.3)")
    trained = study.models[study.models["subset"] != BASE]
    return trained[np.isfinite(trained["generalization_loss"].astype(float))].reset_index(drop=True)


def _rho(x: pd.Series, y: pd.Series, seed: int) -> Measured:
    """Spearman's rho with its bootstrap interval over models."""
    first, second = (np.round(one.to_numpy(float), DECIMALS) for one in (x, y))
    _enough(len(first), FEWEST_MODELS, "models")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        raise NotTested("the models do not differ")
    low, high = bootstrap_interval(first, second, seed, CONFIDENCE)
    return Measured(float(spearman(first, second)), low, high, len(first), "models")


def _gain_in_rho(study: Study, models: pd.DataFrame, predictor: Predictor) -> Measured:
    """By how much a predictor's rho with the outcome is above that of Pass@1, by a paired bootstrap."""
    models = models[known(models, predictor) & known(models, PREDICTORS[BASELINE])].reset_index(drop=True)
    _enough(len(models), FEWEST_MODELS, "models")
    both = (predictor, PREDICTORS[BASELINE])
    value = _rho_difference(models, both, np.arange(len(models))[None])[0]
    if np.isnan(value):
        raise NotTested("the models do not differ")
    generator = np.random.default_rng([study.seed, len(models), 3])
    drawn = [
        _rho_difference(redrawn(models, draw), both, generator.integers(len(models), size=(RESAMPLES, len(models))))
        for draw in range(DRAWS)
    ]
    differences = np.concatenate(drawn)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences[~np.isnan(differences)], [tail, 1 - tail])
    return Measured(float(value), float(low), float(high), len(models), "models")


def _rho_difference(models: pd.DataFrame, both: tuple[Predictor, Predictor], places: np.ndarray) -> np.ndarray:
    """(resamples,): rho of the first less rho of the second; `places` are (resamples, models), the models resampled."""
    outcome = np.round(models["outcome"].to_numpy(float), DECIMALS)[places]
    first, second = (spearman(np.round(ranking(models, one), DECIMALS)[places], outcome) for one in both)
    return first - second


def redrawn(models: pd.DataFrame, draw: int) -> pd.DataFrame:
    """The models as one of their joint bootstrap draws has them; what has no draws stays as it is measured."""
    columns = {}
    for name in ("pass_at_1", "pass_at_large_k", "generalization_loss", "outcome"):
        drawn = draws_of(models, name)[:, draw]
        columns[name] = np.where(np.isfinite(drawn), drawn, models[name].to_numpy(float))
    return models.assign(**columns, gain=columns["outcome"] - columns["pass_at_1"])


def _mean(study: Study, column: str, contrasts: np.ndarray, counted: str) -> Measured:
    """The mean of contrasts of a score, (contrasts, models) weights.

    Half of the interval is the larger of t times the standard error of the mean over contrasts, and the normal quantile
    times the error that the scores give it.
    """
    _enough(len(contrasts), FEWEST_CONTRASTS, counted)
    values = contrasts @ study.models[column].to_numpy(float)
    tail, count = (1 + CONFIDENCE) / 2, len(contrasts)
    weights = contrasts.mean(axis=0)
    # A model that stands in no contrast may have an unknown error.
    used = weights != 0
    of_scores = weights[used] @ score_covariance(study.models, column, study.kind)[np.ix_(used, used)] @ weights[used]
    reach = max(
        float(t.ppf(tail, count - 1) * values.std(ddof=1) / np.sqrt(count)),
        float(norm.ppf(tail) * np.sqrt(np.nan_to_num(of_scores))),
    )
    mean = float(values.mean())
    return Measured(mean, mean - reach, mean + reach, count, counted)


def _by_epochs(models: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Slopes on log2(epochs), one for each set of examples that has been trained on for several numbers of epochs.

    Models of one set share examples and learning rate; those from the middle of one training are a set of their own.
    """
    ladders = ladder_epochs(models).fillna(0)
    sets = models.assign(ladder=ladders)[models["subset"] != BASE].groupby(["subset", "learning_rate", "ladder"])
    contrasts = []
    for _, rows in sets:
        doublings = np.log2(rows["epochs"].to_numpy(float))
        centred = doublings - doublings.mean()
        if np.ptp(doublings) > 0:
            contrasts.append(_weights(models, dict(zip(rows.index, centred / (centred**2).sum(), strict=True))))
    return _stacked(contrasts, models), "sets of examples with several numbers of epochs"


def _half_twice(models: pd.DataFrame) -> tuple[np.ndarray, str]:
    """Two epochs on half of the examples less one epoch on all of them, by the same rule and learning rate."""

    def belong(twice: _Trained, once: _Trained) -> bool:
        halved = (once.epochs, twice.epochs) == (1, 2) and once.size == 2 * twice.size
        return halved and once.like == twice.like

    return _differences(models, belong), "pairs of one epoch and two on half"


def _shortest_and_random(models: pd.DataFrame) -> tuple[np.ndarray, str]:
    """The shortest examples less as many random ones, with the same epochs and learning rate."""

    def belong(short: _Trained, drawn: _Trained) -> bool:
        return short.rule == "shortest" and short._replace(rule="random") == drawn

    return _differences(models, belong), "pairs of shortest and random"


class _Trained(NamedTuple):
    """How a model was trained, on examples picked by one rule."""

    rule: str
    size: int
    epochs: float
    learning_rate: float
    ladder: float

    @property
    def like(self) -> tuple[str, float, float]:
        """Whatever is not size or epochs."""
        return self.rule, self.learning_rate, self.ladder


def _of_one_rule(models: pd.DataFrame) -> dict[int, _Trained]:
    """By place; without the base, mixtures, and models trained on all."""
    found = {}
    rows = zip(
        models["subset"], models["epochs"], models["learning_rate"], ladder_epochs(models).fillna(0), strict=True
    )
    for place, (subset, epochs, learning_rate, ladder) in enumerate(rows):
        parts = () if subset == BASE else parse_subset(subset)
        if len(parts) == 1:
            found[place] = _Trained(parts[0].rule, parts[0].size, float(epochs), float(learning_rate), float(ladder))
    return found


def _differences(models: pd.DataFrame, belong: Callable[[_Trained, _Trained], bool]) -> np.ndarray:
    """(pairs, models): the first of each pair that belongs together less the second; by the second, then the first."""
    trained = _of_one_rule(models)
    pairs = [
        (first, second) for second, one in trained.items() for first, other in trained.items() if belong(other, one)
    ]
    return _stacked([_weights(models, {first: 1.0, second: -1.0}) for first, second in pairs], models)


def _weights(models: pd.DataFrame, by_place: dict[int, float]) -> np.ndarray:
    """(models,)"""
    weights = np.zeros(len(models))
    weights[list(by_place)] = list(by_place.values())
    return weights


def _stacked(contrasts: list[np.ndarray], models: pd.DataFrame) -> np.ndarray:
    """(contrasts, models)"""
    return np.stack(contrasts) if contrasts else np.empty((0, len(models)))


# In the order of the paper.
_ALL = (
    Claim(
        "sft_score_regret",
        "The model with the best performance after RL is typically not the one with the best performance after SFT.",
        "Section 2.1",
        "regret of the model that is best by Pass@1 after SFT",
        "points",
        "above",
        sft_score_regret,
        bounded=True,
    ),
    Claim(
        "sft_score_rank",
        "Performance after SFT is not reliably predictive of performance after RL.",
        "Sections 2.1 and 2.2",
        "Spearman's ρ of Pass@1 after SFT with the outcome, against 0.90: effective, to the paper (Takeaway 1)",
        "rho",
        "below",
        sft_score_rank,
        null=EFFECTIVE,
    ),
    Claim(
        "epochs_raise_sft_score",
        "Performance after SFT improves stably when training for more epochs.",
        "Sections 2.1 and 3.1, Figure 4",
        "change of Pass@1 after SFT with the epochs on the same examples, over sets of these",
        "points per doubling",
        "above",
        epochs_raise_sft_score,
    ),
    Claim(
        "epochs_lower_gain",
        "Models overtrained in SFT show decreasing potential for RL.",
        "Sections 2.1 and 3.1, Figure 4",
        "change of the gain from RL with the epochs on the same examples, over sets of these",
        "points per doubling",
        "below",
        epochs_lower_gain,
    ),
    Claim(
        "half_twice_sft_score",
        "One epoch on unique examples underperforms two epochs on half of them after SFT.",
        "abstract and Section 2.1",
        "Pass@1 after SFT of two epochs on half the examples less that of one epoch on all, in pairs",
        "points",
        "above",
        half_twice_sft_score,
    ),
    Claim(
        "half_twice_outcome",
        "One epoch on unique examples underperforms two epochs on half of them after RL, too.",
        "abstract and Section 2.1",
        "outcome of two epochs on half the examples less that of one epoch on all, in pairs",
        "points",
        "above",
        half_twice_outcome,
    ),
    Claim(
        "shortest_raise_sft_score",
        "Training on the shortest examples improves performance after SFT faster than on random ones.",
        "Section 2.2, Figure 1",
        "Pass@1 after SFT on the shortest examples less that on as many random ones, in pairs",
        "points",
        "above",
        shortest_raise_sft_score,
    ),
    Claim(
        "shortest_end_lower",
        "Training on the shortest examples ends in a lower performance after RL than on random ones.",
        "Section 2.2, Figure 1",
        "outcome of the shortest examples less that of as many random ones, in pairs",
        "points",
        "below",
        shortest_end_lower,
    ),
    Claim(
        "loss_predicts_gain",
        "Generalization loss correlates strongly with the gain from RL: the higher the loss, the lower the gain.",
        "Section 3.1, Figure 5",
        "Spearman's ρ of generalization loss with the gain",
        "rho",
        "below",
        loss_predicts_gain,
    ),
    Claim(
        "loss_ranks_better",
        "Generalization loss orders outcomes better than Pass@1 after SFT.",
        "Table 1, Takeaway 1",
        "ρ of generalization loss less ρ of Pass@1, with the outcome",
        "rho",
        "above",
        loss_ranks_better,
    ),
    Claim(
        "large_k_ranks_better",
        "Pass@k at large k orders outcomes better than Pass@1 after SFT.",
        "Tables 1 and 3, Takeaways 1 and 2",
        "ρ of Pass@large-k less ρ of Pass@1, with the outcome",
        "rho",
        "above",
        large_k_ranks_better,
    ),
    Claim(
        "average_ranks_better",
        "The mean of the predictions from generalization loss and Pass@large-k orders outcomes better than Pass@1.",
        "Table 1, where it “may or may not lead to better results” than its parts",
        "ρ of the mean of both predictions less ρ of Pass@1, with the outcome",
        "rho",
        "above",
        average_ranks_better,
    ),
)
CLAIMS = {one.name: one for one in _ALL}
