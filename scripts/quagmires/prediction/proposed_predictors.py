"""Predictors that others propose, or that we want to see fail: judged in the arena alone (arena.py).

Each docstring has formula and source. `rank` says in which direction a predictor is good. That is what its source
claims, and is never chosen by outcomes: a predictor that works the other way round has a negative rho and is shown with
it.
"""

import numpy as np
import pandas as pd

from quagmires.prediction.predictors import SAME_DISTRIBUTION, Line, outcome_on, predictor

# Loss relative to the lowest of the study, up to which a model counts as stable, and as mildly overfit (RETU).
STABLE, MILD = 1.02, 1.10


@predictor(
    "informative_share",
    "RL prompts with a signal (g={rl_group_size})",
    rank=lambda models: models["rl_informative_share"],
    needs=["rl_samples"],
    arena_only=True,
)
def informative_share(models: pd.DataFrame) -> list[Line]:
    """Mean over RL prompts of 1 - p^g - (1 - p)^g, the probability that a group of g has right and wrong responses.

    GRPO learns nothing from the other groups. Higher is better: Behavior Injection, arXiv 2505.18917.
    """
    return [outcome_on(models, "rl_informative_share")]


@predictor(
    "success_deviation",
    "Deviation of the reward on RL prompts",
    rank=lambda models: models["rl_success_deviation"],
    needs=["rl_samples"],
    arena_only=True,
)
def success_deviation(models: pd.DataFrame) -> list[Line]:
    """Mean over RL prompts of sqrt(p (1 - p)), the standard deviation of a response's reward.

    Higher is better: Behavior Injection, arXiv 2505.18917.
    """
    return [outcome_on(models, "rl_success_deviation")]


@predictor(
    "success_variance",
    "Variance of the reward in a group",
    rank=lambda models: models["rl_success_variance"],
    needs=["rl_samples"],
    arena_only=True,
)
def success_variance(models: pd.DataFrame) -> list[Line]:
    """Mean over RL prompts of p (1 - p), times (g - 1) / g the expected variance of the rewards within a group of g.

    The factor is the same for all models of a study. Higher is better: Aphale and Liu 2026, arXiv 2606.18487.
    """
    return [outcome_on(models, "rl_success_variance")]


@predictor(
    "rollout_entropy",
    "Entropy of responses (T=1)",
    rank=lambda models: models["entropy_before"],
    arena_only=True,
)
def rollout_entropy(models: pd.DataFrame) -> list[Line]:
    """Mean negative log-probability of the tokens sampled at temperature 1, nats a token.

    Higher is better: Aphale and Liu 2026, arXiv 2606.18487, who see a rho of +0.69 over 20 GRPO runs of one code model
    and none on another.
    """
    return [outcome_on(models, "entropy_before")]


def _regime(models: pd.DataFrame) -> pd.Series:
    """(models,): 0 stable, 1 mildly overfit, 2 severely; nan without a loss."""
    relative = models["generalization_loss"] / models["generalization_loss"].min()
    return pd.Series(np.searchsorted([STABLE, MILD], relative).astype(float), models.index).where(relative.notna())


@predictor(
    "sft_regime",
    "SFT regime (stable, mild, severe)",
    levels=SAME_DISTRIBUTION,
    rank=lambda models: -_regime(models),
    needs=["loss"],
    arena_only=True,
)
def sft_regime(models: pd.DataFrame) -> list[Line]:
    """Stable up to L = 1.02 Lmin, mildly overfit up to 1.10 Lmin, else severely; Lmin is the lowest loss of the study.

    Stable is best: Ding et al. 2025 (RETU), arXiv 2512.11470. They take Lmin along one SFT run, we over the models of a
    study. Like theirs it does not tell a loss that still falls from one that rises again.
    """
    return [Line(_regime(models).to_numpy(float), models["outcome"].to_numpy(float))]


@predictor(
    "common_loss",
    "Loss on the validation set of all pools",
    rank=lambda models: -models["generalization_loss_common"],
    needs=["common_loss"],
    arena_only=True,
)
def common_loss(models: pd.DataFrame) -> list[Line]:
    """Nats a token on one validation set for all models, whatever they were trained on.

    Lower is better: Ding et al. 2025 (RETU), arXiv 2512.11470, for SFT sets where losses on their own validation sets
    cannot be compared.
    """
    return [outcome_on(models, "generalization_loss_common")]


@predictor(
    "distinct_wrong",
    "Distinct wrong answers (of {large_k})",
    rank=lambda models: models["distinct_wrong"],
    arena_only=True,
)
def distinct_wrong(models: pd.DataFrame) -> list[Line]:
    """Mean number of distinct wrong answers among k responses to a problem.

    Higher is better, by the claim that diverse responses leave RL more to choose from. Our own measure of it, which
    nobody has tested; note that a model that is mostly right has few.
    """
    return [outcome_on(models, "distinct_wrong")]


@predictor(
    "lost_coverage",
    "Coverage lost against the base (k={large_k})",
    rank=lambda models: -models["lost_coverage"],
    arena_only=True,
)
def lost_coverage(models: pd.DataFrame) -> list[Line]:
    """Share of problems that the base solves in k samples and the SFT model does not.

    Lower is better, by the claim that RL finds again only what can be sampled. Ours, not tested by anyone.
    """
    return [outcome_on(models, "lost_coverage")]


@predictor(
    "early_rl_score",
    "Score early in RL",
    rank=lambda models: models["early_rl_score"],
    needs=["early_score"],
    arena_only=True,
)
def early_rl_score(models: pd.DataFrame) -> list[Line]:
    """Score on the benchmarks early in RL, at the same compute for every model (early_rl.py).

    Higher is better: RL's own beginning as its forecast, the idea behind ScaleRL (arXiv 2510.13786) and RETU
    (arXiv 2512.11470, appendix F).
    """
    return [outcome_on(models, "early_rl_score")]


@predictor(
    "early_rl_reward",
    "Reward early in RL",
    rank=lambda models: models["early_rl_reward"],
    needs=["early_reward"],
    arena_only=True,
)
def early_rl_reward(models: pd.DataFrame) -> list[Line]:
    """Mean reward on RL prompts in the first tenth of the steps; higher is better, as `early_rl_score`."""
    return [outcome_on(models, "early_rl_reward")]


@predictor(
    "sigmoid_ceiling",
    "Ceiling of a sigmoid (early RL)",
    rank=lambda models: models["early_rl_ceiling"],
    needs=["early_curve"],
    arena_only=True,
)
def sigmoid_ceiling(models: pd.DataFrame) -> list[Line]:
    """A of P(x) = P0 + (A - P0) / (1 + (C / x)^B), fitted on the first quarter of RL, x its compute (early_rl.py).

    Higher is better: ScaleRL (Khatri et al. 2025), arXiv 2510.13786; RETU, arXiv 2512.11470.
    """
    return [outcome_on(models, "early_rl_ceiling")]
