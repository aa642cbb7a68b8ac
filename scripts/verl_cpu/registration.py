"""Register the rollout `batched_cpu` with verl. Its classes are loaded only where they are used."""

from verl.workers.rollout import base
from verl.workers.rollout.replica import RolloutReplicaRegistry

NAME = "batched_cpu"


def _load_replica():
    from verl_cpu.rollout import CpuReplica

    return CpuReplica


RolloutReplicaRegistry.register(NAME, _load_replica)
# verl 0.9.1 has no public way to add the worker side of a rollout.
base._ROLLOUT_REGISTRY[NAME, "async"] = "verl_cpu.rollout.WeightSender"
