import numpy as np
import pandas as pd
import pytest

from quagmires.evaluation.extrapolation.backtest import WORLDS, backtest, first_samples, simulate, summarise, thinned
from quagmires.evaluation.extrapolation.beta_binomial import Counts, fit
from quagmires.evaluation.extrapolation.doubts import FEWEST_PROBLEMS, disagree, goodness_of_fit
from quagmires.evaluation.extrapolation.extrapolate import COMBINED, extrapolate
from quagmires.evaluation.extrapolation.families import cross_validate, lead
from quagmires.evaluation.pass_at_k import pass_at_k
from support import script

PROBLEMS = 674


def world(name: str, samples: int, problems: int = PROBLEMS, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n and c per problem."""
    generator = np.random.default_rng(seed)
    return np.full(problems, samples), generator.binomial(samples, WORLDS[name](generator, problems))


def combined(result, k: int) -> pd.Series:
    table = result.predictions
    return table[(table["model"] == COMBINED) & (table["k"] == k)].iloc[0]


@pytest.fixture(scope="module")
def simulated() -> dict[str, pd.DataFrame]:
    """From 32 of 256 samples, four sets of problems a world: by world, the results of `simulate`."""
    return {
        name: simulate(name, [32], [64, 256], 256, PROBLEMS, repeats=4, seed=0, draws=40)
        for name in ("beta", "impossible", "bimodal")
    }


def errors(results: pd.DataFrame, model: str, k: int = 256) -> pd.Series:
    return results.loc[(results["model"] == model) & (results["k"] == k), "error"]


def test_beta_binomial_holds_where_it_is_true(simulated):
    assert errors(simulated["beta"], "beta_binomial").abs().mean() < 0.02
    assert errors(simulated["beta"], "beta_binomial", 64).abs().mean() < 0.01


def test_impossible_problems_make_it_overshoot_and_zero_inflation_mends_that(simulated):
    results = simulated["impossible"]
    assert errors(results, "beta_binomial").mean() > 0.07
    assert errors(results, "zero_inflated").abs().mean() < 0.03
    assert errors(results, COMBINED).abs().mean() < 0.03
    chosen = results[results["chosen"] & (results["k"] == 256)]
    assert (chosen["model"] == "zero_inflated").all()


def test_two_hills_make_every_model_undershoot_and_are_never_trusted(simulated):
    results = simulated["bimodal"]
    for model in ("beta_binomial", "zero_inflated", "logit_normal", COMBINED):
        assert errors(results, model).mean() < -0.05
    assert not results["trusted"].any()
    assert results["reasons"].str.contains("free mixture explains held-out problems better").all()


def test_summary_counts_what_the_results_say(simulated):
    results = simulated["impossible"]
    summary = summarise(results).set_index(["k", "model"])
    rows = results[(results["k"] == 256) & (results["model"] == COMBINED)]
    row = summary.loc[(256, COMBINED)]
    assert row["average_error"] == pytest.approx(rows["error"].abs().mean())
    assert row["covered"] == ((rows["low"] <= rows["unbiased"]) & (rows["unbiased"] <= rows["high"])).mean()
    assert row["distrusted"] == 1 - rows["trusted"].mean()
    # 0.75 E[1 - (1 - p)^256] for p ~ Beta(0.6, 0.9), computed by the model itself.
    assert rows["population"].iloc[0] == pytest.approx(0.726, abs=0.005)


def test_up_to_n_the_combined_prediction_is_the_unbiased_estimate_and_trusted():
    n, c = world("bimodal", 16)
    result = extrapolate(n, c, [1, 4, 16, 64], seed=0, draws=20)
    for k in (1, 4, 16):
        assert combined(result, k)["value"] == pytest.approx(pass_at_k(n, c, k).mean())
        assert result.trusted(k)
    assert not result.trusted(64)


def test_prediction_rises_with_k_and_lies_in_its_interval():
    result = extrapolate(*world("logit_normal", 16), [1, 2, 8, 16, 32, 128, 256, 100_000], seed=0, draws=40)
    for _, rows in result.predictions.groupby("model"):
        assert (np.diff(rows["value"]) >= 0).all()
        assert (rows["low"] <= rows["high"]).all()
        assert rows[["value", "low", "high"]].stack().between(0, 1).all()
    assert (result.predictions["high"] - result.predictions["low"]).min() > 0


def test_extrapolation_repeats_with_its_seed():
    n, c = world("beta", 16, 100)
    first, again, other = (extrapolate(n, c, [64], seed, draws=20).predictions for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("n", "c", "k", "reason"),
    [
        (*world("beta", 16, FEWEST_PROBLEMS - 1), 64, "49 problems, fewer than 50"),
        (*world("beta", 16), 512, "k is more than 16 times the 16 samples"),
        (*world("narrow", 16), 64, "of the problems were never solved"),
        (*world("bimodal", 16), 64, "the counts do not look like"),
        (np.full(60, 16), np.array([7, 8, 8, 9] * 15), 64, "lies at the end of its range"),
        (np.full(60, 16), np.zeros(60, dtype=int), 64, "no model can be fitted: no problem has a right sample"),
    ],
)
def test_distrust_says_why(n, c, k, reason):
    reasons = extrapolate(n, c, [k], seed=0, draws=20).reasons[k]
    assert any(reason in one for one in reasons), reasons


def test_families_that_fit_alike_and_disagree_are_a_reason():
    verdicts = [extrapolate(*world("beta", 16, seed=seed), [256], 0, draws=30) for seed in range(3)]
    doubts = [reason for verdict in verdicts for reason in verdict.reasons[256] if "fits about as well" in reason]
    assert doubts
    assert disagree((0.9, 0.88, 0.92), (0.95, 0.93, 0.97))
    assert not disagree((0.9, 0.88, 0.92), (0.91, 0.905, 0.93))


def test_without_a_fit_nothing_is_said_beyond_n():
    result = extrapolate(np.full(60, 16), np.full(60, 16), [16, 64], seed=0, draws=20)
    assert combined(result, 16)["value"] == 1
    assert np.isnan(combined(result, 64)["value"])
    assert result.chosen is None


def test_held_out_problems_tell_the_true_family():
    n, c = world("impossible", 32, 2_000)
    held_out = cross_validate(n, c, np.random.default_rng(0))
    assert lead(held_out["zero_inflated"], held_out["beta_binomial"]) > 2
    assert lead(held_out["zero_inflated"], held_out["logit_normal"]) > 2
    assert abs(lead(held_out["zero_inflated"], held_out["free_mixture"])) < 4


def test_goodness_of_fit_rejects_a_true_model_as_seldom_as_it_says():
    ps = []
    for seed in range(60):
        counts = Counts.of(*world("beta", 16, 300, seed))
        ps.append(goodness_of_fit(counts, fit(counts), 2))
    assert np.mean(np.array(ps) < 0.1) < 0.25
    assert np.mean(ps) == pytest.approx(0.5, abs=0.15)
    two_hills = Counts.of(*world("bimodal", 16))
    assert goodness_of_fit(two_hills, fit(two_hills), 2) < 1e-6


def grades(samples: int, problems: int = 60) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    p = np.repeat(generator.beta(0.4, 0.9, problems), samples)
    table = pd.DataFrame(
        {
            "problem_id": np.repeat([f"p{i}" for i in range(problems)], samples),
            "repetition": np.tile(np.arange(samples), problems),
            "correct": generator.random(len(p)) < p,
        }
    )
    return table.sample(frac=1, random_state=0)


def test_first_samples_are_the_first_repetitions_in_whatever_order_they_lie():
    table = grades(8)
    early = table[table["repetition"] < 3].groupby("problem_id")["correct"].sum()
    pd.testing.assert_series_equal(first_samples(table, 3), early)


def test_thinned_counts_are_a_random_part():
    n, c = np.full(5_000, 64), np.full(5_000, 20)
    part = thinned(n, c, 16, np.random.default_rng(0))
    assert part.max() <= 16
    assert part.mean() == pytest.approx(5, abs=0.1)


def test_backtest_compares_with_the_unbiased_value_of_all_samples():
    n, c = world("beta", 64, 80)
    first = np.random.default_rng(0).hypergeometric(c, n - c, 16)
    table = backtest(n, c, 16, first, [32, 64], seed=0, draws=20)
    assert set(table["model"]) == {"beta_binomial", "zero_inflated", "logit_normal", COMBINED}
    for k, rows in table.groupby("k"):
        assert rows["unbiased"].unique() == pytest.approx([pass_at_k(n, c, k).mean()])
    assert (table["error"] == table["predicted"] - table["unbiased"]).all()


def test_script_takes_many_grades_and_counts(tmp_path):
    table = grades(32)
    folder = tmp_path / "model" / "eval" / "aime"
    folder.mkdir(parents=True)
    table.to_parquet(folder / "grades.parquet")
    output = tmp_path / "backtest.csv"
    options = ("--from", 8, 16, "--draws", 20, "--output", output)
    script("backtest_pass_at_k.py", "--grades", folder / "grades.parquet", f"b={folder}/grades.parquet", *options)
    rows = pd.read_csv(output)
    assert rows["name"].unique().tolist() == [str(folder), "b"]
    assert rows.groupby("from")["k"].unique().map(list).to_dict() == {8: [16, 32], 16: [32]}
    right = table.groupby("problem_id")["correct"].sum()
    assert rows.loc[rows["k"] == 32, "unbiased"].unique() == pytest.approx([(right > 0).mean()])

    counts = right.rename("c").reset_index().assign(benchmark="aime", n=32)
    counts.to_parquet(tmp_path / "counts.parquet")
    script("backtest_pass_at_k.py", "--counts", f"m={tmp_path}/counts.parquet", *options, "--to", 32)
    assert pd.read_csv(output)["name"].unique().tolist() == ["m/aime"]


def test_script_refuses_to_test_beyond_the_samples(tmp_path):
    grades(32).to_parquet(tmp_path / "grades.parquet")
    source = ("--grades", f"a={tmp_path}/grades.parquet", "--output", tmp_path / "out.csv")
    result = script("backtest_pass_at_k.py", *source, "--to", 64, check=False)
    assert result.returncode == 1
    assert "a: 32 samples per problem cannot test a prediction from 16 to 64" in result.stderr
    assert result.stderr.count("\n") == 1
