"""Building environments: a stamp only for a whole one, and anew when the lock changes."""

import re

from support import ROOT, SMALL, script, snakemake


def build(tmp_path, lock_text: str):
    lock, stamp = tmp_path / "some.lock", tmp_path / "environment" / "built.sha256"
    lock.write_text(lock_text)
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text("an earlier build")
    result = script(
        "build_environment.py", "--lock", lock, "--environment", stamp.parent, "--stamp", stamp,
        "--log", tmp_path / "log", check=False, timeout=120,
    )  # fmt: skip
    return result, stamp


def test_a_failed_build_leaves_no_stamp_and_says_why_in_one_line(tmp_path):
    result, stamp = build(tmp_path, "six==1.17.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    assert result.returncode == 1
    assert not stamp.exists()
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: uv pip failed")]
    assert len(errors) == 1
    assert "Traceback" not in result.stderr


def test_a_lock_without_hashes_is_refused(tmp_path):
    result, stamp = build(tmp_path, "six==1.17.0\n")
    assert result.returncode == 1
    assert not stamp.exists()


def test_a_changed_lock_rebuilds_its_environment_and_repeats_no_job(small_run):
    lock = ROOT / "envs" / "sft-cpu.lock"
    original = lock.read_bytes()
    try:
        lock.write_bytes(original + b"# changed\n")
        output = snakemake("-n", "--configfile", SMALL).stdout
    finally:
        lock.write_bytes(original)
    jobs = dict(re.findall(r"^([a-z_]+) +(\d+)$", output, re.MULTILINE))
    assert set(jobs) - {"total", "all"} == {"environment"}
    assert jobs["environment"] == "1"
