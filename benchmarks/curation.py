"""Speed and memory of curation on a generated pool, beside bare tokenizers.encode_batch on the same cores.

    python benchmarks/curation.py --traces 1000000 --workers 2

The scripts run as processes of their own on a temporary file of JSON lines; a tenth more rows are written than traces,
for prepare_pool.py to leave out. Bare encode_batch has the same prompts and responses of a sample in memory, already
rendered, and its own threads. Ends with status 1 if a promise is broken. Below 100,000 traces the start of processes
weighs too much for the ratio to mean anything.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from contamination import World, watched

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from quagmires.data.pools import open_pool  # noqa: E402
from quagmires.data.prompts import conversation, load_tokenizer  # noqa: E402

INSTRUCTION = r"Let's think step by step and output the final answer within \boxed{}."
CHARACTERS_A_TOKEN = 2.5
SAMPLE = 20_000
# Lengths by other numbers of workers are compared on a part of the pool.
COMPARED = 100_000
MIN_RATIO = 0.8
MAX_GB = 2.0


class Run(NamedTuple):
    """Wall-clock and processor seconds of a script, and the peak sum of its processes' resident memory, in bytes."""

    name: str
    seconds: float
    processor_seconds: float
    peak: int


class Speed(NamedTuple):
    """Traces a second, by the clock and by the processor seconds of all cores."""

    wall: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--tokens", type=int, default=200, help="median length of a response, about")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", type=Path, help="directory of a model; default: a tokenizer trained on the spot")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.traces < 1_000:
        parser.error("too few traces to measure anything; give at least 1000")

    # Bare encode_batch and the scripts' processes get the same cores.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.workers])
    os.environ["RAYON_NUM_THREADS"] = str(options.workers)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        world = World(np.random.default_rng(options.seed))
        rows = write_source(directory / "source.jsonl", world, options)
        model = options.model or train_tokenizer(directory / "model", world)
        part = rows * min(options.traces, COMPARED) // options.traces
        with open(directory / "source.jsonl", "rb") as whole, open(directory / "part.jsonl", "wb") as lines:
            lines.writelines(whole.readline() for _ in range(part))

        runs = [prepare(directory, "source", rows)]
        bare = [bare_speed(directory / "source.parquet", model)]
        runs.append(measure(directory, "source", model, options.workers))
        bare.append(bare_speed(directory / "source.parquet", model))
        runs += [select(directory, subset, options.traces) for subset in subsets(options.traces)]

        prepare(directory, "part", part)
        measure(directory, "part", model, 1)
        one = (directory / "part.lengths.parquet").read_bytes()
        measure(directory, "part", model, options.workers + 1)
        equal = one == (directory / "part.lengths.parquet").read_bytes()
        sample = pq.read_table(directory / "source.lengths.parquet")
        tokens = sum(int(np.sum(sample[name].to_numpy(), dtype=np.int64)) for name in sample.column_names[2:])
        size = (directory / "source.jsonl").stat().st_size

    print(f"{options.traces:,} traces, {size / 1e9:.2f} GB, {tokens:,} tokens, {options.workers} workers, {model.name}")
    for run in runs:
        print(
            f"{run.name:<50}{run.seconds:8.1f} s{run.processor_seconds:8.1f} processor s"
            f"{options.traces / run.seconds:10,.0f} traces/s{run.peak / 1e9:6.2f} GB at most"
        )
    for speed in bare:
        print(f"bare encode_batch: {speed.wall:,.0f} traces/s, {speed.processor:,.0f} traces a processor second")
    wall = options.traces / runs[1].seconds / np.mean([speed.wall for speed in bare])
    processor = options.traces / runs[1].processor_seconds / np.mean([speed.processor for speed in bare])
    print(
        f"measure_lengths.py to their mean: {wall:.2f}; by processor time, which neighbours don't take: {processor:.2f}"
    )
    print(f"equal lengths by 1 and by {options.workers + 1} workers: {'yes' if equal else 'NO'}")
    if not equal or processor < MIN_RATIO or max(run.peak for run in runs) >= MAX_GB * 1e9:
        sys.exit(f"promised: equal lengths, a ratio of at least {MIN_RATIO} by processor time, less than {MAX_GB} GB")


def write_source(path: Path, world: World, options: argparse.Namespace) -> int:
    """Write the traces and a tenth as many rows of another generator; returns the number of rows."""
    rows = options.traces + options.traces // 10
    unwanted = set(world.rng.permutation(rows)[: options.traces // 10].tolist())
    filler = " ".join(world.texts(20_000))
    lengths = (world.rng.lognormal(np.log(options.tokens * CHARACTERS_A_TOKEN), 0.7, rows)).astype(int) + 1
    starts = (world.rng.random(rows) * (len(filler) - lengths.max())).astype(int)
    with open(path, "w", encoding="utf-8") as lines:
        for first in range(0, rows, 10_000):
            for number, problem in enumerate(world.texts(min(10_000, rows - first)), start=first):
                response = f"<think> {filler[starts[number] : starts[number] + lengths[number]]}"
                generator = "Qwen-2.5-Math-7B-Instruct" if number in unwanted else "DeepSeek-R1"
                row = {"input": problem, "output": response, "generator": generator, "category": "math"}
                lines.write(json.dumps(row) + "\n")
    return rows


def train_tokenizer(directory: Path, world: World) -> Path:
    """A byte-level BPE with a chat template, on other texts of the same world."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    marks = ["<end>", "<user>", "<assistant>"]
    trainer = trainers.BpeTrainer(
        vocab_size=4_000, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(world.texts(20_000), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<end>", additional_special_tokens=marks[1:]
    )
    wrapped.chat_template = "{% for m in messages %}<user>{{ m['content'] | trim }}<assistant>{% endfor %}"
    wrapped.save_pretrained(directory)
    return directory


def prepare(directory: Path, name: str, rows: int) -> Run:
    columns = {"id": "#", "problem": "input", "response": "output"}
    keep = {"generator": ["DeepSeek-R1"], "category": ["math"]}
    return run(
        "prepare_pool.py", "", "--name", "generated", "--files", directory / f"{name}.jsonl", "--rows", rows,
        "--columns", json.dumps(columns), "--keep", json.dumps(keep),
        "--output", directory / f"{name}.parquet", "--manifest", directory / f"{name}.json",
    )  # fmt: skip


def measure(directory: Path, name: str, model: Path, workers: int) -> Run:
    return run(
        "measure_lengths.py", "", "--pool", directory / f"{name}.parquet", "--model", model,
        "--instruction", INSTRUCTION, "--workers", workers, "--output", directory / f"{name}.lengths.parquet",
    )  # fmt: skip


def subsets(traces: int) -> tuple[str, str]:
    return f"random-{traces // 100}", f"longest-{traces // 4}+shortest-{traces // 4}"


def select(directory: Path, subset: str, traces: int) -> Run:
    return run(
        "select_subset.py", subset, "--pool", directory / "source.parquet", "--lengths",
        directory / "source.lengths.parquet", "--subset", subset, "--validation-examples", min(1_000, traces // 50),
        "--cutoff", 8_192, "--instruction", INSTRUCTION, "--seed", 42,
        "--output", directory / "subset.jsonl", "--manifest", directory / "subset.json",
    )  # fmt: skip


def run(script: str, note: str, *arguments: object) -> Run:
    """Run a script and watch its memory."""
    return Run(f"{script} {note}".strip(), *watched([sys.executable, ROOT / "scripts" / script, *arguments]))


def bare_speed(pool: Path, model: Path) -> Speed:
    """The speed of tokenizers.encode_batch on rendered prompts and responses, a thousand texts at a time."""
    tokenizer = load_tokenizer(str(model))
    with open_pool(pool) as content:
        rows = content.metadata.num_rows
        groups = np.linspace(0, content.num_row_groups - 1, 5).astype(int)
        picked = [content.read_row_group(int(group)).to_pylist() for group in np.unique(groups)]
    sample = [row for group in picked for row in group][: min(SAMPLE, rows)]
    prompts = tokenizer.apply_chat_template(
        [conversation(row["problem"], INSTRUCTION) for row in sample], add_generation_prompt=True, tokenize=False
    )
    batch = 1_000
    everything = [*prompts, *(row["response"] for row in sample)]
    backend = tokenizer.backend_tokenizer
    start, processor = time.monotonic(), time.process_time()
    for first in range(0, len(everything), batch):
        backend.encode_batch(everything[first : first + batch], add_special_tokens=False)
    return Speed(len(sample) / (time.monotonic() - start), len(sample) / (time.process_time() - processor))


if __name__ == "__main__":
    main()
