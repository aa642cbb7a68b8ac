import time

import numpy as np
import pandas as pd
import pytest

from quagmires.evaluation.paired_difference import macro_difference
from quagmires.evaluation.pass_at_k import macro_average, mean_with_error, pass_at_k
from quagmires.prediction import bootstrap as draws_module
from quagmires.prediction.bootstrap import DRAWS, joint_draws, loss_draws

SIZES = {"easy": 400, "hard": 150}


@pytest.fixture
def difficulties():
    generator = np.random.default_rng(3)
    return {name: generator.beta(0.6, 1.4, size) for name, size in SIZES.items()}


def answered(difficulties, skill, seed, n=64):
    """Counts of a model that solves a problem of chance p with chance p ** (1 / skill)."""
    generator = np.random.default_rng(seed)
    return {
        name: pd.DataFrame(
            {
                "problem_id": [f"{name}-{i:04d}" for i in range(len(chances))],
                "n": n,
                "c": generator.binomial(n, chances ** (1 / skill)),
            }
        )
        for name, chances in difficulties.items()
    }


def test_spread_of_the_draws_is_the_standard_error_of_the_macro_average(difficulties):
    counts = answered(difficulties, 1.0, 1)
    for k in (1, 16):
        each = [mean_with_error(pass_at_k(t["n"].to_numpy(), t["c"].to_numpy(), k)) for t in counts.values()]
        value, error = macro_average(*zip(*each, strict=True))
        draws = joint_draws(counts, k, seed=7)
        assert draws.shape == (DRAWS,)
        assert draws.std(ddof=1) == pytest.approx(error, rel=0.2)
        assert draws.mean() == pytest.approx(value, abs=4 * error / np.sqrt(DRAWS))


def test_spread_with_few_problems_is_not_too_small():
    counts = {"tiny": pd.DataFrame({"problem_id": list("abc"), "n": 1, "c": [0, 0, 1]})}
    spread = np.mean([joint_draws(counts, 1, seed).astype(float).var() for seed in range(40)])
    # An ordinary bootstrap of three problems has two thirds of it.
    assert spread == pytest.approx(1 / 9, rel=0.1)


def test_differences_of_draws_have_the_paired_error(difficulties):
    first, second = answered(difficulties, 1.0, 1), answered(difficulties, 1.3, 2)
    tables = [pd.concat([table.assign(benchmark=name) for name, table in one.items()]) for one in (first, second)]
    paired = macro_difference(*tables).standard_error
    difference = joint_draws(second, 1, seed=7) - joint_draws(first, 1, seed=7)
    unpaired = np.hypot(joint_draws(first, 1, seed=7).std(), joint_draws(second, 1, seed=7).std())
    assert difference.std(ddof=1) == pytest.approx(paired, rel=0.2)
    assert paired < unpaired / 3


def test_draws_of_pass_at_1_and_pass_at_k_take_the_same_problems(difficulties):
    counts = answered(difficulties, 1.0, 1)
    at_one, at_four = joint_draws(counts, 1, seed=7), joint_draws(counts, 4, seed=7)
    assert np.corrcoef(at_one, at_four)[0, 1] > 0.8
    assert abs(np.corrcoef(at_one, joint_draws(counts, 4, seed=8))[0, 1]) < 0.3


def test_order_of_the_rows_does_not_matter(difficulties):
    counts = answered(difficulties, 1.0, 1)
    shuffled = {name: table.sample(frac=1, random_state=0) for name, table in counts.items()}
    assert (joint_draws(counts, 4, seed=7) == joint_draws(shuffled, 4, seed=7)).all()


def test_the_seed_alone_decides(difficulties):
    counts = answered(difficulties, 1.0, 1)
    first, other = joint_draws(counts, 1, seed=7), joint_draws(counts, 1, seed=8)
    # As another process would, which has drawn nothing yet.
    draws_module._weights.cache_clear()
    assert (joint_draws(counts, 1, seed=7) == first).all()
    assert (first != other).any()


def test_benchmarks_of_one_size_draw_apart(difficulties):
    table = answered(difficulties, 1.0, 1)["easy"]
    assert (joint_draws({"easy": table}, 1, 7) != joint_draws({"other": table}, 1, 7)).any()


def test_a_benchmark_draws_alike_whatever_stands_beside_it(difficulties):
    counts = answered(difficulties, 1.0, 1)
    both, one, other = (joint_draws(part, 1, 7) for part in (counts, *({name: counts[name]} for name in counts)))
    assert both == pytest.approx((one + other) / 2, abs=1e-6)


def test_one_problem_has_no_draws():
    counts = {"one": pd.DataFrame({"problem_id": ["a"], "n": 4, "c": 2})}
    assert np.isnan(joint_draws(counts, 1, seed=7)).all()
    assert np.isnan(loss_draws(np.array([3.0]), np.array([2]), seed=7)).all()


def test_nothing_to_average_is_refused():
    with pytest.raises(ValueError, match="no benchmarks"):
        joint_draws({}, 1, seed=7)


def test_loss_draws_weigh_examples_by_their_tokens():
    generator = np.random.default_rng(5)
    tokens = generator.integers(100, 8_000, 1_000)
    nll = tokens * generator.gamma(20, 0.03, 1_000)
    draws = loss_draws(nll, tokens, seed=7)
    loss = nll.sum() / tokens.sum()
    # The error of a ratio, by linearisation.
    error = np.std(nll - loss * tokens) / tokens.mean() / np.sqrt(len(tokens))
    assert draws.mean() == pytest.approx(loss, abs=4 * error / np.sqrt(DRAWS))
    assert draws.std(ddof=1) == pytest.approx(error, rel=0.2)


def test_losses_of_two_models_are_paired():
    generator = np.random.default_rng(5)
    tokens = generator.integers(100, 8_000, 500)
    first = tokens * generator.gamma(20, 0.03, 500)
    second = first + 0.05 * tokens
    assert np.ptp(loss_draws(second, tokens, 7) - loss_draws(first, tokens, 7)) < 1e-5


def test_a_hundred_models_on_seven_benchmarks_take_seconds():
    generator = np.random.default_rng(0)
    sizes = {"a": 500, "b": 933, "c": 1319, "d": 30, "e": 83, "f": 674, "g": 272}
    counts = {
        name: pd.DataFrame({"problem_id": np.arange(size), "n": 256, "c": generator.binomial(256, 0.3, size)})
        for name, size in sizes.items()
    }
    start = time.perf_counter()
    for _ in range(30):
        joint_draws(counts, 64, seed=1)
    assert time.perf_counter() - start < 3
