"""The engines' environments and one small run of the whole workflow, shared by all integration tests."""

import shutil
from pathlib import Path

import pytest

from support import ROOT, SMALL, snakemake

RESULTS = ROOT / "results" / "demo-small"


@pytest.fixture(scope="session")
def environments() -> None:
    """Build the engines' environments, if they are not there."""
    snakemake("--configfile", SMALL, "--", "environments", timeout=1800)


@pytest.fixture(scope="session")
def small_run(environments) -> Path:
    """The results of the small demo, made from nothing by the real engines."""
    # Logs too, to which a second run would add.
    for folder in (RESULTS, ROOT / "logs" / "demo-small" / "samples"):
        shutil.rmtree(folder, ignore_errors=True)
    snakemake("--configfile", SMALL, timeout=1800)
    return RESULTS
