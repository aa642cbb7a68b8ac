"""A config expanded into the runs it stands for: SFT models, GRPO runs, checkpoints, and the paths of all of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from quagmires.arithmetic import file_rows
from quagmires.config import Config, DataSource, Files, ProblemSource, Recipe, Study
from quagmires.errors import UserError
from quagmires.grpo import checkpoint_steps, total_steps
from quagmires.grpo import read_settings as read_grpo_settings
from quagmires.pass_at_k import powers_of_two
from quagmires.sft import accumulation_steps
from quagmires.sft import read_settings as read_sft_settings
from quagmires.subsets import BASE, parse_subset, subset_size


@dataclass(frozen=True)
class SFTRun:
    """One SFT model: `recipe` is its id within the model, e.g. `llama-nemotron.random-10k.ep2.lr1e-5`."""

    model: str
    dataset: str
    subset: str
    epochs: float
    learning_rate: float

    @property
    def recipe(self) -> str:
        if self.subset == BASE:
            return BASE
        return f"{self.dataset}.{self.subset}.ep{self.epochs:g}.lr{short_float(self.learning_rate)}"

    @property
    def checkpoint(self) -> str:
        """The path of the SFT model below the experiment's folder."""
        return f"{self.model}/{self.recipe}/sft"


@dataclass(frozen=True)
class GRPORun:
    """One run of GRPO from an SFT model; `number` counts from 1."""

    sft: SFTRun
    rl_dataset: str
    number: int

    @property
    def path(self) -> str:
        return f"{self.sft.model}/{self.sft.recipe}/grpo/{self.rl_dataset}/run{self.number}"

    def checkpoint(self, index: int) -> str:
        """The path of the `index`-th evaluated checkpoint, counted from 1."""
        return f"{self.path}/checkpoint{index}"


@dataclass
class Checkpoint:
    """A model that is evaluated: on which benchmarks, with how many responses per problem."""

    path: str
    samples: int
    benchmarks: list[str] = field(default_factory=list)
    # The SFT and RL sets of its studies, whose problems its `clean` scores leave out.
    training_sets: list[str] = field(default_factory=list)


@dataclass
class Experiment:
    """Everything a config stands for."""

    config: Config
    sft_runs: dict[str, SFTRun]
    grpo_runs: dict[str, GRPORun]
    checkpoints: dict[str, Checkpoint]
    sheet: pd.DataFrame

    @property
    def root(self) -> str:
        return f"results/{self.config.experiment}"

    def losses(self) -> list[tuple[SFTRun, str]]:
        """Each SFT run with each SFT data set whose held-out traces it is measured on.

        The base model belongs to no data set: it is measured on that of every study it stands in.
        """
        found = {}
        for row in self.sheet.to_dict("records"):
            run = self.sft_runs[f"{row['model']}/{row['recipe']}/sft"]
            found[run.checkpoint, row["sft_dataset"]] = (run, row["sft_dataset"])
        return list(found.values())


def short_float(value: float) -> str:
    """`1e-05` -> `1e-5`, `2.5e-06` -> `2.5e-6`.

    >>> short_float(1e-5), short_float(2.5e-6), short_float(0.003)
    ('1e-5', '2.5e-6', '3e-3')
    """
    mantissa, exponent = f"{value:.10e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def expand(config: Config, files: Files) -> Experiment:
    """Expand studies into runs, one row of the sheet per study and SFT model.

    Raises
    ------
    UserError
        An unknown model, data set or benchmark, a subset that is misspelt or larger than its pool, a recipe twice,
        batch sizes, checkpoints or a k that cannot be.
    """
    sft_runs: dict[str, SFTRun] = {}
    grpo_runs: dict[str, GRPORun] = {}
    checkpoints: dict[str, Checkpoint] = {}
    rows = []
    for name, study in config.studies.items():
        where = ("studies", name)
        _known(files, where + ("model",), study.model, config.models, "model", "models")
        _known(files, where + ("sft_dataset",), study.sft_dataset, config.sft_datasets, "SFT data set", "sft_datasets")
        _known(files, where + ("rl_dataset",), study.rl_dataset, config.rl_datasets, "RL data set", "rl_datasets")
        for position, benchmark in enumerate(study.benchmarks):
            _known(files, where + ("benchmarks", position), benchmark, config.benchmarks, "benchmark", "benchmarks")
        in_study = set()
        for position, given in enumerate(study.recipes):
            location = where + ("recipes", position)
            run = _sft_run(config, files, location, study.model, study.sft_dataset, given)
            if run.recipe in in_study:
                raise files.error(location, f"recipe {run.recipe} occurs twice in this study; remove one")
            in_study.add(run.recipe)
            sft_runs[run.checkpoint] = run
            _evaluate(checkpoints, run.checkpoint, config.evaluation.samples, study)
            for number in range(1, config.grpo.runs + 1):
                grpo = GRPORun(run, study.rl_dataset, number)
                grpo_runs[grpo.path] = grpo
                for index in range(1, config.grpo.checkpoints + 1):
                    _evaluate(checkpoints, grpo.checkpoint(index), config.evaluation.samples_after_rl, study)
            rows.append(_sheet_row(config, name, run))
    check_numbers(config, files)
    return Experiment(config, sft_runs, grpo_runs, checkpoints, pd.DataFrame(rows))


def check_files(config: Config, files: Files) -> None:
    """Refuse missing data files and models without a chat template, unless the arithmetic world has them; and engine
    settings that are missing or overrule the config.
    """
    made = _made_files(config)
    for block in ("sft_datasets", "rl_datasets", "benchmarks"):
        for name, source in getattr(config, block).items():
            if source.path is None:
                continue
            if source.path not in made and not Path(source.path).is_file():
                raise files.error((block, name, "path"), f"no such file: {source.path}")
            rows = made.get(source.path, source.rows)
            if rows != source.rows:
                raise files.error(
                    (block, name, "rows"), f"the arithmetic world will have {rows} rows, not {source.rows}"
                )
    for name, model in config.models.items():
        problem = None if model.path in made else model_problem(model.path)
        if problem:
            raise files.error(("models", name, "path"), problem)
    engine_files = {("sft", "settings"): config.sft.settings, ("grpo", "settings"): config.grpo.settings}
    if config.arithmetic_world:
        engine_files["arithmetic_world", "base_settings"] = config.arithmetic_world.base_settings
    for location, path in engine_files.items():
        if not Path(path).is_file():
            raise files.error(location, f"no such file: {path}")
    for path in (config.sft.settings, engine_files.get(("arithmetic_world", "base_settings"))):
        if path:
            read_sft_settings(path)
    read_grpo_settings(config.grpo.settings)


def _made_files(config: Config) -> dict[str, int]:
    """The data files that the arithmetic world will hold, with their rows, and its base model (rows 0)."""
    world = config.arithmetic_world
    if world is None:
        return {}
    data = f"results/{config.experiment}/data"
    rows = file_rows(world.sft_problems, world.rl_problems, world.benchmark_problems)
    return {**{f"{data}/world/{name}": count for name, count in rows.items()}, f"{data}/base_model": 0}


def check_numbers(config: Config, files: Files) -> None:
    """Refuse batch sizes, checkpoints and k that cannot work together."""
    sft, grpo, evaluation = config.sft, config.grpo, config.evaluation
    try:
        accumulation_steps(sft.global_batch_size, sft.per_device_batch_size, sft.devices)
    except UserError as error:
        raise files.error(("sft", "global_batch_size"), str(error)) from None
    for study in config.studies.values():
        problems = config.rl_datasets[study.rl_dataset].rows
        try:
            checkpoint_steps(total_steps(problems, grpo.batch_size, grpo.epochs), grpo.checkpoints)
        except UserError as error:
            raise files.error(("grpo",), f"{error} (RL set {study.rl_dataset})") from None
    if evaluation.large_k not in powers_of_two(evaluation.samples):
        raise files.error(
            ("evaluation", "large_k"),
            f"{evaluation.large_k} is not a power of two up to evaluation.samples ({evaluation.samples}); change one",
        )


def model_problem(path: str | Path) -> str | None:
    """Why a model directory cannot be used, in one line; None if it can."""
    path = Path(path)
    if not (path / "config.json").is_file():
        return f"{path} is not a model directory (no config.json)"
    if (path / "chat_template.jinja").is_file():
        return None
    try:
        settings = json.loads((path / "tokenizer_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return f"{path} has no tokenizer (no tokenizer_config.json)"
    except json.JSONDecodeError:
        return f"{path}/tokenizer_config.json is not JSON"
    if not settings.get("chat_template"):
        return f"{path} has no chat template; save one as {path}/chat_template.jinja"
    return None


def data_columns(kind: str, source: DataSource | ProblemSource) -> dict[str, str]:
    """Our column name -> the file's, for a data set of `kind` sft_datasets, rl_datasets or benchmarks."""
    wanted = ("id", "problem", "response", "answer") if kind == "sft_datasets" else ("id", "problem", "answer")
    return {name: source.columns.get(name, name) for name in wanted}


def _known(files: Files, location, name: str, known, noun: str, block: str) -> None:
    if name not in known:
        raise files.error(location, f"unknown {noun} {name!r}; `{block}` has {', '.join(known)}")


def _sft_run(config: Config, files: Files, location, model: str, dataset: str, given: str | Recipe) -> SFTRun:
    recipe = Recipe(subset=given) if isinstance(given, str) else given
    run = SFTRun(
        model=model,
        dataset=dataset,
        subset=recipe.subset,
        epochs=recipe.epochs or config.sft.epochs,
        learning_rate=recipe.learning_rate or config.sft.learning_rate,
    )
    rows = config.sft_datasets[dataset].rows
    available = rows - config.sft.validation_examples
    try:
        parse_subset(recipe.subset)
    except UserError as error:
        raise files.error(location, str(error)) from None
    size = subset_size(recipe.subset, available)
    if size > available:
        raise files.error(
            location,
            f"{recipe.subset} asks for {size} examples, but {dataset} has {available}"
            f" ({rows} rows less {config.sft.validation_examples} for validation); make it smaller",
        )
    return run


def _evaluate(checkpoints: dict[str, Checkpoint], path: str, samples: int, study: Study) -> None:
    checkpoint = checkpoints.setdefault(path, Checkpoint(path, samples))
    checkpoint.benchmarks += [name for name in study.benchmarks if name not in checkpoint.benchmarks]
    sets = (f"sft.{study.sft_dataset}", f"rl.{study.rl_dataset}")
    checkpoint.training_sets += [name for name in sets if name not in checkpoint.training_sets]


def _sheet_row(config: Config, name: str, run: SFTRun) -> dict[str, object]:
    study = config.studies[name]
    base = run.subset == BASE
    available = config.sft_datasets[study.sft_dataset].rows - config.sft.validation_examples
    return {
        "study": name,
        "level": study.level,
        "model": study.model,
        "recipe": run.recipe,
        "sft_dataset": study.sft_dataset,
        "subset": run.subset,
        "examples": 0 if base else subset_size(run.subset, available),
        "epochs": 0 if base else run.epochs,
        "learning_rate": 0 if base else run.learning_rate,
        "rl_dataset": study.rl_dataset,
        "grpo_runs": config.grpo.runs,
        "checkpoints": config.grpo.checkpoints,
        "benchmarks": ",".join(study.benchmarks),
    }
