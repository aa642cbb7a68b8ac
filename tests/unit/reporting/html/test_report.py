from pathlib import Path

import pytest

from quagmires.common.shown_numbers import MISSING
from quagmires.reporting.html.report import Sources, captioned, contamination_layout
from support import ROOT


def test_of_a_benchmark_without_problems_no_share_is_shown(tmp_path):
    path = tmp_path / "contamination.csv"
    path.write_text("benchmark,problems,sums,any_set,any_set_share\neasy,40,3,3,0.0750\nnone,0,0,0,\n")
    rows = [[cell.text for cell in row] for row in contamination_layout(path).rows]
    assert rows == [["easy", "40", "3", "3 (7.5%)"], ["none", "0", "0", MISSING]]


@pytest.mark.parametrize(
    ("name", "title"), [("grpo_training", "Dr. GRPO training"), ("grpo_and_ours", "GRPO and ours")]
)
def test_only_the_figure_of_training_is_called_by_the_algorithm(name, title):
    """A figure that a config calls `grpo_and_ours` keeps its name."""
    experiment = type("Experiment", (), {"algorithm_title": "Dr. GRPO"})()
    given = Sources(Path(), experiment, None, ROOT / "config" / "captions.yaml")
    assert captioned(name, lambda *given: "A caption.", given) == (title, "A caption.")
