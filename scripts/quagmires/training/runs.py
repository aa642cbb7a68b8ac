"""What a training script needs to know of its run, and the runs of a whole experiment for the engines to check."""

from typing import Any

from quagmires.config.experiment import Experiment, GRPORun, SFTRun
from quagmires.config.subset_names import BASE

# How a run is watched and saved: it trains the same model whatever these are, so they do not identify it.
OPERATION = {"save_steps", "stall_minutes"}
_NO_SETTINGS = {"settings", "runs", "keep_models", *OPERATION}


def sft_settings(run: SFTRun, experiment: Experiment) -> dict[str, Any]:
    """The settings that identify an SFT run, for train_sft.py."""
    shared = {"global_batch_size", "per_device_batch_size", "devices", "cutoff_tokens", "engine"}
    block = experiment.sft[run.model].model_dump(include=shared)
    own = {"epochs": run.epochs, "learning_rate": run.learning_rate, "seed": experiment.config.seed}
    return {**block, **own}


def grpo_settings(run: GRPORun, experiment: Experiment) -> dict[str, Any]:
    """The settings that identify a GRPO run, for train_grpo.py; repetitions of a run differ by their seed."""
    block = experiment.grpo[run.sft.model].model_dump(exclude=_NO_SETTINGS)
    return {**block, "seed": experiment.config.seed + run.number - 1}


def checks(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """What check_settings.py is given: for SFT one run of each model, for GRPO one of each model and RL set.

    Runs of a model differ otherwise in numbers alone, and these are checked with the config. So a new recipe does not
    change a check, on which all runs of its model depend.
    """
    found = {}
    for run in experiment.sft_runs.values():
        name = f"sft.{run.model}"
        if run.subset != BASE and name not in found:
            settings = sft_settings(run, experiment) | {"epochs": 1.0, "learning_rate": 1e-5}
            found[name] = _check(
                f"SFT {run.model}", run.model, experiment.sft[run.model].settings, settings, experiment
            )
    for run in experiment.grpo_runs.values():
        model, name = run.sft.model, f"grpo.{run.sft.model}.{run.rl_dataset}"
        if name not in found:
            settings = grpo_settings(run, experiment) | {"seed": experiment.config.seed}
            one = _check(
                f"GRPO {model} on {run.rl_dataset}", model, experiment.grpo[model].settings, settings, experiment
            )
            found[name] = one | {"problems": experiment.config.rl_datasets[run.rl_dataset].rows}
    return found


def _check(name: str, model: str, file: str, settings: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    folder = f"{experiment.root}/data/models/{model}"
    return {"name": name, "model": folder, "settings": file, "run": settings}
