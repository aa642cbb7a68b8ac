"""Write the examples of one subset of an SFT pool (or its validation split) and a manifest of what it holds."""

import argparse
import json
from pathlib import Path

import pandas as pd

from quagmires import curation, provenance
from quagmires.errors import command_line
from quagmires.files import write_json
from quagmires.prompts import user_message
from quagmires.records import read_columns, write_jsonl

VALIDATION = "validation"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True)
    parser.add_argument("--columns", type=json.loads, required=True, help="JSON: our column name -> the file's")
    parser.add_argument("--lengths", type=Path, required=True, help="parquet from measure_lengths.py")
    parser.add_argument("--subset", required=True, help="e.g. random-10k, longest-10k+shortest-10k, all; or validation")
    parser.add_argument("--validation-examples", type=int, required=True)
    parser.add_argument("--cutoff", type=int, required=True, help="tokens of prompt and response together")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="JSON lines of id, prompt, response")
    parser.add_argument("--manifest", type=Path, required=True)
    options = parser.parse_args()

    lengths = pd.read_parquet(options.lengths)
    kept = curation.within_cutoff(lengths, options.cutoff)
    pool, validation = curation.split_validation(kept, options.validation_examples, options.seed)
    chosen = validation if options.subset == VALIDATION else curation.select(pool, options.subset, options.seed)
    texts = read_columns(options.pool, {name: options.columns[name] for name in ("id", "problem", "response")})
    texts = texts.set_index("id").loc[chosen["id"]]
    rows = [
        {"id": id_, "prompt": user_message(problem, options.instruction), "response": response}
        for id_, problem, response in texts[["problem", "response"]].itertuples()
    ]
    write_jsonl(options.output, rows)
    record = curation.manifest(
        chosen,
        name=options.subset,
        seed=options.seed,
        cutoff=options.cutoff,
        dropped=len(lengths) - len(kept),
        source={"path": str(options.pool), "rows": len(lengths), "sha256": provenance.sha256_file(options.pool)},
    )
    write_json(options.manifest, record)
    print(f"{options.subset}: {record['examples']} examples, {record['response_tokens']} response tokens")


if __name__ == "__main__":
    command_line(main)
