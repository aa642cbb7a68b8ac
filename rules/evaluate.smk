# Sampling by vLLM, grading by math-verify, and scores.

from snakemake.io import IOFile


def samples_request(wildcards):
    """What a sampling job asks of the cluster."""
    return requests.samples_request(checkpoint_of(wildcards), EXPERIMENT)


def benchmark_files(checkpoint):
    """NAME=FILE of each benchmark of a checkpoint, and of the RL sets that it is sampled on."""
    files = {
        name: f"{ROOT}/data/benchmarks/{name}.parquet" for name in evaluated(checkpoint)
    } | rl_files(checkpoint)
    return " ".join(f"{name}={path}" for name, path in files.items())


def samples_of_rl_prompts(checkpoint):
    """Options that give the prompts of RL sets a number of responses of their own."""
    number = EXPERIMENT.evaluation[checkpoint.model].rl_samples
    names = rl_files(checkpoint.path)
    return ["--samples-of", *[f"{name}={number}" for name in names]] if names else []


def scoring_options(wildcards):
    """The seed, and what else score.py takes from the config where there is more."""
    names = rl_files(wildcards.checkpoint)
    rollouts = EXPERIMENT.rl[checkpoint_of(wildcards).model].rollouts
    rl_prompts = " ".join(["--rl-prompts", *[f"{name}={rollouts}" for name in names]])
    seed = f"{CONFIG.seed} {rl_prompts}" if names else CONFIG.seed
    return with_tasks(seed, tasks_of_checkpoint(wildcards.checkpoint))


def sampling_options(wildcards):
    """What sample.py takes from the config to draw one checkpoint."""
    return options_of(checkpoint_of(wildcards))


def rl_sampling_options(wildcards):
    """What sample.py takes from the config to draw an RL run's checkpoints, for which it is the same."""
    return options_of(requests.rl_checkpoints(rl_run(wildcards), EXPERIMENT)[0])


def rl_benchmarks(wildcards):
    """The benchmarks of an RL run's checkpoints."""
    return requests.rl_checkpoints(rl_run(wildcards), EXPERIMENT)[0].benchmarks


def options_of(checkpoint):
    """The options as one string: a plan has thousands of these jobs."""
    block = EXPERIMENT.evaluation[checkpoint.model]
    options = {
        "instruction": CONFIG.prompt.instruction,
        "samples": checkpoint.samples,
        "repetitions-per-shard": block.repetitions_per_shard,
        "temperature": block.temperature,
        "top-p": block.top_p,
        "max-tokens": block.max_tokens,
        "seed": CONFIG.seed,
        "engine": settings_json(block.engine),
        "environment": settings_json(block.environment),
        "devices": block.devices,
    }
    return " ".join(
        [f"--{name} {shlex.quote(str(value))}" for name, value in options.items()]
        + samples_of_rl_prompts(checkpoint)
        + ["--benchmark", benchmark_files(checkpoint.path)]
    )


def cache_options():
    """Where engines keep their caches on a node, and for how long."""
    block = CONFIG.cache
    directory = f" --cache {shlex.quote(block.directory)}" if block.directory else ""
    # Snakemake formats what stands in a command.
    directory = directory.replace("{", "{{").replace("}", "}}")
    return f"{directory} --keep-cache-days {block.keep_days:g}"


# On a machine without a scheduler a job that has an engine draws for the other jobs that are due too, once their models
# are there; here it finds them. A cluster's jobs have the time of one, and all of them wait in its queue at once.
HERE = workflow.is_main_process and workflow.local_exec
WAITING = f"{LOGS}/samples/waiting.txt"

# What is the same for both rules. The cache is none of the params: another place for it must not repeat a job.
SAMPLING = (
    "HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 OMP_NUM_THREADS="
    + THREADS_PER_PROCESS
    + " {params.python} scripts/sample.py {params.options} --discard-others --log {log}"
    + cache_options()
    + (f" --waiting {WAITING}" if HERE else "")
)


rule samples:
    """Responses of one checkpoint to all its benchmarks, with one engine; only missing shards are drawn."""
    input:
        model=model_to_sample,
        benchmarks=lambda wildcards: benchmark_set(evaluated(wildcards.checkpoint)),
        rl_prompts=lambda wildcards: list(rl_files(wildcards.checkpoint).values()),
    output:
        f"{ROOT}/{{checkpoint}}/eval/samples.json",
    log:
        f"{LOGS}/samples/{{checkpoint}}.log",
    threads: processors(devices_of("evaluation"), samples_request)
    resources:
        **asks(devices_of("evaluation"), samples_request, cpu_memory_mb=3000),
    params:
        python=python("evaluate"),
        options=sampling_options,
    message:
        "Evaluation of {wildcards.checkpoint}: sampling"
    shell:
        SAMPLING
        + " --name {wildcards.checkpoint} --model {input.model} --output $(dirname {output})"


def rl_samples_request(wildcards):
    """What sampling from all checkpoints of an RL run asks of the cluster."""
    return requests.rl_samples_request(rl_run(wildcards), EXPERIMENT)


def sampled_one_by_one(run):
    """Whether some of a run's checkpoints have been sampled by a job of rule `samples` each, as it was once for all."""
    files = [
        f"{ROOT}/{one.path}/eval/samples.json"
        for one in requests.rl_checkpoints(run, EXPERIMENT)
    ]
    return any(
        workflow.persistence.rule(IOFile(path)) == "samples"
        for path in files
        if os.path.isfile(path)
    )


def rl_models_to_sample(wildcards):
    """The models of all checkpoints of an RL run."""
    run = rl_run(wildcards)
    # Snakemake repeats a job whose set of inputs is another, and the models may be gone: rule `samples` goes on with such
    # a run. It takes over where this rule cannot have its input, and nothing makes this one.
    if workflow.is_main_process and sampled_one_by_one(run):
        return f"{ROOT}/{run.path}/sampled-one-by-one"
    return [
        f"{ROOT}/{one.path}/model" for one in requests.rl_checkpoints(run, EXPERIMENT)
    ]


RL_RUN_WILDCARDS = "{model}/{recipe}/{algorithm}/{rl}/run{run}"


# Both can make samples.json of an RL checkpoint.
ruleorder: rl_samples > samples


rule rl_samples:
    """Responses of all checkpoints of an RL run: one engine, into which one's weights are loaded after the other's."""
    input:
        models=rl_models_to_sample,
        benchmarks=lambda wildcards: benchmark_set(rl_benchmarks(wildcards)),
    output:
        [
            f"{ROOT}/{RL_RUN_WILDCARDS}/checkpoint{index}/eval/samples.json"
            for index in range(1, CONFIG.rl.checkpoints + 1)
        ],
    log:
        f"{LOGS}/samples/{RL_RUN_WILDCARDS}.log",
    threads: processors(devices_of("evaluation"), rl_samples_request)
    resources:
        **asks(devices_of("evaluation"), rl_samples_request, cpu_memory_mb=3000),
    params:
        python=python("evaluate"),
        options=rl_sampling_options,
    message:
        "Evaluation of {wildcards.model} {wildcards.recipe} after RL on {wildcards.rl}, run {wildcards.run}: sampling"
    shell:
        SAMPLING + " $(for index in {{1.."
        # The names of all files of a run on the command line would be long ones.
        + str(CONFIG.rl.checkpoints)
        + "}}; do checkpoint="
        + RL_RUN_WILDCARDS.replace("{", "{wildcards.")
        + "/checkpoint$index;"
        f" echo --checkpoint $checkpoint {ROOT}/$checkpoint/model {ROOT}/$checkpoint/eval; done)"


def waiting_samples():
    """The sampling jobs that are due, a line each: arguments of sample.py."""
    lines = []
    for job in workflow.dag.needrun_jobs() if HERE else []:
        if job.rule.name in ("samples", "rl_samples"):
            models = getattr(job.input, "models", None) or [job.input.model]
            folders = [os.path.dirname(path) for path in job.output]
            names = [os.path.relpath(os.path.dirname(one), ROOT) for one in folders]
            checkpoints = [
                f"--checkpoint {shlex.join(one)}"
                for one in zip(names, models, folders, strict=True)
            ]
            lines.append(
                f"{job.params.options} --discard-others {' '.join(checkpoints)}\n"
            )
    return "".join(lines)


rule grade:
    """Mark every sampled response of one checkpoint with math-verify; one job for all benchmarks, as they are short."""
    input:
        rules.samples.output,
    output:
        f"{ROOT}/{{checkpoint}}/eval/grades.json",
    log:
        f"{LOGS}/grade/{{checkpoint}}.log",
    threads: 16 if ON_GPUS else 1
    resources:
        mem_mb=32000 if ON_GPUS else 1500,
        # A million responses take about twenty minutes on one processor, most of them with an answer to verify.
        runtime=240,
    params:
        grading_timeout_seconds=CONFIG.evaluation.grading_timeout_seconds,
        benchmarks=lambda wildcards: with_tasks(
            benchmark_files(wildcards.checkpoint),
            tasks_of_checkpoint(wildcards.checkpoint),
        ),
    message:
        "Evaluation of {wildcards.checkpoint}: grading"
    shell:
        "{PYTHON} scripts/grade.py --responses {input} --shards-of {params.benchmarks}"
        " --without response --output $(dirname {output}) --workers {threads}"
        " --timeout {params.grading_timeout_seconds}" + LOGGED


rule score:
    """Unbiased Pass@k and majority@k of one checkpoint, by benchmark and over all."""
    input:
        grades=rules.grade.output,
        contaminated=lambda wildcards: contaminated_in(
            checkpoint_of(wildcards).training_sets
        ),
    output:
        scores=f"{ROOT}/{{checkpoint}}/eval/scores.json",
        counts=f"{ROOT}/{{checkpoint}}/eval/counts.parquet",
    log:
        f"{LOGS}/score/{{checkpoint}}.log",
    localrule: True
    params:
        seed=scoring_options,
    message:
        "Evaluation of {wildcards.checkpoint}: scores"
    shell:
        "{PYTHON} scripts/score.py --grades {input.grades} --contaminated {input.contaminated}"
        " --seed {params.seed} --scores {output.scores} --counts {output.counts}"
        + LOGGED
