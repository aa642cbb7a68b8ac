import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from quagmires.common.errors import UserError
from quagmires.evaluation.paired_difference import (
    MACRO,
    compare_checkpoints,
    lost_coverage,
    macro_difference,
    missed_again,
)
from support import script


def counts(right: dict[str, list[int]], n: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"benchmark": name, "problem_id": f"p{i}", "n": n, "c": c}
            for name, values in right.items()
            for i, c in enumerate(values)
        ]
    )


FIRST = counts({"easy": [8, 4, 6, 2], "hard": [0, 1, 0, 2]}, 8)
SECOND = counts({"easy": [8, 6, 8, 2], "hard": [1, 4, 0, 2]}, 8)


def row(table: pd.DataFrame, benchmark: str, k: int) -> pd.Series:
    return table[(table["benchmark"] == benchmark) & (table["k"] == k)].iloc[0]


def test_difference_has_the_error_of_per_problem_differences():
    table = compare_checkpoints(FIRST, SECOND)
    easy = row(table, "easy", 1)
    differences = np.array([0, 2, 2, 0]) / 8
    error = differences.std(ddof=1) / 2
    assert easy["difference"] == pytest.approx(0.125)
    assert easy["second"] - easy["first"] == pytest.approx(0.125)
    assert easy["standard_error"] == pytest.approx(error)
    assert easy["z"] == pytest.approx(0.125 / error)
    # z = sqrt(3): p and the 5 % quantile from tables of the normal distribution.
    assert easy["p"] == pytest.approx(0.083265, abs=1e-6)
    assert (easy["low"], easy["high"]) == pytest.approx((0.125 - 1.644854 * error, 0.125 + 1.644854 * error), abs=1e-6)


def test_macro_average_weighs_benchmarks_alike_and_adds_their_variances():
    table = compare_checkpoints(FIRST, SECOND)
    easy, hard, macro = (row(table, name, 1) for name in ("easy", "hard", MACRO))
    assert macro["difference"] == pytest.approx((easy["difference"] + hard["difference"]) / 2)
    assert macro["standard_error"] == pytest.approx(np.hypot(easy["standard_error"], hard["standard_error"]) / 2)
    assert macro_difference(FIRST, SECOND).standard_error == pytest.approx(macro["standard_error"])
    assert macro_difference(FIRST, SECOND, ["easy"]).difference == pytest.approx(easy["difference"])


def test_z_is_standard_normal_when_nothing_differs():
    generator = np.random.default_rng(0)
    zs = []
    for _ in range(200):
        p = generator.beta(0.5, 0.5, 100)
        first, second = (counts({"b": generator.binomial(16, p).tolist()}, 16) for _ in range(2))
        zs.append(macro_difference(first, second).z)
    assert np.mean(zs) == pytest.approx(0, abs=0.2)
    assert np.std(zs) == pytest.approx(1, abs=0.12)


def test_every_k_that_both_have_is_compared():
    table = compare_checkpoints(FIRST, counts({"easy": [10, 9, 8, 1], "hard": [0, 1, 2, 3]}, 16))
    assert table.loc[table["benchmark"] == MACRO, "k"].tolist() == [1, 2, 4, 8]


def test_identical_checkpoints_have_no_z():
    same = compare_checkpoints(FIRST, FIRST).iloc[0]
    assert same["difference"] == 0
    assert np.isnan(same["z"])
    assert np.isnan(same["p"])


def test_order_of_problems_does_not_matter():
    shuffled = SECOND.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(compare_checkpoints(FIRST, shuffled), compare_checkpoints(FIRST, SECOND))


def test_other_problems_are_an_error_that_names_the_first():
    with pytest.raises(UserError, match="problem p3 of hard is not in the second table"):
        compare_checkpoints(FIRST, SECOND.iloc[:-1])
    with pytest.raises(UserError, match="problem p0 of easy is not in the first table"):
        compare_checkpoints(FIRST[FIRST["benchmark"] == "hard"], SECOND)
    with pytest.raises(UserError, match="problem p3 of hard is twice"):
        compare_checkpoints(FIRST, pd.concat([SECOND, SECOND.tail(1)]))
    with pytest.raises(UserError, match="benchmark aime"):
        compare_checkpoints(FIRST, SECOND, ["aime"])
    with pytest.raises(UserError, match="k = 16, but there are 8"):
        compare_checkpoints(FIRST, SECOND, ks=[16])


def test_script_prints_and_writes_the_table(tmp_path):
    FIRST.to_parquet(tmp_path / "first.parquet")
    SECOND.to_parquet(tmp_path / "second.parquet")
    output = tmp_path / "differences.csv"
    paths = (tmp_path / "first.parquet", tmp_path / "second.parquet")
    printed = script("compare_checkpoints.py", *paths, "--output", output).stdout
    assert "0.1250" in printed
    pd.testing.assert_frame_equal(pd.read_csv(output), compare_checkpoints(FIRST, SECOND))
    failed = script("compare_checkpoints.py", paths[0], tmp_path / "none", "--output", output, check=False)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1


def all_counts(n: int) -> pd.DataFrame:
    """A benchmark whose i-th problem has i right samples, c = 0, ..., n."""
    return counts({"all": list(range(n + 1))}, n)


@pytest.mark.parametrize(("p", "q"), [(0.1, 0.6), (0.5, 0.02), (1.0, 0.0), (0.3, 0.3)])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_lost_coverage_is_right_on_average(p, q, k):
    """Of a problem with p before and q after: over all binomial draws of both."""
    n, m = 6, 5
    total = 0.0
    for c in range(n + 1):
        for d in range(m + 1):
            found, _ = lost_coverage(counts({"b": [c]}, n), counts({"b": [d]}, m), k)
            total += binom.pmf(c, n, p) * binom.pmf(d, m, q) * found
    assert total == pytest.approx((1 - (1 - p) ** k) * (1 - q) ** k, abs=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_what_a_model_misses_again_is_right_on_average(p, k):
    n = 7
    found = [missed_again(counts({"b": [c]}, n), k, ["b"])[0] for c in range(n + 1)]
    assert binom.pmf(np.arange(n + 1), n, p) @ found == pytest.approx((1 - (1 - p) ** k) * (1 - p) ** k, abs=1e-12)
    assert np.isnan(missed_again(all_counts(2 * k - 1), k, ["all"])).all()


def test_lost_coverage_pairs_problems_and_averages_benchmarks():
    # Of `easy` the second problem is lost, of `hard` none; in the other order of rows.
    base = counts({"easy": [8, 8, 0, 8], "hard": [0, 8]}, 8)
    model = counts({"easy": [8, 0, 8, 8], "hard": [0, 8]}, 8).iloc[::-1]
    share, error = lost_coverage(base, model, 8)
    assert share == pytest.approx((1 / 4 + 0) / 2)
    assert error == pytest.approx(np.std([0, 1, 0, 0], ddof=1) / 2 / 2)
    assert lost_coverage(base, model, 8, ["easy"])[0] == pytest.approx(1 / 4)
    with pytest.raises(UserError, match="is not in the second table"):
        lost_coverage(base, model[model["problem_id"] != "p0"], 8)
