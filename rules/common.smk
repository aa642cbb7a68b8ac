# The config as an experiment, wildcard constraints and path helpers. Defines no rule.

import functools
import hashlib
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
from quagmires.config import analysis_settings as analysis
from quagmires.data import locations
from quagmires.planning import preflight, resources as requests
from quagmires.prediction import metrics_file
from quagmires.simulation import arithmetic
from quagmires.training import runs
from quagmires.common.errors import UserError
from quagmires.common.files import write_text
from quagmires.planning.costs import check_budget
from quagmires.config.subset_names import BASE


def only_metrics(experiment):
    """Whether this is a machine that holds an experiment's stored metrics and nothing else of it: then tables, figures
    and decisions come from them, and nothing is trained for them.
    """
    root = Path(experiment.root)
    return (root / "metrics.parquet").is_file() and not any(
        (root / name).exists() for name in ("data", *experiment.config.models)
    )


def load_experiment():
    """The experiment, or one line that says what is wrong with its config."""
    # The last one is the Snakefile's, which the others are laid over.
    files = schema.Files([workflow.configfiles[-1], *workflow.configfiles[:-1]])
    try:
        parsed = schema.parse(config, files)
        experiment = preflight.checked_experiment(
            parsed, files, arithmetic.made_files(parsed)
        )
        # The plan itself is printed before it is refused; Snakemake knows its targets only later. And stored metrics cost
        # nothing more.
        if (
            workflow.is_main_process
            and "plan" not in sys.argv
            and not only_metrics(experiment)
        ):
            check_budget(experiment)
        return experiment
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


NOT_BASE = rf"(?!{BASE}/)[^/]+"


wildcard_constraints:
    model=_one_of(CONFIG.models),
    # Not a list of all names: it would be searched for every file of a large plan.
    recipe=r"[^/]+",
    checkpoint=r"[^/]+/[^/]+/(sft|grpo/[^/]+/run\d+/checkpoint\d+)",
    dataset=_one_of(CONFIG.sft_datasets),
    rl=_one_of(CONFIG.rl_datasets),
    benchmark=_one_of(CONFIG.benchmarks),
    subset=r"[a-z0-9.+-]+",
    check=r"sft\.[^./]+|grpo\.[^./]+\.[^./]+",
    run=r"\d+",
    environment=_one_of(ENVIRONMENTS),


ONLY_METRICS = only_metrics(EXPERIMENT)
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
    *analysis.FIGURES,
    *(
        figure
        for name, figure in {"curves": "pass_at_k", "training": "grpo_training"}.items()
        if name in CURVES
    ),
)


# Asked for a decision alone, what RL has left so far counts; with everything else it waits for all of it. (Snakemake knows
# its targets only later.)
SO_FAR = (
    not ONLY_METRICS
    and bool({"rank", "predict"} & set(sys.argv))
    and not {"all", "report"} & set(sys.argv)
)


def finished_scores():
    """The scores after RL that are there, with their times, so that new ones are seen."""
    paths = [Path(f"{ROOT}/{run}/eval/scores.json") for run in EXPERIMENT.checkpoints]
    return sorted(
        f"{path} {path.stat().st_mtime_ns}" for path in paths if path.is_file()
    )


ON_GPUS = CONFIG.accelerator == "cuda"
# Threads of one engine process: there is one for each GPU.
THREADS_PER_PROCESS = str(CONFIG.cluster.cpus_per_gpu) if ON_GPUS else "{threads}"


def asks(devices, request, cpu_memory_mb):
    """The resources of an engine's job, for `resources: **asks(...)`; `request` turns wildcards into its request,
    and `devices` are its GPUs, if they are known without.

    Without GPUs models are tiny: what counts is memory. What is the same for all models is no function: a plan has
    thousands of jobs, and each function is called for each.
    """
    if not ON_GPUS:
        return {"mem_mb": cpu_memory_mb, "runtime": 60}

    def resource(name):
        return lambda wildcards: getattr(request(wildcards), name)

    return {
        "runtime": resource("minutes"),
        "mem_mb": (
            requests.memory_mb(CONFIG.cluster, devices)
            if devices
            else resource("memory_mb")
        ),
        "gpu": devices or resource("devices"),
        "gpu_model": CONFIG.cluster.gpu_model,
    }


def processors(devices, request):
    """The threads of an engine's job."""
    if not ON_GPUS:
        return 1
    return (
        devices * CONFIG.cluster.cpus_per_gpu
        if devices
        else lambda wildcards: request(wildcards).processors
    )


def devices_of(stage):
    """The GPUs of a stage's jobs, if they are the same for all models; else 0."""
    found = {block.devices for block in getattr(EXPERIMENT, stage).values()}
    return found.pop() if len(found) == 1 else 0


def environment(name):
    """The stamp of an environment. `ancient`: a rebuilt environment does not repeat finished jobs."""
    return ancient(f".envs/{name}-{CONFIG.accelerator}/built.sha256")


def python(name):
    """The interpreter of an environment."""
    return f".envs/{name}-{CONFIG.accelerator}/bin/python"


def sft_run(wildcards):
    """The SFT run of a model and a recipe."""
    return EXPERIMENT.sft_runs[f"{wildcards.model}/{wildcards.recipe}/sft"]


def grpo_run(wildcards):
    """One of the GRPO runs from an SFT model."""
    path = (
        f"{wildcards.model}/{wildcards.recipe}/grpo/{wildcards.rl}/run{wildcards.run}"
    )
    return EXPERIMENT.grpo_runs[path]


def settings_json(settings):
    """Settings as one argument of a command."""
    return json.dumps(settings, sort_keys=True)


def checkpoint_of(wildcards):
    """The model that is evaluated."""
    return EXPERIMENT.checkpoints[wildcards.checkpoint]


def evaluation_of(wildcards):
    """The `evaluation` block as its model has it."""
    return EXPERIMENT.evaluation[checkpoint_of(wildcards).model]


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
        return pool_file(name)
    return f"{ROOT}/data/rl/{name}.problems.parquet"


def pool_file(dataset):
    """An SFT pool as the workflow reads it."""
    return f"{ROOT}/data/sft/{dataset}/pool.parquet"


def model_ready(model):
    """The file that is written last into the directory of a model to start from."""
    return f"{ROOT}/data/models/{model}/model.json"


def model_record(checkpoint):
    """The file that is written last into an SFT model's directory."""
    return f"{ROOT}/{checkpoint}/model/training.json"


def model_to_sample(wildcards):
    """An SFT model's last file, or the directory of a GRPO run's checkpoint."""
    if wildcards.checkpoint.endswith("/sft"):
        return model_record(wildcards.checkpoint)
    return f"{ROOT}/{wildcards.checkpoint}/model"


def evaluated(checkpoint):
    """The benchmarks a checkpoint is evaluated on."""
    return EXPERIMENT.checkpoints[checkpoint].benchmarks


def set_name(names):
    """The name of a file for several things at once; short, however many they are."""
    joined = "+".join(names)
    return (
        joined
        if len(joined) <= 150
        else f"{len(names)}-{hashlib.sha256(joined.encode()).hexdigest()[:16]}"
    )


BENCHMARK_SETS = {
    set_name(one.benchmarks): one.benchmarks for one in EXPERIMENT.checkpoints.values()
}
TRAINING_SETS_TOGETHER = {
    set_name(one.training_sets): one.training_sets
    for one in EXPERIMENT.checkpoints.values()
}


def benchmark_set(names):
    """The file that says that all these benchmarks are there, and what samples for them."""
    return f"{ROOT}/data/benchmarks/sets/{set_name(names)}.txt"


def contaminated_in(training_sets):
    """The benchmark problems that stand in any of these SFT and RL sets."""
    return f"{ROOT}/data/contamination/sets/{set_name(training_sets)}.parquet"


# Whatever a command takes from the config is one of its rule's params: Snakemake repeats a job when its params change,
# and does not look at what a command was formatted with.


@functools.cache
def settings_of(path):
    """The content of a settings file, and of DeepSpeed's if it names one: a change of it is a change of the rule's
    params, an edited comment is not.
    """
    settings = schema.load_yaml(path)
    if settings and "deepspeed" in settings:
        settings["deepspeed"] = schema.load_yaml(settings["deepspeed"])
    return json.dumps(settings, sort_keys=True)


def probe_study(model):
    """The study whose SFT pool shows how a model's prompts are rendered."""
    return next(study for study in CONFIG.studies.values() if study.model == model)


def template_option(sft):
    """LLaMA-Factory's template as an option, if one is set; else it reads the model's own."""
    value = {**(schema.load_yaml(sft.settings) or {}), **sft.engine}.get("template")
    return f"--template {shlex.quote(str(value))}" if value is not None else ""
