"""What a search for contamination found: a table of pairs, a summary of one training set, an overview of several."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.types import is_string_dtype

from quagmires.common.errors import UserError
from quagmires.evaluation.contamination.search import (
    COVERAGE,
    EXACT,
    NGRAM,
    NGRAM_OVERLAP,
    REWORDED,
    SHORT_NGRAM,
    Pair,
    Problem,
    Scan,
)

PAIR = ["benchmark", "problem_id"]
PAIRS = pa.schema(
    {
        "dataset": pa.string(),
        "kind_of_set": pa.string(),
        "row_id": pa.string(),
        "rows": pa.int64(),
        "benchmark": pa.string(),
        "problem_id": pa.string(),
        "match": pa.string(),
        "coverage": pa.float64(),
        "answer_match": pa.bool_(),
        "benchmark_text": pa.string(),
        "dataset_text": pa.string(),
        "benchmark_answer": pa.string(),
        "dataset_answer": pa.string(),
    }
)


def pairs_table(pairs: Sequence[Pair], dataset: str, kind_of_set: str) -> pa.Table:
    """One row for each pair of a benchmark problem and a distinct training problem, with both texts.

    `row_id` is the first of `rows` training rows with that text; `answer_match` is null where it has no answer.
    """
    rows = [
        {
            "dataset": dataset,
            "kind_of_set": kind_of_set,
            "row_id": pair.row.id,
            "rows": pair.rows,
            "benchmark": pair.problem.benchmark,
            "problem_id": pair.problem.id,
            "match": pair.match,
            "coverage": pair.coverage,
            "answer_match": pair.answer_match,
            "benchmark_text": pair.problem.text,
            "dataset_text": pair.row.text,
            "benchmark_answer": pair.problem.answer,
            "dataset_answer": pair.row.answer,
        }
        for pair in pairs
    ]
    return pa.Table.from_pylist(rows, schema=PAIRS)


def summary(scan: Scan, problems: Sequence[Problem], dataset: str, kind_of_set: str, seconds: float) -> dict[str, Any]:
    """Counts of one training set, in total and for each benchmark. JSON-ready."""
    sizes = pd.Series([problem.benchmark for problem in problems]).value_counts(sort=False)
    return {
        "dataset": dataset,
        "kind_of_set": kind_of_set,
        "rows": scan.rows,
        "distinct_problems": scan.distinct_problems,
        "seconds": round(seconds, 2),
        "thresholds": {"ngram_words": NGRAM, "reworded_ngram_words": SHORT_NGRAM, "coverage": COVERAGE},
        "benchmarks": {
            benchmark: _of_benchmark([pair for pair in scan.pairs if pair.problem.benchmark == benchmark], int(size))
            for benchmark, size in sizes.items()
        },
    }


def _of_benchmark(pairs: Sequence[Pair], problems: int) -> dict[str, Any]:
    """Problems that are found at all, and by their surest match: exact, then ngram, then reworded."""
    by_match = {
        match: {pair.problem.id for pair in pairs if pair.match == match} for match in (EXACT, NGRAM_OVERLAP, REWORDED)
    }
    exact, ngram, reworded = by_match.values()
    found = exact | ngram | reworded
    agreeing = {pair.problem.id for pair in pairs if pair.answer_match}
    # With an answer on neither side of the comparison, nothing speaks against the match.
    differing = {pair.problem.id for pair in pairs if pair.answer_match is False} - agreeing
    return {
        "problems": problems,
        "contaminated": len(found),
        "share": len(found) / problems,
        EXACT: len(exact),
        NGRAM_OVERLAP: len(ngram - exact),
        REWORDED: len(reworded - ngram - exact),
        "answer_agrees": len(agreeing),
        "answer_differs": len(differing),
        "pairs": len(pairs),
        "problem_ids": sorted(found),
    }


def overview(summaries: Mapping[Path, dict[str, Any]]) -> pd.DataFrame:
    """One row for each benchmark: its problems, how many each training set has, and how many any of them has.

    Raises
    ------
    UserError
        Two summaries are of the same set, or of benchmarks of different sizes.
    """
    columns: dict[str, dict[str, int]] = {}
    sizes: dict[str, int] = {}
    found: dict[str, set[str]] = {}
    for path, content in summaries.items():
        if content["dataset"] in columns:
            raise UserError(f"{path}: {content['dataset']} has a summary already; give one for each set")
        column = columns[content["dataset"]] = {}
        for benchmark, counts in content["benchmarks"].items():
            if sizes.setdefault(benchmark, counts["problems"]) != counts["problems"]:
                raise UserError(
                    f"{path}: {benchmark} has {counts['problems']} problems here and {sizes[benchmark]} in another"
                    " summary; search all sets with the same benchmarks"
                )
            column[benchmark] = counts["contaminated"]
            found.setdefault(benchmark, set()).update(counts["problem_ids"])
    table = pd.DataFrame({"problems": sizes})
    for dataset, column in columns.items():
        table[dataset] = pd.Series(column).reindex(table.index).astype("Int64")
    table["any_set"] = [len(found[benchmark]) for benchmark in table.index]
    table["any_set_share"] = table["any_set"] / table["problems"]
    return table.rename_axis("benchmark").reset_index()


def overview_markdown(table: pd.DataFrame) -> str:
    """The overview as a Markdown table; a dash where a set was not compared with a benchmark.

    pandas' `to_markdown` needs tabulate, one more package for six lines.
    """
    names = [name for name in table.columns if name != "any_set_share"]
    lines = [" | ".join(names).replace("any_set", "any set"), " | ".join(["---"] + ["---:"] * (len(names) - 1))]
    for row in table.to_dict("records"):
        cells = [str(row[name]) if pd.notna(row[name]) else "–" for name in names]
        cells[-1] += f" ({row['any_set_share']:.1%})"
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def read_pairs(paths: list[Path]) -> pd.DataFrame:
    """benchmark and problem_id of all rows of the files."""
    tables = [pd.DataFrame(columns=PAIR)]
    for path in paths:
        missing = sorted(set(PAIR) - set(pq.read_schema(path).names))
        if missing:
            raise UserError(f"{path}: no column {', '.join(missing)}; it must name contaminated problems")
        pairs = pd.read_parquet(path, columns=PAIR)
        # Ids of another type would match nothing, and everything would look clean.
        if len(pairs) and not is_string_dtype(pairs["problem_id"]):
            raise UserError(f"{path}: problem_id is {pairs['problem_id'].dtype}, not text; write it as text")
        tables.append(pairs)
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True).drop_duplicates()
