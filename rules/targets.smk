# The targets a person types, but for `all`: Snakemake looks for its default target in the Snakefile only.


rule sft_models:
    """All SFT models, evaluated; no RL."""
    input:
        expand(
            f"{ROOT}/{{checkpoint}}/eval/scores.json", checkpoint=EXPERIMENT.sft_runs
        ),
        rules.metrics.input.losses,


rule environments:
    """All engine environments, without running anything else."""
    input:
        [environment(name) for name in ENVIRONMENTS],


rule sheet:
    """Only the run sheet: what would be trained."""
    input:
        rules.run_sheet.output,
