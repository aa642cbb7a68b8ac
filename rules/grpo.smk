# Reinforcement learning by verl.


def grpo_request(wildcards):
    """What a GRPO job asks of the cluster."""
    return requests.grpo_request(grpo_run(wildcards), EXPERIMENT)


def merged_model(path):
    """A checkpoint's model: kept, or only until it has been sampled from."""
    return directory(path) if CONFIG.grpo.keep_models else temp(directory(path))


rule grpo:
    """One GRPO run from one SFT model, with its evenly spaced checkpoints; resumes if it was cut off."""
    input:
        model=f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
        data=f"{ROOT}/data/rl/{{rl}}/{{model}}.parquet",
        parity=f"{ROOT}/data/prompts/{{model}}.parity.json",
        checked=f"{ROOT}/data/checks/grpo.{{model}}.{{rl}}.json",
        environment=environment("grpo"),
    output:
        metrics=f"{ROOT}/{{model}}/{{recipe}}/grpo/{{rl}}/run{{run}}/metrics.jsonl",
        checkpoints=[
            merged_model(
                f"{ROOT}/{{model}}/{{recipe}}/grpo/{{rl}}/run{{run}}/checkpoint{index}/model"
            )
            for index in range(1, CONFIG.grpo.checkpoints + 1)
        ],
    log:
        f"{LOGS}/grpo/{{model}}/{{recipe}}.{{rl}}.run{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/grpo/{{model}}/{{recipe}}.{{rl}}.run{{run}}.tsv"
    # GRPO is what takes longest, and everything waits for it.
    priority: 10
    threads: processors(devices_of("grpo"), grpo_request)
    resources:
        **asks(devices_of("grpo"), grpo_request, cpu_memory_mb=5500),
        # Here and not among the params: another value must not repeat a run.
        save_steps=lambda wildcards: EXPERIMENT.grpo[wildcards.model].save_steps,
        stall_minutes=lambda wildcards: EXPERIMENT.grpo[wildcards.model].stall_minutes,
    params:
        accelerator=CONFIG.accelerator,
        python=python("grpo"),
        run=lambda wildcards: settings_json(
            runs.grpo_settings(grpo_run(wildcards), EXPERIMENT)
        ),
        settings=lambda wildcards: EXPERIMENT.grpo[wildcards.model].settings,
        settings_content=lambda wildcards: engine_files.settings_content(
            EXPERIMENT.grpo[wildcards.model].settings
        ),
        work=f"{ROOT}/{{model}}/{{recipe}}/grpo/{{rl}}/run{{run}}/work",
    message:
        "GRPO {wildcards.model} {wildcards.recipe} on {wildcards.rl}, run {wildcards.run}: training"
    shell:
        "OMP_NUM_THREADS="
        + THREADS_PER_PROCESS
        + " {params.python} scripts/train_grpo.py"
        " --name 'GRPO {wildcards.model} {wildcards.recipe} run {wildcards.run}' --model $(dirname {input.model})"
        " --data {input.data} --settings {params.settings} --run {params.run:q} --accelerator {params.accelerator}"
        " --save-steps {resources.save_steps} --stall-minutes {resources.stall_minutes} --work {params.work} --output $(dirname {output.metrics}) --log {log}"
