"""The trainers there are, by the names that `sft.trainer` and `rl.trainer` of a config give them."""

from typing import Any

from quagmires.training.base import Trainer
from quagmires.training.llamafactory.trainer import LLaMAFactory
from quagmires.training.verl.trainer import Verl

# By stage: a trainer for SFT cannot do RL.
TRAINERS: dict[str, dict[str, Trainer[Any]]] = {
    "sft": {"llamafactory": LLaMAFactory()},
    "rl": {"verl": Verl()},
}
BY_NAME = {name: trainer for trainers in TRAINERS.values() for name, trainer in trainers.items()}
# By the Python environment that each runs in.
BY_ENVIRONMENT = {trainer.environment: trainer for trainer in BY_NAME.values()}
