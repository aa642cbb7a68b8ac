"""Write the examples of one subset of an SFT pool (or its validation split) and a manifest of what it holds."""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import write_json
from quagmires.common.tabular import write_jsonl
from quagmires.data import pools, subsets
from quagmires.data.prompts import user_message

VALIDATION = "validation"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="parquet from prepare_pool.py")
    parser.add_argument("--lengths", type=Path, required=True, help="parquet from measure_lengths.py")
    parser.add_argument("--subset", required=True, help="e.g. random-10k, longest-10k+shortest-10k, all; or validation")
    parser.add_argument("--validation-examples", type=int, required=True)
    parser.add_argument("--cutoff", type=int, required=True, help="tokens of prompt and response together")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="JSON lines of id, prompt, response")
    parser.add_argument("--manifest", type=Path, required=True)
    options = parser.parse_args()

    with pools.open_pool(options.pool) as pool:
        lengths = subsets.Lengths.read(options.lengths, pool)
        kept = subsets.within_cutoff(lengths, options.cutoff)
        training, validation = subsets.split_validation(kept, options.validation_examples, options.seed)
        is_validation = options.subset == VALIDATION
        chosen = validation if is_validation else subsets.select(training, options.subset, options.seed)
        record = subsets.manifest(
            chosen,
            name=options.subset,
            seed=options.seed,
            cutoff=options.cutoff,
            dropped=len(lengths) - len(kept),
            source={
                "path": str(options.pool),
                "rows": len(lengths),
                "content_sha256": pools.content_sha256(pool),
            },
        )
        write_jsonl(
            options.output,
            (
                {"id": id_, "prompt": user_message(problem, options.instruction), "response": response}
                for id_, problem, response in pools.texts(pool, chosen.positions)
            ),
        )
    write_json(options.manifest, record)
    print(f"{options.subset}: {record['examples']} examples, {record['response_tokens']} response tokens")


if __name__ == "__main__":
    command_line(main)
