# Reinforcement learning by verl.


rule grpo:
    """One GRPO run from one SFT model, with its evenly spaced checkpoints; resumes if it was cut off."""
    input:
        model=f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
        data=f"{ROOT}/data/rl/{{rl}}.parquet",
        parity=f"{ROOT}/data/prompts/{{model}}.parity.json",
        environment=environment("grpo"),
    output:
        metrics=f"{ROOT}/{{model}}/{{recipe}}/grpo/{{rl}}/run{{run}}/metrics.jsonl",
        checkpoints=expand(
            f"{ROOT}/{{{{model}}}}/{{{{recipe}}}}/grpo/{{{{rl}}}}/run{{{{run}}}}/checkpoint{{index}}/model/checkpoint.json",
            index=range(1, CONFIG.grpo.checkpoints + 1),
        ),
    log:
        f"{LOGS}/grpo/{{model}}/{{recipe}}.{{rl}}.run{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/grpo/{{model}}/{{recipe}}.{{rl}}.run{{run}}.tsv"
    # GRPO is what takes longest, and everything waits for it.
    priority: 10
    threads: 1
    resources:
        mem_mb=5500,
    params:
        accelerator=CONFIG.accelerator,
        python=python("grpo"),
        run=grpo_settings,
        settings=CONFIG.grpo.settings,
        settings_content=settings_of(CONFIG.grpo.settings),
        work=f"{ROOT}/{{model}}/{{recipe}}/grpo/{{rl}}/run{{run}}/work",
    message:
        "GRPO {wildcards.model} {wildcards.recipe} on {wildcards.rl}, run {wildcards.run}: training"
    shell:
        "OMP_NUM_THREADS={threads} {params.python} scripts/train_grpo.py --name 'GRPO {wildcards.recipe} run {wildcards.run}'"
        " --model $(dirname {input.model}) --data {input.data} --settings {params.settings} --run {params.run:q}"
        " --accelerator {params.accelerator} --work {params.work} --output $(dirname {output.metrics}) --log {log}"
