"""Count the tokens of every trace in an SFT pool, with the target model's tokenizer and chat template."""

import argparse
import json
from pathlib import Path

from quagmires.curation import measure_lengths
from quagmires.errors import command_line
from quagmires.files import whole_file
from quagmires.prompts import load_tokenizer
from quagmires.records import read_columns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help=".jsonl, .jsonl.gz or .parquet")
    parser.add_argument("--columns", type=json.loads, required=True, help="JSON: our column name -> the file's")
    parser.add_argument("--rows", type=int, help="rows the config declares")
    parser.add_argument("--model", required=True, help="model directory")
    parser.add_argument("--instruction", required=True)
    parser.add_argument(
        "--output", type=Path, required=True, help="parquet of id, problem, prompt_tokens, response_tokens"
    )
    options = parser.parse_args()

    columns = {name: options.columns[name] for name in ("id", "problem", "response")}
    pool = read_columns(options.pool, columns, options.rows)
    lengths = measure_lengths(pool, load_tokenizer(options.model), options.instruction)
    with whole_file(options.output) as temporary:
        lengths.to_parquet(temporary, index=False)
    print(f"{len(lengths)} traces, {lengths['response_tokens'].sum()} response tokens")


if __name__ == "__main__":
    command_line(main)
