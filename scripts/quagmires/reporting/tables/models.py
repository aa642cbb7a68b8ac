"""Tables that every experiment has: its SFT models, all statistics of its predictors, and its kinds of outcome.

Here they are frames, with a column for each number: the CSV files. table_layouts.py makes of them what is shown.
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from quagmires.config.analysis_settings import AnalysisSettings, StudySettings
from quagmires.config.labels import recipe_labels
from quagmires.prediction.outcome_errors import errors_in_variables, outcome_comparison
from quagmires.prediction.predictors import BASELINE, PREDICTORS, Predictor, applicable
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import choice, leave_one_out
from quagmires.prediction.split_validation import compare_over_splits, half, r2_over_splits
from quagmires.reporting.tables.prediction import studied_models

MODEL_COLUMNS = (
    *(
        "study",
        "model",
        "recipe",
        "label",
        "sft_dataset",
        "rl_dataset",
        "subset",
        "examples",
        "epochs",
        "learning_rate",
    ),
    *("sft_tokens", "sft_steps", "samples", "samples_after_rl", "large_k", "grpo_runs", "checkpoints"),
    *("pass_at_1", "pass_at_1_se", "pass_at_large_k", "pass_at_large_k_se"),
    *("generalization_loss", "generalization_loss_se"),
    *("outcome", "outcome_se", "outcome_best", "outcome_last", "outcome_mean_of_run_best", "gain", "gain_se"),
    *("pass_at_1_clean", "outcome_clean"),
    *(
        f"{rate}_{stage}"
        for rate in ("no_answer", "truncated", "timeout", "unparsable", "mean_tokens")
        for stage in ("before", "after")
    ),
)
# Predictors that are one column of the metrics, with a standard error.
MEASUREMENTS = ("pass_at_1", "generalization_loss", "pass_at_large_k")
# Of the table of predictors, what is text or a mark, and what is whole.
TEXTS = ("study", "model", "level", "predictor", "label", "picked", "p_is_exact")
COUNTS = ("asked", "models", "fitting", "validation", "splits", "undefined")
# Names of protocol.SplitSummary's and SplitComparison's fields beside those of other statistics.
SPLIT_FIELDS = ("fitting", "validation", "splits", "undefined")


def models_frame(metrics: pd.DataFrame, settings: AnalysisSettings) -> pd.DataFrame:
    """One row for each study and SFT model, best outcome first within a study, models without RL last.

    The columns of metrics.parquet but for lists, and `label`, the recipe as it is shown.
    """
    studies = [
        models.assign(label=recipe_labels(models)).sort_values("outcome", ascending=False, kind="stable")
        for models in (studied_models(metrics, name) for name in settings.studies)
        if len(models)
    ]
    table = pd.concat(studies, ignore_index=True)
    return table[[name for name in MODEL_COLUMNS if name in table]]


def predictors_frame(metrics: pd.DataFrame, settings: AnalysisSettings) -> pd.DataFrame:
    """One row for each study and predictor that applies to it, with all statistics; nothing but counts without models.

    Columns: those of `RankAgreement`; r2_ and those of `SplitSummary` for half of the models; r2_gain, its standard
    deviation and share_better than the baseline on the same splits; loo_r2, loo_mae; picked, regret_at_1, top3_recall;
    slope, intercept and reliability of `StructuralLine` for predictors that are one measurement.
    """
    table = pd.DataFrame(
        _predictor_row(studied_models(metrics, name), name, study, predictor, settings)
        for name, study in settings.studies.items()
        for predictor in applicable(study.level)
    )
    # What is None for all is a number nevertheless.
    numbers = [name for name in table if name not in TEXTS]
    table[numbers] = table[numbers].astype(float)
    return table.astype(dict.fromkeys(COUNTS, "Int64"))


def _predictor_row(
    models: pd.DataFrame, name: str, study: StudySettings, predictor: Predictor, settings: AnalysisSettings
) -> dict[str, object]:
    row = {"study": name, "model": study.model_title, "level": study.level, "predictor": predictor.name}
    row |= {"label": predictor.title(models), "asked": len(study.recipes)}
    if not len(models):
        return {**row, "models": 0, "splits": 0}
    analysis, seed = settings.analysis, settings.seed
    ranks = rank_agreement(models, predictor, seed, analysis.confidence)
    split = (half(ranks.models), analysis.splits, seed)
    r2 = asdict(r2_over_splits(models, predictor, *split))
    left_out, chosen = leave_one_out(models, predictor), choice(models, predictor)
    row |= asdict(ranks)
    row |= {field if field in SPLIT_FIELDS else f"r2_{field}": value for field, value in r2.items()}
    if predictor.name != BASELINE:
        gain = compare_over_splits(models, predictor, PREDICTORS[BASELINE], *split)
        row |= {"r2_gain": gain.mean_gain, "r2_gain_standard_deviation": gain.standard_deviation}
        row |= {"share_better": gain.share_better}
    if predictor.name in MEASUREMENTS:
        line = errors_in_variables(models, predictor.name)
        row |= {"slope": line.slope, "intercept": line.intercept, "reliability": line.reliability}
    return {**row, "loo_r2": left_out.r2, "loo_mae": left_out.mae, **asdict(chosen)}


def outcomes_frame(metrics: pd.DataFrame, settings: AnalysisSettings) -> pd.DataFrame:
    """One row for each study and SFT model that has been through RL: `outcome_comparison`, in the order of the best."""
    studies = []
    for name, study in settings.studies.items():
        models = studied_models(metrics, name)
        models = models[np.isfinite(models["outcome_best"].astype(float))]
        if len(models):
            compared = outcome_comparison(models)
            compared.insert(0, "study", name)
            compared.insert(1, "model", study.model_title)
            compared.insert(3, "label", recipe_labels(models))
            studies.append(compared.sort_values("best", ascending=False, kind="stable"))
    columns = ["study", "model", "recipe", "label"]
    return pd.concat(studies, ignore_index=True) if studies else pd.DataFrame(columns=columns)
