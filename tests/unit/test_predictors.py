import numpy as np
import pandas as pd
import pytest

from quagmires.predictors import PREDICTORS, by_average, by_pass_at_1, evaluate, permutation_p, ranking, split_r2


def world(count: int, noise: float, seed: int = 1) -> pd.DataFrame:
    """Models whose outcome is a line in Pass@large-k plus noise, and has nothing to do with Pass@1."""
    rng = np.random.default_rng(seed)
    large_k = rng.uniform(0.4, 0.9, count)
    outcome = 0.1 + 0.8 * large_k + rng.normal(0, noise, count)
    pass_at_1 = rng.uniform(0.2, 0.4, count)
    return pd.DataFrame(
        {
            "pass_at_1": pass_at_1,
            "pass_at_large_k": large_k,
            "generalization_loss": 2 - outcome,
            "outcome": outcome,
            "gain": outcome - pass_at_1,
        }
    )


def test_a_perfect_predictor_is_recognised():
    result = evaluate(world(12, 0.0), PREDICTORS["pass_at_large_k"], seed=1)
    assert result["spearman"] == pytest.approx(1)
    assert result["r2_mean"] == pytest.approx(1)
    assert result["splits_undefined"] == 0
    assert result["spearman_p"] < 0.01


def test_a_predictor_that_points_the_wrong_way_has_a_negative_rho():
    models = world(12, 0.0)
    models["pass_at_1"] = 1 - models["outcome"]
    assert evaluate(models, PREDICTORS["pass_at_1"], seed=1)["spearman"] == pytest.approx(-1)
    models["generalization_loss"] = models["outcome"]
    assert evaluate(models, PREDICTORS["generalization_loss"], seed=1)["spearman"] == pytest.approx(-1)


def test_lower_loss_should_be_better():
    assert evaluate(world(10, 0.02), PREDICTORS["generalization_loss"], seed=1)["spearman"] == pytest.approx(1)


def test_combined_predictors_never_see_the_model_they_rank():
    models = world(8, 0.05)
    changed = models.copy()
    changed.loc[3, "outcome"] = 5.0
    before, after = (ranking(table, PREDICTORS["average"]) for table in (models, changed))
    assert before[3] == after[3]
    assert before[0] != after[0]


def test_r2_of_a_split_is_the_textbooks():
    models = world(8, 0.1)
    held_out, _ = split_r2(models, by_pass_at_1, seed=5)
    order = np.random.default_rng(5).permutation(8)
    fit, rest = models.iloc[order[:4]], models.iloc[order[4:]]
    slope, intercept = np.polyfit(fit["pass_at_1"], fit["outcome"], 1)
    residual = rest["outcome"] - (intercept + slope * rest["pass_at_1"])
    spread = rest["outcome"] - rest["outcome"].mean()
    assert held_out[0] == pytest.approx(1 - (residual**2).sum() / (spread**2).sum())


def test_average_is_the_mean_of_its_two_parts():
    models = world(8, 0.05)
    parts = [PREDICTORS[name].predict(models, models) for name in ("generalization_loss", "pass_at_large_k")]
    assert by_average(models, models) == pytest.approx(np.mean(parts, axis=0))


def test_r2_is_not_clipped_and_splits_are_the_same_for_all_predictors():
    models = world(6, 0.2)
    first, _ = split_r2(models, by_pass_at_1, seed=3)
    again, _ = split_r2(models, by_pass_at_1, seed=3)
    assert np.array_equal(first, again)
    assert first.min() < 0


def test_too_few_models_give_no_r2():
    assert "r2_mean" not in evaluate(world(4, 0.1), PREDICTORS["pass_at_1"], seed=1)
    assert evaluate(world(2, 0.1), PREDICTORS["pass_at_1"], seed=1) == {"models": 2}


def test_equal_outcomes_are_undefined_and_counted():
    models = world(6, 0.0).assign(outcome=0.5)
    result = evaluate(models, PREDICTORS["pass_at_1"], seed=1)
    assert result["spearman"] is None
    assert result["splits_undefined"] == result["splits"] == 100


def test_permutation_p_is_exact_for_few_models():
    # All 24 orders of four models: only the identity and its reverse are as extreme.
    assert permutation_p(np.arange(4.0), np.arange(4.0), seed=1) == pytest.approx(2 / 24)
    assert permutation_p(np.arange(12.0), np.arange(12.0), seed=1) < 1e-3
