"""Write a validation set that is the same for all SFT pools of a model, and a manifest of what it holds.

Its traces are held out by their own pools, and no pool given here trains on their problems, in whatever spelling.
"""

import argparse
import contextlib
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import write_json
from quagmires.common.tabular import write_jsonl
from quagmires.data import pools
from quagmires.data.prompts import user_message
from quagmires.evaluation import common_validation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--pool", nargs=3, action="append", required=True, metavar=("NAME", "POOL", "LENGTHS"),
        help="each pool that the model may be trained on: parquet from prepare_pool.py, and from measure_lengths.py",
    )  # fmt: skip
    parser.add_argument(
        "--from", dest="wanted", nargs="+", required=True, help="names of the pools to take traces from"
    )
    parser.add_argument("--examples", type=int, required=True, help="traces of each of them")
    parser.add_argument("--validation-examples", type=int, required=True, help="that each pool holds out")
    parser.add_argument("--cutoff", type=int, required=True, help="tokens of prompt and response together")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="JSON lines of id, pool, prompt, response")
    parser.add_argument("--manifest", type=Path, required=True)
    options = parser.parse_args()

    names = [name for name, _, _ in options.pool]
    if missing := [name for name in options.wanted if name not in names]:
        parser.error(f"--from: {missing[0]} is no --pool")
    with contextlib.ExitStack() as opened:
        split = {
            name: common_validation.split_pool(
                opened.enter_context(pools.open_pool(Path(pool))),
                Path(lengths),
                options.cutoff,
                options.validation_examples,
                options.seed,
            )
            for name, pool, lengths in options.pool
        }
        common = common_validation.select_common(split, options.wanted, options.examples, options.seed)
        write_jsonl(
            options.output,
            (
                {
                    "id": identity,
                    "pool": pool,
                    "prompt": user_message(problem, options.instruction),
                    "response": response,
                }
                for pool, identity, problem, response in common_validation.rows(split, common.chosen)
            ),
        )
    record = {**common.manifest, "cutoff_tokens": options.cutoff}
    write_json(options.manifest, record)
    excluded = sum(pool["excluded"] for pool in record["pools"].values())
    print(f"validation: {record['examples']} examples of {record['problems']} problems; {excluded} traces left out")


if __name__ == "__main__":
    command_line(main)
