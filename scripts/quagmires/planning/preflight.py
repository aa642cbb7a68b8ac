"""What is refused before any job starts, beyond types: missing files, models without a chat template, numbers that
cannot go together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quagmires.common.errors import UserError
from quagmires.config.experiment import Experiment, check_known, expand
from quagmires.config.loading import Files, Location
from quagmires.config.schema import RL, SFT, Config, Model
from quagmires.data.locations import local_files
from quagmires.data.model_directories import model_problem, text_sha256
from quagmires.evaluation.pass_at_k import powers_of_two
from quagmires.planning.progress import only_metrics
from quagmires.prediction.predictors import EARLY_RL, PREDICTORS
from quagmires.training.base import Trainer
from quagmires.training.llamafactory.settings import accumulation_steps
from quagmires.training.trainers import TRAINERS
from quagmires.training.verl.settings import checkpoint_steps, ray_processors, total_steps

# Folders under results/ that are no experiment's.
RESERVED = ("downloads", "published")


def checked_experiment(config: Config, files: Files, made: Mapping[str, int]) -> Experiment:
    """The expanded experiment of a config that passed every check; `made` as for `check_sources`.

    Raises
    ------
    UserError
        One line that names the file, the key and the fix.
    """
    check_name(config, files)
    experiment = expand(config, files)
    # Where there are metrics alone, nothing else is read.
    if not only_metrics(experiment):
        check_sources(config, files, made)
    check_predictors(config, files)
    check_engine_files(experiment, files)
    check_numbers(experiment, files)
    return experiment


def check_name(config: Config, files: Files) -> None:
    """Refuse an experiment whose folder is that of something else."""
    if config.experiment in RESERVED:
        raise files.error(("experiment",), f"results/{config.experiment} is a folder of its own; choose another name")


def check_sources(config: Config, files: Files, made: Mapping[str, int]) -> None:
    """Refuse missing data files and models without a chat template.

    What comes from the hub is checked when it is there.

    Parameters
    ----------
    made
        the paths that the workflow itself will make (simulation/walks.py), with their rows.
    """
    for block in ("sft_datasets", "rl_datasets", "benchmarks"):
        for name, source in getattr(config, block).items():
            if source.path is None:
                continue
            for given in [source.path] if isinstance(source.path, str) else source.path:
                paths = local_files(given)
                if not paths or not all(path in made or Path(path).is_file() for path in paths):
                    raise files.error((block, name, "path"), f"no such file: {given}")
            paths = local_files(source.path)
            rows = sum(made[path] for path in paths if path in made) or source.rows
            if rows != source.rows:
                raise files.error((block, name, "rows"), f"the walk world will have {rows} rows, not {source.rows}")
    for name, model in config.models.items():
        _check_model(name, model, files, made)


def check_engine_files(experiment: Experiment, files: Files) -> None:
    """Refuse engine settings that are missing or overrule the config.

    Each model's: several may name one file and differ in what they lay over it.
    """
    config = experiment.config
    for model in config.models:
        for stage in ("sft", "rl"):
            block = getattr(experiment, stage)[model]
            where = _where(config, model, stage, "trainer")
            check_known(files, where, block.trainer, TRAINERS[stage], "trainer", "training/trainers.py")
            location = _where(config, model, stage, "settings")
            _check_engine_file(block.settings, block, TRAINERS[stage][block.trainer], files, location)
    if experiment.ladders and not TRAINERS["sft"][config.sft.trainer].keeps_epochs:
        raise files.error(
            ("sft", "trainer"), f"{config.sft.trainer} cannot keep the models of several epochs; remove `evaluate_at`"
        )
    if config.walk_world:
        path, location = config.walk_world.base_settings, ("walk_world", "base_settings")
        # Whatever does SFT.
        _check_engine_file(path, config.sft, TRAINERS["sft"]["llamafactory"], files, location)


def _check_engine_file(path: str, block: SFT | RL, trainer: Trainer[Any], files: Files, location: Location) -> None:
    if not Path(path).is_file():
        raise files.error(location, f"no such file: {path}")
    trainer.read_settings(path, block)


def _check_model(name: str, model: Model, files: Files, made: Mapping[str, int]) -> None:
    here = ("models", name)
    if model.chat_template is not None:
        path = Path(model.chat_template)
        if not path.is_file():
            raise files.error((*here, "chat_template"), f"no such file: {path}")
        found = text_sha256(path.read_text(encoding="utf-8"))
        if model.chat_template_sha256 not in (None, found):
            raise files.error(
                (*here, "chat_template_sha256"), f"{path} has sha256 {found}; read what changed, then correct it"
            )
    if model.path is not None and model.path not in made:
        problem = model_problem(model.path, needs_template=model.chat_template is None)
        if problem:
            raise files.error((*here, "path"), problem)


def check_numbers(experiment: Experiment, files: Files) -> None:
    """Refuse batch sizes, checkpoints and k that cannot work together, for every model that is used."""
    config = experiment.config
    for study in config.studies.values():
        sft, rl = experiment.sft[study.model], experiment.rl[study.model]
        try:
            accumulation_steps(sft.global_batch_size, sft.per_device_batch_size, sft.devices)
        except UserError as error:
            raise files.error(_where(config, study.model, "sft", "global_batch_size"), str(error)) from None
        problems = config.rl_datasets[study.rl_dataset].rows
        try:
            checkpoint_steps(total_steps(problems, rl.batch_size, rl.epochs), rl.checkpoints)
        except UserError as error:
            place = _where(config, study.model, "rl", "checkpoints")[:-1]
            raise files.error(place, f"{error} (RL set {study.rl_dataset})") from None
        processors, need = rl.devices * config.cluster.cpus_per_gpu, ray_processors(rl.devices)
        if config.accelerator == "cuda" and processors < need:
            raise files.error(
                ("cluster", "cpus_per_gpu"),
                f"{config.cluster.cpus_per_gpu} is {processors} processors for RL on {rl.devices} GPUs; verl would"
                f" wait for ever for the {need} it needs; make it larger",
            )
        evaluation = experiment.evaluation[study.model]
        if evaluation.rl_prompts and evaluation.rl_prompts > problems:
            raise files.error(
                _where(config, study.model, "evaluation", "rl_prompts"),
                f"{evaluation.rl_prompts} is more than the {problems} problems of RL set {study.rl_dataset}; lower it",
            )
        if evaluation.large_k not in powers_of_two(evaluation.samples):
            raise files.error(
                _where(config, study.model, "evaluation", "large_k"),
                f"{evaluation.large_k} is not a power of two up to evaluation.samples ({evaluation.samples});"
                " change one",
            )


def check_predictors(config: Config, files: Files) -> None:
    """Refuse tables of predictors that are not registered, or that metrics do not hold."""
    stored = [name for name, one in PREDICTORS.items() if not EARLY_RL.intersection(one.needs)]
    for name, settings in config.tables.items():
        for position, predictor in enumerate(settings.predictors):
            where = ("tables", name, "predictors", position)
            check_known(files, where, predictor, stored, "predictor", "prediction/predictors.py")


def _where(config: Config, model: str, stage: str, key: str) -> Location:
    """Where a value stands that a model may have changed."""
    return ("models", model, stage, key) if key in getattr(config.models[model], stage) else (stage, key)
