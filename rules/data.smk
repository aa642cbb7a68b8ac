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
        gold=lambda wildcards: CONFIG.rl_datasets[wildcards.rl].gold,
    message:
        "RL set {wildcards.rl}: problems"
    shell:
        "{PYTHON} scripts/prepare_problems.py --name {wildcards.rl} --source {params.source:q}"
        " --rows {params.rows} --gold {params.gold} --columns {params.columns:q} --output {output}"
        + LOGGED


rule rl_prompts:
    """RL problems as verl reads them."""
    input:
        rules.rl_problems.output,
    output:
        f"{ROOT}/data/rl/{{rl}}.parquet",
    log:
        f"{LOGS}/rl_prompts/{{rl}}.log",
    localrule: True
    params:
        instruction=CONFIG.prompt.instruction,
    message:
        "RL set {wildcards.rl}: prompts"
    shell:
        "{PYTHON} scripts/write_rl_prompts.py --name {wildcards.rl} --problems {input}"
        " --instruction {params.instruction:q} --output {output}" + LOGGED


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
        gold=lambda wildcards: CONFIG.benchmarks[wildcards.benchmark].gold,
    message:
        "Benchmark {wildcards.benchmark}: problems"
    shell:
        "{PYTHON} scripts/prepare_problems.py --name {wildcards.benchmark} --source {params.source:q}"
        " --gold {params.gold} --rows {params.rows} --columns {params.columns:q} --output {output}"
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
    resources:
        mem_mb=4000,
    params:
        columns=lambda wildcards: training_columns(
            wildcards.kind, wildcards.training_set
        ),
        benchmarks=" ".join(
            f"--benchmark {name}={ROOT}/data/benchmarks/{name}.parquet"
            for name in USED_BENCHMARKS
        ),
    message:
        "Contamination: benchmark problems in {wildcards.training_set}"
    shell:
        "{PYTHON} scripts/find_contamination.py --name {wildcards.training_set} --kind {wildcards.kind}"
        " --data {input.data} --columns {params.columns:q} {params.benchmarks} --workers {threads}"
        " --output {output.pairs} --summary {output.summary}" + LOGGED
