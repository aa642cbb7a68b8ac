"""What readers see of the tables that every experiment has: of the frames of model_tables.py, what fits a page."""

from collections.abc import Iterator

import pandas as pd

from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.labels import in_units, large_k_label, recipe_labels
from quagmires.prediction.outcome_errors import KINDS, ranking_changes
from quagmires.reporting.tables.formats import MISSING, Cell, Column, Layout, number, signed, with_error, with_interval
from quagmires.reporting.tables.prediction import is_best, studied_models

# Scores have one more decimal than in the tables of the paper: models differ by less.
SCORE = 3
DECIMALS = {"loo_mae": SCORE, "regret_at_1": SCORE}
SHOWCASES = "Studies that stand in figures alone are in the CSV."


def models_layout(frame: pd.DataFrame, settings: AnalysisSettings) -> Layout:
    """Every SFT model; the best of a study before and after RL in bold, the gain that of the settings' outcome."""
    kind = settings.analysis.outcome
    gain = "gain" if kind == "best" else f"gain ({kind.replace('_', ' ')})"
    titles = ("Pass@1", large_k_label(frame), "generalization loss")
    after = ("after RL: best", "last", "mean of run best", gain)
    columns = [Column("study", left=True), Column("SFT model", left=True), Column("SFT tokens")]
    return Layout(
        [*columns, *map(Column, (*titles, *after))],
        [
            _model_cells(line, models)
            for _, models in frame.groupby("study", sort=False)
            for _, line in models.iterrows()
        ],
        ["± is one standard error. Learning rates are named where they are not the study's usual one."],
    )


def _model_cells(line: pd.Series, models: pd.DataFrame) -> list[Cell]:
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
        Cell(measured("generalization_loss")),
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


def predictors_layout(frame: pd.DataFrame, settings: AnalysisSettings) -> Layout:
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
    return Layout(
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
        "spearman_p": _p(line["spearman_p"], line["p_is_exact"]),
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


def _p(value: float | None, exact: bool | None) -> str:
    """
    >>> _p(0.04317, False), _p(0.00005, False), _p(0.0167, True)
    ('0.043', '<0.001', '0.017 (exact)')
    """
    if pd.isna(value):
        return MISSING
    return ("<0.001" if value < 0.001 else f"{value:.3f}") + (" (exact)" if exact is True else "")


def outcomes_layout(frame: pd.DataFrame, metrics: pd.DataFrame, settings: AnalysisSettings) -> Layout:
    """The three kinds of outcome, each with its rank; below, whether the order depends on the kind."""
    wanted = settings.compared_studies
    shown = frame[frame["study"].isin(wanted)]
    titles = [title for kind in KINDS for title in (kind.replace("_", " "), "rank")]
    columns = [Column("study", left=True), Column("SFT model", left=True)]
    notes = [
        "Bias: by how much the best is expected to lie above the mean run at its best checkpoint (winner's curse);"
        " not known with one run."
    ]
    return Layout(
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
    bias = number(line["best_bias"], SCORE)
    return [
        Cell(line["study"]),
        Cell(line["label"]),
        *values,
        Cell(bias if bias == MISSING else signed(line["best_bias"], SCORE)),
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
