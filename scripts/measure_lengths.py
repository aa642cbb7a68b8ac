"""Count the tokens of every trace in an SFT pool, with the target model's tokenizer and chat template."""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.data.lengths import measure_lengths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="parquet from prepare_pool.py")
    parser.add_argument("--model", required=True, help="model directory")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--workers", type=int, default=1, help="processes, of one core each")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="parquet of id, problem (a hash of its text), prompt_tokens, response_tokens",
    )
    options = parser.parse_args()

    traces, tokens = measure_lengths(options.pool, options.model, options.instruction, options.workers, options.output)
    print(f"{traces} traces, {tokens} response tokens")


if __name__ == "__main__":
    command_line(main)
