"""What a training script needs to know of its run, and the runs of a whole experiment for the engines to check."""

from typing import Any

from quagmires.experiment import Experiment, GRPORun, SFTRun
from quagmires.subsets import BASE

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


def sft_checks(experiment: Experiment) -> list[dict[str, Any]]:
    """Every SFT run, for check_settings.py."""
    return [
        {
            "name": f"SFT {run.model} {run.recipe}",
            "model": f"{experiment.root}/data/models/{run.model}",
            "settings": experiment.sft[run.model].settings,
            "run": sft_settings(run, experiment) | experiment.sft[run.model].model_dump(include=OPERATION),
        }
        for run in experiment.sft_runs.values()
        if run.subset != BASE
    ]


def grpo_checks(experiment: Experiment) -> list[dict[str, Any]]:
    """One GRPO run for each model and RL set, for check_settings.py: settings differ by nothing else."""
    first = {(run.sft.model, run.rl_dataset): run for run in reversed(experiment.grpo_runs.values())}
    return [
        {
            "name": f"GRPO {model} on {rl_dataset}",
            "model": f"{experiment.root}/data/models/{model}",
            "settings": experiment.grpo[model].settings,
            "problems": experiment.config.rl_datasets[rl_dataset].rows,
            "run": grpo_settings(run, experiment) | experiment.grpo[model].model_dump(include=OPERATION),
        }
        for (model, rl_dataset), run in sorted(first.items())
    ]
