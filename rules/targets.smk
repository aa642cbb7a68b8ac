# The targets a person types, but for `all`: Snakemake looks for its default target in the Snakefile only.


rule sft_models:
    """All SFT models, evaluated; no RL."""
    input:
        expand(
            f"{ROOT}/{{checkpoint}}/eval/scores.json", checkpoint=EXPERIMENT.sft_runs
        ),
        SFT_RESULTS["losses"],


rule environments:
    """All engine environments, without running anything else."""
    input:
        [environment(name) for name in ENVIRONMENTS],


rule sheet:
    """Only the run sheet: what would be trained."""
    input:
        rules.run_sheet.output,


rule calibration:
    """RL of the models that the studies' `calibration` names: what `predict` starts from."""
    input:
        expand(
            f"{ROOT}/{{checkpoint}}/eval/scores.json",
            checkpoint=EXPERIMENT.calibration(),
        ),


# A decision is printed whenever it is asked for, so these rules have no output.


rule rank:
    """Which SFT models to take through RL, from what is known without RL."""
    input:
        rules.ranking.output,
    localrule: True
    message:
        "Which SFT models of {CONFIG.experiment} to take through RL"
    shell:
        "cat {input[0]}"


rule predict:
    """How good the SFT models without RL will be after it, from those that have been through it."""
    input:
        rules.prediction.output,
    localrule: True
    message:
        "SFT models of {CONFIG.experiment} after RL"
    shell:
        "cat {input[0]}"


rule plan:
    """What the experiment costs: tokens, GPU-hours, time, disk, jobs and money."""
    input:
        config=rules.merged_config.output,
        throughput=CONFIG.costs.throughput,
    localrule: True
    message:
        "What {CONFIG.experiment} costs"
    shell:
        PLANNING
