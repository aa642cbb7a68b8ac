"""Rank SFT models for RL, from what is known without RL: the clearly suboptimal set aside, the rest by Pass@large-k.

    quagmires rank --metrics metrics.parquet --analysis analysis.json --output-folder decisions

Writes rank.txt, rank.csv and rank.json, and prints the text. docs/decisions.md says how to read it.
"""

import argparse
from pathlib import Path

import pandas as pd
from rich.console import Console

from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.prediction.outcomes import with_outcome
from quagmires.prediction.predictors import SAME_DISTRIBUTION
from quagmires.prediction.ranking import notes, rank_candidates, rule_text
from quagmires.reporting.decision_files import publish, records, studies_of
from quagmires.reporting.decision_tables import show_heading, show_ranking, show_sentences, show_study

READING = [
    "Ties differ in Pass@k by no more than the paired error of the difference. `highest in`: in how many resamples of"
    " the problems a model has the highest.",
    "`3 (= 2)`: it cannot be told from the model directly above it, in group 2, but from the first of that group it"
    " can. Ties do not carry over; take the two as equal.",
    "What differs in Pass@k need not differ after RL: how sure the order is then, `snakemake predict` says once a few"
    " models have RL results.",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.parquet; RL columns may be empty")
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json")
    parser.add_argument("--output-folder", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    settings = AnalysisSettings.read(options.analysis)
    studies = {
        name: with_outcome(models, settings.analysis.outcome)
        for name, models in studies_of(options.metrics, settings).items()
    }
    confidence = settings.analysis.confidence
    rankings = {
        name: rank_candidates(models, settings.studies[name].level, confidence) for name, models in studies.items()
    }
    table = pd.concat([ranking.assign(study=name) for name, ranking in rankings.items()], ignore_index=True)
    table.insert(0, "study", table.pop("study"))
    publish(
        options.output_folder,
        "rank",
        table,
        document(settings, rankings),
        lambda console: show(console, settings, studies, rankings),
    )


def document(settings: AnalysisSettings, rankings: dict[str, pd.DataFrame]) -> dict:
    """What rank.json holds."""
    confidence = settings.analysis.confidence
    return {
        "experiment": settings.experiment,
        "label": settings.label,
        "confidence": confidence,
        "rule": rule_text(confidence),
        "studies": [
            {
                "study": name,
                "title": settings.studies[name].title,
                "level": settings.studies[name].level,
                "notes": notes(ranking, settings.studies[name].level, confidence),
                "models": records(ranking),
            }
            for name, ranking in rankings.items()
        ],
    }


def show(
    console: Console,
    settings: AnalysisSettings,
    studies: dict[str, pd.DataFrame],
    rankings: dict[str, pd.DataFrame],
) -> None:
    """Print all rankings."""
    show_heading(console, f"SFT models in the order to take them through RL: {settings.title}", settings.label)
    for name, ranking in rankings.items():
        study = settings.studies[name]
        show_study(console, name, study.title)
        show_ranking(console, ranking, studies[name], study.level, settings.analysis.confidence)
    console.print()
    applies = any(settings.studies[name].level in SAME_DISTRIBUTION for name in rankings)
    show_sentences(console, [rule_text(settings.analysis.confidence)] * applies + READING)
