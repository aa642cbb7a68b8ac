"""RL algorithms: each is a set of verl's own settings, laid over the Hydra file of the `rl` block.

An algorithm's name is a folder below each SFT model's (`<model>/<recipe>/<algorithm>/<RL set>/run<n>`), so results of
several algorithms stand beside each other. docs/adding-algorithm.md says how to add one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Algorithm:
    """An RL algorithm that verl runs without a critic.

    Parameters
    ----------
    title
        its name in messages and in the report.
    verl
        dotted keys of verl's ppo_trainer, and their values: what makes the algorithm.
    """

    title: str
    verl: Mapping[str, bool | float | str]


DEFAULT = "grpo"
ALGORITHMS: dict[str, Algorithm] = {
    # Shao et al. 2024, arXiv:2402.03300: a response's reward less the mean of its problem's, over their deviation.
    "grpo": Algorithm("GRPO", {"algorithm.adv_estimator": "grpo", "algorithm.norm_adv_by_std_in_grpo": True}),
    # Liu et al. 2025, arXiv:2503.20783: GRPO without the division by the deviation and by the response's length.
    "dr_grpo": Algorithm(
        "Dr. GRPO",
        {
            "algorithm.adv_estimator": "grpo",
            "algorithm.norm_adv_by_std_in_grpo": False,
            "actor_rollout_ref.actor.loss_agg_mode": "seq-mean-token-sum-norm",
        },
    ),
    # Ahmadian et al. 2024, arXiv:2402.14740: the baseline is the mean reward of the problem's other responses.
    "rloo": Algorithm("RLOO", {"algorithm.adv_estimator": "rloo"}),
}


def nested(dotted: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with dotted keys as nested mappings; OmegaConf does it too, but the workflow's environment lacks it.

    >>> nested({"actor.ppo_epochs": 1, "actor.strategy": "fsdp"})
    {'actor': {'ppo_epochs': 1, 'strategy': 'fsdp'}}
    """
    result: dict[str, Any] = {}
    for key, value in dotted.items():
        *parents, last = key.split(".")
        block = result
        for parent in parents:
            block = block.setdefault(parent, {})
        block[last] = value
    return result
