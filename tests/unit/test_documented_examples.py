import doctest
import importlib

import pytest

from support import SCRIPTS

MODULES = sorted(path.stem for path in (SCRIPTS / "quagmires").glob("*.py") if ">>> " in path.read_text())


@pytest.mark.parametrize("name", MODULES)
def test_documented_examples_hold(name):
    found = doctest.testmod(importlib.import_module(f"quagmires.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
