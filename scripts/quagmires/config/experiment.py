"""A config expanded into the runs it stands for: SFT models, RL runs, checkpoints, and the paths of all of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from quagmires.common.errors import UserError
from quagmires.config.algorithms import ALGORITHMS
from quagmires.config.loading import Files, Location, parse, validate_part
from quagmires.config.schema import RL, SFT, Config, Evaluation, Pool, ProblemSource, Recipe, Study
from quagmires.config.subset_names import BASE, parse_subset, subset_size

# What the validation set of several pools is called where a pool's own goes by the pool's name.
COMMON = "common"
# Columns of the run sheet that most have not.
SCHEDULED, POOLS_TOGETHER = "scheduled_epochs", "common_validation"
# Makes vLLM's results independent of what else is in a batch.
BATCH_INVARIANT = "VLLM_BATCH_INVARIANT"
# Settings of a stage that tables compare models by, or that rules are written with.
SHARED = {"checkpoints", "keep_models", "large_k", "trainer"}


@dataclass(frozen=True)
class SFTRun:
    """One SFT model: `recipe` is its id within the model, e.g. `llama-nemotron.random-10k.ep2.lr1e-5`.

    A model from the middle of a training has that training's `scheduled_epochs` too, and its id says
    `ep8at2`: after 2 epochs of 8.
    """

    model: str
    dataset: str
    subset: str
    epochs: float
    learning_rate: float
    scheduled_epochs: float | None = None

    @property
    def recipe(self) -> str:
        if self.subset == BASE:
            return BASE
        epochs = f"{self.training.epochs:g}" + (f"at{self.epochs:g}" if self.scheduled_epochs else "")
        return f"{self.dataset}.{self.subset}.ep{epochs}.lr{short_float(self.learning_rate)}"

    @property
    def training(self) -> "SFTRun":
        """The run whose training makes this model: itself, unless the model is from the middle of another's."""
        return replace(self, epochs=self.scheduled_epochs, scheduled_epochs=None) if self.scheduled_epochs else self

    @property
    def checkpoint(self) -> str:
        """The path of the SFT model below the experiment's folder."""
        return f"{self.model}/{self.recipe}/sft"


@dataclass(frozen=True)
class RLRun:
    """One run of RL from an SFT model; `number` counts from 1."""

    sft: SFTRun
    algorithm: str
    rl_dataset: str
    number: int

    @property
    def path(self) -> str:
        return f"{self.sft.model}/{self.sft.recipe}/{self.algorithm}/{self.rl_dataset}/run{self.number}"

    def checkpoint(self, index: int) -> str:
        """The path of the `index`-th evaluated checkpoint, counted from 1."""
        return f"{self.path}/checkpoint{index}"


@dataclass
class Checkpoint:
    """A model that is evaluated: on which benchmarks, with how many responses per problem."""

    path: str
    model: str
    samples: int
    benchmarks: list[str] = field(default_factory=list)
    # The SFT and RL sets of its studies, whose problems its `clean` scores leave out.
    training_sets: list[str] = field(default_factory=list)
    # The RL sets some of whose prompts are sampled too.
    rl_sets: list[str] = field(default_factory=list)


@dataclass
class Experiment:
    """Everything a config stands for."""

    config: Config
    sft_runs: dict[str, SFTRun]
    rl_runs: dict[str, RLRun]
    checkpoints: dict[str, Checkpoint]
    sheet: pd.DataFrame
    # The blocks of the three stages with what each model changes in them.
    sft: dict[str, SFT]
    rl: dict[str, RL]
    evaluation: dict[str, Evaluation]
    # Ladders by the checkpoint of the run that trains them: the epochs after which a model is kept, rising.
    ladders: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def rungs(self, run: SFTRun) -> tuple[int, ...]:
        """The epochs at which the training that makes this model keeps one; none if it keeps the last alone."""
        return self.ladders.get(run.training.checkpoint, ())

    @property
    def root(self) -> str:
        return f"results/{self.config.experiment}"

    @property
    def algorithm_title(self) -> str:
        """What the RL algorithm is called; several names where models differ."""
        used = {study.model: self.rl[study.model].algorithm for study in self.config.studies.values()}
        return ", ".join(dict.fromkeys(ALGORITHMS[name].title for name in used.values()))

    def calibration(self) -> list[str]:
        """The checkpoints of the models that their studies' `calibration` names."""
        named = {
            (study.model, recipe, study.rl_dataset)
            for study in self.config.studies.values()
            for recipe in study.calibration
        }
        return [
            run.checkpoint(index)
            for run in self.rl_runs.values()
            if (run.sft.model, run.sft.recipe, run.rl_dataset) in named
            for index in range(1, self.rl[run.sft.model].checkpoints + 1)
        ]

    def losses(self) -> list[tuple[SFTRun, str]]:
        """Each SFT run with each SFT data set whose held-out traces it is measured on.

        The base model belongs to no data set: it is measured on that of every study it stands in. Where a model's SFT
        has a validation set of several pools, all its runs are measured on that (`COMMON`) too.
        """
        found = {}
        for row in self.sheet.to_dict("records"):
            run = self.sft_runs[f"{row['model']}/{row['recipe']}/sft"]
            for dataset in (row["sft_dataset"], *([COMMON] if self.sft[run.model].validation else [])):
                found[run.checkpoint, dataset] = (run, dataset)
        return list(found.values())

    def pools(self, model: str) -> list[str]:
        """The SFT data sets of a model's studies, and those of its validation set: what it may be trained on."""
        used = [study.sft_dataset for study in self.config.studies.values() if study.model == model]
        common = self.sft[model].validation
        return list(dict.fromkeys([*used, *(common.pools if common else [])]))


def short_float(value: float) -> str:
    """`1e-05` -> `1e-5`, `2.5e-06` -> `2.5e-6`. numpy would write `1e+0`: these are names of folders with results.

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
        epochs of a ladder, batch sizes, checkpoints or a k that cannot be.
    """
    stages = {
        model: tuple(_for_model(config, files, model, stage) for stage in ("sft", "rl", "evaluation"))
        for model in config.models
    }
    sft, rl, evaluation = ({model: blocks[i] for model, blocks in stages.items()} for i in range(3))
    for model in dict.fromkeys(study.model for study in config.studies.values() if study.model in config.models):
        _check_validation(config, files, model, sft[model])
        in_model = BATCH_INVARIANT in config.models[model].evaluation.get("environment", {})
        block = ("models", model, "evaluation") if in_model else ("evaluation",)
        check_environment(files, block, evaluation[model], config.accelerator)
    sft_runs: dict[str, SFTRun] = {}
    ladders: dict[str, tuple[int, ...]] = {}
    rl_runs: dict[str, RLRun] = {}
    checkpoints: dict[str, Checkpoint] = {}
    rows = []
    spelled: dict[tuple, str] = {}
    for name, study in config.studies.items():
        where = ("studies", name)
        check_known(files, where + ("model",), study.model, config.models, "model", "models")
        check_known(
            files, where + ("sft_dataset",), study.sft_dataset, config.sft_datasets, "SFT data set", "sft_datasets"
        )
        check_known(files, where + ("rl_dataset",), study.rl_dataset, config.rl_datasets, "RL data set", "rl_datasets")
        for position, benchmark in enumerate(study.benchmarks):
            check_known(
                files, where + ("benchmarks", position), benchmark, config.benchmarks, "benchmark", "benchmarks"
            )
        in_study = set()
        for location, run in _study_runs(config, files, where, study, sft[study.model]):
            if run.recipe in in_study:
                raise files.error(
                    location, f"recipe {run.recipe} occurs twice in this study; remove one{_ladders_end(run, study)}"
                )
            in_study.add(run.recipe)
            twin = sft_runs.setdefault(run.checkpoint, run)
            if twin != run and run.subset != BASE:
                raise files.error(
                    location,
                    f"learning rate {run.learning_rate} and {twin.learning_rate} would both be {run.recipe};"
                    " use fewer digits",
                )
            other = spelled.setdefault(_training(run), run.recipe)
            if other != run.recipe:
                raise files.error(location, f"{run.recipe} is {other} in another spelling; write both alike")
            if run.scheduled_epochs:
                # Several studies may keep different epochs of one training; its last is in each.
                kept = ladders.get(run.training.checkpoint, (int(run.scheduled_epochs),))
                ladders[run.training.checkpoint] = tuple(sorted({*kept, int(run.epochs)}))
            _evaluate(checkpoints, run.checkpoint, evaluation[study.model].samples, study)
            rl_sets = checkpoints[run.checkpoint].rl_sets
            if evaluation[study.model].rl_prompts and study.rl_dataset not in rl_sets:
                rl_sets.append(study.rl_dataset)
            for number in range(1, rl[study.model].runs + 1):
                rl_run = RLRun(run, rl[study.model].algorithm, study.rl_dataset, number)
                rl_runs[rl_run.path] = rl_run
                for index in range(1, rl[study.model].checkpoints + 1):
                    _evaluate(checkpoints, rl_run.checkpoint(index), evaluation[study.model].samples_after_rl, study)
            rows.append(_sheet_row(config, name, run, sft[study.model], rl[study.model]))
        for position, recipe in enumerate(study.calibration):
            check_known(files, where + ("calibration", position), recipe, sorted(in_study), "recipe", "this study")
    sheet = _sheet(rows)
    _check_studies(config, files, sheet)
    return Experiment(config, sft_runs, rl_runs, checkpoints, sheet, sft, rl, evaluation, ladders)


def read_experiment(paths: Iterable[str | Path]) -> Experiment:
    """The experiment of config files, laid over each other; raises as `parse` and `expand`."""
    files = Files(paths)
    return expand(parse(files.merged(), files), files)


def _for_model(config: Config, files: Files, model: str, stage: str) -> Any:
    """The block of a stage with what a model changes in it."""
    changes = getattr(config.models[model], stage)
    for key in SHARED & set(changes):
        raise files.error(("models", model, stage, key), f"is the same for all models; set it in `{stage}`")
    return validate_part(getattr(config, stage), changes, files, ("models", model, stage))


def data_columns(source: Pool | ProblemSource) -> dict[str, str]:
    """Our column name -> the source's."""
    wanted = ("id", "problem", "response") if isinstance(source, Pool) else ("id", "problem", "answer")
    return {name: source.columns.get(name, name) for name in wanted}


def _check_validation(config: Config, files: Files, model: str, sft: SFT) -> None:
    """Refuse a validation set of several pools that cannot be."""
    if sft.validation is None:
        return
    own = config.models[model].sft
    here = ("models", model, "sft", "validation") if "validation" in own else ("sft", "validation")
    for position, pool in enumerate(sft.validation.pools):
        where = (*here, "from", position)
        check_known(files, where, pool, config.sft_datasets, "SFT data set", "sft_datasets")
        if pool in sft.validation.pools[:position]:
            raise files.error(where, f"{pool} is there twice; remove one")
    if COMMON in config.sft_datasets:
        raise files.error(
            ("sft_datasets", COMMON),
            "is what the validation set of several pools (`sft.validation`) is called; choose another name",
        )
    if sft.validation.examples > sft.validation_examples:
        raise files.error(
            (*here, "examples"),
            f"{sft.validation.examples} of each pool, but a pool holds out {sft.validation_examples}; make it smaller,"
            " or raise sft.validation_examples",
        )


def check_environment(files: Files, block: Location, evaluation: Evaluation, accelerator: str) -> None:
    """Refuse batch-invariant kernels where vLLM has none: its CPU build fails at the first request.

    Parameters
    ----------
    block
        where the settings of the evaluation stand.
    """
    value, where = evaluation.environment.get(BATCH_INVARIANT, "0"), (*block, "environment", BATCH_INVARIANT)
    if value not in ("0", "1"):
        raise files.error(where, f'write "1" or "0"; found {value!r}')
    if value == "1" and accelerator == "cpu":
        raise files.error(where, "vLLM has no such kernels for CPUs, where samples are repeatable anyway; remove it")


def _check_studies(config: Config, files: Files, sheet: pd.DataFrame) -> None:
    """Refuse tables and figures of studies that there are not."""
    for block in ("tables", "figures"):
        for name, settings in getattr(config, block).items():
            for position, study in enumerate(settings.studies):
                check_known(files, (block, name, "studies", position), study, config.studies, "study", "studies")
    for name, settings in config.tables.items():
        # Two models are fitted at least, and two left to predict.
        most = max((sheet["study"] == study).sum() for study in settings.studies) - 2
        for position, size in enumerate(settings.fitting_sizes):
            if not 2 <= size <= most:
                where = ("tables", name, "fitting_sizes", position)
                raise files.error(where, f"{size} cannot be fitted: its largest study allows 2 to {most}")
    bounds = config.analysis.budgets
    if bounds != sorted(set(bounds)):
        raise files.error(("analysis", "budgets"), f"{bounds} must rise")


def check_known(files: Files, location: Location, name: str, known: Collection[str], noun: str, block: str) -> None:
    """Refuse a name that is not in `known`; `block` is where the config, or a module, has them."""
    if name not in known:
        raise files.error(location, f"unknown {noun} {name!r}; `{block}` has {', '.join(known)}")


def _study_runs(
    config: Config, files: Files, where: Location, study: Study, sft: SFT
) -> Iterator[tuple[Location, SFTRun]]:
    """The SFT models of a study, each with where its recipe stands; a ladder has several."""
    for position, given in enumerate(study.recipes):
        location = (*where, "recipes", position)
        recipe = Recipe(subset=given) if isinstance(given, str) else given
        run = _sft_run(config, files, location, study, recipe, sft)
        for epochs in _rungs(files, (*location, "evaluate_at"), recipe, run):
            yield location, replace(run, epochs=epochs, scheduled_epochs=run.epochs)
        yield location, run


def _rungs(files: Files, location: Location, recipe: Recipe, run: SFTRun) -> list[int]:
    """The epochs of a ladder but the last, whose model is that of the run itself."""
    if recipe.evaluate_at is None:
        return []
    *rungs, last = recipe.evaluate_at
    if run.subset == BASE:
        raise files.error(location, "`base` is not trained; remove it")
    if recipe.evaluate_at != sorted(set(recipe.evaluate_at)):
        raise files.error(location, f"{recipe.evaluate_at} must rise")
    if last > run.epochs:
        raise files.error(location, f"{last} is beyond the {run.epochs:g} epochs of the training; raise `epochs`")
    if last < run.epochs:
        raise files.error(
            location,
            f"ends at {last}, but the training goes on to {run.epochs:g}; the last must be `epochs`, a whole number",
        )
    return rungs


def _sft_run(config: Config, files: Files, location: Location, study: Study, recipe: Recipe, sft: SFT) -> SFTRun:
    run = SFTRun(
        model=study.model,
        dataset=study.sft_dataset,
        subset=recipe.subset,
        epochs=recipe.epochs or sft.epochs,
        learning_rate=recipe.learning_rate or sft.learning_rate,
    )
    rows = config.sft_datasets[study.sft_dataset].usable_rows
    available = rows - sft.validation_examples
    try:
        parse_subset(recipe.subset)
    except UserError as error:
        raise files.error(location, str(error)) from None
    size = subset_size(recipe.subset, available)
    if run.subset != BASE and size > available:
        raise files.error(
            location,
            f"{recipe.subset} asks for {size} examples, but {study.sft_dataset} has {available}"
            f" ({rows} rows less {sft.validation_examples} for validation); make it smaller",
        )
    return run


def _training(run: SFTRun) -> tuple:
    """What an SFT run trains on and how: the same for `random-1k` and `random-1000`."""
    parts = tuple(parse_subset(run.subset)) or run.subset
    return (run.model, run.dataset, parts, run.epochs, run.scheduled_epochs, run.learning_rate)


def _ladders_end(run: SFTRun, study: Study) -> str:
    """A hint why a recipe may occur twice."""
    in_ladder = any(isinstance(recipe, Recipe) and recipe.evaluate_at for recipe in study.recipes)
    return " (the last epoch of a ladder is the run itself)" if in_ladder and not run.scheduled_epochs else ""


def _evaluate(checkpoints: dict[str, Checkpoint], path: str, samples: int, study: Study) -> None:
    checkpoint = checkpoints.setdefault(path, Checkpoint(path, study.model, samples))
    checkpoint.benchmarks += [name for name in study.benchmarks if name not in checkpoint.benchmarks]
    sets = (f"sft.{study.sft_dataset}", f"rl.{study.rl_dataset}")
    checkpoint.training_sets += [name for name in sets if name not in checkpoint.training_sets]


def _sheet_row(config: Config, name: str, run: SFTRun, sft: SFT, rl: RL) -> dict[str, object]:
    study = config.studies[name]
    base = run.subset == BASE
    available = config.sft_datasets[study.sft_dataset].usable_rows - sft.validation_examples
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
        "algorithm": rl.algorithm,
        # Metrics are stored by this name, whatever the algorithm.
        "grpo_runs": rl.runs,
        "checkpoints": rl.checkpoints,
        "benchmarks": ",".join(study.benchmarks),
        SCHEDULED: run.scheduled_epochs or (0 if base else run.epochs),
        POOLS_TOGETHER: ",".join(sft.validation.pools) if sft.validation else "",
    }


def _sheet(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The run sheet. What it can say of ladders and of validation sets of several pools it says where there are such:
    the sheets of all others stay as they were, and what is made of them stays finished.
    """
    sheet = pd.DataFrame(rows)
    no_ladder, no_set = (sheet[SCHEDULED] == sheet["epochs"]).all(), (sheet[POOLS_TOGETHER] == "").all()
    return sheet.drop(columns=[SCHEDULED] * bool(no_ladder) + [POOLS_TOGETHER] * bool(no_set))
