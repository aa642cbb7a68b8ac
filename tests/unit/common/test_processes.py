"""The watch over an engine, with small programs in the engine's place."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from quagmires.common import processes
from quagmires.common.errors import UserError
from quagmires.common.processes import Progress, Stop, run_engine
from support import SCRIPTS

# An engine that does a step each 0.1 s until step N, then hangs.
STEPS_THEN_HANGS = """
import pathlib, sys, time
for step in range(1, int(sys.argv[2]) + 1):
    time.sleep(0.1)
    pathlib.Path(sys.argv[1]).write_text(str(step))
time.sleep(60)
"""
# An engine that saves when it is asked to, whatever signals it gets.
SAVES_WHEN_ASKED = """
import pathlib, sys, time
steps, stop = map(pathlib.Path, sys.argv[1:])
for step in range(1000):
    time.sleep(0.05)
    steps.write_text(str(step))
    if stop.exists():
        time.sleep(0.3)
        pathlib.Path(f"{steps}.saved").write_text("x")
        sys.exit(75)
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(processes, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(processes, "REPORT_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(processes, "TERMINATION_SECONDS", 1.0)


def progress_in(file: Path):
    return lambda: Progress(int(file.read_text() or 0), 9) if file.exists() else None


def run(tmp_path, program: str, *arguments, stall_minutes: float = 1.0, **options) -> None:
    run_engine(
        [sys.executable, "-c", program, *map(str, arguments)],
        name="test",
        log=tmp_path / "log",
        environment={},
        progress=progress_in(tmp_path / "steps"),
        stall_minutes=stall_minutes,
        **options,
    )


def test_an_engine_that_does_no_new_step_is_ended_with_its_step(tmp_path):
    started = time.monotonic()
    with pytest.raises(UserError, match=r"no new step for 0.01 minutes at step 3; run again to resume.*see .*log"):
        run(tmp_path, STEPS_THEN_HANGS, tmp_path / "steps", 3, stall_minutes=0.01)
    assert time.monotonic() - started < 10
    assert not [child for child in psutil.Process().children() if str(tmp_path) in " ".join(child.cmdline())]


def test_the_start_may_take_three_times_as_long(tmp_path):
    with pytest.raises(UserError, match="no new step for 0.03 minutes at step 0"):
        run(tmp_path, STEPS_THEN_HANGS, tmp_path / "steps", 0, stall_minutes=0.01)


def test_an_earlier_attempts_progress_is_not_a_step_of_this_one(tmp_path):
    (tmp_path / "steps").write_text("5")
    with pytest.raises(UserError, match="no new step for 0.03 minutes at step 5"):
        run(tmp_path, STEPS_THEN_HANGS, tmp_path / "steps", 0, stall_minutes=0.01)


def test_each_look_is_taken_while_the_engine_runs(tmp_path):
    looks = []
    run(tmp_path, "import time; time.sleep(0.8)", each_look=lambda: looks.append(1))
    assert len(looks) >= 2


def test_an_engines_own_error_is_reported_and_not_torchruns(tmp_path):
    program = "import sys; print('ValueError: bad lr'); print('errors.ChildFailedError: x'); sys.exit(3)"
    with pytest.raises(UserError, match="ended with status 3.*It said: ValueError: bad lr"):
        run(tmp_path, program)


WATCHED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from quagmires.common import processes
processes.POLL_SECONDS, processes.REPORT_EVERY_SECONDS, processes.TERMINATION_SECONDS = 0.05, 0.1, 1.0
folder = Path(sys.argv[2])
stop = processes.Stop(folder / "stop", float(sys.argv[3])) if len(sys.argv) > 3 else None
processes.run_engine([sys.executable, "-c", (folder / "engine.py").read_text(), f"{folder}/steps", f"{folder}/stop"],
    name="test", log=folder / "log", environment={}, progress=lambda: None, stall_minutes=1, stop=stop)
"""


def start_watched(tmp_path, program: str, *grace: float) -> tuple[subprocess.Popen, list[psutil.Process]]:
    """A script that runs `program` as its engine; wait for the engine's first step."""
    (tmp_path / "engine.py").write_text(textwrap.dedent(program))
    script = subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(SCRIPTS), str(tmp_path), *map(str, grace)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 20
    while not (tmp_path / "steps").exists():
        assert time.monotonic() < deadline and script.poll() is None
        time.sleep(0.02)
    return script, psutil.Process(script.pid).children(recursive=True)


def test_told_to_stop_the_engine_saves_first(tmp_path):
    """As SLURM tells: every process of the job gets the signal."""
    script, children = start_watched(tmp_path, SAVES_WHEN_ASKED, 20)
    engine = next(child for child in children if "watchdog" not in " ".join(child.cmdline()))
    for number in (engine.pid, script.pid):
        os.kill(number, signal.SIGTERM)
    _, said = script.communicate(timeout=20)
    assert script.returncode == 128 + signal.SIGTERM
    assert b"test: told to stop; saving first, for 20 seconds at most" in said
    assert (tmp_path / "steps.saved").exists()


def test_an_engine_that_does_not_save_in_time_is_killed(tmp_path):
    hangs = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('1'); time.sleep(60)"
    script, children = start_watched(tmp_path, hangs, 0.5)
    os.kill(script.pid, signal.SIGTERM)
    script.communicate(timeout=20)
    assert script.returncode == 128 + signal.SIGTERM
    assert not psutil.wait_procs(children, timeout=30)[1]


TOLD_WHILE_STARTING = """
import os, signal
from quagmires.common import watchdog
start = watchdog.start
def told(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    return start(*arguments)
watchdog.start = told
"""


def test_an_engine_is_ended_if_its_script_was_told_to_stop_while_it_started_it(tmp_path):
    (tmp_path / "engine.py").write_text("import time; time.sleep(60)")
    watched = WATCHED.replace("folder = Path", f"{TOLD_WHILE_STARTING}\nfolder = Path")
    command = [sys.executable, "-c", watched, str(SCRIPTS), str(tmp_path), "0.5"]
    script = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    script.communicate(timeout=30)
    assert script.returncode == 128 + signal.SIGTERM
    lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if f"{tmp_path}/steps" in line]


def test_an_engine_and_what_it_started_end_when_their_script_is_killed(tmp_path):
    parent = """
    import pathlib, subprocess, sys, time
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    time.sleep(1.5)
    pathlib.Path(sys.argv[1]).write_text("1")
    time.sleep(60)
    """
    script, children = start_watched(tmp_path, parent)
    assert len(children) == 3
    script.kill()
    script.communicate(timeout=20)
    assert not psutil.wait_procs(children, timeout=30)[1]


def test_stop_leaves_no_old_request_behind(tmp_path):
    (tmp_path / "stop").touch()
    run(tmp_path, "import sys, os; sys.exit(os.path.exists(sys.argv[1]))", tmp_path / "stop",
        stop=Stop(tmp_path / "stop", 1))  # fmt: skip
