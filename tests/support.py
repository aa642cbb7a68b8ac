"""What all tests share: the repository's paths, its interpreters, and real data where there is some."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
INSTRUCTION = r"Let's think step by step and output the final answer within \boxed{}."
# Real benchmarks, traces and graded responses, beside the checkout where somebody has put them.
REAL_DATA = ROOT.parent / "shared" / "data"

needs_real_data = pytest.mark.skipif(
    not REAL_DATA.is_dir(), reason=f"no real data beside the checkout ({REAL_DATA.name})"
)


def run(*command, timeout: float = 600, check: bool = True, **options) -> subprocess.CompletedProcess:
    """Run a command in the repository's root, bounded in time; its output is in the assertion if it fails."""
    result = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=timeout, **options
    )
    if check:
        assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


def script(name: str, *arguments, python: str | Path = sys.executable, **options) -> subprocess.CompletedProcess:
    """Run one of the scripts."""
    return run(python, SCRIPTS / name, *arguments, **options)


def snakemake(
    *arguments, profile: str = "profiles/local", timeout: float = 120, **options
) -> subprocess.CompletedProcess:
    """Run Snakemake, with the local profile by default."""
    return run(sys.executable, "-m", "snakemake", "--profile", profile, *arguments, timeout=timeout, **options)


def planned(output: str) -> dict[str, int]:
    """Rule -> number of jobs, from Snakemake's job table."""
    return {name: int(count) for name, count in re.findall(r"^([a-z_]+) +(\d+)$", output, re.MULTILINE)}


def overlay(tmp_path, base: str = "demo", **changes) -> str:
    """A config file like `base` with whole blocks or dotted values replaced."""
    config = yaml.safe_load((ROOT / "config" / f"{base}.yaml").read_text())
    # A results folder of its own, so that what lies in the real one changes nothing.
    text = yaml.safe_dump(config).replace(f"results/{config['experiment']}/", "results/plan-test/")
    config = yaml.safe_load(text)
    config["experiment"] = "plan-test"
    for path, value in changes.items():
        block = config
        *parents, last = path.split("__")
        for key in parents:
            block = block[key]
        block[last] = value
    target = tmp_path / "experiment.yaml"
    target.write_text(yaml.safe_dump(config))
    return str(target)


def analysis_of(*names: str):
    """The analysis settings of shipped configs, laid over base.yaml."""
    from quagmires.config.analysis_settings import analysis_settings
    from quagmires.config.experiment import read_experiment

    experiment = read_experiment(ROOT / "config" / f"{name}.yaml" for name in ("base", *names))
    return analysis_settings(experiment.config, experiment.sheet)


def python(environment: str) -> Path:
    """An engine's interpreter."""
    return ROOT / ".envs" / f"{environment}-cpu" / "bin" / "python"


def environment(**variables) -> dict[str, str]:
    """What an engine runs with: one thread, nothing from the network."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **variables}


SMALL = ROOT / "config" / "demo_small.yaml"
DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
# What the demo trains: SFT models, the base among them, and checkpoints of an RL run of each.
MODELS, CHECKPOINTS = len(DEMO["studies"]["toy"]["recipes"]), DEMO["rl"]["checkpoints"]
