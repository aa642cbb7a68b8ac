"""The SLURM profile on a real SLURM: what jobs ask for, and that a run survives what happens to jobs.

Runs wherever there is root and apt-get. Elsewhere it is skipped, or fails with CI or QUAGMIRES_REQUIRE_SLURM set.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slurm_cluster
import yaml
from slurm_cluster import Cluster

from quagmires.planning import slurm
from support import ROOT, SMALL

FAULTS = ROOT / "tests" / "integration" / "slurm_faults" / "Snakefile"
# Jobs of seconds: the profile's times are for jobs of hours.
QUICK = ("--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "5", "--max-status-checks-per-second", "1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """A running SLURM."""
    reason = slurm_cluster.why_impossible()
    if reason:
        required = [name for name in ("CI", "QUAGMIRES_REQUIRE_SLURM") if os.environ.get(name)]
        if required:
            pytest.fail(f"no SLURM to test on, though {required[0]} is set: {reason}")
        pytest.skip(f"THE SLURM PROFILE IS NOT TESTED HERE: {reason}")
    folder = tmp_path_factory.mktemp("slurm")
    try:
        yield slurm_cluster.start(folder)
    finally:
        slurm_cluster.stop(folder)


@pytest.mark.parametrize(
    ("state", "preempted_for", "from_sacct", "known"),
    [
        ("CANCELLED by 1000", 0, True, "CANCELLED"),
        ("PREEMPTED", 0, False, "CANCELLED"),
        ("PREEMPTED", 10, True, "PREEMPTED"),
        ("PREEMPTED", 301, True, "CANCELLED"),
        ("RUNNING", 0, True, "RUNNING"),
        ("COMPLETED", 0, False, "COMPLETED"),
    ],
)
def test_states_that_the_plugin_does_not_know(state, preempted_for, from_sacct, known):
    assert slurm.known_state(state, preempted_for, from_sacct) == known


@contextlib.contextmanager
def snakemake(
    cluster: Cluster, log: Path, *arguments: str | Path, profile: str | Path = "slurm"
) -> Iterator[subprocess.Popen]:
    """Snakemake in the background with `--profile slurm`, as it is typed in the checkout; killed at the end."""
    command = [sys.executable, "-m", "snakemake", "--profile", *map(str, (profile, *QUICK, *arguments))]
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=cluster.environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def finish(process: subprocess.Popen, log: Path, seconds: float) -> str:
    """Wait for Snakemake; its output, which is in the assertion if it fails."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    text = log.read_text(errors="replace")
    assert process.returncode == 0, f"status {process.returncode} (None: still running)\n{text[-4000:]}"
    return text


def wait_for(what: str, condition: Callable[[], object], seconds: float = 60):
    """Wait until a condition holds; its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:g} seconds for {what}")


def executions(folder: Path, output: str) -> list[str]:
    """The SLURM job of each execution of a job."""
    path = folder / f"{output}.executions"
    return path.read_text().split() if path.exists() else []


def job(cluster: Cluster, number: str) -> dict[str, str]:
    """A job as the controller has it."""
    return next(job for job in cluster.jobs() if job["JobId"] == number)


# A name of its own for each session: what Snakemake remembers of an earlier one's files would repeat their jobs.
DEMO = ROOT / "results" / f"demo-slurm-{os.getpid()}"
SFT_WORK = DEMO / "toy" / "walks.shortest-64.ep40.lr1e-3" / "sft"
# Its engines run on processors and want no GPUs; here its jobs ask for some all the same.
REQUESTS = {
    "sft": {"gpu": 8, "gpu_model": "a100", "mem_mb": 3500, "runtime": 100},
    "rl": {"gpu": 8, "gpu_model": "a100", "mem_mb": 6000, "runtime": 4000},
    "samples": {"gpu": 2, "gpu_model": "a100", "mem_mb": 3300, "runtime": 30},
    "rl_samples": {"gpu": 2, "gpu_model": "a100", "mem_mb": 3300, "runtime": 30},
    "generalization_loss": {"gpu": 1, "gpu_model": "a100", "mem_mb": 2200, "runtime": 20},
}


@pytest.fixture(scope="module")
def time_limited(cluster, tmp_path_factory) -> Iterator[tuple[subprocess.Popen, Path]]:
    """A job that needs more than its limit of a minute. In the background: it only sleeps, while other tests work."""
    folder = tmp_path_factory.mktemp("limit")
    arguments = ("--snakefile", FAULTS, "--directory", folder, "--", "a.outlasts")
    with snakemake(cluster, folder / "snakemake.log", *arguments) as process:
        yield process, folder


@pytest.fixture(scope="module")
def demo(cluster, small_run, time_limited, tmp_path_factory) -> Iterator[dict[str, list[dict[str, str]]]]:
    """One recipe of the small demo through SLURM, from its data on: the jobs of each rule as they ran.

    Its SFT is told to stop once, as before a time limit.
    """
    folder = tmp_path_factory.mktemp("demo")
    arguments = ("--configfile", reduced_demo(small_run, folder))
    log = folder / "snakemake.log"
    jobs: dict[str, dict[str, str]] = {}
    told = False
    with snakemake(cluster, log, *arguments, profile=requesting_profile(folder / "profile")) as process:
        end = time.monotonic() + 400
        while process.poll() is None and time.monotonic() < end:
            for one in cluster.jobs():
                if one["JobState"] == "RUNNING" and one["WorkDir"] == str(ROOT):
                    jobs.setdefault(one["JobId"], one)
                    if not told and rule_of(one) == "sft" and steps_done() >= 5:
                        cluster.run("scancel", "--signal=TERM", one["JobId"])
                        told = True
            time.sleep(0.3)
        finish(process, log, 1)
    rules: dict[str, list[dict[str, str]]] = {}
    for one in jobs.values():
        rules.setdefault(rule_of(one), []).append(one)
    yield rules
    shutil.rmtree(DEMO)
    shutil.rmtree(ROOT / "logs" / DEMO.name)


def reduced_demo(small_run: Path, folder: Path) -> Path:
    """The small demo with a single recipe, under another name, on the data of a small run; its config."""
    shutil.rmtree(DEMO, ignore_errors=True)
    shutil.copytree(small_run / "data", DEMO / "data")
    for path in (DEMO / "data" / "sft").rglob("shortest-64.*"):
        path.unlink()
    config = yaml.safe_load(SMALL.read_text())
    del config["walk_world"]
    config["experiment"] = DEMO.name
    config["studies"]["toy"] |= {"benchmarks": ["easy"], "recipes": [{"subset": "shortest-64", "epochs": 40}]}
    config["rl"] |= {"batch_size": 16, "checkpoints": 1}
    config["evaluation"] |= {"samples": 4, "samples_after_rl": 4, "large_k": 4}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def requesting_profile(folder: Path) -> Path:
    """The profile, with what the config would ask for on GPUs. On the command line it would replace the profile's."""
    profile = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text())
    for rule, request in REQUESTS.items():
        profile["set-resources"][rule] |= request
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    return folder


def rule_of(one: dict[str, str]) -> str:
    """The rule of a job."""
    return one["Comment"].removeprefix("rule_").split("_wildcards_")[0]


def steps_done() -> int:
    """Steps that the demo's SFT has logged."""
    path = SFT_WORK / "work" / "output" / "trainer_log.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_the_demo_is_whole(demo):
    for name in ("metrics.parquet", "tables/models.csv", "figures/pass_at_k.png"):
        assert (DEMO / name).is_file()


def test_only_rules_that_are_not_local_become_jobs(demo):
    assert set(demo) == {"subset", "sft", "generalization_loss", "rl", "samples", "rl_samples", "grade"}


@pytest.mark.parametrize("rule", REQUESTS)
def test_gpus_memory_and_time_are_asked_for(demo, rule):
    request = REQUESTS[rule]
    for one in demo[rule]:
        assert one["Partition"] == "gpu"
        assert one["TresPerJob"] == f"gres:gpu:a100:{request['gpu']}"
        assert one["GRES"].startswith(f"gpu:a100:{request['gpu']}(")
        assert one["NumNodes"] == "1"
        assert one["MinMemoryNode"] in (f"{request['mem_mb']}M", f"{request['mem_mb'] / 1000:g}G")
        assert minutes(one["TimeLimit"]) == request["runtime"]


@pytest.mark.parametrize("rule", ["subset", "grade"])
def test_jobs_without_gpus_leave_gpu_nodes_alone(demo, rule):
    for one in demo[rule]:
        assert (one["Partition"], one["NodeList"]) == ("cpu", "cpu01")
        assert "TresPerJob" not in one


def test_sft_that_is_told_to_stop_saves_and_resumes(demo, cluster):
    first, second = sorted(demo["sft"], key=lambda one: int(one["JobId"]))
    assert job(cluster, first["JobId"])["JobState"] == "FAILED"
    record = json.loads((SFT_WORK / "model" / "training.json").read_text())
    step = int(record["resumed_from"].removeprefix("checkpoint-"))
    assert 5 <= step < record["steps"] == 160
    # Every step once: the first run's and the second's.
    assert [point["step"] for point in record["loss_curve"]] == list(range(1, 161))


def minutes(limit: str) -> int:
    """`2-18:40:00` -> 4000."""
    days, _, clock = limit.rpartition("-")
    hours, rest, _ = clock.split(":")
    return (int(days or 0) * 24 + int(hours)) * 60 + int(rest)


def test_a_job_saves_before_its_time_limit_and_resumes(time_limited, cluster):
    process, folder = time_limited
    finish(process, folder / "snakemake.log", 180)
    numbers = executions(folder, "a.outlasts")
    # None reached its limit: all but the last ended by themselves, and the last had less to do.
    assert len(numbers) > 1
    assert len(set(numbers)) == len(numbers)
    assert 10 < int((folder / "a.state").read_text()) < 70
    assert {job(cluster, number)["TimeLimit"] for number in numbers} == {"00:01:00"}
    states = [job(cluster, number)["JobState"] for number in numbers]
    assert states == ["FAILED"] * (len(numbers) - 1) + ["COMPLETED"]


OUTPUTS = ("a.fails_once", "c.waits", "d.waits_requeued", "e.waits_preempted", "f.waits")


@pytest.fixture(scope="module")
def faults(cluster, tmp_path_factory) -> Path:
    """The folder of one run in which everything happens that happens to jobs."""
    folder = tmp_path_factory.mktemp("faults")
    log = folder / "snakemake.log"
    targets = ("--snakefile", FAULTS, "--directory", folder, "--", *OUTPUTS)
    with snakemake(cluster, log, *targets) as process:
        first = {
            output: wait_for(f"{output} to run", lambda output=output: executions(folder, output))[0]
            for output in OUTPUTS
        }
        cluster.run("scancel", first["c.waits"])
        for output in ("d.waits_requeued", "e.waits_preempted"):
            node = job(cluster, first[output])["NodeList"]
            cluster.run("sbatch", "-p", "gpu", "-w", node, "--exclusive", "-o", "/dev/null", "--wrap", "sleep 1")
        requeued = first["d.waits_requeued"]
        wait_for("preemption", lambda: job(cluster, requeued)["JobState"] == "PENDING")
        # Else SLURM holds it back for two minutes.
        wait_for("requeueing", lambda: job(cluster, requeued)["Restarts"] == "1")
        cluster.run("scontrol", "update", f"JobId={requeued}", "StartTime=now")
        cluster.stop_controller()
        time.sleep(15)
        cluster.start_controller()
        for output in OUTPUTS:
            (folder / output).with_suffix(".go").touch()
        finish(process, log, 240)
    return folder


def test_every_output_is_there(faults):
    assert [output for output in OUTPUTS if not (faults / output).exists()] == []


def test_a_job_that_fails_is_submitted_once_more(faults):
    assert len(set(executions(faults, "a.fails_once"))) == len(executions(faults, "a.fails_once")) == 2


def test_a_cancelled_job_is_submitted_again(faults, cluster):
    first, second = executions(faults, "c.waits")
    assert (job(cluster, first)["JobState"], job(cluster, second)["JobState"]) == ("CANCELLED", "COMPLETED")


def test_a_preempted_job_goes_back_into_the_queue(faults, cluster):
    first, second = executions(faults, "d.waits_requeued")
    assert first == second
    assert job(cluster, first)["JobState"] == "COMPLETED"


def test_a_job_that_is_preempted_for_good_is_submitted_again(faults, cluster):
    first, second = executions(faults, "e.waits_preempted")
    assert (job(cluster, first)["JobState"], job(cluster, second)["JobState"]) == ("PREEMPTED", "COMPLETED")


def test_a_job_outlives_the_controller(faults):
    assert len(executions(faults, "f.waits")) == 1


def test_no_job_runs_twice_after_snakemake_was_killed(cluster, tmp_path):
    targets = ("--snakefile", FAULTS, "--directory", tmp_path, "--", "a.waits", "b.waits")
    logs = [tmp_path / f"{index}.log" for index in range(5)]
    with snakemake(cluster, logs[0], *targets) as process:
        first, other = (
            wait_for(f"{name} to run", lambda name=name: executions(tmp_path, name))[0]
            for name in ("a.waits", "b.waits")
        )
        process.kill()
    with snakemake(cluster, logs[1], *targets) as process:
        assert process.wait(60) == 1
    assert "Directory cannot be locked" in logs[1].read_text()
    with snakemake(cluster, logs[2], "--unlock", *targets) as process:
        finish(process, logs[2], 60)
    with snakemake(cluster, logs[3], *targets) as process:
        assert process.wait(60) == 1
    refusal = logs[3].read_text()
    assert "error: jobs of an earlier run are in the queue for this folder" in refusal
    assert {first, other} <= set(refusal.split("scancel --signal=TERM ")[1].split("`")[0].split())
    assert "Traceback" not in refusal

    (tmp_path / "a.go").touch()
    cluster.run("scancel", other)
    wait_for("both to end", lambda: not cluster.run("squeue", "--noheader"))
    (tmp_path / "b.go").touch()
    with snakemake(cluster, logs[4], *targets) as process:
        finish(process, logs[4], 60)
    assert executions(tmp_path, "a.waits") == [first]
    assert executions(tmp_path, "b.waits")[0] == other
    assert len(executions(tmp_path, "b.waits")) == 2
