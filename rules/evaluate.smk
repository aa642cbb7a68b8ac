# Sampling by vLLM, grading by math-verify, and scores.


def samples_request(wildcards):
    """What a sampling job asks of the cluster."""
    return requests.samples_request(checkpoint_of(wildcards), EXPERIMENT)


def benchmark_files(wildcards):
    """NAME=FILE of each benchmark of a checkpoint, and of the RL sets that it is sampled on."""
    files = {
        name: f"{ROOT}/data/benchmarks/{name}.parquet"
        for name in evaluated(wildcards.checkpoint)
    } | rl_files(wildcards.checkpoint)
    return " ".join(f"{name}={path}" for name, path in files.items())


def rl_samples(wildcards):
    """Options that give the prompts of RL sets a number of responses of their own."""
    number = evaluation_of(wildcards).rl_samples
    names = rl_files(wildcards.checkpoint)
    return ["--samples-of", *[f"{name}={number}" for name in names]] if names else []


def scoring_options(wildcards):
    """The seed, and what else score.py takes from the config where there is more."""
    names = rl_files(wildcards.checkpoint)
    rollouts = EXPERIMENT.rl[checkpoint_of(wildcards).model].rollouts
    rl_prompts = " ".join(["--rl-prompts", *[f"{name}={rollouts}" for name in names]])
    seed = f"{CONFIG.seed} {rl_prompts}" if names else CONFIG.seed
    return with_tasks(seed, tasks_of_checkpoint(wildcards.checkpoint))


def sampling_options(wildcards):
    """What sample.py takes from the config, as one string: a plan has thousands of these jobs."""
    block = evaluation_of(wildcards)
    options = {
        "instruction": CONFIG.prompt.instruction,
        "samples": checkpoint_of(wildcards).samples,
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
        + rl_samples(wildcards)
        + ["--benchmark", benchmark_files(wildcards)]
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
        "HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 OMP_NUM_THREADS="
        + THREADS_PER_PROCESS
        + " {params.python} scripts/sample.py --name {wildcards.checkpoint}"
        " --model {input.model} {params.options} --discard-others"
        " --output $(dirname {output}) --log {log}"


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
            benchmark_files(wildcards), tasks_of_checkpoint(wildcards.checkpoint)
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
