from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.calibration import predict_outcomes
from quagmires.prediction.errors_in_variables import difference_error, errors_in_variables, independent_errors
from quagmires.prediction.outcomes import outcome_errors
from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import choice, leave_one_out
from quagmires.prediction.split_validation import half, r2_over_splits
from quagmires.simulation.known_truth import World, expected_r2, expected_spearman

# Few problems and responses: noise takes a visible share of what the predictor knows.
ROUGH = World(problems=60, samples=8, samples_after_rl=8, run_spread=0.02, rest_spread=0.01)
WORLDS = [World(models=17), ROUGH]
COLUMNS = ("pass_at_1", "generalization_loss", "pass_at_large_k")


def drawn(world, count, seed=0):
    return [world.draw(np.random.default_rng([seed, number])) for number in range(count)]


@pytest.mark.parametrize("world", [*WORLDS, World(run_spread=0.06)])
def test_a_world_measures_what_it_says(world):
    # In small samples correlations are a little nearer to zero.
    worlds = drawn(replace(world, models=60), 100)
    for column in COLUMNS:
        measured = [np.corrcoef(one[column], one["outcome"])[0, 1] for one in worlds]
        assert np.mean(measured) == pytest.approx(world.correlation(column), abs=0.03)
    wanted = {"questions": world.shared_error, "runs": world.run_spread / 2, "checkpoints": world.rest_spread / 2}
    errors = pd.concat(outcome_errors(one, "last") for one in worlds)
    assert np.sqrt((errors[list(wanted)] ** 2).mean()).to_dict() == pytest.approx(wanted, rel=0.15)


def test_noise_shared_by_all_models_is_found_in_the_draws():
    models = World(models=17, problems=100).draw(np.random.default_rng(1))
    own = World(problems=100).own_error(256)
    assert independent_errors(models, "pass_at_large_k").mean() == pytest.approx(own, rel=0.1)
    assert models["pass_at_large_k_se"].iloc[0] > 3 * own
    assert difference_error(models, 0, 1, "pass_at_large_k") == pytest.approx(np.sqrt(2) * own, rel=0.2)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("column", COLUMNS)
def test_spearman_is_what_the_predictor_knows_after_noise(world, column):
    found = [rho(one, column) for one in drawn(world, 200)]
    expected = expected_spearman(abs(world.correlation(column)), world.models)
    assert np.mean(found) == pytest.approx(expected, abs=3 * np.std(found) / np.sqrt(len(found)))


def rho(models, column):
    """As rank_agreement has it, without its resamples, which take most of the time."""
    sign = -1 if column == "generalization_loss" else 1
    return (sign * models[column]).corr(models["outcome"], method="spearman")


def test_rank_agreement_finds_the_same_rho():
    models = World().draw(np.random.default_rng(2))
    for column in COLUMNS:
        found = rank_agreement(models, PREDICTORS[column], seed=1)
        assert found.spearman == pytest.approx(rho(models, column))
        assert found.spearman_low < found.spearman < found.spearman_high


@pytest.mark.parametrize("column", COLUMNS)
def test_r2_over_splits_is_what_the_predictor_knows_after_noise_and_the_cost_of_fitting(column):
    world = World(models=40)
    found = [r2_over_splits(one, PREDICTORS[column], half(40), 20, seed=1).mean for one in drawn(world, 60)]
    expected = expected_r2(world.correlation(column), 20, 20)
    assert np.mean(found) == pytest.approx(expected, abs=0.02 + 3 * np.std(found) / np.sqrt(len(found)))


def test_a_combination_of_predictors_knows_more_than_its_parts():
    world = World(models=17, carried={"pass_at_1": 0.5, "generalization_loss": 0.7, "pass_at_large_k": 0.7})
    r2 = {
        name: np.mean([leave_one_out(one, PREDICTORS[name]).r2 for one in drawn(world, 100)])
        for name in ("generalization_loss", "pass_at_large_k", "average")
    }
    assert r2["average"] > max(r2["generalization_loss"], r2["pass_at_large_k"]) + 0.03


def test_choosing_by_a_worse_predictor_costs_more():
    worlds = drawn(World(models=12), 150)
    regret = {name: np.mean([choice(one, PREDICTORS[name]).regret_at_1 for one in worlds]) for name in COLUMNS}
    assert regret["pass_at_1"] > regret["generalization_loss"] > regret["pass_at_large_k"]


def test_a_predictor_that_knows_nothing_looks_like_it():
    worlds = drawn(World(models=10, carried=dict.fromkeys(COLUMNS, 0.0)), 200)
    for column in COLUMNS:
        assert abs(np.mean([rho(one, column) for one in worlds])) < 0.1
        assert np.median([leave_one_out(one, PREDICTORS[column]).r2 for one in worlds]) < 0
    combined = [rank_agreement(one, PREDICTORS["average"], 1).spearman for one in worlds[:40]]
    assert abs(np.mean(combined)) < 0.15


def test_errors_in_variables_recovers_the_slope_without_noise():
    # With few models the slope itself is uncertain, and its mean too steep.
    world = World(models=200, problems=20, samples=4, carried=dict.fromkeys(COLUMNS, 0.8))
    worlds = drawn(world, 40)
    slopes = [errors_in_variables(one, "pass_at_1").slope for one in worlds]
    flat = [np.polyfit(one["pass_at_1"], one["outcome"], 1)[0] for one in worlds]
    true = np.sqrt(0.8)
    assert np.mean(slopes) == pytest.approx(true, rel=0.05)
    assert np.mean(flat) < 0.85 * true


@pytest.mark.parametrize("size", [3, 5, 8])
@pytest.mark.parametrize("world", WORLDS)
def test_nine_of_ten_outcomes_lie_within_their_intervals(world, size):
    held = []
    for models in drawn(replace(world, models=size + 6), 80):
        known, new = models.iloc[:size], models.iloc[size:]
        rows = predict_outcomes(known, new, PREDICTORS["pass_at_large_k"], 0.9)
        held.append(new["outcome"].between(rows["low"], rows["high"]).mean())
    # Six outcomes of one world share a fit.
    assert 0.85 - 2 * np.std(held) / np.sqrt(len(held)) < np.mean(held) < 0.95 + 2 * np.std(held) / np.sqrt(len(held))


def test_the_same_generator_makes_the_same_world():
    first, second = (World().draw(np.random.default_rng(5)) for _ in range(2))
    assert first["outcome"].equals(second["outcome"])
    assert np.array_equal(first["pass_at_1_draws"].iloc[0], second["pass_at_1_draws"].iloc[0])
