"""Time and peak memory of `scripts/grade.py` on one large file of generated responses.

    python benchmarks/grading_memory.py --gigabytes 1 --against /tmp/old/scripts

The file is JSON lines, or parquet with --parquet; its responses stay in the output. Memory is the peak sum of the
resident memory of the command and its workers. With --against, the command of another checkout does the same, and the
outputs are compared. Ends with status 1 if more than MAX_GB were in use, or an output differs.
"""

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from contamination import watched
from generated_responses import generated

ROOT = Path(__file__).resolve().parents[1]
MAX_GB = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the responses, about (default: 1)")
    parser.add_argument("--problems", type=int, default=200, help="different problems; their responses recur")
    parser.add_argument("--parquet", action="store_true", help="read parquet instead of JSON lines")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--against", type=Path, help="the folder `scripts` of another checkout")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to put the files (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = folder / "responses.jsonl"
        rows = write(source, options)
        if options.parquet:
            source = as_parquet(source)
        print(f"{rows:,} responses, {source.stat().st_size / 1e9:.2f} GB of {source.suffix[1:]}")
        scripts = {"this": ROOT / "scripts", **({"other": options.against.resolve()} if options.against else {})}
        lines = [
            measure(name, path, source, folder / f"{name}.parquet", options.workers) for name, path in scripts.items()
        ]
        print(pd.DataFrame(lines).to_string(index=False))
        differ = options.against and not same(folder / "this.parquet", folder / "other.parquet")
    if options.against:
        print("the outputs differ" if differ else "the outputs are the same")
    if lines[0]["peak GB"] > MAX_GB or differ:
        sys.exit(1)


def write(path: Path, options: argparse.Namespace) -> int:
    """Responses with a few other columns until the file is as large as wanted; returns their number."""
    rng = random.Random(options.seed)
    templates = generated(rng, options.problems)
    rows = size = 0
    with open(path, "w", encoding="utf-8") as lines:
        while size < options.gigabytes * 1e9:
            # No two files of an evaluation hold the same texts, but many hold the same answers.
            row = dict(rng.choice(templates))
            row |= {
                "problem_id": f"{row['problem_id']}/{rows}",
                "repetition": rows % 64,
                "response": f"Attempt {rows}. {row['response'] * rng.randint(1, 4)}",
                "n_tokens": rng.choice((None, rows)),
                "meta": {"seed": rows, "tags": [row["source"]]},
            }
            size += lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            rows += 1
    return rows


def as_parquet(source: Path) -> Path:
    """The same rows as a parquet file of one row group, as pandas writes it."""
    target = source.with_suffix(".parquet")
    with open(source, encoding="utf-8") as lines:
        table = pa.Table.from_pylist([json.loads(line) for line in lines])
    source.unlink()
    pq.write_table(table, target, compression="zstd")
    return target


def measure(name: str, scripts: Path, source: Path, output: Path, workers: int) -> dict:
    """Grade the file by the command of a folder `scripts`."""
    os.environ |= {"PYTHONPATH": str(scripts), "OMP_NUM_THREADS": "1"}
    command = [scripts / "grade.py", "--responses", source, "--output", output, "--workers", workers]
    wall, cpu, peak = watched([sys.executable, *command])
    return {"code": name, "s": round(wall, 1), "CPU s": round(cpu, 1), "peak GB": round(peak / 1e9, 2)}


def same(one: Path, other: Path) -> bool:
    """Whether two parquet files hold the same columns and rows; of a few rows at a time."""
    with pq.ParquetFile(one) as left, pq.ParquetFile(other) as right:
        if left.schema_arrow != right.schema_arrow or left.metadata.num_rows != right.metadata.num_rows:
            return False
        return all(a.equals(b) for a, b in zip(rows_of(left), rows_of(right), strict=True))


def rows_of(file: pq.ParquetFile) -> Iterator[pa.Table]:
    """Batches of the same rows, whatever the row groups."""
    held = None
    for batch in file.iter_batches(batch_size=1_000):
        table = pa.Table.from_batches([batch])
        held = table if held is None else pa.concat_tables([held, table])
        while len(held) >= 1_000:
            yield held.slice(0, 1_000).combine_chunks()
            held = held.slice(1_000)
    if held is not None and len(held):
        yield held.combine_chunks()


if __name__ == "__main__":
    main()
