# Models to start from, and the check that all engines render the same prompt for them.


def model_source(wildcards):
    """The config of a local model, or the record of its download."""
    model = CONFIG.models[wildcards.model]
    if model.path is not None:
        return f"{model.path}/config.json"
    return locations.download_record("models", model.hub.model, model.hub.revision)


def model_options(wildcards):
    """What is chosen for a model in place of its own, as options of prepare_model.py."""
    model = CONFIG.models[wildcards.model]
    chosen = {
        "--chat-template": model.chat_template,
        "--chat-template-sha256": model.chat_template_sha256,
        "--eos-token": model.eos_token,
    }
    return " ".join(
        f"{option} {shlex.quote(value)}" for option, value in chosen.items() if value
    )


def content_of(path):
    """A small file's text, if one is named."""
    return Path(path).read_text(encoding="utf-8") if path else ""


rule model:
    """A model to start from, with the chat template that was chosen for it."""
    input:
        model_source,
    output:
        model_ready("{model}"),
    log:
        f"{LOGS}/model/{{model}}.log",
    localrule: True
    params:
        options=model_options,
        # Its content, as a param: a new checkout's file is newer than every model trained with it.
        template=lambda wildcards: content_of(
            CONFIG.models[wildcards.model].chat_template
        ),
        origin=lambda wildcards: source_of(CONFIG.models[wildcards.model]),
    message:
        "Model {wildcards.model}"
    shell:
        "{PYTHON} scripts/prepare_model.py --model $(dirname {input}) --origin {params.origin:q} {params.options}"
        " --output $(dirname {output})" + LOGGED


rule base_model:
    """The model without SFT, where the workflow looks for every other SFT model."""
    input:
        model_ready("{model}"),
    output:
        f"{ROOT}/{{model}}/{BASE}/sft/model/training.json",
    log:
        f"{LOGS}/base_model/{{model}}.log",
    localrule: True
    message:
        "Base model {wildcards.model}: no SFT"
    shell:
        "{PYTHON} scripts/adopt_model.py --model $(dirname {input}) --output $(dirname {output})"
        + LOGGED


RENDERERS = {
    CONFIG.sft.trainer: SFT_ENVIRONMENT,
    CONFIG.rl.trainer: RL_ENVIRONMENT,
    "vllm": "evaluate",
}


rule rendered_prompts:
    """A few prompts as one engine tokenizes them."""
    input:
        model=model_ready("{model}"),
        problems=lambda wildcards: pool_file(probe_study(wildcards.model).sft_dataset),
        environment=lambda wildcards: environment(RENDERERS[wildcards.engine]),
    output:
        f"{ROOT}/data/prompts/{{model}}.{{engine}}.json",
    log:
        f"{LOGS}/rendered_prompts/{{model}}.{{engine}}.log",
    wildcard_constraints:
        engine="|".join(RENDERERS),
    resources:
        mem_mb=4000 if ON_GPUS else 2500,
        runtime=30,
    params:
        instruction=CONFIG.prompt.instruction,
        python=lambda wildcards: python(RENDERERS[wildcards.engine]),
        template=lambda wildcards: engine_files.template_option(
            EXPERIMENT.sft[wildcards.model]
        ),
    message:
        "Prompts of {wildcards.model} by {wildcards.engine}"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 {params.python} scripts/render_prompts.py --engine {wildcards.engine}"
        " --model $(dirname {input.model}) --problems {input.problems} --instruction {params.instruction:q}"
        " {params.template} --output {output}" + LOGGED


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
        "Prompts of {wildcards.model}: the same for both trainers and vLLM?"
    shell:
        "{PYTHON} scripts/check_prompt_parity.py --rendered {input} --output {output}"
        + LOGGED
