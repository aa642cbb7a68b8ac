import argparse
import json
import sys
from pathlib import Path

import pytest

from quagmires.commands import evaluate
from quagmires.common import installation
from quagmires.common.files import write_json

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


def test_of_several_models_one_that_fails_loses_no_other(tmp_path, monkeypatch):
    """It has results of an earlier run, which are not taken for new ones."""
    reported = []
    for name, context in (("good", 4096), ("bad", 4096), ("short", 512)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"max_position_embeddings": context}))
        (tmp_path / f"{name}-out").mkdir()
        (tmp_path / f"{name}-out" / "samples.json").write_text("{}")

    def sample(options, settings, models, problems):
        drawn.append(([Path(one.name).name for one in models], models[0].max_tokens))
        for one in models:
            if not one.name.endswith("bad"):
                write_json(one.output / "samples.json", {})
        return int(any(one.name.endswith("bad") for one in models))

    drawn: list[tuple[list[str], int]] = []
    monkeypatch.setattr(evaluate.tool, "local_model", lambda model, revision, template: Path(model))
    monkeypatch.setattr(evaluate, "prepare", lambda *arguments: {})
    monkeypatch.setattr(evaluate, "sample", sample)
    monkeypatch.setattr(evaluate, "grade_and_score", lambda *arguments: None)
    monkeypatch.setattr(evaluate, "write_report", lambda output, name: reported.append(output.name))
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    names = ("good", "bad", "short")
    models, outputs = ([str(tmp_path / f"{name}{end}") for name in names] for end in ("", "-out"))
    command = ["--model", *models, "--output", *outputs, "--benchmarks", "math500", "--n", "1"]
    with pytest.raises(SystemExit) as end:
        evaluate.run(parser.parse_args(command))
    assert end.value.code == 1
    # Those that share a length share an engine.
    assert drawn == [(["good", "bad"], 4096), (["short"], 512)]
    assert reported == ["good-out", "short-out"]
