"""Checks of an RL run's settings against the verl that is installed: its own, and those it lacks.

verl 0.9.1 accepts some wrong settings in silence, and others make it wait for ever or fail after an hour of start-up.
Runs in the grpo environment, without a GPU.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir, initialize_config_module
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from quagmires.common.errors import UserError
from quagmires.common.processes import SCRIPTS
from quagmires.config.algorithms import nested
from quagmires.training.base import RunToCheck
from quagmires.training.checks import first_line, refuse_text, require_flash_attention
from quagmires.training.runs import RLRunSettings
from quagmires.training.verl.settings import overrides, ray_processors, read_settings, unknown_keys

# What the merge of checkpoints reads.
STRATEGIES = ("fsdp", "fsdp2")


def check_run(run: RunToCheck[RLRunSettings]) -> None:
    """Check one run.

    Raises
    ------
    UserError
        One line that names the file and the key.
    """
    where, engine = run.settings, run.run.engine
    refuse_unknown(read_settings(run.settings, run.run.algorithm), where)
    refuse_unknown(nested(engine), "rl.engine")
    where = f"{where} with rl.engine" if engine else where
    config = composed(run, where)
    refuse_text_for_numbers(OmegaConf.to_container(config, resolve=True), verl_settings(), where)
    check_sizes(config, where)
    check_names(config, where)
    check_model_length(config, where)
    check_by_verl(config, where)
    if config.trainer.device != "cpu" and config.actor_rollout_ref.model.use_remove_padding:
        require_flash_attention(where, "actor_rollout_ref.model.use_remove_padding")


@cache
def verl_settings() -> Mapping[str, Any]:
    """verl's own ppo_trainer."""
    with initialize_config_module("verl.trainer.config", version_base=None):
        return OmegaConf.to_container(compose("ppo_trainer"), resolve=False)


def refuse_unknown(settings: dict[str, Any], where: str) -> None:
    """Refuse keys that verl does not know: Hydra takes any key of a file in silence."""
    unknown = unknown_keys(settings, verl_settings())
    if unknown:
        raise UserError(f"{where}: verl has no setting {unknown[0]}; correct or remove it")


def composed(run: RunToCheck[RLRunSettings], where: str) -> DictConfig:
    """The configuration that verl would train with. Its data and checkpoints need not exist."""
    file = Path(run.settings).resolve()
    laid_over = overrides(
        run.run,
        model=Path(run.model),
        data=Path("prompts.parquet"),
        checkpoints=Path("checkpoints"),
        reward=SCRIPTS / "quagmires" / "grading" / "reward.py",
        problems=run.problems or run.run.batch_size * run.run.checkpoints,
        saves=[1],
    )
    try:
        with initialize_config_dir(str(file.parent), version_base=None):
            return compose(file.stem, overrides=laid_over)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"{where}: {first_line(error)}") from None


def refuse_text_for_numbers(found: Any, known: Any, where: str, path: str = "") -> None:
    """Refuse text where verl's own file has a number or a truth value."""
    for key, value in found.items():
        default, name = known.get(key), f"{path}{key}"
        if isinstance(value, dict) and isinstance(default, dict):
            refuse_text_for_numbers(value, default, where, f"{name}.")
        elif isinstance(default, bool | int | float):
            refuse_text(where, name, value, type(default))


def check_sizes(config: DictConfig, where: str) -> None:
    """Refuse numbers that cannot go together."""
    for key, problem in _sizes(config):
        raise UserError(f"{where}: {key} {problem}")


def _sizes(config: DictConfig) -> Iterator[tuple[str, str]]:
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    devices = config.trainer.n_gpus_per_node
    parallel = rollout.tensor_model_parallel_size
    if devices % parallel:
        yield (
            "actor_rollout_ref.rollout.tensor_model_parallel_size",
            f"{parallel} does not divide the {devices} devices; change it",
        )
    sequence = actor.fsdp_config.ulysses_sequence_parallel_size
    if devices % sequence:
        yield (
            "actor_rollout_ref.actor.fsdp_config.ulysses_sequence_parallel_size",
            f"{sequence} does not divide the {devices} devices; change it",
        )
    longest = config.data.max_prompt_length + config.data.max_response_length
    for block, key in ((actor, "actor.ppo_max_token_len_per_gpu"), (rollout, "rollout.log_prob_max_token_len_per_gpu")):
        room = block[key.partition(".")[2]]
        if actor.use_dynamic_bsz and room * sequence < longest:
            yield (
                f"actor_rollout_ref.{key}",
                f"{room} is less than a prompt and a response ({longest}"
                f"{f' over {sequence} devices' if sequence > 1 else ''}); make it larger",
            )
    if not 0 < rollout.gpu_memory_utilization < 1:
        yield (
            "actor_rollout_ref.rollout.gpu_memory_utilization",
            f"{rollout.gpu_memory_utilization} is not between 0 and 1; correct it",
        )
    processors = config.ray_kwargs.ray_init.num_cpus
    need = ray_processors(devices, config.transfer_queue.backend.SimpleStorage.num_data_storage_units)
    if processors is None or processors < need:
        yield (
            "ray_kwargs.ray_init.num_cpus",
            f"{processors} is less than the {need} processors that verl reserves (3 a device, the storage units, 1);"
            " it would wait for ever without a message; make it larger",
        )


def check_names(config: DictConfig, where: str) -> None:
    """Refuse names that verl looks up only after its start, and keys that it reads no more."""
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY
    from verl.trainer.ppo.utils import need_critic
    from verl.workers.rollout.replica import RolloutReplicaRegistry

    if config.trainer.device == "cpu":
        import verl_cpu.registration  # noqa: F401

    estimators = sorted(ADV_ESTIMATOR_REGISTRY)
    for key, known in (
        ("algorithm.adv_estimator", estimators),
        ("actor_rollout_ref.actor.strategy", STRATEGIES),
        ("actor_rollout_ref.rollout.name", RolloutReplicaRegistry._registry),
    ):
        name = OmegaConf.select(config, key)
        if name not in known:
            raise UserError(f"{where}: {key} {name!r} is none of {', '.join(known)}; correct it")
    if need_critic(config):
        key = "critic.enable" if config.critic.enable else "algorithm.adv_estimator"
        raise UserError(f"{where}: {key} trains a critic, which costs as much as the model; choose what has none")
    for key, value in config.custom_reward_function.items():
        if value is not None:
            raise UserError(
                f"{where}: custom_reward_function.{key} is a key that verl ignores; remove it, the workflow sets"
                " reward.custom_reward_function"
            )


def check_model_length(config: DictConfig, where: str) -> None:
    """Refuse prompts and responses longer than the model's positions: vLLM does at its start."""
    path = Path(config.actor_rollout_ref.model.path) / "config.json"
    try:
        positions = json.loads(path.read_text(encoding="utf-8")).get("max_position_embeddings")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable model configuration ({error}); give a model directory") from None
    longest = config.actor_rollout_ref.rollout.max_model_len
    if positions is not None and longest > positions:
        raise UserError(
            f"{where}: rl.max_prompt_tokens + rl.max_response_tokens is {longest}, and {path} has"
            f" max_position_embeddings {positions}; make them fit"
        )


def check_by_verl(config: DictConfig, where: str) -> None:
    """verl's own validation, and its typed blocks."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    try:
        validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
        for block in ("actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.model", "algorithm"):
            omega_conf_to_dataclass(OmegaConf.select(config, block))
    # Whatever verl raises is about the settings: nothing else has been read.
    except Exception as error:
        raise UserError(f"{where}: verl refuses it: {first_line(error)}") from None
