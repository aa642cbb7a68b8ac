# Supervised fine-tuning by LLaMA-Factory, and the generalization loss of what it made.


rule sft:
    """Fine-tune on one subset; resumes if an earlier attempt was cut off."""
    input:
        data=lambda wildcards: "{root}/data/sft/{run.dataset}/{run.model}/{run.subset}.jsonl".format(
            root=ROOT, run=sft_run(wildcards)
        ),
        model=lambda wildcards: f"{CONFIG.models[wildcards.model].path}/config.json",
        parity=f"{ROOT}/data/prompts/{{model}}.parity.json",
        environment=environment("sft"),
    output:
        f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
    log:
        f"{LOGS}/sft/{{model}}/{{recipe}}.log",
    benchmark:
        f"{BENCHMARKS}/sft/{{model}}/{{recipe}}.tsv"
    # The base has no training: rule base_model makes it.
    wildcard_constraints:
        recipe=_one_of({run.recipe for run in EXPERIMENT.sft_runs.values()} - {BASE}),
    threads: 1
    resources:
        mem_mb=3000,
    params:
        python=python("sft"),
        model=lambda wildcards: CONFIG.models[wildcards.model].path,
        run=lambda wildcards: sft_settings(sft_run(wildcards)),
        settings=CONFIG.sft.settings,
        settings_content=settings_of(CONFIG.sft.settings),
        work=f"{ROOT}/{{model}}/{{recipe}}/sft/work",
    message:
        "SFT {wildcards.model} {wildcards.recipe}: training"
    shell:
        "OMP_NUM_THREADS={threads} {params.python} scripts/train_sft.py --name 'SFT {wildcards.recipe}'"
        " --model {params.model} --data {input.data} --settings {params.settings} --run {params.run:q}"
        " --work {params.work} --output $(dirname {output}) --log {log}"


rule generalization_loss:
    """Mean loss per token on held-out traces, computed apart from training."""
    input:
        model=f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
        data=f"{ROOT}/data/sft/{{dataset}}/{{model}}/validation.jsonl",
        environment=environment("sft"),
    output:
        summary=f"{ROOT}/{{model}}/{{recipe}}/sft/generalization_loss.{{dataset}}.json",
        examples=f"{ROOT}/{{model}}/{{recipe}}/sft/generalization_loss.{{dataset}}.parquet",
    log:
        f"{LOGS}/generalization_loss/{{model}}/{{recipe}}.{{dataset}}.log",
    resources:
        mem_mb=2000,
    params:
        python=python("sft"),
    message:
        "SFT {wildcards.model} {wildcards.recipe}: generalization loss"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS={threads} {params.python} scripts/generalization_loss.py"
        " --model $(dirname {input.model}) --data {input.data} --output {output.summary}"
        " --examples {output.examples}" + LOGGED
