"""The first screen of the report: of each study the best model after SFT, the best after RL, and what each predictor
would have picked, with its regret and its cost.

All numbers are those of predict.json (`best` of each study) and plan.json (`choosing`). Nothing is computed here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quagmires.common.files import read_record
from quagmires.common.shown_numbers import device_hours, listed, ordinal, points, score_with_interval
from quagmires.reporting.html.blocks import (
    Block,
    Card,
    Cards,
    Fold,
    Gap,
    ReportTable,
    Span,
    Spans,
    Text,
    from_rows,
    plain,
)

NAMED = 2  # of models that cannot be told apart; the others are counted


@dataclass(frozen=True)
class FirstScreen:
    """What the cards are made of: studies of predict.json that say which models are best, and costs by study."""

    studies: list[dict[str, Any]]
    confidence: str
    unit: str
    costs: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, results: Path) -> "FirstScreen":
        """From the folder of an experiment's results; empty where there is no file, or one of an older version."""
        prediction, plan = (read_record(results / "decisions" / f"{name}.json") for name in ("predict", "plan"))
        choosing = plan.get("choosing", {"unit": "", "studies": []})
        return cls(
            studies=[study for study in prediction.get("studies", []) if "best" in study],
            confidence=f"{prediction['confidence']:.0%}" if prediction else "",
            unit=choosing["unit"],
            costs={study["study"]: study for study in choosing["studies"]},
        )


def first_screen(results: Path) -> Iterator[Block]:
    """A card for each study; those of studies that are there for figures alone are folded away if there are others."""
    given = FirstScreen.read(results)
    cards: dict[bool, list[Card]] = {True: [], False: []}
    for study in given.studies:
        cards[study["level"] == "showcase"].append(study_card(study, given))
    shown = cards[False] or cards[True]
    if not shown:
        yield Gap("Which models are best is not known yet: decisions/predict.json does not say it.", "predict")
        return
    yield Cards(shown)
    if any(study["best"]["picks"] for study in given.studies):
        yield Text(plain(_explained(given)), "note")
    if cards[False] and cards[True]:
        yield Fold("Best models of studies that are there for figures alone", [Cards(cards[True])])


def _explained(given: FirstScreen) -> str:
    told = (
        f"In brackets: {given.confidence} intervals. Regret: by how many points of Pass@1 the pick falls short of the"
        " best after RL. Its interval allows for any of the models being the best; above 0, the pick is not."
    )
    fitted = any(pick["fitted"] for study in given.studies for pick in study["best"]["picks"])
    told += " To measure: for all models; SFT is paid either way." * bool(given.unit)
    return told + " “+ RL”: it is fitted on models that have been through RL." * (bool(given.unit) and fitted)


def study_card(study: dict[str, Any], given: FirstScreen) -> Card:
    """One study's answer."""
    best, costs = study["best"], given.costs.get(study["study"])
    facts = [("Best after SFT", _best(best["before"]))]
    if best["after"] is None:
        known = f"not known: {best['with_outcome']} of {best['models']} models have been through RL"
        facts.append(("Best after RL", plain(known)))
    else:
        facts.append(("Best after RL", [*_best(best["after"]), *_limits(best)]))
    if costs:
        facts.append(("Cost", plain(_cost(costs, given.unit))))
    return Card(study["title"], facts, _picks(study, costs, given) if best["picks"] else None)


def _best(best: dict[str, Any] | None) -> Spans:
    """`random 1k, Pass@1 0.412 [0.398, 0.426]; cannot be told apart from ...`."""
    if best is None:
        return plain("not known")
    spans = [
        Span(best["label"], "strong"),
        Span(f", Pass@1 {score_with_interval(best['value'], best['low'], best['high'])}"),
    ]
    if best["as_good"]:
        spans.append(Span(f"; cannot be told apart from {listed(best['as_good'], NAMED)}"))
    return spans


def _limits(best: dict[str, Any]) -> Spans:
    """What the answer after RL rests on, where that is less than all models and all errors."""
    told = []
    if best["with_outcome"] < best["models"]:
        told.append(f"of {best['with_outcome']} of {best['models']} models")
    if "runs" not in best["errors"]:
        told.append("one RL run each, so how runs differ is not in the interval")
    return plain(f" ({'; '.join(told)})") if told else []


def _cost(costs: dict[str, Any], unit: str) -> str:
    basis = "measured" if costs["recorded"] else "planned"
    all_of_them = (
        f"{costs['models']} models through RL: {costs['rl_runs']:,} runs, {device_hours(costs['rl_cost'])} {unit}"
    )
    saved = f"{costs['rl_runs_saved']:,.0f} runs and {device_hours(costs['rl_cost_saved'])} {unit}"
    return f"{all_of_them}, {basis}. With one pick alone, {saved} are not paid for"


def _picks(study: dict[str, Any], costs: dict[str, Any] | None, given: FirstScreen) -> ReportTable:
    header = [
        "picked by",
        "model, its rank after RL",
        "regret, points",
        *([f"{given.unit} to measure"] if costs else []),
    ]
    rows = [
        [
            pick["label"].removeprefix("SFT "),
            f"{listed(pick['picked'], NAMED)} ({ordinal(pick['rank'])})",
            points(**pick["regret"]).replace(", ", ",\N{NO-BREAK SPACE}").replace(" [", "\N{NO-BREAK SPACE}["),
            *([_measuring(pick, costs)] if costs else []),
        ]
        for pick in study["best"]["picks"]
    ]
    return from_rows(header, rows, f"Picks: {study['title']}", texts=header[:2])


def _measuring(pick: dict[str, Any], costs: dict[str, Any]) -> str:
    """What all models' measurements cost; a predictor that is a fit also needs RL of some of them."""
    measured = device_hours(costs["measuring"]["+".join(pick["needs"])])
    return f"{measured} + RL" if pick["fitted"] else measured
