"""What rank.json and predict.json decide: the answer, which comes first in the report, and each study in full.

The answer is a paragraph for each study: which SFT model to take through RL, and how good it will be. The targets
`rank` and `predict` write both files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quagmires.common.files import read_record
from quagmires.common.shown_numbers import MISSING, interval, listed, score, share
from quagmires.prediction.forecast import ENOUGH_MODELS, degrees_of_freedom
from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.ranking import SATURATED, mostly_saturated
from quagmires.reporting.decision_tables import shown_rank
from quagmires.reporting.html.blocks import Block, Fold, Gap, Links, Part, ReportTable, Span, Text, from_rows, plain

NAMED = 3  # of models that are tied; the others are counted
NEXT_RUNS = 3


@dataclass(frozen=True)
class Decisions:
    """What rank.json and predict.json hold: by study, and of all; empty where there is no file."""

    ranking: dict[str, Any]
    prediction: dict[str, Any]

    @classmethod
    def read(cls, results: Path) -> "Decisions":
        """From the folder of an experiment's results."""
        return cls(*(read_record(results / "decisions" / f"{name}.json") for name in ("rank", "predict")))

    @property
    def rankings(self) -> dict[str, dict[str, Any]]:
        return {study["study"]: study for study in self.ranking.get("studies", [])}

    @property
    def predictions(self) -> dict[str, dict[str, Any]]:
        return {study["study"]: study for study in self.prediction.get("studies", [])}

    @property
    def confidence(self) -> str:
        return f"{(self.ranking or self.prediction)['confidence']:.0%}"


def answers(decisions: Decisions, large_k: int) -> Iterator[Block]:
    """A paragraph for each study; studies that are there for figures alone are folded away if there are others."""
    yield from missing(decisions)
    studies = {**decisions.rankings, **decisions.predictions}
    paragraphs: dict[bool, list[Block]] = {True: [], False: []}
    for name, study in studies.items():
        ranking, prediction = decisions.rankings.get(name), decisions.predictions.get(name)
        spans = [Span(study["title"], "strong"), Span(". ")]
        spans += ranking_answer(ranking, large_k, decisions.confidence) if ranking else []
        spans += prediction_answer(prediction, ranking, decisions.confidence) if prediction else []
        paragraphs[study["level"] == "showcase"].append(Text(spans, "answer"))
    yield from paragraphs[False]
    if paragraphs[False] and paragraphs[True]:
        yield Fold("Studies that are there for figures alone", paragraphs[True])
    else:
        yield from paragraphs[True]


def missing(decisions: Decisions) -> Iterator[Gap]:
    """What is not decided yet."""
    if not decisions.ranking:
        yield Gap("SFT models are not ranked yet: decisions/rank.json is not there. It needs no RL run.", "rank")
    if not decisions.prediction:
        yield Gap("Outcomes are not predicted yet: decisions/predict.json is not there.", "predict")


def ranking_answer(study: dict[str, Any], large_k: int, confidence: str) -> Iterator[Span]:
    """Which to take first, what is as good, and what was set aside."""
    first = [model for model in study["models"] if model["group"] == 1]
    if not first:
        yield Span(f"No model has a Pass@{large_k}, so none is ranked. ")
        return
    yield Span("Take " if len(first) == 1 else "Take one of these through RL first: ")
    yield Span(listed([model["label"] for model in first], NAMED), "strong")
    low, high = first[0]["low"], first[0]["high"]
    reach = "" if low is None else f", {confidence} interval {interval(low, high)}"
    why = f"Pass@{large_k} {score(first[0]['pass_at_large_k'])}{reach}"
    yield Span(f" through RL first ({why}). " if len(first) == 1 else f", which are tied ({why}). ")
    ranked = [model for model in study["models"] if model["group"] is not None]
    if saturated := mostly_saturated([model["pass_at_large_k"] for model in ranked]):
        yield Span(f"Pass@{large_k} is {SATURATED} or more for {saturated} of {len(ranked)}: it tells little here. ")
    aside = sum(model["set_aside"] for model in study["models"])
    if aside:
        yield Span(f"{aside} of {len(study['models'])} {'is' if aside == 1 else 'are'} set aside as clearly worse. ")
    disputed = [model["label"] for model in study["models"] if model["as_good_as"]]
    if disputed:
        yield Span(f"But Pass@{large_k} of {listed(disputed, NAMED)} is not below that of the best SFT model kept. ")


def prediction_answer(study: dict[str, Any], ranking: dict[str, Any] | None, confidence: str) -> Iterator[Span]:
    """What is measured, what is predicted of the others, and which RL run to make next."""
    measured = sorted(study["calibration"], key=lambda model: -model["outcome"])
    if measured:
        yield from _measured(study, measured, ranking)
    if study["trouble"]:
        yield Span(f"No prediction: {study['trouble']}. ")
        return
    if not study["checked"]:
        yield from _highest(study, confidence)
    if study["left_out_mae"] is not None:
        r2 = "" if study["left_out_r2"] is None else f" (R² {study['left_out_r2']:.2f})"
        error = f"{score(study['left_out_mae'])} on average{r2}"
        yield Span(f"Each predicted from the others, measured outcomes are off by {error}. ")


def _measured(study: dict[str, Any], measured: list[dict[str, Any]], ranking: dict[str, Any] | None) -> Iterator[Span]:
    count = f"All {len(measured)}" if study["checked"] else str(len(measured))
    yield Span(f"{count} {'has' if len(measured) == 1 else 'have'} been through RL, the best is ")
    yield Span(measured[0]["label"], "strong")
    yield Span(f" with {score(measured[0]['outcome'])}")
    outcome = {model["recipe"]: model["outcome"] for model in measured}
    first = [model["recipe"] for model in ranking["models"] if model["group"] == 1] if ranking else []
    behind = [measured[0]["outcome"] - outcome[recipe] for recipe in first if recipe in outcome]
    if study["checked"] and behind:
        least, most = min(behind), max(behind)
        if most == 0:
            yield Span(", which the ranking puts first")
        elif len(behind) == 1:
            yield Span(f"; the one that the ranking puts first is {score(most)} below it")
        else:
            yield Span(f"; those that the ranking puts first are {interval(least, most)} below it")
    yield Span(". ")


def _highest(study: dict[str, Any], confidence: str) -> Iterator[Span]:
    rows = [row for row in study["predictions"] if row["predictor"] == study["predictor"] and row["prediction"]]
    if rows:
        best = max(rows, key=lambda row: row["prediction"])
        chance = best["beats_calibration"]
        reach = f"{confidence} interval {interval(best['low'], best['high'], cut=True)}"
        yield Span("Of the others ")
        yield Span(best["label"], "strong")
        yield Span(
            f" is predicted highest: {score(best['prediction'])} after RL, {reach}"
            + ("" if chance is None else f"; it beats the best so far with a chance of {share(chance)}")
            + ". "
        )
        yield from _doubts(study, best)
    if study["next_runs"]:
        yield Span(f"The RL run that would narrow the intervals most: {study['next_runs'][0]['label']}. ")


def _doubts(study: dict[str, Any], best: dict[str, Any]) -> Iterator[Span]:
    """Why not to rely on the highest prediction; beside it, as an interval alone looks sound."""
    if best["outside"]:
        told = f"It lies outside the models with RL results, by {best['outside']:.0%} of their range: "
        told += "that the line goes on there is an assumption, and the interval does not allow for its being wrong. "
        if best["beats_calibration"] is None:
            told += "So no chance is given. "
        yield Span(told + "Run RL across the range of the predictor, low and high. ", "strong")
    count = len(study["calibration"])
    if count < ENOUGH_MODELS:
        degrees = degrees_of_freedom(best["degrees_of_freedom"])
        yield Span(f"Only {count} models have RL results: the interval rests on {degrees}. ", "strong")


def decisions(given: Decisions, large_k: int) -> Iterator[Block]:
    """The rule, then each study with its ranking, its predictions and what to know before relying on them."""
    yield from missing(given)
    if given.ranking:
        yield Text(plain(given.ranking["rule"]), "note")
    for name, study in {**given.rankings, **given.predictions}.items():
        blocks: list[Block] = []
        if name in given.rankings:
            blocks += ranking(given.rankings[name], large_k, given.confidence)
        if name in given.predictions:
            blocks += prediction(given.predictions[name], large_k, given.confidence)
        yield Part(f"decision-{name}", study["title"], blocks, short=name)
    files = {"ranking": given.ranking and "rank", "predictions, all predictors": given.prediction and "predict"}
    yield Links({f"{what} (CSV)": f"decisions/{name}.csv" for what, name in files.items() if name})


def ranking(study: dict[str, Any], large_k: int, confidence: str) -> Iterator[Block]:
    """Those ranked, those set aside, and the notes."""
    models = study["models"]
    rows = [
        [
            model["label"],
            shown_rank(model),
            score(model["pass_at_large_k"]),
            interval(model["low"], model["high"]),
            share(model["highest_in"]),
            score(model["pass_at_1"]),
            score(model["generalization_loss"]),
        ]
        for model in models
        if not model["set_aside"]
    ]
    header = ["SFT model", "rank", f"Pass@{large_k}", f"{confidence} interval", "highest in", "Pass@1", "gen. loss"]
    yield from_rows(header, rows, f"Ranking: {study['title']}", texts=("SFT model", "rank"))
    aside = [model for model in models if model["set_aside"]]
    if aside:
        labels = {model["recipe"]: model["label"] for model in models}
        rows = [
            [
                model["label"],
                score(model["pass_at_large_k"]),
                score(model["pass_at_1"]),
                score(model["generalization_loss"]),
                labels.get(model["worse_than"], model["worse_than"]),
                f"{score(model['pass_at_1_gap'])} and {score(model['loss_gap'])}",
            ]
            for model in aside
        ]
        header = ["set aside", f"Pass@{large_k}", "Pass@1", "gen. loss", "worse in both than", "by"]
        yield from_rows(header, rows, f"Set aside: {study['title']}", texts=("set aside", "worse in both than"))
    yield from (Text(plain(note), "item") for note in study["notes"])


def prediction(study: dict[str, Any], large_k: int, confidence: str) -> Iterator[Block]:
    """Predictions of the models without RL; where all have been through it, each as predicted from the others."""
    predictor = PREDICTORS.get(study["predictor"])
    by = predictor.label.replace("{large_k}", str(large_k)) if predictor else study["predictor"]
    count = len(study["calibration"])
    if study["trouble"]:
        yield Text(plain(f"No prediction by {by}: {study['trouble']}."), "warning")
    elif study["checked"]:
        yield Text(plain(f"All {count} models have RL results. Each is predicted from the others, by {by}:"))
        yield _checked(study, confidence)
    else:
        yield Text(plain(f"Predicted by {by}, fitted on {count} models with RL results:"))
        yield _predicted(study, confidence)
    for run in study["next_runs"][:NEXT_RUNS]:
        narrowing = f"from {score(run['width_now'])} to {score(run['width_after'])} on average"
        yield Text(plain(f"An RL run of {run['label']} would narrow the intervals of those left {narrowing}."), "item")
    yield from (Text(plain(warning), "warning") for warning in study["warnings"])


def _rows_shown(study: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the predictor that is shown, the highest prediction first."""
    rows = [row for row in study["predictions"] if row["predictor"] == study["predictor"]]
    return sorted(rows, key=lambda row: -(row["prediction"] or 0.0))


def _predicted(study: dict[str, Any], confidence: str) -> ReportTable:
    rows = [
        [
            row["label"],
            score(row["prediction"]),
            interval(row["low"], row["high"], cut=True),
            share(row["best_of_predicted"]),
            share(row["beats_calibration"]),
        ]
        for row in _rows_shown(study)
    ]
    header = ["SFT model", "predicted after RL", f"{confidence} interval", "best of these", "better than best so far"]
    return from_rows(header, rows, f"Predictions: {study['title']}", texts=("SFT model",))


def _checked(study: dict[str, Any], confidence: str) -> ReportTable:
    rows = [
        [
            row["label"],
            score(row["outcome"]),
            score(row["prediction"]),
            interval(row["low"], row["high"], cut=True),
            MISSING if row["prediction"] is None else f"{row['prediction'] - row['outcome']:+.3f}",
            {True: "yes", False: "no"}.get(row["inside"], MISSING),
        ]
        for row in _rows_shown(study)
    ]
    header = ["SFT model", "after RL", "predicted", f"{confidence} interval", "off by", "inside"]
    return from_rows(header, rows, f"Predictions: {study['title']}", texts=("SFT model",))
