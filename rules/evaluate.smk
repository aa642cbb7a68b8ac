# Sampling by vLLM, grading by math-verify, and scores.


rule samples:
    """Responses of one checkpoint to all its benchmarks, with one engine; only missing shards are drawn."""
    input:
        model=lambda wildcards: model_record(wildcards.checkpoint),
        benchmarks=lambda wildcards: expand(
            f"{ROOT}/data/benchmarks/{{benchmark}}.parquet",
            benchmark=evaluated(wildcards.checkpoint),
        ),
        environment=environment("evaluate"),
    output:
        f"{ROOT}/{{checkpoint}}/eval/samples.json",
    log:
        f"{LOGS}/samples/{{checkpoint}}.log",
    benchmark:
        f"{BENCHMARKS}/samples/{{checkpoint}}.tsv"
    resources:
        mem_mb=3000,
    params:
        instruction=CONFIG.prompt.instruction,
        repetitions_per_shard=CONFIG.evaluation.repetitions_per_shard,
        temperature=CONFIG.evaluation.temperature,
        top_p=CONFIG.evaluation.top_p,
        max_tokens=CONFIG.evaluation.max_tokens,
        seed=CONFIG.seed,
        devices=CONFIG.evaluation.devices,
        python=python("evaluate"),
        variables=shell_environment(CONFIG.evaluation.environment),
        engine=json.dumps(CONFIG.evaluation.engine, sort_keys=True),
        samples=lambda wildcards: EXPERIMENT.checkpoints[wildcards.checkpoint].samples,
        benchmarks=lambda wildcards: " ".join(
            f"--benchmark {name}={ROOT}/data/benchmarks/{name}.parquet"
            for name in evaluated(wildcards.checkpoint)
        ),
    message:
        "Evaluation of {wildcards.checkpoint}: sampling"
    shell:
        "HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 OMP_NUM_THREADS={threads} {params.variables} {params.python} scripts/sample.py"
        " --name {wildcards.checkpoint} --model $(dirname {input.model}) {params.benchmarks}"
        " --instruction {params.instruction:q} --samples {params.samples}"
        " --repetitions-per-shard {params.repetitions_per_shard} --temperature {params.temperature}"
        " --top-p {params.top_p} --max-tokens {params.max_tokens} --seed {params.seed}"
        " --engine {params.engine:q} --devices {params.devices} --discard-others --output $(dirname {output}) --log {log}"


rule grade:
    """Mark every sampled response with math-verify."""
    input:
        samples=rules.samples.output,
        benchmark=f"{ROOT}/data/benchmarks/{{benchmark}}.parquet",
    output:
        f"{ROOT}/{{checkpoint}}/eval/{{benchmark}}/grades.parquet",
    log:
        f"{LOGS}/grade/{{checkpoint}}/{{benchmark}}.log",
    params:
        grading_timeout_seconds=CONFIG.evaluation.grading_timeout_seconds,
    message:
        "Evaluation of {wildcards.checkpoint}: grading {wildcards.benchmark}"
    shell:
        "{PYTHON} scripts/grade.py --responses {input.samples} --shards-of {wildcards.benchmark}"
        " --benchmark {input.benchmark} --without response --output {output}"
        " --workers {threads} --timeout {params.grading_timeout_seconds}" + LOGGED


rule score:
    """Unbiased Pass@k and majority@k of one checkpoint, by benchmark and over all."""
    input:
        grades=lambda wildcards: expand(
            f"{ROOT}/{{{{checkpoint}}}}/eval/{{benchmark}}/grades.parquet",
            benchmark=evaluated(wildcards.checkpoint),
        ),
        contaminated=lambda wildcards: expand(
            f"{ROOT}/data/contamination/{{training_set}}.parquet",
            training_set=EXPERIMENT.checkpoints[wildcards.checkpoint].training_sets,
        ),
    output:
        scores=f"{ROOT}/{{checkpoint}}/eval/scores.json",
        counts=f"{ROOT}/{{checkpoint}}/eval/counts.parquet",
    log:
        f"{LOGS}/score/{{checkpoint}}.log",
    localrule: True
    params:
        benchmarks=lambda wildcards: " ".join(evaluated(wildcards.checkpoint)),
        seed=CONFIG.seed,
    message:
        "Evaluation of {wildcards.checkpoint}: scores"
    shell:
        "{PYTHON} scripts/score.py --grades {input.grades} --benchmarks {params.benchmarks}"
        " --contaminated {input.contaminated} --seed {params.seed} --scores {output.scores}"
        " --counts {output.counts}" + LOGGED
