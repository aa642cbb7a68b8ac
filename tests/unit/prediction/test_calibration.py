import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm, t

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.calibration import Calibration, NotEnoughModels, Smoother, predict_outcomes
from quagmires.prediction.next_run import chances, next_runs
from quagmires.prediction.predictors import LEVELS, PREDICTORS, Line, Predictor, applicable, fit_predict

LARGE_K, AVERAGE, GAIN = (PREDICTORS[name] for name in ("pass_at_large_k", "average", "generalization_loss_gain"))
TWO_COLUMNS = Predictor(
    "two",
    "two",
    LARGE_K.levels,
    lambda models: [Line(models[["pass_at_1", "pass_at_large_k"]].to_numpy(float), models["outcome"].to_numpy(float))],
)


def world(count: int, seed: int, carried: float = 0.8, error: float = 0.0) -> pd.DataFrame:
    """Models whose quality shows in each predictor with a correlation of `carried`, and in the outcome."""
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=count)
    seen = [carried * quality + np.sqrt(1 - carried**2) * rng.normal(size=count) for _ in range(3)]
    outcome = 0.45 + 0.05 * quality + error * rng.normal(size=count)
    before = 0.3 + 0.03 * seen[0]
    return pd.DataFrame(
        {
            "recipe": [f"random-{number + 1}k" for number in range(count)],
            "pass_at_1": before,
            "pass_at_1_se": 0.01,
            "generalization_loss": 0.6 - 0.04 * seen[1],
            "generalization_loss_se": 0.004,
            "pass_at_large_k": 0.6 + 0.08 * seen[2],
            "pass_at_large_k_se": 0.01,
            "outcome": outcome,
            "outcome_se": error,
            "outcome_scores": None,
            "gain": outcome - before,
            "grpo_runs": 4,
            "checkpoints": 4,
        }
    )


def split(models: pd.DataFrame, measured: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first models with RL results, and the others without."""
    return models.iloc[:measured], models.iloc[measured:].assign(outcome=np.nan, outcome_se=np.nan, gain=np.nan)


def textbook(x: pd.DataFrame, y: pd.Series, new: pd.DataFrame) -> pd.DataFrame:
    prediction = sm.OLS(y, sm.add_constant(x)).fit().get_prediction(sm.add_constant(new, has_constant="add"))
    return prediction.summary_frame(alpha=0.1)[["mean", "obs_ci_lower", "obs_ci_upper"]]


@pytest.mark.parametrize(
    ("predictor", "columns"), [(LARGE_K, ["pass_at_large_k"]), (TWO_COLUMNS, ["pass_at_1", "pass_at_large_k"])]
)
def test_intervals_of_a_line_are_the_textbooks(predictor, columns):
    measured, new = split(world(10, 1), 7)
    intervals = predict_outcomes(measured, new, predictor, 0.9)
    expected = textbook(measured[columns], measured["outcome"], new[columns])
    assert intervals[["prediction", "low", "high"]].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-9)
    assert intervals["degrees_of_freedom"].tolist() == pytest.approx([7 - 1 - len(columns)] * 3)
    assert intervals.index.tolist() == [7, 8, 9]


def test_the_interval_of_a_predicted_gain_is_that_of_gains_moved_by_pass_at_1():
    measured, new = split(world(9, 2), 6)
    expected = textbook(measured[["generalization_loss"]], measured["gain"], new[["generalization_loss"]])
    intervals = predict_outcomes(measured, new, GAIN, 0.9)[["prediction", "low", "high"]]
    assert intervals.to_numpy() == pytest.approx(expected.to_numpy() + new[["pass_at_1"]].to_numpy(), abs=1e-9)


@pytest.mark.parametrize("predictor", applicable(*LEVELS), ids=lambda one: one.name)
def test_predictions_are_those_of_the_tables(predictor):
    models = world(9, 3)
    expected = fit_predict(predictor, models, np.arange(9) < 5)[5:]
    assert predict_outcomes(*split(models, 5), predictor, 0.9)["prediction"].to_numpy() == pytest.approx(expected)


def test_two_lines_that_are_the_same_have_the_interval_of_one():
    models = world(9, 4)
    models["generalization_loss"] = 1 - models["pass_at_large_k"]
    of_one, of_two = (predict_outcomes(*split(models, 6), predictor, 0.9) for predictor in (LARGE_K, AVERAGE))
    assert of_two.to_numpy() == pytest.approx(of_one.to_numpy(), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize(("predictor", "measured"), [(AVERAGE, 3), (GAIN, 5)], ids=["average", "gain"])
def test_nine_of_ten_outcomes_lie_in_their_intervals(predictor, measured):
    """Within what 150 worlds of 8 candidates can tell; of Pass@large-k in tests/integration/test_worlds.py."""
    held = []
    for seed in range(150):
        models = world(measured + 8, 100 + seed)
        intervals = predict_outcomes(*split(models, measured), predictor, 0.9)
        held.append(models["outcome"].iloc[measured:].between(intervals["low"], intervals["high"]).mean())
    assert 0.85 <= np.mean(held) <= 0.95


def test_models_on_a_line_by_luck_are_no_more_certain_than_their_measurements():
    models = world(4, 5).assign(pass_at_large_k=[0.5, 0.6, 0.7, 0.6], outcome=[0.3, 0.4, 0.5, np.nan], outcome_se=0.01)
    interval = predict_outcomes(models.iloc[:3], models.iloc[3:], LARGE_K, 0.9).iloc[0]
    reach = norm.ppf(0.95) * 0.01 * np.sqrt(1 + 1 / 3)
    assert (interval["low"], interval["high"]) == pytest.approx((0.4 - reach, 0.4 + reach))
    assert interval["scatter"] == 0 and interval["questions"] == pytest.approx(0.01)


def test_known_errors_are_not_added_to_a_spread_that_has_them():
    measured, new = split(world(12, 6, error=0.02), 8)
    exact = predict_outcomes(measured.assign(outcome_se=np.nan), new, LARGE_K, 0.9)
    known = predict_outcomes(measured, new, LARGE_K, 0.9)
    assert known[["low", "high"]].to_numpy() == pytest.approx(exact[["low", "high"]].to_numpy())
    assert (known["scatter"] < exact["scatter"]).all()


def test_the_parts_of_the_error_add_up_to_it():
    table = predict_outcomes(*split(world(12, 7, error=0.02), 8), AVERAGE, 0.9)
    parts = table[["fit", "scatter", "questions", "runs", "checkpoints"]]
    assert np.sqrt((parts**2).sum(axis=1)).to_numpy() == pytest.approx(table["standard_error"].to_numpy())
    reach = t.ppf(0.95, table["degrees_of_freedom"]) * table["standard_error"]
    assert ((table["high"] - table["low"]) / 2).to_numpy() == pytest.approx(reach.to_numpy())


def test_an_error_that_is_not_known_is_not_said_to_be_none():
    row = predict_outcomes(*split(world(8, 7), 6), LARGE_K, 0.9).iloc[0]
    assert np.isnan(row["runs"]) and np.isnan(row["checkpoints"]) and np.isfinite(row["scatter"])


def test_hard_questions_for_all_models_are_no_error_between_them():
    measured, new = split(world(9, 8), 6)
    shared = 0.03 * np.random.default_rng(0).normal(size=DRAWS)
    measured = measured.assign(outcome_se=0.03, outcome_draws=[shared + value for value in measured["outcome"]])
    assert predict_outcomes(measured, new, LARGE_K, 0.9)["questions"].tolist() == pytest.approx([0] * 3, abs=1e-6)


@pytest.mark.parametrize(("predictor", "needed"), [(LARGE_K, 3), (AVERAGE, 3), (TWO_COLUMNS, 4)])
def test_too_few_models_are_said_to_be_not_enough(predictor, needed):
    models = world(8, 9)
    with pytest.raises(
        NotEnoughModels, match=f"^not enough models: {needed - 1} with RL .* at least {needed} are needed"
    ):
        predict_outcomes(*split(models, needed - 1), predictor, 0.9)
    assert np.isfinite(predict_outcomes(*split(models, needed), predictor, 0.9)["low"]).all()
    models.loc[0, "pass_at_large_k"] = np.nan
    with pytest.raises(NotEnoughModels, match=f"{needed - 1} with RL results"):
        predict_outcomes(*split(models, needed), predictor, 0.9)


def test_a_candidate_without_predictor_is_not_predicted_and_disturbs_no_other():
    measured, new = split(world(9, 10), 6)
    gap = new.assign(pass_at_large_k=[np.nan, *new["pass_at_large_k"].iloc[1:]])
    table = predict_outcomes(measured, gap, LARGE_K, 0.9)
    assert np.isnan(table["prediction"].iloc[0]) and np.isnan(table["low"].iloc[0])
    pd.testing.assert_frame_equal(table.iloc[1:], predict_outcomes(measured, new, LARGE_K, 0.9).iloc[1:])


def test_candidates_beyond_the_calibrated_range_are_told_by_how_much():
    models = world(6, 11).assign(pass_at_large_k=[0.5, 0.6, 0.7, 0.55, 0.75, 0.45])
    assert predict_outcomes(*split(models, 3), LARGE_K, 0.9)["outside"].tolist() == pytest.approx([0, 0.25, 0.25])


def test_equal_predictors_predict_the_mean_with_its_interval():
    models = world(6, 12).assign(pass_at_large_k=[0.6] * 5 + [0.9])
    row = predict_outcomes(*split(models, 5), LARGE_K, 0.9).iloc[0]
    outcome = models["outcome"].iloc[:5]
    reach = t.ppf(0.95, 4) * outcome.std() * np.sqrt(1 + 1 / 5)
    assert (row["prediction"], row["high"]) == pytest.approx((outcome.mean(), outcome.mean() + reach))


def test_intervals_are_never_cut():
    measured, new = split(world(8, 13).assign(pass_at_large_k=np.linspace(0.5, 0.9, 8)), 3)
    table = predict_outcomes(measured.assign(outcome=[0.9, 0.97, 0.93]), new, LARGE_K, 0.9)
    assert table["high"].max() > 1


@pytest.mark.parametrize("predictor", [LARGE_K, GAIN], ids=lambda predictor: predictor.name)
def test_errors_in_variables_leaves_equal_errors_alone(predictor):
    """Pass@1 that a gain is added to stays as measured: the gain is what it was measured from."""
    models = split(world(10, 14), 7)
    columns = ["prediction", "low", "high"]
    plain, equal = (predict_outcomes(*models, predictor, 0.9, errors_in_variables=choice) for choice in (False, True))
    assert equal[columns].to_numpy() == pytest.approx(plain[columns].to_numpy())


def test_errors_in_variables_doubts_a_noisy_value():
    measured, new = split(world(10, 14), 7)
    plain = predict_outcomes(measured, new, LARGE_K, 0.9)
    noisy = predict_outcomes(
        measured, new.assign(pass_at_large_k_se=[0.1, 0.01, 0.01]), LARGE_K, 0.9, errors_in_variables=True
    )
    center = measured["outcome"].mean()
    assert abs(noisy["prediction"].iloc[0] - center) < abs(plain["prediction"].iloc[0] - center)


def test_the_weights_of_a_fit_depend_on_no_outcome():
    measured, new = split(world(8, 15), 5)
    fits = [Calibration.fit(measured.assign(outcome=values), new, AVERAGE) for values in (range(5), [1, 0, 0, 0, 7])]
    assert fits[0].smoother.weights == pytest.approx(fits[1].smoother.weights)
    assert fits[0].smoother.weights.sum(axis=1) == pytest.approx(np.ones(8))


@pytest.mark.parametrize("count", [3, 4, 8])
def test_degrees_of_freedom_of_two_lines_follow_from_how_alike_their_predictors_are(count):
    """The residuals of the mean of two projections whose directions correlate by r have n - 3 eigenvalues of one, and
    (1 + r) / 2 and (1 - r) / 2."""
    models = world(count + 1, 22)
    measured, new = split(models, count)
    r = np.corrcoef(measured["generalization_loss"], measured["pass_at_large_k"])[0, 1]
    eigenvalues = np.array([1.0] * (count - 3) + [(1 + r) / 2, (1 - r) / 2])
    expected = (eigenvalues**2).sum() ** 2 / (eigenvalues**4).sum()
    assert predict_outcomes(measured, new, AVERAGE, 0.9)["degrees_of_freedom"].iloc[0] == pytest.approx(expected)


def test_a_fit_through_every_point_has_no_degrees_of_freedom():
    assert Smoother.of([Line(np.arange(2.0), np.arange(2.0))], np.arange(2)).degrees_of_freedom == 0


def test_the_next_run_narrows_the_intervals_by_as_much_as_a_refit_with_it():
    """With an outcome that is as far from its prediction as the spread has it, the refit has the same spread."""
    measured, new = split(world(11, 16), 5)
    told = next_runs(measured, new, LARGE_K, 0.9)
    calibration = Calibration.fit(measured, new, LARGE_K)
    narrowed = {}
    for place, row in new.iterrows():
        leverage = calibration.smoother.fit_variance[place]
        outcome = calibration.predictions[place] + calibration.scale * np.sqrt(1 + leverage)
        others = new.drop(place)
        refit = predict_outcomes(
            pd.concat([measured, row.to_frame().T.assign(outcome=outcome).infer_objects()]), others, LARGE_K, 0.9
        )
        before = predict_outcomes(measured, others, LARGE_K, 0.9)
        own = predict_outcomes(measured, new.loc[[place]], LARGE_K, 0.9).iloc[0]
        of_others = ((before["high"] - before["low"]) - (refit["high"] - refit["low"])).sum()
        narrowed[place] = (of_others + own["high"] - own["low"]) / len(new)
    assert told["narrowing"].to_dict() == pytest.approx(narrowed)
    assert told.index[0] == max(narrowed, key=narrowed.get)
    assert told["narrowing"].is_monotonic_decreasing and told["narrowing"].iloc[-1] > 0
    assert (told["width_now"] - told["width_after"]).to_numpy() == pytest.approx(told["narrowing"].to_numpy())


def test_the_next_run_is_far_from_the_calibrated_ones_and_near_the_others():
    models = world(8, 17).assign(pass_at_large_k=[0.50, 0.51, 0.52, 0.53, 0.75, 0.80, 0.80, 0.52])
    told = next_runs(*split(models, 4), LARGE_K, 0.9)
    assert told.index[-1] == 7 and told["narrowing"].iloc[2] > 2 * told["narrowing"].iloc[3]


def test_every_next_run_is_judged_by_the_intervals_of_the_same_candidates():
    """Its own among them, which it leaves none of: of two whose help to the others is alike, the less certain."""
    measured, new = split(world(9, 23), 5)
    told, predicted = next_runs(measured, new, LARGE_K, 0.9), predict_outcomes(measured, new, LARGE_K, 0.9)
    assert told["width_now"].tolist() == pytest.approx([(predicted["high"] - predicted["low"]).mean()] * 4)
    assert (told["narrowing"] > 1 / 4 * told["width_now"]).all()


def test_a_single_candidate_leaves_nothing_to_narrow():
    assert next_runs(*split(world(6, 18), 5), LARGE_K, 0.9).empty


def test_chances_are_those_of_the_predictive_distribution():
    measured, new = split(world(9, 19), 6)
    table, predicted = chances(measured, new, LARGE_K, seed=1), predict_outcomes(measured, new, LARGE_K, 0.9)
    behind = (measured["outcome"].max() - predicted["prediction"]) / predicted["standard_error"]
    assert table["beats_calibration"].to_numpy() == pytest.approx(t.sf(behind, 4), abs=0.015)
    assert table["best_of_predicted"].sum() == pytest.approx(1)
    assert table["best_of_predicted"].idxmax() == predicted["prediction"].idxmax()
    pd.testing.assert_frame_equal(table, chances(measured, new, LARGE_K, seed=1))


def test_two_candidates_beyond_the_calibrated_ones_share_the_doubt_about_the_line():
    """The line may be steeper or flatter, for both alike: the higher one stays the likelier, at nearly even chances."""
    models = world(7, 20).assign(pass_at_large_k=[0.50, 0.51, 0.52, 0.53, 0.54, 0.549, 0.549])
    table = chances(*split(models, 5), LARGE_K, seed=1)
    assert table["best_of_predicted"].tolist() == pytest.approx([0.5, 0.5], abs=0.02)


def test_there_are_no_chances_far_outside_the_calibrated_range():
    """By 20 %, 30 % and 400 % of the range above it, and within it."""
    models = world(9, 20).assign(pass_at_large_k=[0.50, 0.52, 0.54, 0.58, 0.60, 0.62, 0.63, 1.00, 0.55])
    table = chances(*split(models, 5), LARGE_K, seed=1)
    assert table.notna().all(axis=1).tolist() == [True, False, False, True]
    assert table["best_of_predicted"].sum() == pytest.approx(1)
    alone = chances(*split(models.iloc[:8], 5), LARGE_K, seed=1)
    assert alone["best_of_predicted"].isna().all() and alone["beats_calibration"].notna().sum() == 1


def test_chances_leave_out_what_is_not_predicted():
    measured, new = split(world(8, 21), 5)
    table = chances(measured, new.assign(pass_at_large_k=[np.nan, 0.6, 0.7]), LARGE_K, seed=1)
    assert table.iloc[0].isna().all() and table["best_of_predicted"].sum() == pytest.approx(1)
