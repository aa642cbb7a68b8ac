"""The settings of an RL run by verl: its Hydra file, what the workflow lays over it, and the steps it saves.

Dotted keys are read and overrides are written by hand: the workflow's environment does it too, and has no OmegaConf and
no Hydra.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from quagmires.common.errors import UserError
from quagmires.config.algorithms import ALGORITHMS, nested
from quagmires.training.runs import RLRunSettings


def total_steps(problems: int, batch_size: int, epochs: float) -> int:
    """Training steps: whole batches only, as verl's data loader drops the last partial one.

    >>> total_steps(7500, 128, 3)
    174
    """
    per_epoch = problems // batch_size
    if per_epoch == 0:
        raise UserError(f"rl.batch_size {batch_size} is larger than the RL set ({problems} problems); make it smaller")
    return max(1, round(per_epoch * epochs))


def checkpoint_steps(total: int, checkpoints: int) -> list[int]:
    """The steps of evenly spaced checkpoints; the last is the end of training.

    >>> checkpoint_steps(174, 4)
    [43, 86, 129, 174]
    """
    if checkpoints > total:
        raise UserError(f"rl.checkpoints {checkpoints} is more than the {total} steps of a run; ask for fewer")
    # verl saves at every multiple of one interval, and at the end.
    interval, rest = divmod(total, checkpoints)
    if 2 * rest > interval:
        raise UserError(
            f"{checkpoints} checkpoints cannot be spaced evenly over the {total} steps of a run; change one"
        )
    return [interval * i for i in range(1, checkpoints)] + [total]


def ray_processors(devices: int, storage_units: int = 8) -> int:
    """The logical processors that verl reserves at its start: 3 for each GPU, its storage units, and one controller.

    With fewer it waits for ever without a message (verl #7656). `storage_units` is verl's default.

    >>> ray_processors(8)
    33
    """
    return 3 * devices + storage_units + 1


def save_steps(wanted: list[int], every: int) -> list[int]:
    """The steps that are saved: the wanted ones, and every so often one to resume from.

    >>> save_steps([43, 86, 129, 174], 40)
    [40, 43, 80, 86, 120, 129, 160, 174]
    """
    return sorted({*wanted, *range(every, wanted[-1], every)})


def overrides(
    run: RLRunSettings, model: Path, data: Path, checkpoints: Path, reward: Path, problems: int, saves: list[int]
) -> list[str]:
    """All that is laid over the Hydra file, as Hydra command-line overrides: the config's `rl.engine`, the algorithm's
    settings, and the workflow's.

    `saves` are the steps yet to be saved, of an RL set of `problems`. KL 0 leaves the reference model out altogether.
    """
    check_engine(run.engine, run.algorithm)
    quoted = {key: f"'{value}'" if isinstance(value, str) else value for key, value in run.engine.items()}
    values = {
        # `++` may add a key.
        **{f"++{key}": value for key, value in quoted.items()},
        **ALGORITHMS[run.algorithm].verl,
        **_workflow_values(run, model, data, checkpoints, reward, problems, saves),
    }
    return [f"{key}={_hydra(value)}" for key, value in values.items()]


def _workflow_values(
    run: RLRunSettings, model: Path, data: Path, checkpoints: Path, reward: Path, problems: int, saves: list[int]
) -> dict[str, Any]:
    total = total_steps(problems, run.batch_size, run.epochs)
    kl = run.kl_coefficient
    return {
        "algorithm.use_kl_in_reward": False,
        "data.train_files": data,
        # verl wants a validation set; the workflow evaluates checkpoints itself.
        "data.val_files": data,
        "data.train_batch_size": run.batch_size,
        "data.max_prompt_length": run.max_prompt_tokens,
        "data.max_response_length": run.max_response_tokens,
        "data.shuffle": True,
        "data.seed": run.seed,
        "actor_rollout_ref.model.path": model,
        "actor_rollout_ref.model.trust_remote_code": False,
        "actor_rollout_ref.actor.ppo_mini_batch_size": run.batch_size,
        "actor_rollout_ref.actor.optim.lr": run.learning_rate,
        "actor_rollout_ref.actor.optim.lr_warmup_steps": run.warmup_steps,
        "actor_rollout_ref.actor.use_kl_loss": kl > 0,
        "actor_rollout_ref.actor.kl_loss_coef": kl,
        "actor_rollout_ref.actor.entropy_coeff": run.entropy_coefficient,
        "actor_rollout_ref.actor.data_loader_seed": run.seed,
        "actor_rollout_ref.actor.fsdp_config.seed": run.seed,
        "actor_rollout_ref.rollout.n": run.rollouts,
        "actor_rollout_ref.rollout.temperature": run.temperature,
        "actor_rollout_ref.rollout.top_p": 1.0,
        "actor_rollout_ref.rollout.top_k": -1,
        "actor_rollout_ref.rollout.seed": run.seed,
        "actor_rollout_ref.rollout.max_model_len": run.max_prompt_tokens + run.max_response_tokens,
        "actor_rollout_ref.rollout.calculate_log_probs": True,
        # Not `custom_reward_function.path`: verl 0.9.1 still accepts that key and ignores it.
        "reward.custom_reward_function.path": reward,
        "reward.custom_reward_function.name": "compute_score",
        "reward.reward_manager.name": "naive",
        "trainer.logger": "[console,file]",
        "trainer.nnodes": 1,
        "trainer.n_gpus_per_node": run.devices,
        "trainer.total_epochs": math.ceil(run.epochs),
        "trainer.total_training_steps": total,
        # verl saves at the multiples of save_freq, and at the end; save_schedule.py moves it from one step to the next.
        "trainer.save_freq": saves[0],
        "+trainer.save_steps": saves,
        "trainer.checkpoint_callback_class": "quagmires.training.verl.save_schedule.SaveSchedule",
        "trainer.test_freq": -1,
        "trainer.val_before_train": False,
        "trainer.resume_mode": "auto",
        "trainer.default_local_dir": checkpoints,
        "trainer.project_name": "quagmires",
        "trainer.experiment_name": run.algorithm,
    }


def _hydra(value: Any) -> str:
    """A value as Hydra reads it: booleans and null in lower case, paths quoted."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return f"'{value.resolve()}'" if isinstance(value, Path) else str(value)


def read_settings(path: str | Path, algorithm: str) -> dict[str, Any]:
    """The Hydra file, without any key that the workflow or the algorithm sets otherwise."""
    settings = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    refuse_owned(settings, str(path))
    refuse_other_algorithm(settings, algorithm, str(path))
    return settings


def check_engine(engine: Mapping[str, Any], algorithm: str) -> None:
    """Refuse a key of `rl.engine` that the workflow or the algorithm sets otherwise."""
    refuse_owned(nested(engine), "rl.engine")
    refuse_other_algorithm(nested(engine), algorithm, "rl.engine")


def refuse_owned(settings: Mapping[str, Any], where: str) -> None:
    """Refuse what the workflow sets itself."""
    for owned in OWNED:
        if _value(settings, owned) is not None:
            raise UserError(f"{where}: {owned} is set by the workflow from the config; remove it here")


def refuse_other_algorithm(settings: Mapping[str, Any], algorithm: str, where: str) -> None:
    """Refuse a setting that would make another algorithm of `algorithm`."""
    for key, wanted in ALGORITHMS[algorithm].verl.items():
        found = _value(settings, key)
        if found not in (None, wanted):
            raise UserError(
                f"{where}: {key} is {found!r}, and rl.algorithm {algorithm} is {wanted!r}; remove it here, or choose"
                f" another algorithm ({', '.join(ALGORITHMS)})"
            )


def _value(settings: Any, dotted: str) -> Any:
    """The value of a dotted key; None where there is none."""
    for key in dotted.split("."):
        settings = settings.get(key) if isinstance(settings, Mapping) else None
    return settings


def unknown_keys(settings: Any, known: Any, path: str = "") -> list[str]:
    """Keys of a Hydra file that verl's own config does not have, dotted.

    A key below one that verl leaves empty (`null` or `{}`) is free, as are the ones in `FREE`.
    """
    found = []
    for key, value in settings.items():
        name = f"{path}{key}"
        if name in FREE:
            continue
        if key not in known:
            found.append(name)
        elif isinstance(value, dict) and isinstance(known[key], dict) and known[key]:
            found += unknown_keys(value, known[key], f"{name}.")
    return found


_ANY_RUN = RLRunSettings(
    learning_rate=1e-6,
    warmup_steps=0,
    batch_size=1,
    rollouts=2,
    temperature=1.0,
    kl_coefficient=0.0,
    entropy_coefficient=0.0,
    epochs=1,
    max_prompt_tokens=1,
    max_response_tokens=1,
    checkpoints=1,
    devices=1,
    seed=0,
)
# The keys that the workflow sets, whatever the run.
OWNED = tuple(
    key.lstrip("+") for key in _workflow_values(_ANY_RUN, Path(), Path(), Path(), Path(), problems=1, saves=[1])
)

# Ours to add, as verl or Ray reads them although verl's own file does not list them.
FREE = frozenset(
    (
        "hydra",
        "defaults",
        "actor_rollout_ref.actor.fsdp_config.mixed_precision",
        "actor_rollout_ref.rollout.agent.agent_loop_manager_class",
        "ray_kwargs.ray_init.num_gpus",
        "ray_kwargs.ray_init.include_dashboard",
    )
)
