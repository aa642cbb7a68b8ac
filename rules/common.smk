# The config as an experiment, wildcard constraints and path helpers. Defines no rule.

import json
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

# Not by name: Snakemake has an `expand` and a `parse` of its own.
import quagmires.config as schema
import quagmires.experiment as experiments
from quagmires import arithmetic
from quagmires.errors import UserError
from quagmires.subsets import BASE


def load_experiment():
    """The experiment, or one line that says what is wrong with its config."""
    files = schema.Files(workflow.configfiles)
    try:
        config_ = schema.parse(config, files)
        experiments.check_files(config_, files)
        return experiments.expand(config_, files)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        # Not an exception: Snakemake would print where in this file it was raised, which helps nobody.
        sys.stderr.flush()
        os._exit(1)


EXPERIMENT = load_experiment()
CONFIG = EXPERIMENT.config
ROOT = EXPERIMENT.root
LOGS = f"logs/{CONFIG.experiment}"
BENCHMARKS = f"{LOGS}/benchmarks"
ENVIRONMENTS = ("sft", "grpo", "evaluate")
PYTHON = ".envs/workflow/bin/python"
# The end of a short script's command: all output in the log, and its last words on the terminal if it fails.
LOGGED = " > {log} 2>&1 || {{ tail -n 5 {log} >&2; exit 1; }}"


def _one_of(names):
    return "|".join(sorted(map(re.escape, names))) or "none"


wildcard_constraints:
    model=_one_of(CONFIG.models),
    recipe=_one_of({run.recipe for run in EXPERIMENT.sft_runs.values()}),
    dataset=_one_of(CONFIG.sft_datasets),
    rl=_one_of(CONFIG.rl_datasets),
    benchmark=_one_of(CONFIG.benchmarks),
    subset=r"[a-z0-9.+-]+",
    checkpoint=_one_of(EXPERIMENT.checkpoints),
    run=r"\d+",
    environment=_one_of(ENVIRONMENTS),


def environment(name):
    """The stamp of an environment. `ancient`: a rebuilt environment does not repeat finished jobs."""
    return ancient(f".envs/{name}-{CONFIG.accelerator}/built.sha256")


def python(name):
    """The interpreter of an environment."""
    return f".envs/{name}-{CONFIG.accelerator}/bin/python"


def sft_run(wildcards):
    """The SFT run of a model and a recipe."""
    return EXPERIMENT.sft_runs[f"{wildcards.model}/{wildcards.recipe}/sft"]


def sft_settings(run):
    """What train_sft.py needs to know of a run, as JSON."""
    shared = (
        "global_batch_size",
        "per_device_batch_size",
        "devices",
        "cutoff_tokens",
        "save_steps",
    )
    own = {
        "epochs": run.epochs,
        "learning_rate": run.learning_rate,
        "seed": CONFIG.seed,
    }
    return json.dumps(
        {**CONFIG.sft.model_dump(include=set(shared)), **own}, sort_keys=True
    )


def grpo_settings(wildcards):
    """What train_grpo.py needs to know of a run, as JSON; runs differ by their seed."""
    block = CONFIG.grpo.model_dump(exclude={"settings", "runs"})
    return json.dumps(
        {**block, "seed": CONFIG.seed + int(wildcards.run) - 1}, sort_keys=True
    )


def columns(kind, name):
    """Our column name -> the file's, as JSON."""
    return json.dumps(experiments.data_columns(kind, getattr(CONFIG, kind)[name]))


def local_file(source):
    """The file of a problem set; none where it comes from the hub."""
    return [source.path] if source.path else []


def source_of(source):
    """Where a problem set comes from, as JSON."""
    return json.dumps(
        source.model_dump(include={"path", "hub"}, exclude_none=True), sort_keys=True
    )


USED_BENCHMARKS = list(
    dict.fromkeys(
        name
        for checkpoint in EXPERIMENT.checkpoints.values()
        for name in checkpoint.benchmarks
    )
)
TRAINING_SETS = list(
    dict.fromkeys(
        name
        for checkpoint in EXPERIMENT.checkpoints.values()
        for name in checkpoint.training_sets
    )
)


def training_file(kind, name):
    """The file of an SFT pool, or the problems of an RL set."""
    if kind == "sft":
        return CONFIG.sft_datasets[name].path
    return f"{ROOT}/data/rl/{name}.problems.parquet"


def training_columns(kind, name):
    """Our column name -> that of the training file, as JSON."""
    if kind == "sft":
        return columns("sft_datasets", name)
    return json.dumps({name: name for name in ("id", "problem", "answer")})


def model_record(checkpoint):
    """The file that is written last into a checkpoint's model directory."""
    name = "training.json" if checkpoint.endswith("/sft") else "checkpoint.json"
    return f"{ROOT}/{checkpoint}/model/{name}"


def evaluated(checkpoint):
    """The benchmarks a checkpoint is evaluated on."""
    return EXPERIMENT.checkpoints[checkpoint].benchmarks


def shell_environment(variables):
    """NAME=value pairs for a shell command."""
    return " ".join(
        f"{name}={shlex.quote(value)}" for name, value in sorted(variables.items())
    )


# Whatever a command takes from the config is one of its rule's params: Snakemake repeats a job when its params change,
# and does not look at what a command was formatted with.


def settings_of(path):
    """A settings file's content: a change of it is a change of the rule's params, an edited comment is not."""
    return json.dumps(schema.load_yaml(path), sort_keys=True)


def probe_study(model):
    """The study whose SFT pool shows how a model's prompts are rendered."""
    return next(study for study in CONFIG.studies.values() if study.model == model)


def yaml_value(path, key):
    """`--key value` if a settings file sets `key`, else nothing."""
    value = (schema.load_yaml(path) or {}).get(key)
    return f"--{key} {shlex.quote(str(value))}" if value is not None else ""
