# Settings, checked by the engines themselves on a machine without a GPU before anything is trained with them.

CHECKS = runs_to_check(EXPERIMENT)


# Names, not a pattern: an SFT check and an RL check may be of one environment.
wildcard_constraints:
    check=_one_of(CHECKS),


def engine_option(check):
    """What check_settings.py is told of the stage and its trainer."""
    # RL's checks alone know a number of problems.
    stage, engine = ("rl", "grpo") if "problems" in CHECKS[check] else ("sft", "sft")
    other = OTHER_TRAINERS.get(stage)
    return f"{engine} --trainer {other['trainer']}" if other else engine


rule settings_to_check:
    """The settings of one model for one engine."""
    output:
        f"{ROOT}/data/checks/{{check}}.settings.json",
    localrule: True
    params:
        runs=lambda wildcards: json.dumps([CHECKS[wildcards.check]], indent=1),
    message:
        "Settings of {wildcards.check}"
    run:
        write_text(output[0], params.runs)


rule checked_settings:
    """Refuse settings that an engine would refuse, or misread in silence, after hours in a queue.

    A run depends on the check of its own settings alone: what changes the one changes the other.
    """
    input:
        runs=rules.settings_to_check.output,
        model=lambda wildcards: model_ready(wildcards.check.split(".")[1]),
        environment=lambda wildcards: environment(wildcards.check.split(".")[0]),
    output:
        f"{ROOT}/data/checks/{{check}}.json",
    log:
        f"{LOGS}/checked_settings/{{check}}.log",
    localrule: True
    params:
        engine=lambda wildcards: engine_option(wildcards.check),
        python=lambda wildcards: python(wildcards.check.split(".")[0]),
    message:
        "Settings of {wildcards.check}: checked by the engine"
    shell:
        "HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 {params.python} scripts/check_settings.py --engine {params.engine}"
        " --runs {input.runs} --output {output}" + LOGGED
