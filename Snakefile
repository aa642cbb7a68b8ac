"""From reasoning traces through SFT, GRPO and evaluation to tables and figures."""

from snakemake.utils import min_version

min_version("9.14")


configfile: "config/base.yaml"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/paths.smk"
include: "profiles/slurm/guard.smk"
include: "rules/envs.smk"
include: "rules/downloads.smk"
include: "rules/models.smk"
include: "rules/data.smk"
include: "rules/checks.smk"
include: "rules/sft.smk"
include: "rules/rl.smk"
include: "rules/evaluate.smk"
include: "rules/analysis.smk"


if CONFIG.walk_world:

    include: "rules/demo.smk"


include: "rules/targets.smk"


# In the place of the guard's own: Snakemake keeps the last block of this name.
onstart:
    refuse_what_would_hang()
    write_text(WAITING, waiting_samples())


rule all:
    """Everything the config asks for."""
    default_target: True
    input:
        rules.run_sheet.output,
        rules.tables.output,
        rules.figures.output,
        rules.ranking.output,
        rules.prediction.output,
        rules.report.output,
    message:
        "All of {CONFIG.experiment} is there"
