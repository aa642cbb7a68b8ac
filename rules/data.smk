# SFT pools, RL prompts and benchmarks.


def pool_source(wildcards):
    """A pool's local files, or the record of its download."""
    source = CONFIG.sft_datasets[wildcards.dataset]
    if source.path is not None:
        return locations.local_files(source.path)
    return locations.download_record(
        "datasets", source.hub.dataset, source.hub.revision
    )


def pool_files(wildcards, input):
    """Where prepare_pool.py finds a pool's files, as its options."""
    source = CONFIG.sft_datasets[wildcards.dataset]
    if source.path is not None:
        return "--files " + " ".join(map(shlex.quote, input))
    patterns = " ".join(map(shlex.quote, source.hub.files))
    return f"--folder {Path(input[0]).parent} --patterns {patterns}"


def pool_tokens(wildcards):
    """The tokens of a pool, roughly."""
    source = CONFIG.sft_datasets[wildcards.dataset]
    return source.usable_rows * source.mean_tokens


def common_validation_options(sft):
    """What select_common_validation.py takes from a model's `sft` block."""
    return (
        f"--from {' '.join(sft.validation.pools)} --examples {sft.validation.examples}"
        f" --validation-examples {sft.validation_examples} --cutoff {sft.cutoff_tokens}"
    )


CPUS = 16 if ON_GPUS else 1


rule pool:
    """The wanted traces of a pool, streamed from its files into one."""
    input:
        pool_source,
    output:
        pool=pool_file("{dataset}"),
        manifest=f"{ROOT}/data/sft/{{dataset}}/pool.json",
    log:
        f"{LOGS}/pool/{{dataset}}.log",
    resources:
        mem_mb=lambda wildcards, attempt: attempt * (8000 if ON_GPUS else 1000),
        # Ten million rows take about two hours.
        runtime=lambda wildcards: 60
        + CONFIG.sft_datasets[wildcards.dataset].rows // 80_000,
        # Here and not among the params: a number that is written down later must not repeat what was made of the pool.
        rows=lambda wildcards: CONFIG.sft_datasets[wildcards.dataset].rows,
        kept_rows=lambda wildcards: CONFIG.sft_datasets[wildcards.dataset].kept_rows
        or 0,
    params:
        files=pool_files,
        columns=lambda wildcards: columns("sft_datasets", wildcards.dataset),
        keep=lambda wildcards: json.dumps(CONFIG.sft_datasets[wildcards.dataset].keep),
        problem_prefix=lambda wildcards: CONFIG.sft_datasets[
            wildcards.dataset
        ].problem_prefix,
    message:
        "Pool {wildcards.dataset}: reading its files"
    shell:
        "{PYTHON} scripts/prepare_pool.py --name {wildcards.dataset} {params.files} --columns {params.columns:q}"
        " --keep {params.keep:q} --problem-prefix={params.problem_prefix:q} --rows {resources.rows}"
        " --kept-rows {resources.kept_rows} --output {output.pool} --manifest {output.manifest}"
        + LOGGED


rule token_lengths:
    """Token lengths of every trace in a pool, by the target model's tokenizer."""
    input:
        pool=rules.pool.output.pool,
        model=model_ready("{model}"),
    output:
        f"{ROOT}/data/sft/{{dataset}}/{{model}}/lengths.parquet",
    log:
        f"{LOGS}/token_lengths/{{dataset}}.{{model}}.log",
    threads: CPUS
    resources:
        mem_mb=lambda wildcards, attempt: attempt * (16000 if ON_GPUS else 1500),
        # A tokenizer reads at least 100,000 tokens a second on one processor.
        runtime=lambda wildcards: 60 + pool_tokens(wildcards) // (CPUS * 6_000_000),
    params:
        instruction=CONFIG.prompt.instruction,
    message:
        "Pool {wildcards.dataset}: token lengths for {wildcards.model}"
    shell:
        "{PYTHON} scripts/measure_lengths.py --pool {input.pool} --model $(dirname {input.model})"
        " --instruction {params.instruction:q} --workers {threads} --output {output}"
        + LOGGED


rule subset:
    """The examples of one subset, or of the validation split."""
    input:
        pool=rules.pool.output.pool,
        lengths=rules.token_lengths.output,
    output:
        examples=f"{ROOT}/data/sft/{{dataset}}/{{model}}/{{subset}}.jsonl",
        manifest=f"{ROOT}/data/sft/{{dataset}}/{{model}}/{{subset}}.manifest.json",
    log:
        f"{LOGS}/subset/{{dataset}}.{{model}}.{{subset}}.log",
    resources:
        mem_mb=lambda wildcards, attempt: attempt * (8000 if ON_GPUS else 1000),
        runtime=120,
    params:
        validation_examples=lambda wildcards: EXPERIMENT.sft[
            wildcards.model
        ].validation_examples,
        cutoff_tokens=lambda wildcards: EXPERIMENT.sft[wildcards.model].cutoff_tokens,
        instruction=CONFIG.prompt.instruction,
        seed=CONFIG.seed,
    message:
        "Pool {wildcards.dataset}: {wildcards.subset} for {wildcards.model}"
    shell:
        "{PYTHON} scripts/select_subset.py --pool {input.pool} --lengths {input.lengths}"
        " --subset {wildcards.subset} --validation-examples {params.validation_examples}"
        " --cutoff {params.cutoff_tokens} --instruction {params.instruction:q} --seed {params.seed}"
        " --output {output.examples} --manifest {output.manifest}" + LOGGED


rule common_validation:
    """Held-out examples of several pools, the same for all SFT models of a language model."""
    input:
        pools=lambda wildcards: [
            pool_file(name) for name in EXPERIMENT.pools(wildcards.model)
        ],
        lengths=lambda wildcards: [
            f"{ROOT}/data/sft/{name}/{wildcards.model}/lengths.parquet"
            for name in EXPERIMENT.pools(wildcards.model)
        ],
    output:
        examples=f"{ROOT}/data/sft/{COMMON}/{{model}}/validation.jsonl",
        manifest=f"{ROOT}/data/sft/{COMMON}/{{model}}/validation.manifest.json",
    log:
        f"{LOGS}/common_validation/{{model}}.log",
    resources:
        mem_mb=lambda wildcards, attempt: attempt * (16000 if ON_GPUS else 1000),
        runtime=120,
    params:
        pools=lambda wildcards, input: " ".join(
            f"--pool {name} {pool} {lengths}"
            for name, pool, lengths in zip(
                EXPERIMENT.pools(wildcards.model), input.pools, input.lengths
            )
        ),
        options=lambda wildcards: common_validation_options(
            EXPERIMENT.sft[wildcards.model]
        ),
        instruction=CONFIG.prompt.instruction,
        seed=CONFIG.seed,
    message:
        "Validation set of all pools for {wildcards.model}"
    shell:
        "{PYTHON} scripts/select_common_validation.py {params.pools} {params.options}"
        " --instruction {params.instruction:q} --seed {params.seed}"
        " --output {output.examples} --manifest {output.manifest}" + LOGGED


rule rl_problems:
    """RL problems and their golds."""
    input:
        lambda wildcards: local_file(CONFIG.rl_datasets[wildcards.rl]),
    output:
        f"{ROOT}/data/rl/{{rl}}.problems.parquet",
    log:
        f"{LOGS}/rl_problems/{{rl}}.log",
    localrule: True
    params:
        columns=lambda wildcards: columns("rl_datasets", wildcards.rl),
        rows=lambda wildcards: CONFIG.rl_datasets[wildcards.rl].rows,
        source=lambda wildcards: source_of(CONFIG.rl_datasets[wildcards.rl]),
        gold=lambda wildcards: gold_rule(CONFIG.rl_datasets[wildcards.rl]),
    message:
        "RL set {wildcards.rl}: problems"
    shell:
        "{PYTHON} scripts/prepare_problems.py --name {wildcards.rl} --source {params.source:q}"
        " --rows {params.rows} --gold {params.gold} --columns {params.columns:q} --output {output}"
        + LOGGED


rule rl_prompts:
    """RL problems as verl reads them; prompts that are too long for a model are left out and counted."""
    input:
        problems=rules.rl_problems.output,
        model=model_ready("{model}"),
    output:
        f"{ROOT}/data/rl/{{rl}}/{{model}}.parquet",
    log:
        f"{LOGS}/rl_prompts/{{rl}}.{{model}}.log",
    localrule: True
    params:
        instruction=CONFIG.prompt.instruction,
        max_prompt_tokens=lambda wildcards: with_task(
            EXPERIMENT.rl[wildcards.model].max_prompt_tokens,
            CONFIG.rl_datasets[wildcards.rl].task,
        ),
    message:
        "RL set {wildcards.rl}: prompts for {wildcards.model}"
    shell:
        "{PYTHON} scripts/write_rl_prompts.py --name {wildcards.rl} --problems {input.problems}"
        " --model $(dirname {input.model}) --max-tokens {params.max_prompt_tokens}"
        " --instruction {params.instruction:q} --output {output}" + LOGGED


rule rl_prompts_to_sample:
    """The RL prompts that SFT models are sampled on beside the benchmarks, as a benchmark has its problems."""
    input:
        problems=rules.rl_problems.output,
        prompts=rules.rl_prompts.output,
    output:
        sampled_rl_prompts("{rl}", "{model}"),
    log:
        f"{LOGS}/rl_prompts_to_sample/{{rl}}.{{model}}.log",
    localrule: True
    params:
        number=lambda wildcards: EXPERIMENT.evaluation[wildcards.model].rl_prompts,
        seed=CONFIG.seed,
    message:
        "RL set {wildcards.rl}: prompts to sample {wildcards.model} on"
    shell:
        "{PYTHON} scripts/choose_rl_prompts.py --name {wildcards.rl} --problems {input.problems}"
        " --prompts {input.prompts} --number {params.number} --seed {params.seed} --output {output}"
        + LOGGED


rule benchmark_problems:
    """A benchmark's problems and golds."""
    input:
        lambda wildcards: local_file(CONFIG.benchmarks[wildcards.benchmark]),
    output:
        f"{ROOT}/data/benchmarks/{{benchmark}}.parquet",
    log:
        f"{LOGS}/benchmark_problems/{{benchmark}}.log",
    localrule: True
    params:
        columns=lambda wildcards: columns("benchmarks", wildcards.benchmark),
        rows=lambda wildcards: CONFIG.benchmarks[wildcards.benchmark].rows,
        source=lambda wildcards: source_of(CONFIG.benchmarks[wildcards.benchmark]),
        gold=lambda wildcards: gold_rule(CONFIG.benchmarks[wildcards.benchmark]),
    message:
        "Benchmark {wildcards.benchmark}: problems"
    shell:
        "{PYTHON} scripts/prepare_problems.py --name {wildcards.benchmark} --source {params.source:q}"
        " --gold {params.gold} --rows {params.rows} --columns {params.columns:q} --output {output}"
        + LOGGED


rule benchmark_set:
    """The benchmarks that some models are evaluated on, and vLLM: one file for thousands of jobs to wait for."""
    input:
        benchmarks=lambda wildcards: [
            f"{ROOT}/data/benchmarks/{name}.parquet"
            for name in BENCHMARK_SETS[wildcards.names]
        ],
        environment=environment("evaluate"),
    output:
        f"{ROOT}/data/benchmarks/sets/{{names}}.txt",
    localrule: True
    message:
        "Benchmarks ready: {wildcards.names}"
    run:
        write_text(output[0], "".join(f"{path}\n" for path in input.benchmarks))


rule contaminated:
    """The benchmark problems that stand in any of some SFT and RL sets: one file for thousands of jobs to wait for."""
    input:
        lambda wildcards: [
            f"{ROOT}/data/contamination/{name}.parquet"
            for name in TRAINING_SETS_TOGETHER[wildcards.names]
        ],
    output:
        f"{ROOT}/data/contamination/sets/{{names}}.parquet",
    log:
        f"{LOGS}/contaminated/{{names}}.log",
    localrule: True
    message:
        "Contaminated problems: {wildcards.names}"
    shell:
        "{PYTHON} scripts/join_contamination.py --pairs {input} --output {output}"
        + LOGGED


rule contamination:
    """Benchmark problems that stand in an SFT or RL set."""
    input:
        data=lambda wildcards: training_file(wildcards.kind, wildcards.training_set),
        benchmarks=expand(
            f"{ROOT}/data/benchmarks/{{benchmark}}.parquet",
            benchmark=USED_BENCHMARKS,
        ),
    output:
        pairs=f"{ROOT}/data/contamination/{{kind}}.{{training_set}}.parquet",
        summary=f"{ROOT}/data/contamination/{{kind}}.{{training_set}}.json",
    log:
        f"{LOGS}/contamination/{{kind}}.{{training_set}}.log",
    wildcard_constraints:
        kind="sft|rl",
        training_set=_one_of({*CONFIG.sft_datasets, *CONFIG.rl_datasets}),
    threads: CPUS
    resources:
        mem_mb=lambda wildcards, attempt: attempt * (16000 if ON_GPUS else 4000),
        # A million rows take four minutes on one processor.
        runtime=240,
    params:
        columns=lambda wildcards: json.dumps(
            {
                name: name
                for name in (
                    "id",
                    "problem",
                    "response" if wildcards.kind == "sft" else "answer",
                )
            }
        ),
        benchmarks=with_tasks(
            " ".join(
                f"--benchmark {name}={ROOT}/data/benchmarks/{name}.parquet"
                for name in USED_BENCHMARKS
            ),
            tasks(USED_BENCHMARKS),
        ),
    message:
        "Contamination: benchmark problems in {wildcards.training_set}"
    shell:
        "{PYTHON} scripts/find_contamination.py --name {wildcards.training_set} --kind {wildcards.kind}"
        " --data {input.data} --columns {params.columns:q} {params.benchmarks} --workers {threads}"
        " --output {output.pairs} --summary {output.summary}" + LOGGED
