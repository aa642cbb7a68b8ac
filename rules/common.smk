# The config as an experiment, wildcard constraints, and what several stages take from the config. Defines no rule.

import json
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

# Not by name: Snakemake has an `expand` and a `parse` of its own.
import quagmires.config.loading as schema
import quagmires.config.experiment as experiments
from quagmires.config.experiment import COMMON
from quagmires.config import analysis_settings as analysis, engine_files, figure_names
from quagmires.data import locations
from quagmires.planning import preflight, progress, resources as requests
from quagmires.prediction import metrics_file
from quagmires.simulation import walks
from quagmires.training import runs
from quagmires.training.checks import runs_to_check
from quagmires.training.trainers import DEFAULTS, TRAINERS
from quagmires.common.errors import UserError
from quagmires.common.files import write_text
from quagmires.planning.costs import check_budget
from quagmires.config.algorithms import ALGORITHMS
from quagmires.config.subset_names import BASE
from quagmires.config.task_names import with_task, with_tasks


def load_experiment():
    """The experiment and its config as one mapping, or one line that says what is wrong with it."""
    try:
        # The last one is the Snakefile's, which the others are laid over.
        files = schema.Files([workflow.configfiles[-1], *workflow.configfiles[:-1]])
        parsed = schema.parse(config, files)
        experiment = preflight.checked_experiment(
            parsed, files, walks.made_files(parsed)
        )
        # The plan itself is printed before it is refused; Snakemake knows its targets only later. And stored metrics cost
        # nothing more.
        if (
            workflow.is_main_process
            and "plan" not in sys.argv
            and not progress.only_metrics(experiment)
        ):
            check_budget(experiment)
        return experiment, files.with_current_names(config)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        # Not an exception: Snakemake would print where in this file it was raised, which helps nobody.
        sys.stderr.flush()
        os._exit(1)


EXPERIMENT, MERGED_CONFIG = load_experiment()
CONFIG = EXPERIMENT.config
ROOT = EXPERIMENT.root
LOGS = f"logs/{CONFIG.experiment}"
BENCHMARKS = f"{LOGS}/benchmarks"
SFT_ENVIRONMENT = TRAINERS["sft"][CONFIG.sft.trainer].environment
RL_ENVIRONMENT = TRAINERS["rl"][CONFIG.rl.trainer].environment
# The demo's base model is LLaMA-Factory's, whatever does SFT.
BASE_ENVIRONMENT = TRAINERS["sft"]["llamafactory"].environment
ENVIRONMENTS = list(
    dict.fromkeys(
        [SFT_ENVIRONMENT, RL_ENVIRONMENT, "evaluate"]
        + ([BASE_ENVIRONMENT] if CONFIG.walk_world else [])
    )
)
PYTHON = ".envs/workflow/bin/python"
# The end of a short script's command: all output in the log, and its last words on the terminal if it fails.
LOGGED = " > {log} 2>&1 || {{ tail -n 5 {log} >&2; exit 1; }}"


def _one_of(names):
    return "|".join(sorted(map(re.escape, names))) or "none"


NOT_BASE = rf"(?!{BASE}/)[^/]+"


# Said only where it is not the default: all commands and params were so before there was a choice.
OTHER_TRAINERS = {
    stage: {"trainer": block.trainer}
    for stage, block in (("sft", CONFIG.sft), ("rl", CONFIG.rl))
    if block.trainer != DEFAULTS[stage]
}


def trainer_params(stage):
    """The trainer among a rule's params, for `params: **trainer_params("sft")`."""
    return OTHER_TRAINERS.get(stage, {})


def trainer_option(stage):
    """The trainer as an option of a command."""
    return " --trainer {params.trainer}" if stage in OTHER_TRAINERS else ""


wildcard_constraints:
    model=_one_of(CONFIG.models),
    # Not a list of all names: it would be searched for every file of a large plan.
    recipe=r"[^/]+",
    checkpoint=rf"[^/]+/[^/]+/(sft|({_one_of(ALGORITHMS)})/[^/]+/run\d+/checkpoint\d+)",
    algorithm=_one_of(ALGORITHMS),
    dataset=_one_of(CONFIG.sft_datasets),
    rl=_one_of(CONFIG.rl_datasets),
    benchmark=_one_of(CONFIG.benchmarks),
    subset=r"[a-z0-9.+-]+",
    run=r"\d+",
    environment=_one_of(ENVIRONMENTS),


ONLY_METRICS = progress.only_metrics(EXPERIMENT)
# Stored metrics may come from elsewhere, and carry what is to be said of them.
STORED_LABEL = (
    metrics_file.stored_label(f"{ROOT}/metrics.parquet") if ONLY_METRICS else ""
)
CAPTIONS = "config/captions.yaml"
TABLES = (*analysis.TABLES, *CONFIG.tables)
# Curves of Pass@k and of training are stored beside the metrics, but metrics are enough.
CURVES = {
    name: path
    for name, path in {
        "curves": f"{ROOT}/pass_at_k.parquet",
        "training": f"{ROOT}/grpo_training.parquet",
    }.items()
    if not ONLY_METRICS or Path(path).is_file()
}
FIGURES = (
    *CONFIG.figures,
    *figure_names.GENERAL,
    *(figure for figure, table in figure_names.OF_TABLES.items() if table in CURVES),
)


# Asked for a decision alone, what RL has left so far counts; with everything else it waits for all of it. (Snakemake knows
# its targets only later.)
SO_FAR = (
    not ONLY_METRICS
    and bool({"rank", "predict"} & set(sys.argv))
    and not {"all", "report"} & set(sys.argv)
)


def environment(name):
    """The stamp of an environment. `ancient`: a rebuilt environment does not repeat finished jobs."""
    return ancient(f".envs/{name}-{CONFIG.accelerator}/built.sha256")


def python(name):
    """The interpreter of an environment."""
    return f".envs/{name}-{CONFIG.accelerator}/bin/python"


def sft_run(wildcards):
    """The SFT run of a model and a recipe."""
    return EXPERIMENT.sft_runs[f"{wildcards.model}/{wildcards.recipe}/sft"]


def rl_run(wildcards):
    """One of the RL runs from an SFT model."""
    path = f"{wildcards.model}/{wildcards.recipe}/{wildcards.algorithm}/{wildcards.rl}/run{wildcards.run}"
    return EXPERIMENT.rl_runs[path]


def checkpoint_of(wildcards):
    """The model that is evaluated."""
    return EXPERIMENT.checkpoints[wildcards.checkpoint]


# Whatever a command takes from the config is one of its rule's params: Snakemake repeats a job when its params change,
# and does not look at what a command was formatted with.


def settings_json(settings):
    """Settings as one argument of a command."""
    return json.dumps(settings, sort_keys=True)


def columns(kind, name):
    """Our column name -> the file's, as JSON."""
    return json.dumps(experiments.data_columns(getattr(CONFIG, kind)[name]))


def local_file(source):
    """The file of a problem set; none where it comes from the hub."""
    return [source.path] if source.path else []


def source_of(source):
    """Where a problem set or a model comes from, as JSON."""
    return json.dumps(
        source.model_dump(include={"path", "hub"}, exclude_none=True), sort_keys=True
    )


def tasks(benchmarks):
    """Benchmark -> the kind of its problems."""
    return {name: CONFIG.benchmarks[name].task for name in benchmarks}


def tasks_of_checkpoint(checkpoint):
    """Benchmark or RL set -> the kind of its problems, of all that a checkpoint is sampled on."""
    rl_sets = EXPERIMENT.checkpoints[checkpoint].rl_sets
    return tasks(evaluated(checkpoint)) | {
        f"rl.{name}": CONFIG.rl_datasets[name].task for name in rl_sets
    }


def gold_rule(source):
    """How the golds of a problem set are read."""
    return with_task(source.gold, source.task)


def probe_study(model):
    """The study whose SFT pool shows how a model's prompts are rendered."""
    return next(study for study in CONFIG.studies.values() if study.model == model)
