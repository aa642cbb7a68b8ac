"""The trainers there are, by the names that `sft.trainer` and `rl.trainer` of a config give them."""

from collections.abc import Mapping
from typing import Any

from quagmires.config.schema import RL, SFT
from quagmires.training.base import Trainer
from quagmires.training.llamafactory.trainer import LLaMAFactory
from quagmires.training.verl.trainer import Verl

# By stage: a trainer for SFT cannot do RL.
TRAINERS: dict[str, dict[str, Trainer[Any]]] = {
    "sft": {"llamafactory": LLaMAFactory()},
    "rl": {"verl": Verl()},
}
# What a stage is trained by where nothing is said. No command and no params of a rule name these.
DEFAULTS: dict[str, str] = {"sft": SFT.model_fields["trainer"].default, "rl": RL.model_fields["trainer"].default}


def by_name(trainers: Mapping[str, Mapping[str, Trainer[Any]]] = TRAINERS) -> dict[str, Trainer[Any]]:
    """The trainers of both stages.

    Raises
    ------
    ValueError
        A name stands for two of them, or for vLLM: prompts are stored by the name of what rendered them.
    """
    doubled = ({*trainers["sft"]} & {*trainers["rl"]}) | ({"vllm"} & {*trainers["sft"], *trainers["rl"]})
    if doubled:
        raise ValueError(f"training/trainers.py: the name {min(doubled)!r} is taken; choose another")
    return {**trainers["sft"], **trainers["rl"]}


# Refused when the module is imported, not by the first command that looks for a trainer.
by_name()
