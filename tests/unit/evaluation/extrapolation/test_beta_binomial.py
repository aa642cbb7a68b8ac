import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta, betabinom, binom

from quagmires.evaluation.extrapolation.beta_binomial import BetaBinomial, CannotFit, Counts, fit
from quagmires.evaluation.extrapolation.mixtures import fit_free, fit_logit_normal

N = 32


def drawn(problems: int, a: float, b: float, zero: float = 0.0, seed: int = 0, n: int = N) -> Counts:
    generator = np.random.default_rng(seed)
    p = generator.beta(a, b, problems) * (generator.random(problems) >= zero)
    return Counts.of(np.full(problems, n), generator.binomial(n, p))


def likelihood(counts: Counts, model) -> float:
    return float(counts.problems @ model.log_probability(counts.n, counts.c))


@pytest.mark.parametrize(("a", "b"), [(0.3, 2.0), (0.5, 0.5), (3.0, 1.0)])
def test_pass_at_k_is_the_mean_over_the_beta_distribution(a, b):
    for k in (1, 7, 256):
        integral = quad(lambda p, k=k: -np.expm1(k * np.log1p(-p)) * beta.pdf(p, a, b), 0, 1, points=[0.01, 0.5])[0]
        assert BetaBinomial(a, b).pass_at_k(k) == pytest.approx(integral, abs=1e-6)
        assert BetaBinomial(a, b, zero=0.2).pass_at_k(k) == pytest.approx(0.8 * integral, abs=1e-6)


def test_pass_at_huge_k_follows_the_power_law_of_the_papers():
    # 1 - Pass@k ~ Gamma(a + b) / Gamma(b) k^-a: ten times the samples, 10^-a of the failures (arXiv 2502.17578).
    model = BetaBinomial(0.4, 1.2)
    failures = 1 - model.pass_at_k(np.array([1e7, 1e8]))
    assert failures[1] / failures[0] == pytest.approx(10**-0.4, rel=1e-5)


def test_likelihood_is_that_of_scipy_with_a_mass_at_zero():
    n, c = np.full(N + 1, float(N)), np.arange(N + 1.0)
    model = BetaBinomial(0.7, 1.9, zero=0.3)
    expected = 0.7 * betabinom.pmf(c, N, 0.7, 1.9) + 0.3 * (c == 0)
    assert np.exp(model.log_probability(n, c)) == pytest.approx(expected, rel=1e-9)


def test_pass_at_k_given_the_counts_averages_to_that_of_a_new_problem():
    n, c = np.full(N + 1, float(N)), np.arange(N + 1.0)
    ks = np.array([1, 64, 4096])
    for model in (BetaBinomial(0.7, 1.9), BetaBinomial(0.7, 1.9, zero=0.3), fit_logit_normal(drawn(200, 1, 2))):
        average = np.exp(model.log_probability(n, c)) @ model.pass_at_k_given(n, c, ks)
        assert average == pytest.approx(model.pass_at_k(ks), abs=1e-9)


def test_fit_finds_the_parameters():
    found = fit(drawn(20_000, 0.4, 0.9))
    assert (found.a, found.b) == pytest.approx((0.4, 0.9), rel=0.05)
    found = fit(drawn(20_000, 1.5, 2.0, zero=0.25), zero_inflated=True)
    assert (found.a, found.b, found.zero) == pytest.approx((1.5, 2.0, 0.25), rel=0.06)


@pytest.mark.parametrize("zero_inflated", [False, True])
def test_fit_is_a_maximum_of_the_likelihood(zero_inflated):
    counts = drawn(500, 0.8, 1.5, zero=0.2)
    found = fit(counts, zero_inflated)
    best = likelihood(counts, found)
    assert best == pytest.approx(found.log_likelihood)
    for factor in (0.97, 1.03):
        assert likelihood(counts, BetaBinomial(found.a * factor, found.b, found.zero)) < best
        assert likelihood(counts, BetaBinomial(found.a, found.b * factor, found.zero)) < best
        if zero_inflated:
            assert likelihood(counts, BetaBinomial(found.a, found.b, found.zero * factor)) < best


def test_zero_inflated_fit_never_explains_less():
    for seed in range(5):
        counts = drawn(100, 0.5, 1.0, zero=0.1, seed=seed)
        assert fit(counts, zero_inflated=True).log_likelihood >= fit(counts).log_likelihood - 1e-6


def test_problems_may_have_different_numbers_of_samples():
    generator = np.random.default_rng(0)
    n = generator.choice([8, 16, 64], 20_000)
    counts = Counts.of(n, generator.binomial(n, generator.beta(0.6, 1.2, len(n))))
    found = fit(counts)
    assert (found.a, found.b) == pytest.approx((0.6, 1.2), rel=0.05)


@pytest.mark.parametrize(
    ("n", "c", "reason"),
    [
        (16, [0] * 9, "no problem has a right sample"),
        (16, [16] * 9, "every sample of every problem is right"),
        (16, [4] * 9, "the same share"),
        (16, [0, 4], "fewer than 3 problems"),
        (1, [0, 1, 1, 0], "one sample per problem"),
    ],
)
def test_counts_without_spread_cannot_be_fitted_and_say_why(n, c, reason):
    counts = Counts.of(np.full(len(c), n), np.array(c))
    for attempt in (fit, lambda counts: fit(counts, zero_inflated=True), fit_logit_normal):
        with pytest.raises(CannotFit, match=reason):
            attempt(counts)


def test_counts_at_the_edge_of_the_model_say_so():
    # Narrower than a binomial with one p, and all at 0 or 1.
    for c in ([8, 8, 8, 7, 8, 8, 9, 8], [0, 0, 0, 16, 16, 0, 0, 16]):
        counts = Counts.of(np.full(8, 16), np.array(c))
        found = fit(counts)
        assert found.at_bound
        assert np.isfinite(found.pass_at_k(np.array([1, 1_000_000]))).all()
        assert found.pass_at_k(1) == pytest.approx(np.mean(c) / 16, abs=0.01)
    assert not fit(drawn(500, 0.4, 0.9)).at_bound


def test_logit_normal_fit_finds_the_parameters():
    generator = np.random.default_rng(0)
    p = 1 / (1 + np.exp(-generator.normal(-1.5, 2.0, 20_000)))
    found = fit_logit_normal(Counts.of(np.full(len(p), N), generator.binomial(N, p)))
    assert (found.mean, np.exp(found.log_deviation)) == pytest.approx((-1.5, 2.0), rel=0.03)
    assert found.pass_at_k(np.array([256])) == pytest.approx(-np.expm1(256 * np.log1p(-p)).mean(), abs=0.01)


def test_free_mixture_explains_two_hills_that_a_beta_cannot():
    generator = np.random.default_rng(0)
    p = np.where(generator.random(500) < 0.5, 0.05, 0.8)
    counts = Counts.of(np.full(500, N), generator.binomial(N, p))
    free = fit_free(counts)
    assert free.weights.sum() == pytest.approx(1)
    assert likelihood(counts, free) > likelihood(counts, fit(counts)) + 50
    two_hills = np.log(0.5 * binom.pmf(counts.c, N, 0.05) + 0.5 * binom.pmf(counts.c, N, 0.8))
    assert likelihood(counts, free) >= counts.problems @ two_hills - 1
