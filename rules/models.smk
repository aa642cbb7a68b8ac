# Models to start from, and the check that all engines render the same prompt for them.


rule base_model:
    """The model without SFT, where the workflow looks for every other SFT model."""
    input:
        lambda wildcards: f"{CONFIG.models[wildcards.model].path}/config.json",
    output:
        f"{ROOT}/{{model}}/{BASE}/sft/model/training.json",
    log:
        f"{LOGS}/base_model/{{model}}.log",
    localrule: True
    params:
        model=lambda wildcards: CONFIG.models[wildcards.model].path,
    message:
        "Base model {wildcards.model}: no SFT"
    shell:
        "{PYTHON} scripts/adopt_model.py --model {params.model} --output $(dirname {output})"
        + LOGGED


RENDERERS = {"llamafactory": "sft", "verl": "grpo", "vllm": "evaluate"}


rule rendered_prompts:
    """A few prompts as one engine tokenizes them."""
    input:
        model=lambda wildcards: f"{CONFIG.models[wildcards.model].path}/config.json",
        problems=lambda wildcards: CONFIG.sft_datasets[
            probe_study(wildcards.model).sft_dataset
        ].path,
        environment=lambda wildcards: environment(RENDERERS[wildcards.engine]),
    output:
        f"{ROOT}/data/prompts/{{model}}.{{engine}}.json",
    log:
        f"{LOGS}/rendered_prompts/{{model}}.{{engine}}.log",
    wildcard_constraints:
        engine="|".join(RENDERERS),
    params:
        instruction=CONFIG.prompt.instruction,
        python=lambda wildcards: python(RENDERERS[wildcards.engine]),
        model=lambda wildcards: CONFIG.models[wildcards.model].path,
        template=yaml_value(CONFIG.sft.settings, "template"),
        columns=lambda wildcards: columns(
            "sft_datasets", probe_study(wildcards.model).sft_dataset
        ),
    message:
        "Prompts of {wildcards.model} by {wildcards.engine}"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 {params.python} scripts/render_prompts.py --engine {wildcards.engine}"
        " --model {params.model} --problems {input.problems} --instruction {params.instruction:q}"
        " --columns {params.columns:q} {params.template} --output {output}" + LOGGED


rule prompt_parity:
    """Refuse to train unless every engine sees the same prompt."""
    input:
        expand(f"{ROOT}/data/prompts/{{{{model}}}}.{{engine}}.json", engine=RENDERERS),
    output:
        f"{ROOT}/data/prompts/{{model}}.parity.json",
    log:
        f"{LOGS}/prompt_parity/{{model}}.log",
    localrule: True
    message:
        "Prompts of {wildcards.model}: the same for LLaMA-Factory, verl and vLLM?"
    shell:
        "{PYTHON} scripts/check_prompt_parity.py --rendered {input} --output {output}"
        + LOGGED
