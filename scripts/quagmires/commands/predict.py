"""Predict the outcomes of SFT models that have not been through RL, from those of the same study that have.

    quagmires predict --metrics metrics.parquet --analysis analysis.json --output-folder decisions

Writes predict.txt, predict.csv and predict.json, and prints the text. docs/decisions.md says how to read it.
"""

import argparse
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.console import Console

from quagmires.common.errors import UserError
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.best_models import Best, best_and_picks
from quagmires.prediction.forecast import DEFAULT, Forecast, Question, forecast
from quagmires.prediction.outcomes import KINDS
from quagmires.prediction.predictors import LEVELS, applicable
from quagmires.reporting.decision_files import publish, records, studies_of
from quagmires.reporting.decision_tables import OUTCOMES, show_forecast, show_heading, show_sentences, show_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument(
        "--metrics", type=Path, required=True, help="metrics.parquet, RL columns filled for some models"
    )
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json")
    parser.add_argument("--output-folder", type=Path, required=True)
    parser.add_argument(
        "--predictor", default=DEFAULT, help=f"shown in the text; default: {DEFAULT}; CSV and JSON have all"
    )
    parser.add_argument("--outcome", choices=KINDS, help="default: that of the analysis")
    parser.add_argument("--errors-in-variables", action="store_true", help="for predictors measured with unequal error")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    names = [one.name for one in applicable(*LEVELS)]
    if options.predictor not in names:
        raise UserError(f"--predictor: there is no {options.predictor!r}; choose one of {', '.join(names)}")
    settings = AnalysisSettings.read(options.analysis)
    question = Question(
        predictor=options.predictor,
        outcome=options.outcome or settings.analysis.outcome,
        confidence=settings.analysis.confidence,
        seed=settings.seed,
        errors_in_variables=options.errors_in_variables,
    )
    answers = {
        name: forecast(models, settings.studies[name].level, question)
        for name, models in studies_of(options.metrics, settings).items()
    }
    table = pd.concat([answer.table.assign(study=name) for name, answer in answers.items()], ignore_index=True)
    table.insert(0, "study", table.pop("study"))
    publish(
        options.output_folder,
        "predict",
        table,
        document(settings, question, answers),
        lambda console: show(console, settings, question, answers),
    )


def document(settings: AnalysisSettings, question: Question, answers: dict[str, Forecast]) -> dict:
    """What predict.json holds."""
    return {
        "experiment": settings.experiment,
        "label": settings.label,
        "outcome": question.outcome,
        "confidence": question.confidence,
        "errors_in_variables": question.errors_in_variables,
        "studies": [
            {
                "study": name,
                "title": settings.studies[name].title,
                "level": settings.studies[name].level,
                "predictor": answer.shown.name,
                "checked": answer.checked,
                "trouble": answer.trouble,
                "warnings": answer.warnings,
                "left_out_r2": answer.left_out_r2,
                "left_out_mae": answer.left_out_mae,
                "calibration": records(answer.calibration[["recipe", "label", "outcome"]]),
                "next_runs": records(answer.next_runs),
                "predictions": records(answer.table),
                "best": best_models(answer.models, settings.studies[name].level, question),
            }
            for name, answer in answers.items()
        ],
    }


def best_models(models: pd.DataFrame, level: str, question: Question) -> dict:
    """Of a study, for predict.json: the best model after SFT and after RL, and what each predictor would have picked.

    Parameters
    ----------
    models
        with labels, and the outcome that is asked for.
    level, question
        of the study, and what is asked.
    """
    found = best_and_picks(models, level, question.confidence, question.seed, question.outcome)
    label = dict(zip(models["recipe"], models["label"], strict=True))
    return {
        "models": len(models),
        "with_outcome": int(models["outcome"].notna().sum()),
        "errors": found.errors,
        "before": _best(found.before, models),
        "after": _best(found.after, models),
        "picks": [{**asdict(pick), "picked": [label[recipe] for recipe in pick.picked]} for pick in found.picks],
    }


def _best(best: Best | None, models: pd.DataFrame) -> dict | None:
    if best is None:
        return None
    names = models["label"].tolist()
    others = [names[place] for place in best.as_good]
    return {"label": names[best.place], "value": best.value, "low": best.low, "high": best.high, "as_good": others}


def show(console: Console, settings: AnalysisSettings, question: Question, answers: dict[str, Forecast]) -> None:
    """Print all forecasts."""
    show_heading(console, f"SFT models after RL, predicted: {settings.title}", settings.label)
    console.print(f"Outcome: Pass@1 of {OUTCOMES[question.outcome]}")
    for name, answer in answers.items():
        show_study(console, name, settings.studies[name].title)
        show_forecast(console, answer, question)
    console.print()
    closing = ["predict.csv has the predictions of all predictors."]
    if question.errors_in_variables:
        closing.append("Predictors are shrunk for their measurement error (errors in variables).")
    show_sentences(console, closing)
