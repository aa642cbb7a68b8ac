"""Metrics of three made-up studies, and what the tests of tables ask of them."""

import numpy as np
import pandas as pd

from quagmires.config.analysis_settings import AnalysisSettings, StudySettings
from quagmires.config.schema import Analysis, TableSettings
from quagmires.reporting.tables.prediction import prediction_frame
from quagmires.reporting.tables.prediction_layout import prediction_layout
from quagmires.reporting.tables.published import Published
from support import ROOT

PUBLISHED = ROOT / "results" / "published" / "tables.csv"
LLAMA, MISTRAL = "Llama3-8B-Instruct", "Mistral-NeMo-12B-Instruct"
STUDIES = {"llama": ("dataset", LLAMA, 10), "mistral": ("dataset", MISTRAL, 8), "chosen": ("instance", LLAMA, 9)}
RL = ["outcome", "outcome_se", "outcome_best", "outcome_last", "outcome_mean_of_run_best", "gain", "gain_se"]


def study_models(study: str, seed: int) -> pd.DataFrame:
    """Models of rising ability, measured with errors, a third of them in each of the paper's budgets."""
    level, _, count = STUDIES[study]
    rng = np.random.default_rng(seed)
    ability = np.linspace(0, 1, count)
    last = 0.3 + 0.2 * ability + rng.normal(0, 0.01, count)
    scores = last[:, None] + rng.normal(0, 0.01, (count, 4))
    before = 0.2 + 0.1 * ability + rng.normal(0, 0.03, count)
    return pd.DataFrame(
        {
            "study": study,
            "level": level,
            "model": study,
            "recipe": [f"pool.random-{size}k.ep1.lr1e-5" for size in range(1, count + 1)],
            "sft_dataset": "pool",
            "rl_dataset": "sums",
            "subset": [f"random-{size}k" for size in range(1, count + 1)],
            "examples": 1000 * np.arange(1, count + 1),
            "epochs": 1.0,
            "learning_rate": 1e-5,
            "sft_tokens": np.repeat([1e9, 3e9, 9e9], -(-count // 3))[:count].astype(int),
            "sft_steps": 10,
            "samples": 64,
            "samples_after_rl": 16,
            "large_k": 64,
            "grpo_runs": 2,
            "checkpoints": 2,
            "pass_at_1": before,
            "pass_at_1_se": 0.01,
            "pass_at_large_k": 0.5 + 0.3 * ability + rng.normal(0, 0.02, count),
            "pass_at_large_k_se": 0.01,
            "generalization_loss": 0.7 - 0.1 * ability + rng.normal(0, 0.01, count),
            "generalization_loss_se": 0.01,
            "outcome_scores": list(scores),
            "outcome_best": scores.max(axis=1),
            "outcome_last": scores[:, [1, 3]].mean(axis=1),
            "outcome_mean_of_run_best": scores.reshape(count, 2, 2).max(axis=2).mean(axis=1),
            "outcome": scores.max(axis=1),
            "outcome_se": 0.01,
            "gain": scores.max(axis=1) - before,
            "gain_se": 0.01,
        }
    )


METRICS = pd.concat([study_models(study, seed) for seed, study in enumerate(STUDIES)], ignore_index=True)


def without_rl(metrics: pd.DataFrame, study: str, models: int) -> pd.DataFrame:
    """The first models of a study have not been through RL."""
    metrics = metrics.copy()
    rows = metrics.index[metrics["study"] == study][:models]
    metrics.loc[rows, RL] = np.nan
    for row in rows:
        metrics.at[row, "outcome_scores"] = None
    return metrics


def settings(tables: dict[str, TableSettings] | None = None, **analysis) -> AnalysisSettings:
    return AnalysisSettings(
        experiment="test",
        title="A test",
        label="made up",
        seed=5,
        studies={
            name: StudySettings(
                title=f"{title}, {level}",
                level=level,
                model=name,
                model_title=title,
                sft_dataset="pool",
                rl_dataset="sums",
                benchmarks=["easy"],
                recipes=list(METRICS.loc[METRICS["study"] == name, "recipe"]),
            )
            for name, (level, title, _) in STUDIES.items()
        },
        analysis=Analysis(**{"splits": 20, **analysis}),
        tables=tables or {},
        figures={},
    )


SETTINGS = settings()
VALUES = Published.read(PUBLISHED)


def frame_of(metrics: pd.DataFrame = METRICS, given: AnalysisSettings = SETTINGS, **table) -> pd.DataFrame:
    return prediction_frame(metrics, TableSettings(**table), given, VALUES)


def shown(metrics: pd.DataFrame = METRICS, given: AnalysisSettings = SETTINGS, **table) -> tuple[list, list, list]:
    """Column titles, rows of texts with the bold ones in asterisks, and notes."""
    block = TableSettings(**table)
    layout = prediction_layout(prediction_frame(metrics, block, given, VALUES), block, given, VALUES, metrics)
    titles = [f"{column.group}: {column.title}".removeprefix(": ") for column in layout.columns]
    return titles, texts_of(layout), list(layout.notes)


def texts_of(layout) -> list[list[str]]:
    return [[f"**{cell.text}**" if cell.bold else cell.text for cell in row] for row in layout.rows]


def of(metrics: pd.DataFrame, study: str) -> pd.DataFrame:
    return metrics[metrics["study"] == study]


def cell(frame: pd.DataFrame, predictor: str, **where) -> pd.Series:
    chosen = frame[frame["predictor"] == predictor]
    for name, value in where.items():
        chosen = chosen[chosen[name] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]
