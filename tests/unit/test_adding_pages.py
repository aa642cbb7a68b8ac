"""The example of each page on adding something is run as it stands, and what it adds is used."""

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pyarrow as pa
import pytest
import yaml
from made_up_metrics import METRICS, SETTINGS, cell, frame_of, of

from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.figure_names import KINDS
from quagmires.config.loading import laid_over, load_yaml
from quagmires.config.schema import FigureSettings
from quagmires.config.subset_names import subset_size
from quagmires.config.subset_rules import SUBSET_RULES
from quagmires.data.subsets import Lengths, select
from quagmires.planning.resources import example_tokens
from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import leave_one_out
from quagmires.reporting.captions import CAPTIONS, figure_caption
from quagmires.reporting.figures.drawing import Results, draw, draw_and_save
from quagmires.reporting.figures.registry import FIGURES
from quagmires.reporting.figures.style import Series, series_styles
from support import ROOT


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def registries():
    """Every registry as it was, after a page has added to it."""
    there = (SUBSET_RULES, FIGURES, KINDS, PREDICTORS)
    before = [dict(one) for one in there]
    yield
    for one, entries in zip(there, before, strict=True):
        one.clear()
        one.update(entries)


def check_subset_rule(folder: Path) -> None:
    tokens = np.random.default_rng(1).permutation(101).astype(np.int32)
    numbers = (np.arange(101, dtype=np.uint64), np.full(101, 5, np.int32), tokens, np.arange(101))
    pool = Lengths(pa.array([f"t{place}" for place in range(101)]), *numbers)
    assert sorted(select(pool, "middle-11", 1).response_tokens) == list(range(45, 56))
    mixture = select(pool, "longest-20+middle-10", 1).response_tokens
    assert sorted(mixture) == [*range(35, 45), *range(81, 101)]
    assert subset_size("middle-1.5k", 0) == 1_500
    assert example_tokens("middle-10", mean=4_000, cutoff=8_192) == 4_000
    assert series_styles(["random", "middle"])["middle"] == Series("#E69F00", "v")


def check_figure(folder: Path) -> None:
    figures = {"ours": FigureSettings(kind="gains", studies=["llama", "mistral"])}
    settings = AnalysisSettings.model_validate(SETTINGS.model_dump() | {"figures": figures})
    results = Results.of(settings, METRICS)
    axis = draw("ours", results).axes[0]
    assert sorted(axis.lines[0].get_xdata()) == sorted(of(METRICS, "llama")["gain"])
    draw_and_save("ours", results, folder)
    assert np.ptp(matplotlib.image.imread(folder / "ours.png")) > 0.5
    [caption] = blocks("adding-figure.md", "yaml")
    captions = laid_over(load_yaml(CAPTIONS), yaml.safe_load(caption))
    (folder / "captions.yaml").write_text(yaml.safe_dump(captions, sort_keys=False))
    text = figure_caption("ours", settings, folder / "captions.yaml")
    assert text.startswith("The gain of Pass@1 through RL (best of all runs") and "{" not in text


def check_predictor(folder: Path) -> None:
    models = of(METRICS, "llama").reset_index(drop=True)
    ours = PREDICTORS["headroom"]
    assert leave_one_out(models, ours).mae < 0.1
    assert rank_agreement(models, ours, seed=1).spearman is not None
    score = cell(frame_of(statistic="spearman", studies=["llama"]), "headroom")
    assert -1 <= score["value"] <= 1


CHECKS = {
    "adding-subset-rule.md": check_subset_rule,
    "adding-figure.md": check_figure,
    "adding-predictor.md": check_predictor,
}


@pytest.mark.parametrize("page", CHECKS)
def test_the_example_of_the_page_adds_what_it_says(page, tmp_path):
    [example] = blocks(page, "python")
    exec(compile(example, page, "exec"), {"__name__": "example"})
    CHECKS[page](tmp_path)
