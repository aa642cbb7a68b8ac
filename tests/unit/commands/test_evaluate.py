import json
import sys

import pytest

from quagmires.commands import evaluate
from quagmires.common import installation

SHOWS_ITS_PATH = """
import json, os, sys
import theirs
from quagmires.common import errors
print(json.dumps([errors.__file__, theirs.__file__, "" in sys.path or os.getcwd() in sys.path]))
"""


def test_a_step_imports_this_library_then_the_users_path_and_nothing_from_the_folder_it_is_typed_in(
    tmp_path, monkeypatch, capfd
):
    """A `json.py` in the folder of one's evaluations is no module of vLLM's process."""
    here, users = tmp_path / "here", tmp_path / "users"
    here.mkdir()
    users.mkdir()
    (here / "json.py").write_text("raise SystemExit('imported from the current folder')\n")
    (users / "theirs.py").write_text("")
    (users / "quagmires.py").write_text("raise SystemExit('not this library')\n")
    monkeypatch.chdir(here)
    monkeypatch.setenv("PYTHONPATH", str(users))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    # The interpreter runs what the step would be given, to show what it can import.
    wrapper = tmp_path / "python"
    wrapper.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{SHOWS_ITS_PATH}'\n")
    wrapper.chmod(0o755)
    evaluate.start(wrapper, ["sample"])
    library, theirs, current_folder = json.loads(capfd.readouterr().out)
    assert library.startswith(str(installation.import_path()))
    assert theirs == str(users / "theirs.py") and not current_folder


def test_a_step_that_fails_ends_the_command(tmp_path):
    with pytest.raises(SystemExit) as end:
        evaluate.start(sys.executable, ["no-such-step"], quiet=True)
    assert end.value.code != 0
