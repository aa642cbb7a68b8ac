"""The paper's claims on made-up studies whose verdicts are known by hand."""

import numpy as np
import pandas as pd
import pytest

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.claims import CLAIMS, FEWEST_MODELS, Measured, Result, judge, redrawn, result, study_of

ERROR = 0.002


def study(rows: list[dict], seed: int = 0) -> pd.DataFrame:
    """Models with the scores given, errors of 0.2 points, two runs of two checkpoints that are all alike."""
    models = pd.DataFrame([{"epochs": 1.0, "learning_rate": 1e-5, "generalization_loss": 0.6, **row} for row in rows])
    models["pass_at_large_k"] = models.get("pass_at_large_k", models["outcome"])
    generator = np.random.default_rng(seed)
    for name in ("pass_at_1", "pass_at_large_k", "generalization_loss", "outcome"):
        models[f"{name}_se"] = ERROR
        drawn = models[name].to_numpy()[:, None] + generator.normal(0, ERROR, (len(models), DRAWS))
        models[f"{name}_draws"] = list(drawn.astype(np.float32))
    models["gain"], models["gain_se"] = models["outcome"] - models["pass_at_1"], ERROR
    models["outcome_best"], models["grpo_runs"] = models["outcome"], 2
    models["outcome_scores"] = [np.full(4, one) for one in models["outcome"]]
    models["recipe"] = [f"r{number}" for number in range(len(models))]
    return models


class Judged(dict):
    """The results of a study by claim, each when it is asked for: some bootstrap for a second."""

    def __init__(self, models: pd.DataFrame, level: str = "dataset"):
        super().__init__()
        self.study = study_of(models, level, "best", 1)

    def __missing__(self, name: str) -> Result:
        self[name] = result(CLAIMS[name], self.study)
        return self[name]


def reversed_order(count: int = 10) -> list[dict]:
    """The better after SFT the worse after RL; loss, Pass@large-k and the outcome agree."""
    return [
        {"subset": f"random-{number + 1}k", "pass_at_1": 0.2 + 0.01 * number, "outcome": 0.6 - 0.03 * number}
        | {"generalization_loss": 0.5 + 0.01 * number}
        for number in range(count)
    ]


def same_order(count: int = 10) -> list[dict]:
    """The better after SFT the better after RL; loss and Pass@large-k say the opposite."""
    return [
        {"subset": f"random-{number + 1}k", "pass_at_1": 0.2 + 0.01 * number, "outcome": 0.4 + 0.03 * number}
        | {"generalization_loss": 0.5 + 0.01 * number, "pass_at_large_k": 0.9 - 0.01 * number}
        for number in range(count)
    ]


def test_where_the_order_is_reversed_the_sft_score_misleads_and_the_predictors_do_not():
    found = Judged(study(reversed_order()))
    for name in (
        "sft_score_regret",
        "sft_score_rank",
        "loss_predicts_gain",
        "loss_ranks_better",
        "large_k_ranks_better",
    ):
        assert found[name].verdict == "confirmed", name
    assert found["average_ranks_better"].verdict == "confirmed"
    regret = found["sft_score_regret"].measured
    assert regret.value == pytest.approx(0.27) and regret.low > 0.25 and regret.count == 10
    assert found["sft_score_regret"].note == "the pick is the best with a chance of 0%"
    assert found["sft_score_rank"].measured.value == -1
    assert found["large_k_ranks_better"].measured.value == 2


def test_where_the_order_is_the_same_the_claims_are_contradicted():
    found = Judged(study(same_order()))
    assert found["sft_score_regret"].verdict == "contradicted"
    assert (found["sft_score_regret"].measured.value, found["sft_score_regret"].measured.high) == (0, 0)
    assert found["sft_score_regret"].note == "the pick is the best with a chance of 100%"
    for name in ("loss_predicts_gain", "loss_ranks_better", "large_k_ranks_better"):
        assert found[name].verdict == "contradicted", name
    assert found["sft_score_rank"].verdict == "contradicted" and found["sft_score_rank"].measured.value == 1
    # A perfect order of six models does not prove a rho of 0.90 or more.
    assert Judged(study(same_order(6)))["sft_score_rank"].verdict == "not seen"


def test_a_regret_within_error_is_not_seen():
    rows = reversed_order()
    for number, row in enumerate(rows):
        row["outcome"] = 0.5 - 0.0001 * number
    found = Judged(study(rows))["sft_score_regret"]
    assert found.verdict == "not seen" and found.measured.low == 0 < found.measured.high


def test_equal_predictors_are_no_better_and_no_worse():
    rows = same_order()
    for row in rows:
        row["pass_at_large_k"] = 2 * row["pass_at_1"]
    found = Judged(study(rows))["large_k_ranks_better"]
    assert found.verdict == "not seen" and found.measured.value == 0


def by_epochs(raises: float, lowers: float, noise: float = 0.0) -> list[dict]:
    """Four sets of examples for 1, 2, 4 and 8 epochs: Pass@1 rises and the gain falls by so much for each doubling."""
    generator = np.random.default_rng(4)
    rows = []
    for size in (1, 2, 5, 9):
        own, less = generator.normal(raises, noise), generator.normal(lowers, noise)
        for doublings in range(4):
            before = 0.2 + 0.02 * size + own * doublings
            gain = 0.2 - less * doublings
            rows.append(
                {"subset": f"random-{size}k", "epochs": 2.0**doublings, "pass_at_1": before, "outcome": before + gain}
            )
    return rows


def test_epochs_are_compared_on_the_same_examples_by_the_doubling():
    found = Judged(study(by_epochs(0.02, 0.03)))
    raises, lowers = found["epochs_raise_sft_score"], found["epochs_lower_gain"]
    assert (raises.verdict, lowers.verdict) == ("confirmed", "confirmed")
    assert raises.measured.value == pytest.approx(0.02) and lowers.measured.value == pytest.approx(-0.03)
    assert raises.measured.count == 4
    # As narrow as the errors of the scores allow: slopes on (-1.5, ..., 1.5) of four models, four sets.
    reach = 1.96 * ERROR / np.sqrt(5 * 4)
    assert raises.measured.high - raises.measured.value == pytest.approx(reach, rel=0.15)
    found = Judged(study(by_epochs(-0.02, -0.03)))
    assert (found["epochs_raise_sft_score"].verdict, found["epochs_lower_gain"].verdict) == ("contradicted",) * 2


def test_sets_that_disagree_widen_the_interval():
    found = Judged(study(by_epochs(0.01, 0.01, noise=0.03)))["epochs_raise_sft_score"]
    assert found.verdict == "not seen" and found.measured.high - found.measured.low > 0.02


def test_other_learning_rates_and_rungs_of_a_ladder_are_sets_of_their_own():
    rows = by_epochs(0.02, 0.03)[:4]
    for row, rate in zip(rows, (1e-5, 1e-5, 2e-5, 2e-5), strict=True):
        row["learning_rate"] = rate
    assert Judged(study(rows))["epochs_raise_sft_score"].measured.count == 2
    models = study(by_epochs(0.02, 0.03)[:8])
    # The first four are one training of eight epochs, the other four trainings of their own.
    models["scheduled_epochs"] = [8.0] * 4 + [1.0, 2.0, 4.0, 8.0]
    assert Judged(models)["epochs_raise_sft_score"].measured.count == 2
    models["scheduled_epochs"] = [8.0, 8.0, 4.0, 2.0] + [1.0] * 4
    rows = by_epochs(0.02, 0.03)
    rows[0]["subset"] = "base"
    assert Judged(study(rows))["epochs_raise_sft_score"].measured.count == 4


def pairs(before: float, after: float, sizes=(1, 2, 4), **columns) -> list[dict]:
    """Shortest and random examples of some sizes: how the shortest differ before and after RL."""
    rows = []
    for size in sizes:
        score, outcome = 0.2 + 0.01 * size, 0.4 + 0.02 * size
        rows.append({"subset": f"random-{size}k", "pass_at_1": score, "outcome": outcome, **columns})
        rows.append({"subset": f"shortest-{size}k", "pass_at_1": score + before, "outcome": outcome + after, **columns})
    return rows


def test_the_shortest_are_compared_with_as_many_random_ones():
    found = Judged(study(pairs(0.05, -0.04)), "instance")
    assert found["shortest_raise_sft_score"].verdict == found["shortest_end_lower"].verdict == "confirmed"
    assert found["shortest_raise_sft_score"].measured.value == pytest.approx(0.05)
    assert found["shortest_end_lower"].measured.value == pytest.approx(-0.04)
    assert found["shortest_end_lower"].measured.count == 3
    found = Judged(study(pairs(-0.05, 0.04)), "instance")
    assert found["shortest_raise_sft_score"].verdict == found["shortest_end_lower"].verdict == "contradicted"


def test_other_sizes_epochs_and_mixtures_are_no_pairs():
    rows = pairs(0.05, -0.04)
    rows[1]["subset"], rows[3]["epochs"] = "shortest-3k", 2.0
    rows[5]["subset"] = "longest-4k+shortest-4k"
    found = Judged(study(rows), "instance")["shortest_raise_sft_score"]
    assert (found.verdict, found.measured) == ("not tested", None)
    assert found.note == "2 pairs of shortest and random are needed, found: 0"


def test_two_epochs_on_half_of_the_examples():
    rows = [
        {"subset": f"random-{size}k", "epochs": epochs, "pass_at_1": 0.2 + 0.01 * size + 0.03 * (epochs - 1)}
        | {"outcome": 0.4 + 0.01 * size - 0.03 * (epochs - 1)}
        for size in (1, 2, 4, 8)
        for epochs in (1.0, 2.0)
    ]
    found = Judged(study(rows))
    # 1k for two epochs against 2k for one, and so on: 0.03 less what twice the examples are worth, 0.01, 0.02 and 0.04.
    assert found["half_twice_sft_score"].measured.value == pytest.approx(0.03 - 0.07 / 3)
    assert found["half_twice_sft_score"].measured.count == 3
    assert found["half_twice_outcome"].measured.value == pytest.approx(-0.03 - 0.07 / 3)
    assert found["half_twice_outcome"].verdict == "contradicted"


def test_losses_are_not_compared_at_instance_level_and_the_base_has_no_say_in_them():
    found = Judged(study(reversed_order()), "instance")
    for name in ("loss_predicts_gain", "loss_ranks_better", "average_ranks_better"):
        assert found[name].verdict == "not tested" and "Section 4.3" in found[name].note
    base = {"subset": "base", "epochs": 0.0, "pass_at_1": 0.1, "outcome": 0.7, "generalization_loss": 2.0}
    found = Judged(study([base, *reversed_order()]))
    assert found["loss_predicts_gain"].measured.value == -1 and found["loss_predicts_gain"].measured.count == 10
    assert found["large_k_ranks_better"].measured.count == 11


def test_what_a_study_lacks_is_said():
    nothing = Judged(study(reversed_order())[:0])
    assert {nothing[name].verdict for name in CLAIMS} == {"not tested"}
    few = Judged(study(reversed_order(FEWEST_MODELS - 1)))
    assert few["sft_score_rank"].note == "6 models are needed, found: 5"
    assert few["sft_score_regret"].verdict == "confirmed"
    models = study(reversed_order())
    models.loc[:4, ["outcome", "gain"]] = np.nan
    assert Judged(models)["sft_score_regret"].measured.count == 5
    unknown = study(reversed_order()).assign(outcome_draws=None, outcome_se=np.nan)
    assert Judged(unknown)["sft_score_regret"].note == "the errors of the outcomes are not known"


def test_draws_are_the_same_problems_for_all_scores():
    models = study(reversed_order())
    drawn = redrawn(models, 7)
    assert drawn["pass_at_1"][3] == pytest.approx(models["pass_at_1_draws"][3][7])
    assert drawn["gain"].to_numpy() == pytest.approx((drawn["outcome"] - drawn["pass_at_1"]).to_numpy())
    without = redrawn(models.assign(outcome_draws=None), 7)
    assert without["outcome"].tolist() == models["outcome"].tolist()


def test_claims_that_are_empty_are_confirmed_or_contradicted_about_as_often_as_said():
    """Epochs that do nothing: 5 % in all, less or more by three standard errors."""
    found = [judged_epochs(seed) for seed in range(200)]
    assert np.mean([verdict != "not seen" for verdict in found]) < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def judged_epochs(seed: int) -> str:
    generator = np.random.default_rng(seed)
    rows = by_epochs(0.0, 0.0)
    for row in rows:
        row["pass_at_1"] += generator.normal(0, ERROR)
    return Judged(study(rows, seed))["epochs_raise_sft_score"].verdict


@pytest.mark.parametrize(
    ("name", "low", "high", "verdict"),
    [
        ("epochs_raise_sft_score", 0.01, 0.02, "confirmed"),
        ("epochs_raise_sft_score", -0.01, 0.02, "not seen"),
        ("epochs_raise_sft_score", -0.02, -0.01, "contradicted"),
        ("epochs_lower_gain", -0.02, -0.01, "confirmed"),
        ("epochs_lower_gain", 0.01, 0.02, "contradicted"),
        ("sft_score_rank", 0.3, 0.89, "confirmed"),
        ("sft_score_rank", 0.3, 0.91, "not seen"),
        ("sft_score_rank", 0.91, 0.99, "contradicted"),
        ("sft_score_regret", 0.0, 0.01, "not seen"),
        ("sft_score_regret", 0.0, 0.0, "contradicted"),
        ("large_k_ranks_better", 0.0, 0.0, "not seen"),
    ],
)
def test_the_rule(name, low, high, verdict):
    assert judge(CLAIMS[name], Measured((low + high) / 2, low, high, 9, "models")) == verdict
