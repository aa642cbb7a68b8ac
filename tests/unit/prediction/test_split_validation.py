import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.split_validation import (
    compare_over_splits,
    draw_splits,
    half,
    possible_fitting_sizes,
    r2_over_splits,
    split_r2,
)

PASS_AT_1, LARGE_K, LOSS = (PREDICTORS[name] for name in ("pass_at_1", "pass_at_large_k", "generalization_loss"))


def world(count: int, noise: float = 0.05, seed: int = 1) -> pd.DataFrame:
    """Models whose outcome is a line in Pass@large-k plus noise, and has nothing to do with Pass@1."""
    rng = np.random.default_rng(seed)
    large_k, before = rng.uniform(0.4, 0.9, count), rng.uniform(0.2, 0.4, count)
    outcome = 0.1 + 0.8 * large_k + rng.normal(0, noise, count)
    columns = {"pass_at_1": before, "pass_at_large_k": large_k, "generalization_loss": 2 - outcome}
    return pd.DataFrame(columns | {"outcome": outcome, "gain": outcome - before})


def r2_by_hand(models: pd.DataFrame, column: str, fit: np.ndarray) -> tuple[float, float]:
    slope, intercept = np.polyfit(models[column][fit], models["outcome"][fit], 1)
    held_out = models[~fit]
    errors = held_out["outcome"] - (intercept + slope * held_out[column])
    own, everyone = held_out["outcome"].var(ddof=0), models["outcome"].var(ddof=0)
    return 1 - (errors**2).mean() / own, 1 - (errors**2).mean() / everyone


def test_r2_of_a_split_is_the_textbooks():
    models, masks = world(8, 0.1), draw_splits(8, 4, 25, seed=5)
    own, everyone = split_r2(models, PASS_AT_1, masks)
    by_hand = np.array([r2_by_hand(models, "pass_at_1", fit) for fit in masks])
    assert own == pytest.approx(by_hand[:, 0])
    assert everyone == pytest.approx(by_hand[:, 1])


def test_summary_is_of_the_splits():
    models = world(9, 0.1)
    own, everyone = split_r2(models, PASS_AT_1, draw_splits(9, 4, 30, seed=2))
    summary = r2_over_splits(models, PASS_AT_1, fitting=4, splits=30, seed=2)
    assert (summary.fitting, summary.validation, summary.splits, summary.undefined) == (4, 5, 30, 0)
    assert summary.mean == pytest.approx(own.mean())
    assert summary.standard_deviation == pytest.approx(np.std(own, ddof=1))
    assert summary.standard_error == pytest.approx(summary.standard_deviation / np.sqrt(30))
    assert (summary.q25, summary.median, summary.q75) == pytest.approx(tuple(np.quantile(own, [0.25, 0.5, 0.75])))
    assert summary.all_variance_mean == pytest.approx(everyone.mean())
    assert summary.all_variance_median == pytest.approx(np.median(everyone))


def test_a_perfect_predictor_has_r2_one_and_a_useless_one_is_not_clipped_at_zero():
    models = world(12, noise=0)
    assert r2_over_splits(models, LARGE_K, half(12), 100, seed=1).mean == pytest.approx(1)
    useless = r2_over_splits(world(6, 0.2), PASS_AT_1, 3, 100, seed=1)
    assert useless.mean < 0 and useless.median < 0


def test_a_split_fits_as_many_as_asked_and_every_model_has_its_turn():
    masks = draw_splits(17, 8, 200, seed=1)
    assert (masks.sum(axis=1) == 8).all()
    assert masks.mean(axis=0) == pytest.approx(np.full(17, 8 / 17), abs=0.15)
    assert len({tuple(mask) for mask in masks}) > 195


def test_splits_depend_on_seed_and_sizes_only_and_more_begin_with_the_same():
    masks = draw_splits(10, 5, 100, seed=7)
    assert (draw_splits(10, 5, 100, seed=7) == masks).all()
    assert (draw_splits(10, 5, 300, seed=7)[:100] == masks).all()
    assert (draw_splits(10, 5, 100, seed=8) != masks).any()


def test_same_seed_same_result():
    models = world(9, 0.1)
    again = [r2_over_splits(models, PASS_AT_1, 4, 50, seed=seed) for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]


def test_fitting_sizes_are_those_of_the_papers_tables():
    assert [half(count) for count in (17, 12, 10)] == [8, 6, 5]
    assert possible_fitting_sizes(12)[0] == 2 and possible_fitting_sizes(12)[-1] == 10
    assert possible_fitting_sizes(4) == [2]
    assert possible_fitting_sizes(3) == []


@pytest.mark.parametrize(("count", "fitting"), [(3, 1), (3, 2), (8, 7), (8, 1), (8, 8), (8, 9), (0, 0)])
def test_too_few_models_give_no_r2(count, fitting):
    summary = r2_over_splits(world(8)[:count], PASS_AT_1, fitting, 100, seed=1)
    assert summary.mean is None and summary.median is None and summary.all_variance_mean is None
    assert summary.splits == 0 and summary.validation == max(count - fitting, 0)
    assert compare_over_splits(world(8)[:count], LARGE_K, PASS_AT_1, fitting, 100, seed=1).mean_gain is None


def test_held_out_models_of_equal_outcome_are_undefined_and_counted():
    models = world(6)
    # A mean of equal numbers is not always that number: the spread is what counts.
    models.loc[:3, "outcome"] = 0.1
    masks = draw_splits(6, 3, 100, seed=1)
    flat = (~masks[:, :4]).sum(axis=1) == 3
    summary = r2_over_splits(models, PASS_AT_1, 3, 100, seed=1)
    assert summary.undefined == flat.sum() > 0
    assert np.isfinite(summary.mean) and summary.all_variance_mean is not None
    assert summary.standard_error == pytest.approx(summary.standard_deviation / np.sqrt(100 - flat.sum()))


def test_equal_outcomes_everywhere_leave_nothing():
    summary = r2_over_splits(world(6).assign(outcome=0.1), PASS_AT_1, 3, 100, seed=1)
    assert summary.undefined == summary.splits == 100
    assert summary.mean is None and summary.standard_deviation is None and summary.all_variance_median is None


def test_models_without_outcome_or_predictor_do_not_count():
    models = world(10)
    fewer = models.drop(index=[0, 4]).reset_index(drop=True)
    models.loc[0, ["outcome", "gain"]] = np.nan
    models.loc[4, "generalization_loss"] = np.nan
    assert r2_over_splits(models, LOSS, 4, 50, seed=1) == r2_over_splits(fewer, LOSS, 4, 50, seed=1)
    assert r2_over_splits(models, PASS_AT_1, 4, 50, seed=1).validation == 5


def test_predictors_are_compared_split_by_split():
    models = world(10, 0.1)
    masks = draw_splits(10, 5, 60, seed=3)
    gain = split_r2(models, LARGE_K, masks)[0] - split_r2(models, PASS_AT_1, masks)[0]
    result = compare_over_splits(models, LARGE_K, PASS_AT_1, 5, 60, seed=3)
    assert result.mean_gain == pytest.approx(gain.mean())
    assert result.median_gain == pytest.approx(np.median(gain))
    assert result.standard_deviation == pytest.approx(np.std(gain, ddof=1))
    assert result.standard_error == pytest.approx(np.std(gain, ddof=1) / np.sqrt(60))
    assert result.share_better == pytest.approx((gain > 0).mean()) and 0.5 < result.share_better <= 1
    means = [r2_over_splits(models, one, 5, 60, seed=3).mean for one in (LARGE_K, PASS_AT_1)]
    assert result.mean_gain == pytest.approx(means[0] - means[1])


def test_a_predictor_is_never_better_than_itself():
    result = compare_over_splits(world(10), PASS_AT_1, PASS_AT_1, 5, 60, seed=3)
    assert (result.mean_gain, result.standard_deviation, result.share_better) == (0, 0, 0)


def test_both_are_compared_on_the_models_known_for_both():
    models = world(10)
    models.loc[0, "generalization_loss"] = np.nan
    for pair in ((LOSS, PASS_AT_1), (PASS_AT_1, LOSS)):
        result = compare_over_splits(models, *pair, 4, 60, seed=3)
        assert result == compare_over_splits(models[1:].reset_index(drop=True), *pair, 4, 60, seed=3)
        assert (result.validation, result.undefined) == (5, 0)
