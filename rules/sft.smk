# Supervised fine-tuning, and the generalization loss of what it made.


def sft_request(wildcards):
    """What an SFT job asks of the cluster."""
    return requests.sft_request(sft_run(wildcards), EXPERIMENT)


def loss_request(wildcards):
    """What computing a generalization loss asks of the cluster."""
    return requests.loss_request(sft_run(wildcards), EXPERIMENT)


rule sft:
    """Fine-tune on one subset; resumes if an earlier attempt was cut off."""
    input:
        data=lambda wildcards: "{root}/data/sft/{run.dataset}/{run.model}/{run.subset}.jsonl".format(
            root=ROOT, run=sft_run(wildcards)
        ),
        model=model_ready("{model}"),
        parity=f"{ROOT}/data/prompts/{{model}}.parity.json",
        checked=f"{ROOT}/data/checks/{SFT_ENVIRONMENT}.{{model}}.json",
        environment=environment(SFT_ENVIRONMENT),
    output:
        f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
    log:
        f"{LOGS}/sft/{{model}}/{{recipe}}.log",
    benchmark:
        f"{BENCHMARKS}/sft/{{model}}/{{recipe}}.tsv"
    # The base has no training: rule base_model makes it.
    wildcard_constraints:
        recipe=NOT_BASE,
    threads: processors(devices_of("sft"), sft_request)
    resources:
        **asks(devices_of("sft"), sft_request, cpu_memory_mb=3000),
        # Here and not among the params: another value must not repeat a run.
        save_steps=lambda wildcards: EXPERIMENT.sft[wildcards.model].save_steps,
        stall_minutes=lambda wildcards: EXPERIMENT.sft[wildcards.model].stall_minutes,
    params:
        **trainer_params("sft"),
        python=python(SFT_ENVIRONMENT),
        run=lambda wildcards: settings_json(
            runs.sft_settings(sft_run(wildcards), EXPERIMENT).as_dict()
        ),
        settings=lambda wildcards: EXPERIMENT.sft[wildcards.model].settings,
        settings_content=lambda wildcards: engine_files.settings_content(
            EXPERIMENT.sft[wildcards.model].settings
        ),
        work=f"{ROOT}/{{model}}/{{recipe}}/sft/work",
    message:
        "SFT {wildcards.model} {wildcards.recipe}: training"
    shell:
        "OMP_NUM_THREADS="
        + THREADS_PER_PROCESS
        + " {params.python} scripts/train_sft.py"
        + trainer_option("sft")
        + " --name 'SFT {wildcards.model} {wildcards.recipe}' --model $(dirname {input.model}) --data {input.data}"
        " --settings {params.settings} --run {params.run:q} --save-steps {resources.save_steps}"
        " --stall-minutes {resources.stall_minutes} --work {params.work} --output $(dirname {output}) --log {log}"


rule generalization_loss:
    """Mean loss per token on held-out traces, computed apart from training."""
    input:
        model=f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
        data=f"{ROOT}/data/sft/{{dataset}}/{{model}}/validation.jsonl",
        environment=environment(SFT_ENVIRONMENT),
    output:
        summary=f"{ROOT}/{{model}}/{{recipe}}/sft/generalization_loss.{{dataset}}.json",
        examples=f"{ROOT}/{{model}}/{{recipe}}/sft/generalization_loss.{{dataset}}.parquet",
    log:
        f"{LOGS}/generalization_loss/{{model}}/{{recipe}}.{{dataset}}.log",
    threads: processors(1, loss_request)
    resources:
        **asks(1, loss_request, cpu_memory_mb=2000),
    params:
        python=python(SFT_ENVIRONMENT),
    message:
        "SFT {wildcards.model} {wildcards.recipe}: generalization loss"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS="
        + THREADS_PER_PROCESS
        + " {params.python} scripts/generalization_loss.py"
        " --model $(dirname {input.model}) --data {input.data} --output {output.summary}"
        " --examples {output.examples}" + LOGGED
