# Supervised fine-tuning, and the generalization loss of what it made.


def sft_request(wildcards):
    """What an SFT job asks of the cluster."""
    return requests.sft_request(sft_run(wildcards), EXPERIMENT)


def loss_request(wildcards):
    """What computing a generalization loss asks of the cluster."""
    return requests.loss_request(sft_run(wildcards), EXPERIMENT, wildcards.dataset)


# <model>/<recipe> of the SFT models that are one of several of a training.
RUNGS = [
    f"{run.model}/{run.recipe}"
    for run in EXPERIMENT.sft_runs.values()
    if EXPERIMENT.rungs(run)
]


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
    # The base has no training: rule base_model makes it. The models of a ladder are taken from it by sft_rung.
    wildcard_constraints:
        model=rf"(?!({_one_of(RUNGS)})/sft/)({_one_of(CONFIG.models)})",
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


use rule sft as sft_ladder with:
    output:
        f"{ROOT}/{{model}}/{{recipe}}/sft/ladder/training.json",
    wildcard_constraints:
        recipe=NOT_BASE,


rule sft_rung:
    """One model of a ladder: what its training was after some of its epochs."""
    input:
        lambda wildcards: "{root}/{run.training.checkpoint}/ladder/training.json".format(
            root=ROOT, run=sft_run(wildcards)
        ),
    output:
        f"{ROOT}/{{model}}/{{recipe}}/sft/model/training.json",
    log:
        f"{LOGS}/sft_rung/{{model}}/{{recipe}}.log",
    wildcard_constraints:
        model=rf"(?=({_one_of(RUNGS)})/sft/)({_one_of(CONFIG.models)})",
    localrule: True
    params:
        epoch=lambda wildcards: f"{sft_run(wildcards).epochs:g}",
    message:
        "SFT {wildcards.model} {wildcards.recipe}: its model of the ladder"
    shell:
        "{PYTHON} scripts/adopt_rung.py --ladder $(dirname {input}) --epoch {params.epoch}"
        " --output $(dirname {output})" + LOGGED


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
    wildcard_constraints:
        dataset=_one_of({*CONFIG.sft_datasets, COMMON}),
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
