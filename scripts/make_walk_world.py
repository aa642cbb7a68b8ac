"""Generate the demo's data: an SFT pool, an RL set, three benchmarks and the base model's pre-training set."""

import argparse
import random
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import whole_directory
from quagmires.common.tabular import write_jsonl
from quagmires.data.prompts import user_message
from quagmires.simulation import walks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--moves", type=int, required=True, help="moves that have a name")
    parser.add_argument("--sft-problems", type=int, required=True, help="each gets three traces")
    parser.add_argument("--rl-problems", type=int, required=True)
    parser.add_argument("--benchmark-problems", type=int, required=True, help="problems in each benchmark")
    parser.add_argument("--base-examples", type=int, required=True)
    parser.add_argument("--careful-share", type=float, required=True)
    parser.add_argument("--instruction", required=True, help="the prompt's instruction")
    options = parser.parse_args()

    world = walks.World(options.moves, options.seed)
    rng = random.Random(options.seed)
    taken: set[walks.Walk] = set()
    benchmarks = {
        name: world.draw_distinct(rng, kind, options.benchmark_problems, taken)
        for name, kind in walks.BENCHMARKS.items()
    }
    in_benchmarks = set(taken)
    rl = world.draw_distinct(rng, walks.RL, options.rl_problems, taken)
    sft = world.draw_distinct(rng, walks.POOL, options.sft_problems, taken)
    with whole_directory(options.output) as directory:
        write_jsonl(directory / walks.POOL_FILE, walks.pool_rows(world, sft, rng))
        write_jsonl(directory / walks.RL_FILE, walks.problem_rows("rl", world, rl))
        for name, problems in benchmarks.items():
            write_jsonl(directory / walks.benchmark_file(name), walks.problem_rows(name, world, problems))
        # The base may meet training problems, as any pre-trained model does, but never a benchmark's.
        base = walks.base_rows(world, options.base_examples, options.careful_share, in_benchmarks, rng)
        prompted = [
            {"prompt": user_message(row["problem"], options.instruction), "response": row["response"]} for row in base
        ]
        write_jsonl(directory / walks.BASE_FILE, prompted)


if __name__ == "__main__":
    command_line(main)
