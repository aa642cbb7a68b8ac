import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from quagmires.common.errors import UserError
from quagmires.prediction.predictors import (
    LEVELS,
    PREDICTORS,
    Line,
    Predictor,
    applicable,
    fit_predict,
    known,
    leave_one_out_predictions,
    outcome_on,
    predictor,
    ranking,
)
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import choice, leave_one_out
from quagmires.prediction.split_validation import r2_over_splits


@pytest.fixture
def models() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    before, large_k, loss = rng.uniform(0.2, 0.4, 9), rng.uniform(0.4, 0.9, 9), rng.uniform(0.5, 0.9, 9)
    outcome = 0.1 + 0.4 * large_k - 0.1 * loss + rng.normal(0, 0.02, 9)
    return pd.DataFrame(
        {
            "recipe": [f"r{i}" for i in range(9)],
            "samples": 64,
            "large_k": 64,
            "pass_at_1": before,
            "pass_at_large_k": large_k,
            "generalization_loss": loss,
            "outcome": outcome,
            "gain": outcome - before,
        }
    )


@pytest.fixture
def registered():
    """The predictors as they were, after a test that adds some."""
    before = dict(PREDICTORS)
    yield
    PREDICTORS.clear()
    PREDICTORS.update(before)


def of_columns(*columns: str) -> Predictor:
    return Predictor("tried", "tried", frozenset(), lambda models: [outcome_on(models, *columns)])


def random_masks(splits: int, count: int, fitting: int) -> np.ndarray:
    return np.random.default_rng(5).permuted(np.tile(np.arange(count) < fitting, (splits, 1)), axis=1)


@pytest.mark.parametrize("columns", [("pass_at_1",), ("pass_at_1", "generalization_loss")])
def test_fits_of_many_splits_are_those_of_statsmodels(models, columns):
    masks = random_masks(40, 9, 5)
    ours = fit_predict(of_columns(*columns), models, masks)
    x = sm.add_constant(models[list(columns)].to_numpy())
    for mask, predictions in zip(masks, ours, strict=True):
        theirs = sm.OLS(models["outcome"].to_numpy()[mask], x[mask]).fit().predict(x)
        assert predictions == pytest.approx(theirs, abs=1e-9)


def test_a_small_spread_about_a_large_mean_costs_no_digits(models):
    far = models.assign(tokens=1e9 + 1e3 * models["pass_at_large_k"])
    masks = random_masks(20, 9, 4)
    ours, same = (fit_predict(of_columns(name), far, masks) for name in ("tokens", "pass_at_large_k"))
    assert ours == pytest.approx(same, abs=1e-9)


@pytest.mark.parametrize("value", [0.1, 1e9 / 3, 0.0])
@pytest.mark.parametrize("fitted", [1, 3, 6, 7])
def test_a_predictor_that_does_not_vary_in_the_fit_predicts_the_mean(models, value, fitted):
    """Three times 0.1, divided by three, is not 0.1: no slope may come of that."""
    fit = np.arange(9) < fitted
    models.loc[fit, "pass_at_1"] = value
    predictions = fit_predict(PREDICTORS["pass_at_1"], models, fit)
    assert predictions == pytest.approx(np.full(9, models["outcome"][:fitted].mean()))


def test_a_column_that_copies_another_changes_nothing(models):
    doubled = models.assign(twice=2 * models["pass_at_1"] + 1)
    fit = np.arange(9) < 6
    once = fit_predict(of_columns("pass_at_1"), models, fit)
    assert fit_predict(of_columns("pass_at_1", "twice"), doubled, fit) == pytest.approx(once, abs=1e-9)


def test_two_models_fit_a_line_through_both(models):
    predictions = fit_predict(PREDICTORS["pass_at_large_k"], models, np.arange(9) < 2)
    assert predictions[:2] == pytest.approx(models["outcome"][:2])


def test_outcomes_not_fitted_are_not_seen(models):
    fit = np.arange(9) < 5
    for one in applicable(*LEVELS):
        before = fit_predict(one, models, fit)
        hidden = models.copy()
        hidden.loc[5:, ["outcome", "gain"]] = np.nan
        assert fit_predict(one, hidden, fit) == pytest.approx(before)


def test_a_model_without_the_predictor_is_neither_fitted_nor_predicted(models):
    models.loc[1, "generalization_loss"] = np.nan
    one = PREDICTORS["generalization_loss"]
    predictions = fit_predict(one, models, np.arange(9) < 5)
    assert np.isnan(predictions).tolist() == [i == 1 for i in range(9)]
    assert predictions[[0, 2]] == pytest.approx(fit_predict(one, models, np.isin(range(9), [0, 2, 3, 4]))[[0, 2]])
    assert known(models, one).sum() == 8
    assert known(models, PREDICTORS["pass_at_1"]).all()


def test_nothing_to_fit_on_gives_no_prediction(models):
    assert np.isnan(fit_predict(PREDICTORS["average"], models, np.zeros(9, dtype=bool))).all()


def test_the_two_readings_of_generalization_loss(models):
    fit = np.arange(9) < 6
    loss = sm.add_constant(models["generalization_loss"].to_numpy())
    for name, target, added in (
        ("generalization_loss", "outcome", 0),
        ("generalization_loss_gain", "gain", models["pass_at_1"]),
    ):
        line = sm.OLS(models[target][fit].to_numpy(), loss[fit]).fit().predict(loss)
        assert fit_predict(PREDICTORS[name], models, fit) == pytest.approx(line + added, abs=1e-9)


def test_average_is_the_mean_of_its_two_parts(models):
    fit = np.arange(9) < 5
    parts = [fit_predict(PREDICTORS[name], models, fit) for name in ("generalization_loss", "pass_at_large_k")]
    assert fit_predict(PREDICTORS["average"], models, fit) == pytest.approx(np.mean(parts, axis=0))


def test_generalization_loss_does_not_apply_across_distributions():
    assert [one.name for one in applicable("instance")] == ["pass_at_1", "pass_at_large_k"]
    assert [one.name for one in applicable("dataset")] == [
        "pass_at_1",
        "generalization_loss",
        "generalization_loss_gain",
        "pass_at_large_k",
        "average",
    ]


def test_titles_are_the_papers_columns(models):
    titles = [PREDICTORS[name].title(models) for name in ("pass_at_1", "pass_at_large_k", "average")]
    assert titles == ["SFT Pass@1 (avg. of 64)", "SFT Pass@large k (k=64)", "Gen. loss + Pass@large k (64)"]


def test_titles_tell_what_is_known(models):
    one = PREDICTORS["pass_at_1"]
    assert one.title(models.drop(columns="samples")) == "SFT Pass@1"
    assert one.title(models.assign(samples=np.nan)) == "SFT Pass@1"
    assert one.title(models.assign(samples=[16.0, np.nan] + [64.0] * 7)) == "SFT Pass@1 (avg. of 16-64)"


def test_lower_loss_ranks_higher(models):
    ranks = ranking(models, PREDICTORS["generalization_loss"])
    assert np.argmax(ranks) == models["generalization_loss"].argmin()


def test_combinations_compare_two_models_by_a_fit_on_the_others(models):
    won = np.zeros(9)
    for i, j in itertools.permutations(range(9), 2):
        predictions = fit_predict(PREDICTORS["average"], models, ~np.isin(range(9), [i, j]))
        won[i] += np.sign(predictions[i] - predictions[j])
    assert ranking(models, PREDICTORS["average"]).tolist() == won.tolist()


def test_a_combination_that_says_nothing_has_no_rank_correlation():
    """Fits on all models would have a mean rho of 0.4 here, leave-one-out predictions one of -0.4."""
    rng, rhos = np.random.default_rng(0), []
    for _ in range(150):
        table = pd.DataFrame(rng.normal(size=(10, 3)), columns=["outcome", "generalization_loss", "pass_at_large_k"])
        ranks = ranking(table, PREDICTORS["average"])
        rhos.append(pd.Series(ranks).corr(table["outcome"], method="spearman"))
    assert abs(np.mean(rhos)) < 0.1


def test_combinations_rank_what_is_known(models):
    models.loc[2, "outcome"] = np.nan
    models.loc[3, "generalization_loss"] = np.nan
    assert np.isnan(ranking(models, PREDICTORS["average"])).tolist() == [i in (2, 3) for i in range(9)]


def test_leave_one_out_predictions_never_see_their_own_outcome(models):
    changed = models.copy()
    changed.loc[3, "outcome"] = 5.0
    before, after = (leave_one_out_predictions(table, PREDICTORS["average"]) for table in (models, changed))
    assert before[3] == pytest.approx(after[3])
    assert before[0] != pytest.approx(after[0])


def test_a_new_predictor_is_a_registered_function_and_appears_everywhere(models, registered):
    @predictor("majority", "SFT majority vote (of {samples})", rank=lambda models: models["majority_vote"])
    def majority(models):
        return [outcome_on(models, "majority_vote")]

    new = applicable("instance")[-1]
    voted = models.assign(majority_vote=2 * models["outcome"] - 0.3)
    assert new.title(voted) == "SFT majority vote (of 64)"
    assert r2_over_splits(voted, new, fitting=4, splits=20, seed=1).mean == pytest.approx(1)
    assert rank_agreement(voted, new, seed=1).spearman == pytest.approx(1)
    assert leave_one_out(voted, new).r2 == pytest.approx(1)
    assert choice(voted, new).regret_at_1 == pytest.approx(0)


def test_a_predictor_may_be_several_columns_and_levels(models, registered):
    @predictor("both", "Loss and Pass@1", levels=["dataset"])
    def both(models):
        return [Line(models[["generalization_loss", "pass_at_1"]].to_numpy(), models["outcome"].to_numpy())]

    assert "both" in [one.name for one in applicable("dataset")]
    assert "both" not in [one.name for one in applicable("instance")]
    assert np.isfinite(ranking(models, PREDICTORS["both"])).all()


def test_a_name_taken_or_an_unknown_level_is_refused(registered):
    with pytest.raises(ValueError, match="already"):
        predictor("average", "again")
    with pytest.raises(ValueError, match="no level run"):
        predictor("new", "new", levels=["run"])


def test_metrics_without_the_column_are_named(models):
    with pytest.raises(UserError, match="no column .*pass_at_large_k.* predictor average"):
        known(models.drop(columns="pass_at_large_k"), PREDICTORS["average"])
