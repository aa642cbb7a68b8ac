"""Rankings and forecasts as a person reads them: a few columns, three decimals, and sentences."""

import textwrap
from collections.abc import Iterable
from functools import partial
from typing import Literal

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from quagmires.common import shown_numbers
from quagmires.config.labels import large_k_label
from quagmires.prediction.calibration import FAR
from quagmires.prediction.forecast import Forecast, Question
from quagmires.prediction.ranking import notes

# Only a line under the header, of characters that any terminal, log and mail can show.
PLAIN = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
MODEL_COLUMNS = ("SFT model", "set aside", "worse in both than")
TEXT_COLUMNS = ("rank", *MODEL_COLUMNS)
NEXT_RUNS_NAMED = 3
# With a dash that is ASCII, as the files of decisions are.
score, share, interval = (
    partial(form, missing="-") for form in (shown_numbers.score, shown_numbers.share, shown_numbers.interval)
)
# All candidates narrow the intervals about alike if the least useful does so by this share of the most useful.
ALIKE = 0.9
PARTS = {
    "fit": "fit",
    "scatter": "models off the line",
    "questions": "questions",
    "runs": "runs",
    "checkpoints": "checkpoints",
}
OUTCOMES = {
    "best": "the best checkpoint of all runs",
    "last": "the last checkpoint, mean of the runs",
    "mean_of_run_best": "the best checkpoint of a run, mean of the runs",
}


def show_heading(console: Console, title: str, label: str) -> None:
    """What this is, and of which experiment; the experiment's label, such as `simulated, not measured`, stands out."""
    console.print(Text(title, style="bold"))
    if label:
        console.print(Text(f"*** {label} ***", style="bold red"))


def show_study(console: Console, name: str, title: str) -> None:
    """A study's heading."""
    console.print()
    console.print(Text(f"{name}: {title}", style="bold underline"))


def show_ranking(console: Console, ranking: pd.DataFrame, models: pd.DataFrame, level: str, confidence: float) -> None:
    """Print a study's ranking.

    Parameters
    ----------
    ranking
        of `ranking.rank_candidates`.
    models
        what was ranked: outcomes are shown where they are known.
    level, confidence
        as the ranking was made.
    """
    ranked, aside = ranking[~ranking["set_aside"]], ranking[ranking["set_aside"]]
    outcome = models["outcome"].astype(float)
    table = _table(
        console,
        "rank",
        "SFT model",
        large_k_label(models),
        _interval_title(confidence),
        "highest in",
        "Pass@1",
        "gen. loss",
    )
    known = outcome.notna()
    if known.any():
        table.add_column("after RL", justify="right")
    for place, row in ranked.iterrows():
        cells = [shown_rank(row), row["label"], score(row["pass_at_large_k"]), interval(row["low"], row["high"])]
        cells += [share(row["highest_in"]), score(row["pass_at_1"]), score(row["generalization_loss"])]
        table.add_row(*cells, *([score(outcome[place])] if known.any() else []))
    console.print(table)
    if len(aside):
        labels = dict(zip(ranking["recipe"], ranking["label"], strict=True))
        _show_aside(console, aside, labels, outcome[known], large_k_label(models))
    show_sentences(console, notes(ranking, level, confidence))


def shown_rank(row: pd.Series | dict) -> str:
    """`2`, `2 (tie)` with others of its group, `3 (= 2)` with the model above it in another."""
    if pd.isna(row["group"]):
        return "-"
    also = ["tie"] * bool(row["tied"]) + ([] if pd.isna(row["tied_with"]) else [f"= {row['tied_with']}"])
    return f"{row['group']} ({', '.join(also)})" if also else str(row["group"])


def _show_aside(
    console: Console, aside: pd.DataFrame, labels: dict[str, str], outcome: pd.Series, large_k: str
) -> None:
    console.print()
    table = _table(console, "set aside", large_k, "Pass@1 (median)", "gen. loss (median)", "worse in both than", "by")
    if len(outcome):
        table.add_column("after RL", justify="right")
    for place, row in aside.iterrows():
        table.add_row(
            row["label"],
            score(row["pass_at_large_k"]),
            f"{row['pass_at_1']:.3f} ({row['median_pass_at_1']:.3f})",
            f"{row['generalization_loss']:.3f} ({row['median_loss']:.3f})",
            labels[row["worse_than"]],
            f"{row['pass_at_1_gap']:.3f} and {row['loss_gap']:.3f}",
            *([score(outcome.get(place))] if len(outcome) else []),
        )
    console.print(table)


def show_forecast(console: Console, answer: Forecast, question: Question) -> None:
    """Print a study's predictions, or why there are none, and what follows."""
    if answer.trouble:
        what = "No model can be predicted from the others" if answer.checked else "No prediction"
        show_sentences(console, [f"{what}: {answer.trouble}.", *answer.warnings])
    elif answer.checked:
        _show_check(console, answer, question)
    else:
        _show_predictions(console, answer, question)


def _show_predictions(console: Console, answer: Forecast, question: Question) -> None:
    measured = answer.calibration
    best = measured.loc[measured["outcome"].idxmax()]
    show_paragraph(
        console,
        f"{answer.shown.title(answer.models)}, fitted on {len(measured)} models with RL results; the best of them:"
        f" {best['label']}, {best['outcome']:.3f}",
    )
    table = _table(
        console,
        "SFT model",
        "predicted after RL",
        _interval_title(question.confidence),
        "best of these",
        "better than best so far",
    )
    rows = answer.shown_table
    for row in rows.itertuples():
        table.add_row(
            row.label,
            score(row.prediction),
            interval(row.low, row.high, cut=True),
            share(row.best_of_predicted),
            share(row.beats_calibration),
        )
    console.print(table)
    show_sentences(console, [_parts(rows), *_cut(rows), *_next_run(answer, question), *answer.warnings])


def _show_check(console: Console, answer: Forecast, question: Question) -> None:
    show_paragraph(
        console,
        f"All {len(answer.models)} models have RL results, so nothing is left to predict. Instead, each from the others"
        f" by {answer.shown.title(answer.models)}:",
    )
    table = _table(
        console, "SFT model", "after RL", "predicted", _interval_title(question.confidence), "off by", "inside"
    )
    rows = answer.shown_table
    for row in rows.itertuples():
        error = "-" if pd.isna(row.prediction) else f"{row.prediction - row.outcome:+.3f}"
        inside = {True: "yes", False: "NO"}.get(row.inside, "-") if not pd.isna(row.inside) else "-"
        reach = interval(row.low, row.high, cut=True)
        table.add_row(row.label, score(row.outcome), score(row.prediction), reach, error, inside)
    console.print(table)
    inside = rows["inside"].dropna()
    r2 = "undefined" if answer.left_out_r2 is None else f"{answer.left_out_r2:.2f}"
    summary = (
        f"{int(inside.sum())} of {len(inside)} outcomes lie in their {question.confidence:.0%} intervals; R2 {r2}, mean"
        f" absolute error {answer.left_out_mae:.3f}."
    )
    show_sentences(console, [summary, _parts(rows), *_cut(rows), *answer.warnings])


def show_paragraph(console: Console, text: str, first: str = "", rest: str = "") -> None:
    """Print wrapped text; `first` and `rest` stand before its lines. Rich's own wrapping leaves spaces at line ends."""
    lines = textwrap.fill(text, console.width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    console.print(lines, soft_wrap=True)


def show_sentences(console: Console, sentences: Iterable[str]) -> None:
    """Print sentences as a list."""
    for sentence in sentences:
        show_paragraph(console, sentence, "- ", "  ")


def _parts(rows: pd.DataFrame) -> str:
    mean = rows[["standard_error", *PARTS]].mean()
    known = [f"{text} {mean[name]:.3f}" for name, text in PARTS.items() if pd.notna(mean[name])]
    unknown = [text for name, text in PARTS.items() if pd.isna(mean[name])]
    told = f"Standard error of a prediction: {mean['standard_error']:.3f} on average, of which {', '.join(known)}"
    return f"{told} (their squares add up){'; not known: ' * bool(unknown)}{' and '.join(unknown)}."


def _cut(rows: pd.DataFrame) -> list[str]:
    if ((rows["low"] < 0) | (rows["high"] > 1)).any():
        return ["Intervals are cut at 0 and 1 here; in predict.csv they are as computed."]
    return []


def _next_run(answer: Forecast, question: Question) -> list[str]:
    table = answer.next_runs
    if table.empty:
        return []
    first, rows = table.iloc[0], answer.shown_table
    told = (
        f"Next RL run, to narrow intervals: {first['label']}. It would take the {question.confidence:.0%} intervals of"
        f" those left, its own to nothing, from {first['width_now']:.3f} to {first['width_after']:.3f} on average"
    )
    if table["narrowing"].iloc[-1] >= ALIKE * first["narrowing"]:
        told += "; any other would do about as much."
    else:
        others = [f"{row.label} by {row.narrowing:.3f}" for row in table.iloc[1:NEXT_RUNS_NAMED].itertuples()]
        told += f", by {first['narrowing']:.3f}; then {', '.join(others)}."
    if (rows.loc[rows["recipe"] == first["recipe"], "outside"] > 0).any():
        told += " It lies outside the models with RL results: its run also tests the line there."
    return [told, _likely_best(rows)]


def _likely_best(rows: pd.DataFrame) -> str:
    known = rows[rows["best_of_predicted"].notna()].sort_values("best_of_predicted", ascending=False)
    if known.empty:
        return "Next RL run, to find the best: there are no chances to choose by, see below."
    likely = known.iloc[0]
    among = ", far ones not counted" if (rows["outside"] > FAR).any() else ""
    return f"Next RL run, to find the best: {likely['label']} ({share(likely['best_of_predicted'])}{among})."


def _table(console: Console, *titles: str) -> Table:
    """Numbers to the right, texts to the left; only names of models may take a second line."""
    table = Table(box=box.SIMPLE_HEAD if console.is_terminal else PLAIN, show_edge=False, pad_edge=False)
    for title in titles:
        justify: Literal["left", "right"] = "left" if title in TEXT_COLUMNS else "right"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title not in MODEL_COLUMNS)
    return table


def _interval_title(confidence: float) -> str:
    return f"{confidence:.0%} interval"
