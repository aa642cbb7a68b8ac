# The files that several stages share: where they are, and which sets of them there are. Defines no rule.

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
    """An SFT model's last file, or the directory of an RL run's checkpoint."""
    if wildcards.checkpoint.endswith("/sft"):
        return model_record(wildcards.checkpoint)
    return f"{ROOT}/{wildcards.checkpoint}/model"


def evaluated(checkpoint):
    """The benchmarks a checkpoint is evaluated on."""
    return EXPERIMENT.checkpoints[checkpoint].benchmarks


def sampled_rl_prompts(rl, model):
    """The prompts of an RL set that a model's SFT models are sampled on."""
    return f"{ROOT}/data/rl/{rl}/{model}.sampled.parquet"


def rl_files(checkpoint):
    """Name among the benchmarks -> the file of the RL prompts that a checkpoint is sampled on; a benchmark has no dot."""
    one = EXPERIMENT.checkpoints[checkpoint]
    return {f"rl.{name}": sampled_rl_prompts(name, one.model) for name in one.rl_sets}


BENCHMARK_SETS = {
    locations.set_name(one.benchmarks): one.benchmarks
    for one in EXPERIMENT.checkpoints.values()
}
TRAINING_SETS_TOGETHER = {
    locations.set_name(one.training_sets): one.training_sets
    for one in EXPERIMENT.checkpoints.values()
}


def benchmark_set(names):
    """The file that says that all these benchmarks are there, and what samples for them."""
    return f"{ROOT}/data/benchmarks/sets/{locations.set_name(names)}.txt"


def contaminated_in(training_sets):
    """The benchmark problems that stand in any of these SFT and RL sets."""
    return f"{ROOT}/data/contamination/sets/{locations.set_name(training_sets)}.parquet"
