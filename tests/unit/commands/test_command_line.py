import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from quagmires.commands import COMMANDS, STEPS, command_parser, run_command
from quagmires.commands.__main__ import completion, dispatch
from quagmires.commands.versions import version_text
from quagmires.common import installation
from quagmires.common.errors import UserError
from support import ROOT, SCRIPTS, run

SCRIPT_OF = {
    "rank": "rank_models",
    "predict": "predict_outcomes",
    "compare": "compare_checkpoints",
    "contamination": "find_contamination",
    "report": "make_report",
}


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        dispatch([])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", said, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_an_example(name, capsys):
    with pytest.raises(SystemExit):
        dispatch([name, "--help"])
    said = capsys.readouterr().out
    assert said.startswith(f"usage: quagmires {name} ") and f"\n    quagmires {name} " in said


@pytest.mark.parametrize("name", [*COMMANDS, *STEPS])
def test_the_script_of_a_name_takes_the_same_arguments(name):
    shown = run(sys.executable, SCRIPTS / f"{SCRIPT_OF.get(name, name)}.py", "--help").stdout
    assert shown == command_parser(name, f"{SCRIPT_OF.get(name, name)}.py").format_help()


def test_an_unknown_command_is_one_line_that_names_the_others(capsys):
    with pytest.raises(UserError, match="no command 'rankk'; there are evaluate, grade, rank"):
        dispatch(["rankk"])


def test_a_command_runs_on_real_files(tmp_path, capsys):
    (tmp_path / "responses.jsonl").write_text('{"gold": "1/2", "response": "so \\\\boxed{0.5}"}\n')
    run_command("grade", ["--responses", str(tmp_path / "responses.jsonl"), "--output", str(tmp_path / "g.parquet")])
    assert "1 responses, 100.0% correct" in capsys.readouterr().out


def test_version_names_what_a_bug_report_needs():
    said = version_text()
    assert re.match(r"quagmires \d+\.\d+\.\d+, Python 3\.\d+", said)
    assert "snakemake 9." in said and "math-verify 0.9" in said


def test_completion_knows_commands_and_their_options():
    script = completion("bash")
    assert "contamination" in script and "--errors-in-variables" in script


def test_make_setup_installs_the_command():
    said = subprocess.run(
        [ROOT / ".envs" / "workflow" / "bin" / "quagmires", "--version"], capture_output=True, text=True
    )
    assert said.returncode == 0 and said.stdout.startswith("quagmires ")


def test_an_installed_package_ships_the_files_that_its_commands_read():
    """What `shipped` is asked for in the library is what the wheel brings."""
    asked = set()
    for path in (SCRIPTS / "quagmires").rglob("*.py"):
        asked |= set(re.findall(r'shipped\(f?"([^"]+)"\)', path.read_text()))
    brought = (ROOT / "pyproject.toml").read_text()
    assert len(asked) >= 4
    for name in asked:
        for one in [name.replace("{accelerator}", kind) for kind in ("cpu", "cuda")]:
            assert f'"{one}" = "quagmires/shipped/{one}"' in brought
            assert installation.shipped(one).is_file()


def test_an_installed_package_plans_outside_a_checkout(tmp_path):
    """Laid out as the wheel installs it: the table of speeds and base.yaml are the shipped ones."""
    package, elsewhere = tmp_path / "site-packages" / "quagmires", tmp_path / "elsewhere"
    shutil.copytree(SCRIPTS / "quagmires", package, ignore=shutil.ignore_patterns("__pycache__"))
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, target in wheel["force-include"].items():
        path = package.parent / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, path)
    elsewhere.mkdir()
    shutil.copy(ROOT / "config" / "paper.yaml", elsewhere / "mine.yaml")
    command = [sys.executable, "-m", "quagmires.commands", "plan", "--config", "config/base.yaml", "mine.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    given = {"cwd": elsewhere, "env": environment, "capture_output": True, "text": True}
    plan = subprocess.run([*command, "--output-folder", "plan"], **given)
    assert plan.returncode == 0, plan.stderr
    assert "GPU-hours" in plan.stdout and (elsewhere / "plan" / "plan.json").is_file()
    command[-1] = "yours.yaml"
    refused = subprocess.run([*command, "--output-folder", "plan"], **given)
    assert refused.stderr == "error: yours.yaml: no such config file\n"
