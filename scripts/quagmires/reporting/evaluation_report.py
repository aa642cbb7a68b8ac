"""What the evaluation tool shows: a table of scores with their errors, and a figure of Pass@k."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from quagmires.common.files import read_json, write_text
from quagmires.common.shown_numbers import with_error
from quagmires.reporting.figures.runs import evaluation_curves
from quagmires.reporting.figures.style import save
from quagmires.reporting.tables.formats import Cell, Column, TableLayout, markdown

LARGEST_K = 64
HEADER = ("benchmark", "problems", "n", "Pass@1", "Pass@{k}", "maj@{n}", "truncated", "no answer", "timeout", "tokens")


def write_report(output: Path, model: str) -> None:
    """Print the table; leave scores.md and pass_at_k.png, .svg and .pdf beside scores.json."""
    scores = read_json(output / "scores.json")
    header, rows = score_rows(scores)
    table = Table(title=model, title_justify="left")
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row, end_section=row is rows[len(scores["benchmarks"]) - 1])
    also = predictor_line(scores)
    # In a pipe nothing tells the width, and a folded table is no table.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160).print(table)
    print(also)
    columns = [Column(header[0], left=True), *map(Column, header[1:])]
    layout = TableLayout(columns, [[Cell(text) for text in row] for row in rows])
    write_text(output / "scores.md", f"{model}\n\n{markdown(layout)}\n{also}\n")
    save(evaluation_curves(scores, model), output, "pass_at_k")
    print(f"Samples, grades, counts.parquet, scores.json, scores.md and pass_at_k.png are in {output}")


def score_rows(scores: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: each benchmark, their unweighted average, and `clean` where there is one.

    The large k and the n of majority@n are the largest that all benchmarks have, k at most 64.
    """
    n = min(one["samples"] for one in scores["benchmarks"].values())
    k = max(k for k in map(int, scores["macro"]["pass_at_k"]) if k <= min(n, LARGEST_K))
    header = [name.format(k=k, n=n) for name in HEADER]
    averages = {"average": scores["macro"]}
    if scores.get("clean", {}).get("pass_at_k"):
        averages["average, clean"] = scores["clean"]
    rows = [_row(name, one, k, n) for name, one in {**scores["benchmarks"], **averages}.items()]
    return header, rows


def predictor_line(scores: dict[str, Any]) -> str:
    """What else is known of the responses, averaged over benchmarks, and of how many of them."""
    macro, drawn = scores["macro"], sum(one["problems"] * one["samples"] for one in scores["benchmarks"].values())
    parts = []
    if wrong := macro.get("distinct_wrong_at_k"):
        k = max(wrong, key=int)
        parts.append(f"Distinct wrong answers among {k} samples of a problem: {_score(wrong[k])}.")
    if entropy := macro.get("entropy"):
        among = "" if entropy["responses"] == drawn else f", of {entropy['responses']:,} of {drawn:,} responses"
        parts.append(f"Entropy: {_score(entropy)} nats a token{among}.")
    else:
        parts.append("Entropy: not known (it needs log-probabilities of responses at temperature 1 and top-p 1).")
    return " ".join(parts)


def _row(name: str, one: dict[str, Any], k: int, n: int) -> list[str]:
    votes = one["majority_at_k"].get(str(n))
    return [
        name,
        str(one.get("problems", "")),
        str(one.get("samples", "")),
        _score(one["pass_at_k"]["1"]),
        _score(one["pass_at_k"][str(k)]),
        _score(votes) if votes else "",
        f"{one['truncated']:.1%}",
        f"{one['no_answer']:.1%}",
        f"{one['timeout']:.2%}",
        f"{one['mean_tokens']:,.0f}",
    ]


def _score(entry: dict[str, float | None]) -> str:
    """`0.412 ± 0.013`; a single problem has no error."""
    return with_error(entry["value"], entry["standard_error"], decimals=3)
