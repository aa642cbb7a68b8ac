# Reinforcement learning.


def rl_request(wildcards):
    """What an RL job asks of the cluster."""
    return requests.rl_request(rl_run(wildcards), EXPERIMENT)


def merged_model(path):
    """A checkpoint's model: kept, or only until it has been sampled from."""
    return directory(path) if CONFIG.rl.keep_models else temp(directory(path))


rule rl:
    """One RL run from one SFT model, with its evenly spaced checkpoints; resumes if it was cut off."""
    input:
        model=f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
        data=f"{ROOT}/data/rl/{{rl}}/{{model}}.parquet",
        parity=f"{ROOT}/data/prompts/{{model}}.parity.json",
        checked=f"{ROOT}/data/checks/{RL_ENVIRONMENT}.{{model}}.{{rl}}.json",
        environment=environment(RL_ENVIRONMENT),
    output:
        metrics=f"{ROOT}/{{model}}/{{recipe}}/{{algorithm}}/{{rl}}/run{{run}}/metrics.jsonl",
        checkpoints=[
            merged_model(
                f"{ROOT}/{{model}}/{{recipe}}/{{algorithm}}/{{rl}}/run{{run}}/checkpoint{index}/model"
            )
            for index in range(1, CONFIG.rl.checkpoints + 1)
        ],
    log:
        f"{LOGS}/{{algorithm}}/{{model}}/{{recipe}}.{{rl}}.run{{run}}.log",
    benchmark:
        f"{BENCHMARKS}/{{algorithm}}/{{model}}/{{recipe}}.{{rl}}.run{{run}}.tsv"
    # RL is what takes longest, and everything waits for it.
    priority: 10
    threads: processors(devices_of("rl"), rl_request)
    resources:
        **asks(devices_of("rl"), rl_request, cpu_memory_mb=5500),
        # Here and not among the params: another value must not repeat a run.
        save_steps=lambda wildcards: EXPERIMENT.rl[wildcards.model].save_steps,
        stall_minutes=lambda wildcards: EXPERIMENT.rl[wildcards.model].stall_minutes,
        title=lambda wildcards: ALGORITHMS[wildcards.algorithm].title,
    params:
        **trainer_params("rl"),
        accelerator=CONFIG.accelerator,
        python=python(RL_ENVIRONMENT),
        run=lambda wildcards: settings_json(
            runs.rl_settings(rl_run(wildcards), EXPERIMENT).as_dict()
        ),
        settings=lambda wildcards: EXPERIMENT.rl[wildcards.model].settings,
        settings_content=lambda wildcards: engine_files.settings_content(
            EXPERIMENT.rl[wildcards.model].settings, wildcards.algorithm
        ),
        work=f"{ROOT}/{{model}}/{{recipe}}/{{algorithm}}/{{rl}}/run{{run}}/work",
    message:
        "{resources.title} {wildcards.model} {wildcards.recipe} on {wildcards.rl}, run {wildcards.run}: training"
    shell:
        "OMP_NUM_THREADS="
        + THREADS_PER_PROCESS
        + " {params.python} scripts/train_rl.py"
        + trainer_option("rl")
        + " --name '{resources.title} {wildcards.model} {wildcards.recipe} run {wildcards.run}' --model $(dirname {input.model})"
        " --data {input.data} --settings {params.settings} --run {params.run:q} --accelerator {params.accelerator}"
        " --save-steps {resources.save_steps} --stall-minutes {resources.stall_minutes} --work {params.work} --output $(dirname {output.metrics}) --log {log}"
