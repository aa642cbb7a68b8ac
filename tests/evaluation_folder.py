"""Folders as an evaluation leaves them, small ones."""

import itertools
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.grading.verdicts import DIFFERENT, EXACT, NO_ANSWER


def response(problem: str, repetition: int, text: str, **changes) -> dict:
    """One response and its grade; without a grade for `reason=None`."""
    found = text.split("\\boxed{")[-1].split("}")[0] if "\\boxed{" in text else None
    row = {
        "problem_id": problem,
        "repetition": repetition,
        "response": text,
        "finish_reason": "stop",
        "n_tokens": len(text),
        "seed": 7,
        "gold": "4",
        "answer": found,
        "correct": found == "4",
        "reason": NO_ANSWER if found is None else EXACT if found == "4" else DIFFERENT,
    }
    return row | changes


def write_folder(folder: Path, benchmarks: dict[str, list[dict]], problems: dict[str, str] | None = None) -> Path:
    """Samples in a shard for each repetition, grades, problems as `quagmires evaluate` keeps them, and samples.json."""
    shards: dict[str, list[str]] = {}
    for name, rows in benchmarks.items():
        table = pd.DataFrame(rows)
        sampled = table[["problem_id", "repetition", "response", "finish_reason", "n_tokens", "seed"]]
        for repetition, part in sampled.groupby("repetition"):
            shards.setdefault(name, []).append(f"{name}/samples/repetitions{repetition:05}-{repetition:05}.parquet")
            write(folder / shards[name][-1], part)
        graded = table[table["reason"].notna()].drop(columns="response")
        if len(graded):
            write(folder / name / "grades.parquet", graded)
        if problems is not None:
            known = pd.DataFrame({"id": list(problems), "problem": list(problems.values()), "answer": "4"})
            write(folder / "benchmarks" / f"{name}.parquet", known)
    samples = {"identity": {"name": "a/model"}, "shards": shards}
    (folder / "samples.json").write_text(json.dumps(samples), encoding="utf-8")
    return folder


def write(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path, index=False)


def write_raw(path: Path, texts: list[bytes]) -> None:
    """A shard of responses to p1 whose bytes need not be UTF-8."""
    offsets = pa.array([0, *itertools.accumulate(map(len, texts))], pa.int32())
    column = pa.StringArray.from_buffers(len(texts), offsets.buffers()[1], pa.py_buffer(b"".join(texts)))
    others = {"problem_id": ["p1"] * len(texts), "n_tokens": [1] * len(texts), "finish_reason": ["stop"] * len(texts)}
    pq.write_table(pa.table({**others, "repetition": range(len(texts)), "response": column}), path)
