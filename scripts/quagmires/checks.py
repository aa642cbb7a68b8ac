"""What is refused before any job starts, beyond types: missing files, models without a chat template, numbers that
cannot go together.
"""

from pathlib import Path

from quagmires.arithmetic import file_rows
from quagmires.blocks import Config, Model
from quagmires.config import Files, Location
from quagmires.errors import UserError
from quagmires.experiment import Experiment
from quagmires.grpo import checkpoint_steps, ray_processors, total_steps
from quagmires.grpo import read_settings as read_grpo_settings
from quagmires.models import model_problem, text_sha256
from quagmires.pass_at_k import powers_of_two
from quagmires.sft import accumulation_steps
from quagmires.sft import read_settings as read_sft_settings
from quagmires.sources import local_files

# Folders under results/ that are no experiment's.
RESERVED = ("downloads", "published")


def check_sources(config: Config, files: Files) -> None:
    """Refuse missing data files and models without a chat template, unless the arithmetic world has them.

    What comes from the hub is checked when it is there.
    """
    if config.experiment in RESERVED:
        raise files.error(("experiment",), f"results/{config.experiment} is a folder of its own; choose another name")
    made = _made_files(config)
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
                raise files.error(
                    (block, name, "rows"), f"the arithmetic world will have {rows} rows, not {source.rows}"
                )
    for name, model in config.models.items():
        _check_model(name, model, files, made)


def check_engine_files(experiment: Experiment, files: Files) -> None:
    """Refuse engine settings that are missing or overrule the config."""
    config = experiment.config
    engine_files: dict[Location, str] = {}
    for model in config.models:
        engine_files[_where(config, model, "sft", "settings")] = experiment.sft[model].settings
        engine_files[_where(config, model, "grpo", "settings")] = experiment.grpo[model].settings
    if config.arithmetic_world:
        engine_files["arithmetic_world", "base_settings"] = config.arithmetic_world.base_settings
    for location, path in engine_files.items():
        if not Path(path).is_file():
            raise files.error(location, f"no such file: {path}")
        (read_grpo_settings if "grpo" in location else read_sft_settings)(path)


def _check_model(name: str, model: Model, files: Files, made: dict[str, int]) -> None:
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


def _made_files(config: Config) -> dict[str, int]:
    """The data files that the arithmetic world will hold, with their rows, and its base model (rows 0)."""
    world = config.arithmetic_world
    if world is None:
        return {}
    data = f"results/{config.experiment}/data"
    rows = file_rows(world.sft_problems, world.rl_problems, world.benchmark_problems)
    return {**{f"{data}/world/{name}": count for name, count in rows.items()}, f"{data}/base_model": 0}


def check_numbers(experiment: Experiment, files: Files) -> None:
    """Refuse batch sizes, checkpoints and k that cannot work together, for every model that is used."""
    config = experiment.config
    for study in config.studies.values():
        sft, grpo = experiment.sft[study.model], experiment.grpo[study.model]
        try:
            accumulation_steps(sft.global_batch_size, sft.per_device_batch_size, sft.devices)
        except UserError as error:
            raise files.error(_where(config, study.model, "sft", "global_batch_size"), str(error)) from None
        problems = config.rl_datasets[study.rl_dataset].rows
        try:
            checkpoint_steps(total_steps(problems, grpo.batch_size, grpo.epochs), grpo.checkpoints)
        except UserError as error:
            place = _where(config, study.model, "grpo", "checkpoints")[:-1]
            raise files.error(place, f"{error} (RL set {study.rl_dataset})") from None
        processors, need = grpo.devices * config.cluster.cpus_per_gpu, ray_processors(grpo.devices)
        if config.accelerator == "cuda" and processors < need:
            raise files.error(
                ("cluster", "cpus_per_gpu"),
                f"{config.cluster.cpus_per_gpu} is {processors} processors for GRPO on {grpo.devices} GPUs; verl would"
                f" wait for ever for the {need} it needs; make it larger",
            )
        evaluation = experiment.evaluation[study.model]
        if evaluation.large_k not in powers_of_two(evaluation.samples):
            raise files.error(
                _where(config, study.model, "evaluation", "large_k"),
                f"{evaluation.large_k} is not a power of two up to evaluation.samples ({evaluation.samples});"
                " change one",
            )


def _where(config: Config, model: str, stage: str, key: str) -> Location:
    """Where a value stands that a model may have changed."""
    return ("models", model, stage, key) if key in getattr(config.models[model], stage) else (stage, key)
