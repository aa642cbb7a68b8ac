"""Speed, memory, recall and precision of find_contamination.py on a generated SFT set with planted copies.

    python benchmarks/contamination.py --rows 1000000 --problems 3811 --workers 2

The set is written to a temporary directory, the script runs as a process of its own, and the n-gram checks that people
write by hand run on a sample of the same rows: sets of tuples problem by problem, and one dictionary of all n-grams.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parents[1]
VOCABULARY = 8_000
# In the text of many problems and rows, as in MATH: long n-grams that say nothing.
BOILERPLATE = "where m and n are relatively prime positive integers find the value of m + n and enter your answer"
FORMULAS = (r"$x^{{{}}}+{}x$", r"$\frac{{{}}}{{{}}}$", r"$f({})={}$", r"$\sqrt{{{}}}\le {}$", r"${},{}$")
# How a copy was altered -> whether it must be found.
PLANTED = {"typography": True, "ending": True, "reworded": True, "sibling": False}
SAMPLE = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--problems", type=int, default=3_811)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--copies", type=int, default=500, help="planted copies of each kind")
    parser.add_argument("--response-characters", type=int, default=2_000, help="length of a trace")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.rows < 4 * options.copies or options.problems < options.copies:
        parser.error("too few rows or problems for so many copies")

    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        world = World(np.random.default_rng(options.seed))
        problems = [(f"p{i}", world.text(), world.answer()) for i in range(options.problems)]
        pd.DataFrame(problems, columns=["id", "problem", "answer"]).to_parquet(directory / "benchmark.parquet")
        sample = write_rows(directory / "rows.jsonl", world, problems, options)
        seconds, cpu, peak = run_script(directory, options.workers)
        pairs = pd.read_parquet(directory / "pairs.parquet")

    ours = options.rows / seconds
    print(f"{options.rows} rows x {options.problems} problems, {options.workers} workers, seed {options.seed}")
    print(f"wall time {seconds:.1f} s, processor time {cpu:.1f} s, {ours:.0f} rows/s")
    print(f"peak memory of all processes {peak / 2**30:.2f} GiB")
    for name, baseline in (
        ("sets of tuples", sets_of_tuples),
        ("one dictionary, without normalisation or reading", one_dictionary),
    ):
        theirs = len(sample) / baseline(sample, [text for _, text, _ in problems])
        print(f"baseline, {name}: {theirs:.0f} rows/s; ratio {ours / theirs:.1f}")
    report(pairs, options.copies)


class World:
    """Seeded texts that look like problems: words of a Zipf-like frequency, formulas, now and then boilerplate."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
        lengths = np.clip(rng.poisson(5, VOCABULARY), 1, 14)
        self.words = ["".join(rng.choice(letters, length)) for length in lengths]
        weights = 1 / (np.arange(VOCABULARY) + 2.7)
        self.weights = weights / weights.sum()
        self.filler = " ".join(self.draw(50_000))

    def draw(self, count: int) -> list[str]:
        return [self.words[i] for i in self.rng.choice(VOCABULARY, count, p=self.weights)]

    def text(self) -> str:
        return next(self.texts(1))

    def texts(self, count: int) -> Iterator[str]:
        """Texts of 14 to 150 words, 45 in the median."""
        lengths = np.clip(self.rng.lognormal(3.8, 0.5, count), 14, 150).astype(int)
        pool = iter(self.draw(int(lengths.sum())))
        numbers = self.rng.integers(0, 1000, (count, 8)).tolist()
        kinds = self.rng.integers(0, len(FORMULAS), (count, 4)).tolist()
        boilerplate = self.rng.random(count) < 0.1
        for length, values, its_kinds, with_boilerplate in zip(lengths, numbers, kinds, boilerplate, strict=True):
            words = [next(pool) for _ in range(length)]
            for place, kind in enumerate(its_kinds):
                words[length * place // 4] += " " + FORMULAS[kind].format(values[2 * place], values[2 * place + 1])
            yield " ".join(words) + (f" {BOILERPLATE}." if with_boilerplate and length > 40 else ".")

    def answer(self) -> str:
        return str(int(self.rng.exponential(100)))

    def altered(self, text: str, kind: str) -> str:
        words = text.split()
        if kind == "typography":
            return (
                "  ".join(words)
                .upper()
                .replace("\\FRAC", "\\dfrac")
                .replace("\\SQRT", "\\sqrt")
                .replace("\\LE", "\\leq")
            )
        if kind == "ending":
            return " ".join(words[: len(words) * 4 // 5] + self.draw(len(words) // 5 + 1))
        if kind == "reworded":
            return " ".join(self.draw(1)[0] if i % 12 == 11 else word for i, word in enumerate(words))
        return " ".join(words[: len(words) // 4] + self.draw(len(words)))


def write_rows(
    path: Path, world: World, problems: list[tuple[str, str, str]], options: argparse.Namespace
) -> list[str]:
    """Write the SFT set; the ids of copies name their kind and their problem. Returns a sample of the texts."""
    chosen = world.rng.permutation(options.problems)[: options.copies]
    copies = [(kind, *problems[i]) for kind in PLANTED for i in chosen]
    places = dict(zip(world.rng.permutation(options.rows)[: len(copies)].tolist(), copies, strict=True))
    sample = []
    with open(path, "w", encoding="utf-8") as lines:
        for first in range(0, options.rows, 10_000):
            for number, text in enumerate(world.texts(min(10_000, options.rows - first)), start=first):
                row_id, answer = f"row{number}", world.answer()
                if number in places:
                    kind, problem, original, answer = places[number]
                    row_id, text = f"{kind}/{problem}", world.altered(original, kind)
                start = int(world.rng.integers(0, 100_000))
                response = world.filler[start : start + options.response_characters]
                lines.write(json.dumps({"id": row_id, "problem": text, "answer": answer, "response": response}) + "\n")
                if len(sample) < SAMPLE:
                    sample.append(text)
    return sample


def run_script(directory: Path, workers: int) -> tuple[float, float, int]:
    """Run find_contamination.py; see `watched`."""
    columns = {name: name for name in ("id", "problem", "answer", "response")}
    command = [sys.executable, ROOT / "scripts" / "find_contamination.py", "--name", "generated", "--kind", "sft"]
    command += ["--data", directory / "rows.jsonl", "--columns", json.dumps(columns), "--workers", str(workers)]
    command += ["--benchmark", f"generated={directory / 'benchmark.parquet'}"]
    command += ["--output", directory / "pairs.parquet", "--summary", directory / "summary.json"]
    return watched(command)


def watched(command: list[Any]) -> tuple[float, float, int]:
    """Run a command and watch its memory.

    Returns wall-clock seconds, processor seconds, and the peak sum, in bytes, of its processes' resident memory.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.1)
    if process.returncode:
        sys.exit(process.returncode)
    seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak


def resident(pid: int) -> int:
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def tuples(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + 13]) for i in range(len(words) - 12)}


def sets_of_tuples(rows: list[str], problems: list[str]) -> float:
    """Seconds to compare the set of n-grams of each row with that of each problem."""
    indexed = [tuples(problem) for problem in problems]
    start = time.monotonic()
    for row in rows:
        grams = tuples(row)
        sum(len(grams & problem) >= 0.5 * len(problem) for problem in indexed if problem)
    return time.monotonic() - start


def one_dictionary(rows: list[str], problems: list[str]) -> float:
    """Seconds to look up each n-gram of each row in a dictionary of all problems' n-grams."""
    owners: dict[tuple[str, ...], set[int]] = {}
    for number, problem in enumerate(problems):
        for gram in tuples(problem):
            owners.setdefault(gram, set()).add(number)
    start = time.monotonic()
    for row in rows:
        [owners[gram] for gram in tuples(row) if gram in owners]
    return time.monotonic() - start


def report(pairs: pd.DataFrame, copies: int) -> None:
    found = set(zip(pairs["row_id"], pairs["problem_id"], strict=True))
    right = {kind: sum(row == f"{kind}/{problem}" for row, problem in found) for kind in PLANTED}
    for kind, wanted in PLANTED.items():
        matches = pairs.loc[pairs["row_id"].str.startswith(kind + "/"), "match"].value_counts().to_dict()
        print(
            f"planted, {kind}: {right[kind]} of {copies} found, {'should be' if wanted else 'should not be'}; {matches}"
        )
    true = sum(count for kind, count in right.items() if PLANTED[kind])
    print(f"recall {true / (copies * sum(PLANTED.values())):.4f}, precision {true / max(len(found), 1):.4f}")


if __name__ == "__main__":
    main()
