# SFT pools, RL prompts and benchmarks.


rule token_lengths:
    """Token lengths of every trace in a pool, by the target model's tokenizer."""
    input:
        pool=lambda wildcards: CONFIG.sft_datasets[wildcards.dataset].path,
        model=lambda wildcards: f"{CONFIG.models[wildcards.model].path}/config.json",
    output:
        f"{ROOT}/data/sft/{{dataset}}/{{model}}/lengths.parquet",
    log:
        f"{LOGS}/token_lengths/{{dataset}}.{{model}}.log",
    params:
        instruction=CONFIG.prompt.instruction,
        columns=lambda wildcards: columns("sft_datasets", wildcards.dataset),
        rows=lambda wildcards: CONFIG.sft_datasets[wildcards.dataset].rows,
        model=lambda wildcards: CONFIG.models[wildcards.model].path,
    message:
        "Pool {wildcards.dataset}: token lengths for {wildcards.model}"
    shell:
        "{PYTHON} scripts/measure_lengths.py --pool {input.pool} --columns {params.columns:q} --rows {params.rows}"
        " --model {params.model} --instruction {params.instruction:q} --output {output}"
        + LOGGED


rule subset:
    """The examples of one subset, or of the validation split."""
    input:
        pool=lambda wildcards: CONFIG.sft_datasets[wildcards.dataset].path,
        lengths=rules.token_lengths.output,
    output:
        examples=f"{ROOT}/data/sft/{{dataset}}/{{model}}/{{subset}}.jsonl",
        manifest=f"{ROOT}/data/sft/{{dataset}}/{{model}}/{{subset}}.manifest.json",
    log:
        f"{LOGS}/subset/{{dataset}}.{{model}}.{{subset}}.log",
    params:
        validation_examples=CONFIG.sft.validation_examples,
        cutoff_tokens=CONFIG.sft.cutoff_tokens,
        instruction=CONFIG.prompt.instruction,
        seed=CONFIG.seed,
        columns=lambda wildcards: columns("sft_datasets", wildcards.dataset),
    message:
        "Pool {wildcards.dataset}: {wildcards.subset} for {wildcards.model}"
    shell:
        "{PYTHON} scripts/select_subset.py --pool {input.pool} --columns {params.columns:q} --lengths {input.lengths}"
        " --subset {wildcards.subset} --validation-examples {params.validation_examples}"
        " --cutoff {params.cutoff_tokens} --instruction {params.instruction:q} --seed {params.seed}"
        " --output {output.examples} --manifest {output.manifest}" + LOGGED


rule rl_prompts:
    """RL problems as verl reads them."""
    input:
        lambda wildcards: CONFIG.rl_datasets[wildcards.rl].path,
    output:
        f"{ROOT}/data/rl/{{rl}}.parquet",
    log:
        f"{LOGS}/rl_prompts/{{rl}}.log",
    localrule: True
    params:
        instruction=CONFIG.prompt.instruction,
        columns=lambda wildcards: columns("rl_datasets", wildcards.rl),
        rows=lambda wildcards: CONFIG.rl_datasets[wildcards.rl].rows,
    message:
        "RL set {wildcards.rl}: prompts"
    shell:
        "{PYTHON} scripts/prepare_problems.py --kind rl --name {wildcards.rl} --source {input} --rows {params.rows}"
        " --columns {params.columns:q} --instruction {params.instruction:q} --output {output}"
        + LOGGED


rule benchmark_problems:
    """A benchmark's problems and golds."""
    input:
        lambda wildcards: CONFIG.benchmarks[wildcards.benchmark].path,
    output:
        f"{ROOT}/data/benchmarks/{{benchmark}}.parquet",
    log:
        f"{LOGS}/benchmark_problems/{{benchmark}}.log",
    localrule: True
    params:
        columns=lambda wildcards: columns("benchmarks", wildcards.benchmark),
        rows=lambda wildcards: CONFIG.benchmarks[wildcards.benchmark].rows,
    message:
        "Benchmark {wildcards.benchmark}: problems"
    shell:
        "{PYTHON} scripts/prepare_problems.py --kind benchmark --name {wildcards.benchmark} --source {input}"
        " --rows {params.rows} --columns {params.columns:q} --output {output}" + LOGGED
