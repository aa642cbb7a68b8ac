"""Look through the responses of an evaluation in a browser: one HTML file that is read without a network.

    quagmires browse out/

Reads the folder that `quagmires evaluate --output out/` or the workflow (<checkpoint>/eval) left, and writes
out/responses.html. Each response stands beside its problem, gold, extracted answer and verdict; filter by benchmark,
verdict, reason, length and text. A folder with more responses than --limit is sampled at random.
"""

import argparse
import sys
from pathlib import Path

from quagmires.common.errors import UserError
from quagmires.reporting.html.response_files import read_responses
from quagmires.reporting.html.responses import MOST, write_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("folder", type=Path, help="what `quagmires evaluate --output` or <checkpoint>/eval holds")
    parser.add_argument("--benchmarks", help="comma-separated names (default: all)")
    parser.add_argument("--limit", type=limit, default=20_000, help="responses in the page at most (default: 20,000)")
    parser.add_argument("--seed", type=int, default=42, help="of the sample, where there are more (default: 42)")
    parser.add_argument(
        "--problems", type=Path, help="folder of <benchmark>.parquet with the problems' texts (default: looked for)"
    )
    parser.add_argument("--output", type=Path, help="HTML file to write (default: responses.html in the folder)")


def limit(text: str) -> int:
    """A number of responses that a page can hold."""
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"from 1 to {MOST:,}")
    return number


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    benchmarks = options.benchmarks.split(",") if options.benchmarks else None
    found = read_responses(options.folder, benchmarks, options.problems).sample(options.limit, options.seed)
    for note in found.notes:
        print(note, file=sys.stderr)
    output = options.output or options.folder / "responses.html"
    if output.is_dir():
        raise UserError(f"{output}: a folder; --output is the HTML file to write")
    try:
        write_page(found, output)
    except OSError as error:
        raise UserError(f"{output}: cannot be written ({error.strerror})") from None
    print(f"{output}: {len(found.rows):,} responses, {output.stat().st_size / 1e6:.1f} MB")
