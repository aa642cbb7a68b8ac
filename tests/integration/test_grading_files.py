"""Files as users have them, graded by the script: bad ones cost no grading, and no grading is lost."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from quagmires.grading.verdicts import EXACT, TIMEOUT
from support import ROOT, SCRIPTS, run, script

LIMIT = 30_000
# Takes all its time.
HANGING = r"\boxed{9^{9^{9^{9^{9}}}}}"


def write(path, count, **columns):
    rows = (
        {"gold": str(i), "response": f"{i * 7919} {os.urandom(200).hex()} \\boxed{{{i}}}"} | columns
        for i in range(count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def grade(source, target, *arguments, **options):
    return script("grade.py", "--responses", source, "--output", target, *arguments, **options)


def test_a_bad_last_row_costs_no_grading(tmp_path):
    source, target = write(tmp_path / "responses.jsonl", 5, mine=1), tmp_path / "grades.parquet"
    with open(source, "a") as lines:
        lines.write(json.dumps({"gold": "3", "response": HANGING, "mine": "text"}) + "\n")
    result = grade(source, target, check=False)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {source}: `mine` holds numbers (row 1) and text (row 6)")
    assert result.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["responses.jsonl"]
    grade(source, target, "--without", "mine", "--timeout", "0.5")
    assert list(pd.read_parquet(target)["reason"])[:5] == [EXACT] * 5


def test_a_damaged_shard_of_the_last_benchmark_stops_before_the_first(tmp_path):
    (tmp_path / "samples").mkdir()
    rows = pd.DataFrame({"problem_id": ["a"], "repetition": [0], "response": [r"\boxed{1}"]})
    rows.to_parquet(tmp_path / "samples" / "0.parquet")
    (tmp_path / "samples" / "1.parquet").write_bytes(b"")
    pd.DataFrame({"id": ["a"], "answer": ["1"]}).to_parquet(tmp_path / "golds.parquet")
    samples = tmp_path / "samples.json"
    samples.write_text(json.dumps({"shards": {"one": ["samples/0.parquet"], "two": ["samples/1.parquet"]}}))
    golds = [f"{name}={tmp_path / 'golds.parquet'}" for name in ("one", "two")]
    result = grade(samples, tmp_path / "out", "--shards-of", *golds, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        f"error: {tmp_path}/samples/1.parquet: damaged, or no parquet file (Parquet file size is 0 bytes); copy or make"
        " it again\n"
    )
    assert not (tmp_path / "out").exists()
    (tmp_path / "golds.parquet").write_bytes(b"PAR1")
    result = grade(samples, tmp_path / "out", "--shards-of", *golds, check=False)
    assert result.stderr.startswith(f"error: {tmp_path}/golds.parquet: damaged") and result.stderr.count("\n") == 1


def test_a_full_disk_loses_no_verdict(tmp_path):
    """The limit on a file's size stands for the disk."""
    source, target = write(tmp_path / "responses.jsonl", 400), tmp_path / "grades.parquet"
    kept = tmp_path / ".grades.parquet.verdicts"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    result = grade(source, target, check=False, preexec_fn=limit)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {target}: cannot be written (")
    assert result.stderr.count("\n") == 1
    assert kept.read_text().count(f" {EXACT}\n") == 400
    assert sorted(os.listdir(tmp_path)) == [".grades.parquet.verdicts", "responses.jsonl"]
    # All verdicts come from there: were they others, the grades would be others.
    kept.write_text(kept.read_text().replace(EXACT, TIMEOUT))
    grade(source, target)
    assert set(pd.read_parquet(target)["reason"]) == {TIMEOUT}
    assert sorted(os.listdir(tmp_path)) == ["grades.parquet", "responses.jsonl"]


def test_a_killed_run_goes_on_where_it_was(tmp_path):
    source, target = write(tmp_path / "responses.jsonl", 3_000), tmp_path / "grades.parquet"
    kept = tmp_path / ".grades.parquet.verdicts"
    with open(source, "a") as lines:
        for gold in "345":
            lines.write(json.dumps({"gold": gold, "response": HANGING}) + "\n")
    command = [sys.executable, SCRIPTS / "grade.py", "--responses", source, "--output", target, "--timeout", "2"]
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (kept.exists() and kept.read_text().count("\n") > 2_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not target.exists()
    assert kept.read_text().count(f" {EXACT}\n") == 2_000
    kept.write_text(kept.read_text().replace(EXACT, "unparsable"))
    run(*command, timeout=120)
    # The 2,000 come from the file, where they were changed; the others are graded.
    reasons = pd.read_parquet(target)["reason"].value_counts()
    assert reasons.to_dict() == {"unparsable": 2_000, EXACT: 1_000, TIMEOUT: 3}
    assert not kept.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_order_and_number_of_rows_stay_over_many_blocks(tmp_path, workers):
    source, target = write(tmp_path / "responses.jsonl", 20_000), tmp_path / "grades.parquet"
    grade(source, target, "--workers", workers, "--without", "response")
    grades = pd.read_parquet(target)
    assert list(grades["answer"]) == [str(i) for i in range(20_000)]
    assert grades["correct"].all()
