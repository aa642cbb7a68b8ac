"""The ranking and the predictions of every study in full, from rank.json and predict.json."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from quagmires.prediction.predictors import PREDICTORS
from quagmires.reporting import decision_tables
from quagmires.reporting.decision_tables import shown_rank
from quagmires.reporting.html.answer import Decisions, missing
from quagmires.reporting.html.blocks import Block, Links, Part, Table, Text, plain
from quagmires.reporting.html.tables import from_rows

NEXT_RUNS = 3
# As in the texts of the decisions, with the dash of the report's other tables.
number, share, interval = (
    partial(form, missing="–") for form in (decision_tables.score, decision_tables.share, decision_tables.interval)
)


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
            number(model["pass_at_large_k"]),
            interval(model["low"], model["high"]),
            share(model["highest_in"]),
            number(model["pass_at_1"]),
            number(model["generalization_loss"]),
        ]
        for model in models
        if not model["set_aside"]
    ]
    header = ["SFT model", "rank", f"Pass@{large_k}", f"{confidence} interval", "highest in", "Pass@1", "gen. loss"]
    yield decision_table(header, rows, f"Ranking: {study['title']}", texts=("SFT model", "rank"))
    aside = [model for model in models if model["set_aside"]]
    if aside:
        labels = {model["recipe"]: model["label"] for model in models}
        rows = [
            [
                model["label"],
                number(model["pass_at_large_k"]),
                number(model["pass_at_1"]),
                number(model["generalization_loss"]),
                labels.get(model["worse_than"], model["worse_than"]),
                f"{number(model['pass_at_1_gap'])} and {number(model['loss_gap'])}",
            ]
            for model in aside
        ]
        header = ["set aside", f"Pass@{large_k}", "Pass@1", "gen. loss", "worse in both than", "by"]
        yield decision_table(header, rows, f"Set aside: {study['title']}", texts=("set aside", "worse in both than"))
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
        narrowing = f"from {number(run['width_now'])} to {number(run['width_after'])} on average"
        yield Text(plain(f"An RL run of {run['label']} would narrow the intervals of those left {narrowing}."), "item")
    yield from (Text(plain(warning), "warning") for warning in study["warnings"])


def _shown(study: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the predictor that is shown, the highest prediction first."""
    rows = [row for row in study["predictions"] if row["predictor"] == study["predictor"]]
    return sorted(rows, key=lambda row: -(row["prediction"] or 0.0))


def _predicted(study: dict[str, Any], confidence: str) -> Table:
    rows = [
        [
            row["label"],
            number(row["prediction"]),
            interval(row["low"], row["high"], cut=True),
            share(row["best_of_predicted"]),
            share(row["beats_calibration"]),
        ]
        for row in _shown(study)
    ]
    header = ["SFT model", "predicted after RL", f"{confidence} interval", "best of these", "better than best so far"]
    return decision_table(header, rows, f"Predictions: {study['title']}", texts=("SFT model",))


def _checked(study: dict[str, Any], confidence: str) -> Table:
    rows = [
        [
            row["label"],
            number(row["outcome"]),
            number(row["prediction"]),
            interval(row["low"], row["high"], cut=True),
            "–" if row["prediction"] is None else f"{row['prediction'] - row['outcome']:+.3f}",
            {True: "yes", False: "no"}.get(row["inside"], "–"),
        ]
        for row in _shown(study)
    ]
    header = ["SFT model", "after RL", "predicted", f"{confidence} interval", "off by", "inside"]
    return decision_table(header, rows, f"Predictions: {study['title']}", texts=("SFT model",))


def decision_table(header: list[str], rows: list[list[str]], name: str, texts: tuple[str, ...]) -> Table:
    """A table whose columns are to the right but for `texts`."""
    table = from_rows(header, rows, name)
    return Table(table.header, table.rows, [title not in texts for title in header], name)
