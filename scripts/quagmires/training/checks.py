"""The checks of settings by the trainers themselves: which runs are checked, each once, one line for each that is
wrong.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quagmires.common.errors import UserError
from quagmires.config.algorithms import ALGORITHMS
from quagmires.config.subset_names import BASE
from quagmires.training.base import RunToCheck, Trainer
from quagmires.training.runs import rl_settings, sft_settings
from quagmires.training.trainers import TRAINERS

if TYPE_CHECKING:
    # It takes pandas, which the engines' environments need not have.
    from quagmires.config.experiment import Experiment


def runs_to_check(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """What check_settings.py is given, by the name of a check: for SFT one run of each model, for RL one of each model
    and RL set.

    Runs of a model differ otherwise in numbers alone, and these are checked with the config. So a new recipe does not
    change a check, on which all runs of its model depend.
    """
    sft, rl = (TRAINERS[stage][getattr(experiment.config, stage).trainer] for stage in ("sft", "rl"))
    found: dict[str, dict[str, Any]] = {}
    for run in experiment.sft_runs.values():
        name = f"{sft.environment}.{run.model}"
        if run.subset != BASE and name not in found:
            settings = sft_settings(run, experiment).as_dict() | {"epochs": 1.0, "learning_rate": 1e-5}
            settings.pop("evaluate_at", None)
            found[name] = _check(
                f"SFT {run.model}", run.model, experiment.sft[run.model].settings, settings, experiment
            )
    for rl_run in experiment.rl_runs.values():
        model, name = rl_run.sft.model, f"{rl.environment}.{rl_run.sft.model}.{rl_run.rl_dataset}"
        if name not in found:
            settings = rl_settings(rl_run, experiment).as_dict() | {"seed": experiment.config.seed}
            title = f"{ALGORITHMS[rl_run.algorithm].title} {model} on {rl_run.rl_dataset}"
            one = _check(title, model, experiment.rl[model].settings, settings, experiment)
            found[name] = one | {"problems": experiment.config.rl_datasets[rl_run.rl_dataset].rows}
    return found


def _check(name: str, model: str, file: str, settings: dict[str, Any], experiment: Experiment) -> dict[str, Any]:
    folder = f"{experiment.root}/data/models/{model}"
    return {"name": name, "model": folder, "settings": file, "run": settings}


def check_every(trainer: Trainer[Any], runs: Sequence[Mapping[str, Any]]) -> int:
    """Check runs; return how many differ by more than their seed.

    Parameters
    ----------
    runs
        as `runs_to_check` makes them: name, model (a directory), settings (a file), run (a training script's `--run`),
        and problems of RL.

    Raises
    ------
    UserError
        Some are wrong: a line for each, with its name.
    """
    different: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        settings = {key: value for key, value in run["run"].items() if key != "seed"}
        different.setdefault(json.dumps([run["model"], run["settings"], settings], sort_keys=True), run)
    wrong = []
    for run in different.values():
        try:
            settings = trainer.run_settings.from_json(json.dumps(run["run"]))
            trainer.check(RunToCheck(run["name"], run["model"], run["settings"], settings, run.get("problems")))
        except UserError as error:
            wrong.append(f"{run['name']}: {error}")
    if wrong:
        raise UserError("\nerror: ".join(wrong))
    return len(different)


def first_line(error: BaseException) -> str:
    """The first line of an engine's error, or of what caused it, with its kind where it says little."""
    # Hydra wraps what a typed block raises.
    error = error.__cause__ or error
    lines = str(error).strip().splitlines()
    return lines[0] if lines and " " in lines[0] else f"{type(error).__name__} {lines[0] if lines else ''}".strip()


def refuse_text(where: str, key: str, value: Any, wanted: type) -> None:
    """Refuse text where a number or a truth value belongs: engines take it, and fail hours later or never."""
    if isinstance(value, str):
        kind = "true or false" if wanted is bool else "a number"
        raise UserError(f"{where}: {key} is text ({value!r}); write {kind}")


def require_flash_attention(where: str, key: str) -> None:
    """Refuse flash attention in an environment for GPUs that lacks it. On a CPU it is never used."""
    import torch

    if torch.version.cuda and importlib.util.find_spec("flash_attn") is None:
        raise UserError(
            f"{where}: {key} needs flash-attn, which is not in this environment; build it (docs/engines.md) or change"
            f" {key}"
        )
