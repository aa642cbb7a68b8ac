from itertools import product

import numpy as np
import pandas as pd
import pytest

from quagmires.evaluation.entropy import COLUMNS, logprob_counts, rollout_entropy

# Of two tokens, `a` goes on and `end` ends; a response has at most three tokens.
P = {"a": 0.7, "end": 0.3}
ENTROPY = -sum(p * np.log(p) for p in P.values())


def responses() -> list[tuple[float, int, float]]:
    """Every response of the toy model: its probability, tokens and log-probability."""
    texts = {"end": 1, "a end": 2, "a a end": 3, "a a a": 3}
    return [(float(np.prod([P[t] for t in text.split()])), n, float(sum(np.log(P[t]) for t in text.split())))
            for text, n in texts.items()]  # fmt: skip


def test_minus_log_probability_is_on_average_the_entropy_of_each_token():
    """Also where responses are cut off at three tokens."""
    chances = [p for p, _, _ in responses()]
    assert sum(chances) == pytest.approx(1)
    nats = -sum(p * logprob for p, _, logprob in responses())
    tokens = sum(p * n for p, n, _ in responses())
    assert nats / tokens == pytest.approx(ENTROPY)
    # And of the sums over all pairs of responses, of which a problem may have one and the other none.
    pairs = list(product(responses(), repeat=2))
    sums = [(p * q, -(a + b), m + n) for (p, m, a), (q, n, b) in pairs]
    assert sum(w * x for w, x, _ in sums) / sum(w * t for w, _, t in sums) == pytest.approx(ENTROPY)


def grades(sums: dict[str, list[float | None]]) -> pd.DataFrame:
    rows = [(problem, 10 * (i + 1), value) for problem, values in sums.items() for i, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["problem_id", "n_tokens", "logprob_sum"])


def test_only_responses_with_a_log_probability_count():
    counts = logprob_counts(grades({"b": [-4.0, None], "a": [-2.0, -6.0], "c": [None, None]}))
    assert list(counts.index) == ["a", "b", "c"]
    assert counts["logprob_responses"].tolist() == [2, 1, 0]
    assert counts["logprob_tokens"].tolist() == [30, 10, 0]
    assert counts["logprob_sum"].tolist() == [-8.0, -4.0, 0.0]
    entropy = rollout_entropy(counts)
    assert entropy["value"] == pytest.approx(12 / 40)
    assert entropy["responses"] == 3
    # Residuals 8 - 0.3 * 30 and 4 - 0.3 * 10, of two problems.
    assert entropy["standard_error"] == pytest.approx(np.sqrt(2 * np.var([-1, 1], ddof=1)) / 40)


def test_without_log_probabilities_there_is_no_entropy():
    without = pd.DataFrame({"problem_id": ["a", "b"], "n_tokens": [3, 4]})
    assert logprob_counts(without)["logprob_responses"].tolist() == [0, 0]
    assert rollout_entropy(logprob_counts(without)) is None
    # Counts that were stored before.
    assert rollout_entropy(pd.DataFrame({"n": [4], "c": [2]})) is None


def test_the_error_is_the_spread_of_repeated_estimates():
    generator = np.random.default_rng(0)

    def draw() -> pd.DataFrame:
        """40 problems of four responses; a problem's own entropy and length go together."""
        level = generator.uniform(0.1, 1.0, 40)
        tokens = generator.poisson(50 + 100 * level) * 4
        return pd.DataFrame(dict(zip(COLUMNS, (np.full(40, 4), tokens, -level * tokens), strict=True)))

    found = [rollout_entropy(draw()) for _ in range(400)]
    values, errors = (np.array([one[key] for one in found]) for key in ("value", "standard_error"))
    assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.1)


def test_one_problem_has_no_error():
    assert rollout_entropy(logprob_counts(grades({"a": [-2.0, -6.0]})))["standard_error"] is None
