"""Tables that every experiment has: its SFT models, all statistics of its predictors, and its kinds of outcome.

Each is a frame with a column for each number, which is its CSV, and a layout of what fits a page.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from quagmires.common.shown_numbers import number, p_value, signed, with_error, with_interval
from quagmires.config.analysis_settings import AnalysisSettings, StudySettings
from quagmires.config.experiment import COMMON
from quagmires.config.labels import in_units, large_k_label, recipe_labels
from quagmires.prediction.errors_in_variables import errors_in_variables
from quagmires.prediction.outcomes import KINDS, outcome_comparison, ranking_changes
from quagmires.prediction.predictors import BASELINE, PREDICTORS, Predictor, applicable
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import choice, leave_one_out
from quagmires.prediction.split_validation import compare_over_splits, half, r2_over_splits
from quagmires.reporting.tables.formats import Cell, Column, TableLayout
from quagmires.reporting.tables.prediction import is_best, studied_models

# On the validation set of several pools (sft.validation).
COMMON_LOSS = f"generalization_loss_{COMMON}"
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
        "scheduled_epochs",
        "learning_rate",
    ),
    *("sft_tokens", "sft_steps", "samples", "samples_after_rl", "large_k", "grpo_runs", "checkpoints"),
    *("pass_at_1", "pass_at_1_se", "pass_at_large_k", "pass_at_large_k_se"),
    *("generalization_loss", "generalization_loss_se"),
    *(COMMON_LOSS, f"{COMMON_LOSS}_se"),
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
# Names of SplitSummary's and SplitComparison's fields beside those of other statistics.
SPLIT_FIELDS = ("fitting", "validation", "splits", "undefined")
# Scores have one more decimal than in the tables of the paper: models differ by less.
SCORE = 3
DECIMALS = {"loo_mae": SCORE, "regret_at_1": SCORE}
SHOWCASES = "Studies that stand in figures alone are in the CSV."


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


def models_layout(frame: pd.DataFrame, settings: AnalysisSettings) -> TableLayout:
    """Every SFT model; the best of a study before and after RL in bold, the gain that of the settings' outcome.

    The loss on the validation set of several pools has a column where any model has it.
    """
    kind = settings.analysis.outcome
    gain = "gain" if kind == "best" else f"gain ({kind.replace('_', ' ')})"
    losses = ["generalization_loss"]
    if COMMON_LOSS in frame and frame[COMMON_LOSS].notna().any():
        losses.append(COMMON_LOSS)
    titles = ("Pass@1", large_k_label(frame), "generalization loss", "common loss")[: 2 + len(losses)]
    after = ("after RL: best", "last", "mean of run best", gain)
    columns = [Column("study", left=True), Column("SFT model", left=True), Column("SFT tokens")]
    return TableLayout(
        [*columns, *map(Column, (*titles, *after))],
        [
            _model_cells(line, models, losses)
            for _, models in frame.groupby("study", sort=False)
            for _, line in models.iterrows()
        ],
        ["± is one standard error. Learning rates are named where they are not the study's usual one."],
    )


def _model_cells(line: pd.Series, models: pd.DataFrame, losses: Sequence[str]) -> list[Cell]:
    def measured(name: str) -> str:
        return with_error(line[name], line[f"{name}_se"], SCORE)

    def best_of(name: str) -> bool:
        return is_best(line[name], models[name], SCORE)

    best = with_error(line["outcome_best"], line["outcome_se"], SCORE)
    return [
        Cell(line["study"]),
        Cell(line["label"]),
        Cell(tokens(line["sft_tokens"])),
        Cell(measured("pass_at_1"), best_of("pass_at_1")),
        Cell(measured("pass_at_large_k")),
        *[Cell(measured(loss)) for loss in losses],
        Cell(best, best_of("outcome_best")),
        Cell(number(line["outcome_last"], SCORE), best_of("outcome_last")),
        Cell(number(line["outcome_mean_of_run_best"], SCORE), best_of("outcome_mean_of_run_best")),
        Cell(measured("gain")),
    ]


def tokens(count: float) -> str:
    """
    >>> tokens(1_340_000_000), tokens(20_000), tokens(0)
    ('1.34B', '20k', '0')
    """
    size, unit = in_units(count)
    return f"{size:.3g}{unit}" if unit else f"{count:g}"


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
    row: dict[str, object] = {"study": name, "model": study.model_title, "level": study.level}
    row |= {"predictor": predictor.name, "label": predictor.title(models), "asked": len(study.recipes)}
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


def predictors_layout(frame: pd.DataFrame, settings: AnalysisSettings) -> TableLayout:
    """All statistics of the studies that predictors are judged on; the best of a study in bold."""
    titles = (
        *("models", f"Spearman's ρ [{100 * settings.analysis.confidence:g} %]", "p", "Kendall's τ"),
        *("R² ± SD", "SE", "R², median [quartiles]", "R², all variance", "undefined"),
        *("leave-one-out R²", "MAE", "regret@1", "top-3 recall"),
    )
    columns = [Column("study", left=True), Column("predictor", left=True)]
    wanted = settings.compared_studies
    shown = frame[frame["study"].isin(wanted)]
    splits = f"{settings.analysis.splits:,}"
    notes = [
        f"R² over {splits} random splits, half of the models fitted: SD is the standard deviation, SE the standard"
        " error (the paper calls its ± a standard error; in size it is a standard deviation).",
        "R², all variance: mean R² against the variance of all models rather than of those held out. Undefined: splits"
        " whose held-out outcomes are all the same.",
        "p by permutation of the models, exact where all orders could be listed.",
        "MAE and regret@1 in Pass@1: regret is by how much the first by the predictor falls short of the best.",
        "The CSV also has, for predictors that are one measurement, slope and intercept of the line on their values"
        " without measurement error (errors in variables), and reliability, the share of their variance between models"
        " that is not measurement error.",
    ]
    return TableLayout(
        [*columns, *map(Column, titles)],
        [
            _predictor_cells(line, lines)
            for _, lines in shown.groupby("study", sort=False)
            for _, line in lines.iterrows()
        ],
        [*notes, *([SHOWCASES] if len(wanted) < len(settings.studies) else [])],
    )


def _predictor_cells(line: pd.Series, lines: pd.DataFrame) -> list[Cell]:
    have = f"{line['models']}" if line["models"] == line["asked"] else f"{line['models']} of {line['asked']}"
    texts = {
        "spearman": with_interval(line["spearman"], line["spearman_low"], line["spearman_high"]),
        "spearman_p": p_value(line["spearman_p"], line["p_is_exact"]),
        "kendall": number(line["kendall"]),
        "r2_mean": with_error(line["r2_mean"], line["r2_standard_deviation"]),
        "r2_standard_error": number(line["r2_standard_error"], SCORE),
        "r2_median": with_interval(line["r2_median"], line["r2_q25"], line["r2_q75"]),
        "r2_all_variance_mean": number(line["r2_all_variance_mean"]),
        "undefined": number(line["undefined"] if line["splits"] > 0 else None, decimals=0),
        "loo_r2": number(line["loo_r2"]),
        "loo_mae": number(line["loo_mae"], DECIMALS["loo_mae"]),
        "regret_at_1": number(line["regret_at_1"], DECIMALS["regret_at_1"]),
        "top3_recall": number(line["top3_recall"]),
    }
    # Of errors the smallest is the best.
    signs = dict.fromkeys(("spearman", "kendall", "r2_mean", "r2_median", "loo_r2", "top3_recall"), 1)
    signs |= {"loo_mae": -1, "regret_at_1": -1}
    cells = [
        Cell(
            text, name in signs and is_best(signs[name] * line[name], signs[name] * lines[name], DECIMALS.get(name, 2))
        )
        for name, text in texts.items()
    ]
    return [Cell(line["study"]), Cell(line["label"]), Cell(have), *cells]


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


def outcomes_layout(frame: pd.DataFrame, metrics: pd.DataFrame, settings: AnalysisSettings) -> TableLayout:
    """The three kinds of outcome, each with its rank; below, whether the order depends on the kind."""
    wanted = settings.compared_studies
    shown = frame[frame["study"].isin(wanted)]
    titles = [title for kind in KINDS for title in (kind.replace("_", " "), "rank")]
    columns = [Column("study", left=True), Column("SFT model", left=True)]
    notes = [
        "Bias: by how much the best is expected to lie above the mean run at its best checkpoint (winner's curse);"
        " not known with one run."
    ]
    return TableLayout(
        [*columns, *map(Column, (*titles, "bias of best"))],
        [_outcome_cells(line) for _, line in shown.iterrows()],
        [
            *(notes if len(shown) else ["No SFT model has been through RL yet."]),
            *_changes(metrics, wanted),
            *([SHOWCASES] if len(wanted) < len(settings.studies) else []),
        ],
    )


def _outcome_cells(line: pd.Series) -> list[Cell]:
    values = [
        cell
        for kind in KINDS
        for cell in (
            Cell(number(line[kind], SCORE), line[f"{kind}_rank"] == 1),
            Cell(number(line[f"{kind}_rank"], decimals=0)),
        )
    ]
    return [
        Cell(line["study"]),
        Cell(line["label"]),
        *values,
        Cell(signed(line["best_bias"], SCORE)),
    ]


def _changes(metrics: pd.DataFrame, studies: list[str]) -> Iterator[str]:
    """A sentence for each study with at least two models that have been through RL."""
    for study in studies:
        models = studied_models(metrics, study)
        changes = ranking_changes(models)
        if changes.models < 2:
            continue
        taus = f"{number(changes.kendall_last)} (last), {number(changes.kendall_mean_of_run_best)} (mean of run best)"
        labels = dict(zip(models["recipe"], recipe_labels(models), strict=True))
        first = "; ".join(f"{kind.replace('_', ' ')}: {labels[recipe]}" for kind, recipe in changes.first.items())
        same = "the same model is first" if changes.same_first else f"the first model changes ({first})"
        yield f"{study}: Kendall's τ with the order by best: {taus}; {same}."
