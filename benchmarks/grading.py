"""Speed of our grader with one worker against math-verify called on each response in one process, and agreement.

    .envs/workflow/bin/python benchmarks/grading.py --data graded/    # real responses, *.jsonl.gz
    .envs/workflow/bin/python benchmarks/grading.py                   # generated responses

Both are fresh processes on the same rows, one after the other; start and imports count. Only responses with an answer
are graded: on the others ours spends nothing, and math-verify guesses. Set `a` has each such response once, set `b` as
many samples of each problem as an evaluation draws. Data need problem_id, gold and response; verdicts are compared with
`recorded_correct` where it is there. A math-verify that hangs is ended, and the rows it reached count.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from generated_responses import generated  # noqa: E402

from quagmires.common.errors import UserError, command_line  # noqa: E402
from quagmires.common.tabular import iterate, write_jsonl  # noqa: E402
from quagmires.grading.math.extraction import extract_answer  # noqa: E402

# Ratios of wall time that are wanted.
WANTED = {"a": 8, "b": 50}
# A problem of set b has at least so many real responses: else its samples would be few answers, repeated.
LEAST_RESPONSES = 8
# math-verify's own limit, for parsing and for comparing.
SLOW_SECONDS = 5.0

# What somebody would write who has golds and responses. A line for each verdict, at once: it may be killed.
MATH_VERIFY = """
import json, logging, sys, time
from math_verify import parse, verify
logging.disable(logging.CRITICAL)
with open(sys.argv[1], encoding="utf-8") as rows, open(sys.argv[2], "w") as verdicts:
    for line in rows:
        row = json.loads(line)
        try:
            correct = verify(parse("\\\\boxed{" + row["gold"] + "}"), parse(row["response"]))
        except Exception:
            correct = False
        verdicts.write(json.dumps([bool(correct), "", time.monotonic(), time.process_time()]) + "\\n")
        verdicts.flush()
"""
OURS = """
import json, sys, time
from quagmires.grading.grader import Grader
with open(sys.argv[1], encoding="utf-8") as lines:
    rows = [json.loads(line) for line in lines]
with Grader(workers=1, timeout=float(sys.argv[3])) as grader:
    grades = grader.grade_many([row["gold"] for row in rows], [row["response"] for row in rows])
with open(sys.argv[2], "w") as verdicts:
    for grade in grades:
        verdicts.write(json.dumps([grade.correct, grade.reason, time.monotonic(), time.process_time()]) + "\\n")
"""


@dataclass(frozen=True)
class Run:
    """One process: a verdict and a reason for each row it reached, its wall and processor seconds (with those of its
    children), the wall and the processor second at which each verdict was there, and how it ended.
    """

    correct: list[bool]
    reasons: list[str]
    wall: float
    cpu: float
    wall_times: list[float]
    cpu_times: list[float]
    end: str

    @property
    def slow(self) -> int:
        """Rows that took math-verify's own limit or longer."""
        return sum(after - before >= SLOW_SECONDS for before, after in pairwise(self.wall_times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="directory of *.jsonl.gz; without it, responses are generated")
    parser.add_argument("--problems", type=int, default=80, help="problems of set b")
    parser.add_argument("--samples", type=int, default=64, help="responses to each problem of set b")
    parser.add_argument("--generated", type=int, default=500, help="problems to generate, with 16 responses each")
    parser.add_argument("--timeout", type=float, default=5.0, help="our seconds for one response")
    parser.add_argument("--limit", type=float, default=1500, help="seconds for one process")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if min(options.problems, options.samples, options.generated) < 1:
        parser.error("--problems, --samples and --generated must be at least 1")

    rng = random.Random(options.seed)
    found = read(options.data) if options.data else generated(rng, options.generated)
    rows = [row for row in found if extract_answer(row["response"]) is not None]
    print(f"{len(rows)} of {len(found)} {'real' if options.data else 'generated'} responses have an answer in a box;"
          f" seed {options.seed}; load {load()}")  # fmt: skip
    distinct = list({(row["gold"], row["response"]): row for row in rows}.values())
    rng.shuffle(distinct)
    lines, runs = [], {}
    for name, chosen in (("a", distinct), ("b", sampled(rng, rows, options.problems, options.samples))):
        theirs, ours, line = measure(name, chosen, options)
        lines.append(line)
        if name == "a" and ours:
            runs = {(row["gold"], row["response"]): verdicts for row, *verdicts in
                    zip(chosen, theirs.correct, ours.correct, ours.reasons, strict=False)}  # fmt: skip
    print("\n" + pd.DataFrame(lines).to_string(index=False) + f"\n\nload {load()}\n")
    if runs:
        report(rows, runs)


def load() -> str:
    return f"{os.getloadavg()[0]:.2f} of {os.cpu_count()} cores"


def read(directory: Path) -> list[dict]:
    """All rows of the directory's files."""
    files = sorted(directory.glob("*.jsonl.gz"))
    if not files:
        raise UserError(f"{directory}: no *.jsonl.gz there; name a directory of graded responses, or leave --data out")
    rows = [{**row, "source": file.name.partition(".")[0]} for file in files for row in iterate(file)]
    for row in rows:
        missing = [field for field in ("problem_id", "gold", "response") if not isinstance(row.get(field), str)]
        if missing:
            raise UserError(f"{directory}, {row['source']}: a row without the text `{missing[0]}`; mend or remove it")
    return rows


def sampled(rng: random.Random, rows: Iterable[dict], problems: int, samples: int) -> list[dict]:
    """`samples` responses, drawn with replacement, to each of some problems that have many real ones."""
    by_problem: dict[str, list[dict]] = {}
    for row in rows:
        by_problem.setdefault(row["problem_id"], []).append(row)
    enough = [name for name, own in by_problem.items() if len(own) >= LEAST_RESPONSES]
    chosen = rng.sample(enough, min(problems, len(enough)))
    if len(chosen) < problems:
        print(f"set b: only {len(chosen)} problems have {LEAST_RESPONSES} responses")
    return [row for name in chosen for row in rng.choices(by_problem[name], k=samples)]


def measure(name: str, rows: list[dict], options: argparse.Namespace) -> tuple[Run, Run | None, dict]:
    """Both graders on the rows that math-verify reaches, and the line of the table."""
    theirs = run(MATH_VERIFY, rows, options)
    reached = rows[: len(theirs.correct)]
    print(f"set {name}: math-verify graded {len(reached)} of {len(rows)} responses in {theirs.wall:.1f} s"
          f" ({theirs.end}), {theirs.slow} took {SLOW_SECONDS:.0f} s or more", flush=True)  # fmt: skip
    line = {"set": name, "responses": len(reached)}
    if not reached:
        return theirs, None, line
    ours = run(OURS, reached, options)
    if len(ours.correct) < len(reached):
        raise UserError(f"our grader on set {name}: {ours.end}; raise --limit, or look into it")
    answers = [(row["gold"], extract_answer(row["response"])) for row in reached]
    line |= {
        "distinct pairs": len(set(answers)),
        "math-verify s": round(theirs.wall, 1),
        "ours s": round(ours.wall, 2),
        "ratio, wall": round(theirs.wall / ours.wall, 1),
        "math-verify CPU s": round(theirs.cpu, 1),
        "ours CPU s": round(ours.cpu, 2),
        "ratio, CPU": round(theirs.cpu / ours.cpu, 1),
        "wanted": WANTED[name],
    }
    return theirs, ours, line


def run(program: str, rows: list[dict], options: argparse.Namespace) -> Run:
    """Run a program to its end or to the limit; of one that is ended, the time until its last verdict counts."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "rows.jsonl", Path(folder) / "verdicts.jsonl"
        write_jsonl(source, [{"gold": row["gold"], "response": row["response"]} for row in rows])
        command = [sys.executable, "-c", program, str(source), str(target), str(options.timeout)]
        variables = {**os.environ, "PYTHONPATH": str(ROOT / "scripts"), "OMP_NUM_THREADS": "1"}
        before, started = processor_seconds(), time.monotonic()
        try:
            done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=options.limit)
            last_words = done.stderr.strip().rpartition("\n")[2]
            end = f"failed: {last_words}" if done.returncode else "to the end"
        except subprocess.TimeoutExpired:
            end = f"ended after {options.limit:.0f} s"
        wall, cpu = time.monotonic() - started, processor_seconds() - before
        lines = target.read_text().splitlines(keepends=True) if target.exists() else []
    verdicts = [json.loads(line) for line in lines if line.endswith("\n")]
    if end != "to the end" and verdicts:
        wall, cpu = verdicts[-1][2] - started, verdicts[-1][3]
    correct, reasons, wall_times, cpu_times = map(list, zip(*verdicts, strict=True)) if verdicts else ([], [], [], [])
    return Run(correct, reasons, wall, cpu, wall_times, cpu_times, end)


def processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(rows: list[dict], runs: dict[tuple[str, str], list]) -> None:
    """Agreement with the recorded verdicts, disagreement between the two, and the rates of our reasons."""
    table = pd.DataFrame(
        [
            (row["source"], row.get("recorded_correct"), *runs[row["gold"], row["response"]])
            for row in rows
            if (row["gold"], row["response"]) in runs
        ],
        columns=["source", "recorded", "math-verify", "ours", "reason"],
    )
    recorded = table[table["recorded"].notna()]
    agreement = pd.DataFrame(
        {name: recorded[name] == recorded["recorded"].astype(bool) for name in ("math-verify", "ours")}
    )
    sums = agreement.groupby(recorded["source"]).sum()
    sums.insert(0, "responses", recorded.groupby("source").size())
    sums.loc["all"] = sums.sum()
    shares = sums[["math-verify", "ours"]].div(sums["responses"], axis=0).round(4).add_suffix(", share")
    print(f"Agreement with recorded verdicts\n{sums.join(shares).to_string()}\n")

    apart = table[table["ours"] != table["math-verify"]]
    right = apart["ours"].map({True: "only ours says right", False: "only math-verify says right"})
    counts = pd.crosstab(apart["reason"], [right.rename(""), apart["recorded"].map(str).rename("recorded")])
    print(f"Disagreement, {len(apart)} of {len(table)} responses\n{counts.to_string() if len(apart) else ''}\n")
    print(f"Our reasons\n{rates(table['reason'])}")


def rates(reasons: pd.Series) -> str:
    counts = reasons.value_counts()
    return pd.DataFrame({"responses": counts, "rate": (counts / len(reasons)).round(4)}).to_string()


if __name__ == "__main__":
    command_line(main)
