import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.arena import direction
from quagmires.prediction.predictors import LEVELS, PREDICTORS, applicable, predictor, ranking

# As their sources claim; a change here is a change of what is tested.
DIRECTIONS = {
    "informative_share": "higher",
    "success_deviation": "higher",
    "success_variance": "higher",
    "rollout_entropy": "higher",
    "sft_regime": "lower",
    "common_loss": "lower",
    "distinct_wrong": "higher",
    "lost_coverage": "lower",
    "early_rl_score": "higher",
    "early_rl_reward": "higher",
    "sigmoid_ceiling": "higher",
}


def test_directions_are_fixed():
    assert {name: direction(PREDICTORS[name]) for name in DIRECTIONS} == DIRECTIONS
    assert direction(PREDICTORS["pass_at_1"]) == "higher" and direction(PREDICTORS["average"]) == "fit"


def test_they_are_registered_whatever_is_imported_and_stand_in_the_arena_alone():
    assert DIRECTIONS.keys() <= PREDICTORS.keys()
    shown = [one.name for one in applicable(*LEVELS)]
    assert shown == ["pass_at_1", "generalization_loss", "generalization_loss_gain", "pass_at_large_k", "average"]


@pytest.mark.parametrize("name", DIRECTIONS)
def test_each_says_formula_and_source(name):
    said = PREDICTORS[name].make_lines.__doc__
    assert "better" in said or "Stable is best" in said
    assert "arXiv" in said or "nobody has tested" in said or "not tested by anyone" in said or "as `early" in said


def test_regimes_by_hand():
    losses = [0.50, 0.51, 0.5101, 0.5499, 0.56, np.nan]
    table = pd.DataFrame({"generalization_loss": losses, "outcome": np.arange(6.0)})
    ranks = ranking(table, PREDICTORS["sft_regime"])
    assert list(-ranks[:5]) == [0, 0, 1, 1, 2] and np.isnan(ranks[5])
    [line] = PREDICTORS["sft_regime"].lines(table)
    assert list(line.x[:5]) == [0, 0, 1, 1, 2] and not line.predictable[5]


def test_losses_that_cannot_be_compared_have_no_regime():
    assert "instance" not in PREDICTORS["sft_regime"].levels
    # One validation set for all is what makes them comparable.
    assert "instance" in PREDICTORS["common_loss"].levels


def test_a_measurement_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="predictor ours: no measurement sampling; there are samples, loss"):
        predictor("ours", "Ours", needs=["sampling"])
    assert "ours" not in PREDICTORS
