import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.ranking import better_in_both, comparable, notes, rank_candidates, rule_text, ties

NAMES = ("pass_at_1", "pass_at_large_k", "generalization_loss")


def study(pass_at_large_k, pass_at_1=None, loss=None, subsets=None, error=0.01) -> pd.DataFrame:
    """SFT models before any RL: there is no column of outcomes."""
    count = len(pass_at_large_k)
    subsets = subsets or [f"random-{number + 1}k" for number in range(count)]
    frame = {
        "recipe": [f"traces.{subset}.ep1.lr1e-5" if subset != "base" else "base" for subset in subsets],
        "subset": subsets,
        "epochs": 1.0,
        "learning_rate": 1e-5,
        "pass_at_large_k": pass_at_large_k,
        "pass_at_1": 0.3 if pass_at_1 is None else pass_at_1,
        "generalization_loss": 0.6 if loss is None else loss,
        "large_k": 64,
    }
    return pd.DataFrame({**frame, **{f"{name}_se": error for name in NAMES}})


def with_draws(models: pd.DataFrame, column: str, shared: float, own: float, seed: int = 0) -> pd.DataFrame:
    """With joint draws: an error that the models share, and one of each."""
    rng = np.random.default_rng(seed)
    errors = shared * rng.normal(size=DRAWS) + own * rng.normal(size=(len(models), DRAWS))
    drawn = list(models[column].to_numpy()[:, None] + errors)
    return models.assign(**{f"{column}_draws": drawn, f"{column}_se": np.hypot(shared, own)})


def groups(models: pd.DataFrame, level: str = "instance") -> dict[int, list[int]]:
    table = rank_candidates(models, level, 0.9)
    return {int(number): sorted(rows.index) for number, rows in table[table["group"].notna()].groupby("group")}


def test_no_column_of_rl_is_needed_and_the_highest_comes_first():
    table = rank_candidates(study([0.5, 0.9, 0.7]), "instance", 0.9)
    assert table.index.tolist() == [1, 2, 0]
    assert table["group"].tolist() == [1, 2, 3]
    assert not table["tied"].any()
    assert table["label"].tolist() == ["random 2k", "random 3k", "random 1k"]


def test_differences_within_their_error_are_ties():
    assert groups(study([0.80, 0.79, 0.70, 0.69])) == {1: [0, 1], 2: [2, 3]}
    assert rank_candidates(study([0.80, 0.79, 0.70]), "instance", 0.9)["tied"].tolist() == [True, True, False]


def test_the_same_problems_tell_models_apart_that_independent_errors_do_not():
    models = study([0.80, 0.78, 0.70])
    assert groups(models) == {1: [0, 1], 2: [2]}
    assert groups(with_draws(models, "pass_at_large_k", shared=0.0, own=0.01)) == {1: [0, 1], 2: [2]}
    assert groups(with_draws(models, "pass_at_large_k", shared=0.03, own=0.003)) == {1: [0], 2: [1], 3: [2]}


def test_a_tie_does_not_carry_over_to_what_the_first_is_told_from():
    """Each differs from the next by less than the error, 0.023, and from the next but one by more."""
    assert groups(study([0.80, 0.78, 0.76, 0.74])) == {1: [0, 1], 2: [2, 3]}


def test_one_known_less_exactly_may_be_as_good_as_the_first():
    models = study([0.80, 0.70, 0.60])
    models["pass_at_large_k_se"] = [0.01, 0.01, 0.2]
    assert groups(models) == {1: [0, 2], 2: [1]}
    assert rank_candidates(models, "instance", 0.9).index.tolist() == [0, 2, 1]


def test_a_higher_confidence_makes_more_ties():
    models = study([0.80, 0.774])
    assert len(ties(models, np.arange(2), "pass_at_large_k", 0.9)) == 2
    assert len(ties(models, np.arange(2), "pass_at_large_k", 0.99)) == 1


def test_without_a_known_error_only_equals_are_tied():
    assert groups(study([0.80, 0.79, 0.79], error=np.nan)) == {1: [0], 2: [1, 2]}


def test_intervals_are_quantiles_of_draws_or_normal_without_them():
    drawn = with_draws(study([0.8, 0.7]), "pass_at_large_k", shared=0.0, own=0.02)
    row = rank_candidates(drawn, "instance", 0.9).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx(np.quantile(drawn["pass_at_large_k_draws"].iloc[0], [0.05, 0.95]))
    row = rank_candidates(study([0.8, 0.7]), "instance", 0.9).iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((0.8 - 0.01645, 0.8 + 0.01645), abs=1e-5)


def test_how_often_each_is_the_highest_is_counted_on_the_same_problems():
    models = study([0.80, 0.80, 0.50])
    table = rank_candidates(with_draws(models, "pass_at_large_k", 0.05, 0.01), "instance", 0.9).sort_index()
    assert table["highest_in"].sum() == pytest.approx(1)
    assert table["highest_in"].tolist() == pytest.approx([0.5, 0.5, 0.0], abs=0.1)
    assert table["behind"].tolist() == pytest.approx([0.0, 0.0, 0.3])
    assert table["behind_error"].iloc[2] == pytest.approx(0.01 * 2**0.5, rel=0.15)


def test_equals_share_the_draws_in_which_they_are_the_highest():
    table = rank_candidates(with_draws(study([0.8, 0.8]), "pass_at_large_k", 0.05, 0.0), "instance", 0.9)
    assert table["highest_in"].tolist() == [0.5, 0.5]


def test_models_low_in_pass_at_1_and_high_in_loss_are_set_aside():
    """The first beats all others in both; but the second has a low loss, and the last a high Pass@1."""
    models = study([0.9, 0.8, 0.7, 0.6], pass_at_1=[0.50, 0.38, 0.30, 0.42], loss=[0.50, 0.55, 0.70, 0.71])
    assert [better_in_both(models, one, [0, 1, 2, 3], 0.9) for one in (1, 3)] == [[0], [0]]
    table = rank_candidates(models, "dataset", 0.9)
    assert table.index[table["set_aside"]].tolist() == [2]
    row = table.loc[2]
    assert row["worse_than"] == models["recipe"][0]
    assert (row["pass_at_1_gap"], row["loss_gap"]) == pytest.approx((0.20, 0.20))
    assert row["pass_at_1_gap_error"] == pytest.approx(0.01 * 2**0.5)
    assert (row["median_pass_at_1"], row["median_loss"]) == pytest.approx((0.40, 0.625))
    assert pd.isna(row["group"]) and table.index[-1] == 2


def test_models_beaten_by_the_best_alone_are_kept():
    """Second of three in both: the best one beats it beyond error, but it is not in the lower half."""
    models = study([0.9, 0.8, 0.7], pass_at_1=[0.40, 0.35, 0.30], loss=[0.50, 0.55, 0.60])
    assert better_in_both(models, 1, [0, 2], 0.9) == [0]
    assert rank_candidates(models, "dataset", 0.9).query("set_aside").index.tolist() == [2]


@pytest.mark.parametrize(("pass_at_1", "loss"), [([0.31, 0.30], [0.5, 0.9]), ([0.5, 0.3], [0.60, 0.61])])
def test_a_difference_within_error_in_either_sets_no_one_aside(pass_at_1, loss):
    assert not rank_candidates(study([0.9, 0.8], pass_at_1, loss), "dataset", 0.9)["set_aside"].any()


def test_the_same_problems_can_set_aside_what_independent_errors_do_not():
    models = study([0.9, 0.8], pass_at_1=[0.31, 0.30], loss=[0.5, 0.9])
    paired = with_draws(models, "pass_at_1", shared=0.02, own=0.001)
    assert rank_candidates(paired, "dataset", 0.9)["set_aside"].sum() == 1


def test_at_instance_level_no_one_is_set_aside_and_it_says_why():
    models = study([0.9, 0.8, 0.7], pass_at_1=[0.40, 0.35, 0.30], loss=[0.50, 0.55, 0.60])
    table = rank_candidates(models, "instance", 0.9)
    assert not table["set_aside"].any()
    assert (
        "cannot be compared" in notes(table, "instance", 0.9)[0] and "Section 4.3" in notes(table, "instance", 0.9)[0]
    )


def test_losses_are_compared_between_traces_selected_the_same_way():
    subsets = [
        "random-1k",
        "random-2k",
        "shortest-1k",
        "longest-1k+shortest-1k",
        "shortest-1k+longest-1k",
        "all",
        "base",
    ]
    assert comparable(study([0.5] * 7, subsets=subsets), "showcase") == [
        [0, 1, 5], [0, 1, 5], [2], [3, 4], [3, 4], [0, 1, 5], [],
    ]  # fmt: skip
    assert comparable(study([0.5] * 2), "instance") == [[], []]


def test_the_base_model_is_a_candidate_and_not_set_aside_for_its_loss():
    models = study([0.9, 0.8], pass_at_1=[0.1, 0.4], loss=[0.9, 0.5], subsets=["base", "random-1k"])
    table = rank_candidates(models, "dataset", 0.9)
    assert table.iloc[0][["recipe", "label", "group"]].tolist() == ["base", "no SFT", 1]


def test_saturated_benchmarks_are_said_not_to_tell_models_apart():
    told = notes(rank_candidates(study([0.995, 0.993, 0.99, 0.8]), "dataset", 0.9), "dataset", 0.9)
    assert any("3 of 4 models is 0.99 or more" in note for note in told)
    told = notes(rank_candidates(study([0.995, 0.8, 0.7]), "dataset", 0.9), "dataset", 0.9)
    assert not any("0.99 or more" in note for note in told)


def test_it_says_so_when_one_set_aside_has_a_high_pass_at_large_k():
    models = study([0.80, 0.81], pass_at_1=[0.4, 0.3], loss=[0.5, 0.6])
    table = rank_candidates(models, "dataset", 0.9)
    assert notes(table, "dataset", 0.9) == [
        "random 2k is set aside although its Pass@large-k, 0.810, is not below that of the best SFT model kept, random"
        " 1k, 0.800: the two rules disagree on it."
    ]


@pytest.mark.parametrize(("aside", "said"), [(0.81, True), (0.79, True), (0.77, False)])
def test_one_set_aside_is_compared_with_the_best_sft_model_even_if_the_base_model_is_above_all(aside, said):
    """0.79 is below 0.80 by less than the error of the difference."""
    subsets = ["base", "random-1k", "random-2k"]
    models = study([0.95, 0.80, aside], pass_at_1=[0.1, 0.4, 0.3], loss=[0.9, 0.5, 0.6], subsets=subsets)
    table = rank_candidates(models, "dataset", 0.9)
    assert table.loc[2, "set_aside"] and table["as_good_as"].notna().tolist() == [False, False, said]
    assert any(note.startswith("random 2k is set aside although") for note in notes(table, "dataset", 0.9)) == said


def test_a_model_that_cannot_be_told_from_the_one_above_it_in_another_group_is_tied_with_it():
    """The third cannot be told from the second, but from the first it can; the fourth can be told from all."""
    table = rank_candidates(study([0.80, 0.78, 0.76, 0.70]), "instance", 0.9)
    assert table["group"].tolist() == [1, 1, 2, 3]
    assert [None if pd.isna(group) else group for group in table["tied_with"]] == [None, None, 1, None]


def test_a_model_without_pass_at_large_k_is_last_and_named():
    table = rank_candidates(study([np.nan, 0.8]), "instance", 0.9)
    assert table.index.tolist() == [1, 0] and table["group"].isna().tolist() == [False, True]
    assert "random 1k has no Pass@large-k and is not ranked." in notes(table, "instance", 0.9)


def test_the_rule_is_stated_with_its_numbers():
    assert "more than 1.645 standard errors" in rule_text(0.9) and "90% confidence" in rule_text(0.9)


def test_the_index_of_the_metrics_is_kept():
    models = study([0.5, 0.9]).set_axis([40, 41])
    assert rank_candidates(models, "dataset", 0.9).index.tolist() == [41, 40]
