"""A stable path and caches for each engine of a node: who gets which folder, and what is removed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quagmires.common.errors import UserError
from quagmires.evaluation.engine_folder import claim, take
from support import SCRIPTS

KIND = "0123456789abcdef0123"
HOLD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from quagmires.evaluation.engine_folder import take
print(take(Path(sys.argv[2]), sys.argv[3], 7).path, flush=True)
time.sleep(60)
"""


def folders(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / f"quagmires-{os.getuid()}").iterdir())


def test_the_path_stays_whatever_model_is_behind_it(tmp_path):
    folder = take(tmp_path, KIND, 7)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
        folder.point_to(tmp_path / name)
        assert (folder.model / "config.json").read_text() == name
    folder.release()
    # The next job of the node gets the same, and what was compiled with it.
    again = take(tmp_path, KIND, 7)
    assert again.model == folder.model and not again.model.exists()
    again.release()


def test_two_processes_of_a_node_never_share_a_folder(tmp_path):
    first = take(tmp_path, KIND, 7)
    other = subprocess.Popen([sys.executable, "-c", HOLD, SCRIPTS, tmp_path, KIND], stdout=subprocess.PIPE, text=True)
    theirs = Path(other.stdout.readline().strip())
    assert {first.path.name, theirs.name} == {"engine-0123456789ab-0", "engine-0123456789ab-1"}
    third = take(tmp_path, KIND, 7)
    assert third.path.name == "engine-0123456789ab-2"
    # However a process ends, its folder is free then.
    other.kill()
    other.communicate()
    assert take(tmp_path, KIND, 7).path == theirs


def test_engines_that_cannot_share_graphs_have_folders_of_their_own(tmp_path):
    assert take(tmp_path, KIND, 7).path != take(tmp_path, "f" * 20, 7).path


def test_caches_lie_in_the_folder_and_go_when_nobody_used_them_for_long(tmp_path):
    old, used = take(tmp_path, "a" * 20, 7), take(tmp_path, "b" * 20, 7)
    for folder in (old, used):
        assert {Path(value).parent for value in folder.variables().values()} == {folder.path}
        (folder.path / "vllm").mkdir()
        folder.release()
    long_ago = time.time() - 8 * 86_400
    os.utime(old.path / "lock", (long_ago, long_ago))
    now = take(tmp_path, KIND, 7)
    assert folders(tmp_path) == ["engine-0123456789ab-0", "engine-bbbbbbbbbbbb-0"]
    assert (used.path / "vllm").is_dir()
    # One that a process holds stays, however old.
    os.utime(now.path / "lock", (long_ago, long_ago))
    take(tmp_path, "c" * 20, 7)
    assert now.path.name in folders(tmp_path)


def test_with_no_days_a_cache_goes_with_its_job(tmp_path):
    folder = take(tmp_path, KIND, 0)
    (folder.path / "vllm").mkdir()
    held = take(tmp_path, "d" * 20, 0)
    assert folder.path.is_dir()
    folder.release()
    assert folders(tmp_path) == [held.path.name]


def test_an_output_is_written_by_one_process_of_a_node(tmp_path):
    held = claim(tmp_path, tmp_path / "one/eval")
    assert held is not None and claim(tmp_path, tmp_path / "two/../one/eval") is None
    other = claim(tmp_path, tmp_path / "two/eval")
    assert other is not None
    # A process that was forked meanwhile holds nobody up.
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    held.release()
    assert claim(tmp_path, tmp_path / "one/eval") is not None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    other.release()
    assert len(folders(tmp_path)) == 1


def test_a_place_that_cannot_be_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"no place for an engine's caches .*set cache.directory"):
        take(tmp_path / "file", KIND, 7)
    take(tmp_path, KIND, 7).release()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    (tmp_path / "quagmires-12345").mkdir()
    with pytest.raises(UserError, match="belongs to somebody else"):
        take(tmp_path, KIND, 7)
