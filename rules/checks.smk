# Every run's settings, checked by the engines themselves on a machine without a GPU before any of them is trained.


rule settings_of_runs:
    """The settings of all runs of an engine."""
    output:
        f"{ROOT}/data/checks/{{engine}}.runs.json",
    wildcard_constraints:
        engine="sft|grpo",
    localrule: True
    params:
        runs=lambda wildcards: json.dumps(
            getattr(run_settings, f"{wildcards.engine}_checks")(EXPERIMENT), indent=1
        ),
    message:
        "Settings of all {wildcards.engine} runs"
    run:
        write_text(output[0], params.runs)


rule checked_settings:
    """Refuse settings that an engine would refuse, or misread in silence, after hours in a queue."""
    input:
        runs=rules.settings_of_runs.output,
        models=expand(
            f"{ROOT}/data/models/{{model}}/model.json",
            model={run.model for run in EXPERIMENT.sft_runs.values()},
        ),
        environment=lambda wildcards: environment(wildcards.engine),
    output:
        f"{ROOT}/data/checks/{{engine}}.json",
    log:
        f"{LOGS}/checked_settings/{{engine}}.log",
    wildcard_constraints:
        engine="sft|grpo",
    localrule: True
    params:
        python=lambda wildcards: python(wildcards.engine),
    message:
        "Settings of all {wildcards.engine} runs: checked by the engine"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 {params.python} scripts/check_settings.py --engine {wildcards.engine}"
        " --runs {input.runs} --output {output}" + LOGGED
