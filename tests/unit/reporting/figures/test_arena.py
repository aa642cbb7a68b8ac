import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.arena import judge
from quagmires.prediction.arena_costs import Costs
from quagmires.prediction.arena_studies import Study
from quagmires.reporting.figures.arena import APART, _places, _spread, arena_figure

MODELS = pd.DataFrame(
    {
        "recipe": ["a", "b", "c", "d"],
        "outcome": [0.5, 0.7, 0.6, 0.8],
        "pass_at_1": [0.1, 0.2, 0.3, 0.4],
        "rl_informative_share": [0.1, 0.3, 0.2, 0.4],
    }
)
COSTS = Costs("GPU-hours", {"samples": 10.0, "rl": 400.0}, "not asked")


def frame_of(*costs: Costs) -> pd.DataFrame:
    return judge([Study(f"study{place}", "toy", "instance", MODELS, one) for place, one in enumerate(costs)], seed=1)


def test_a_panel_for_each_study_with_a_point_for_each_predictor():
    figure = arena_figure(frame_of(COSTS, Costs(unknown="no plan")))
    assert len(figure.axes) == 2
    for axis in figure.axes:
        rhos = sorted(line.get_ydata()[0] for line in (container[0] for container in axis.containers))
        assert rhos == pytest.approx([0.8, 1.0])
    known, unknown = figure.axes
    assert "GPU-hours" in known.get_xlabel() and {"all RL ", "cost not known"} == {
        text.get_text() for text in known.texts
    }
    assert {text.get_text() for text in unknown.texts} == {"cost not known"}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SFT Pass@1", "RL prompts with a signal"]


def test_costs_stand_on_a_logarithmic_axis_and_unknown_ones_beside_it():
    places, ticks, end = _places(np.array([1.0, np.nan, 100.0]), 1_000.0)
    assert places == pytest.approx([0, 1.315, 2 / 3]) and end == pytest.approx(1)
    assert list(ticks.values()) == [1, 10, 100, 1000]


def test_predictors_of_like_cost_do_not_cover_each_other():
    spread = _spread(np.array([0.5, 0.5, 0.52, 0.9, 0.545]))
    assert np.diff(np.sort(spread)).min() >= APART - 1e-9
    assert spread[3] == 0.9 and spread[[0, 1, 2, 4]].mean() == pytest.approx(np.mean([0.5, 0.5, 0.52, 0.545]))


def test_a_study_without_any_predictor_says_so():
    models = MODELS.drop(columns=["pass_at_1", "rl_informative_share"])
    figure = arena_figure(judge([Study("empty", "toy", "instance", models)], seed=1))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no predictor could be computed"]
