# Metrics of all models, and what is made of them.


rule run_sheet:
    """The expanded config, one row per study and SFT model, for review."""
    output:
        report(
            f"{ROOT}/run_sheet.tsv",
            caption="report/run_sheet.rst",
            category="Experiment",
        ),
    localrule: True
    params:
        # Written by `run`: on a command line a large grid's sheet is longer than one may be.
        sheet=EXPERIMENT.sheet.to_csv(sep="\t", index=False),
    message:
        "Run sheet"
    run:
        write_text(output[0], params.sheet)


rule metrics:
    """Predictors and outcomes of every SFT model."""
    input:
        # Not `rules.run_sheet.output`: with it Snakemake hashes all inputs once for each of these thousands of files.
        sheet=f"{ROOT}/run_sheet.tsv",
        records=[model_record(run.checkpoint) for run in EXPERIMENT.sft_runs.values()],
        scores=expand(
            f"{ROOT}/{{checkpoint}}/eval/scores.json",
            checkpoint=EXPERIMENT.checkpoints,
        ),
        losses=[
            f"{ROOT}/{run.checkpoint}/generalization_loss.{dataset}.json"
            for run, dataset in EXPERIMENT.losses()
        ],
        training=expand(f"{ROOT}/{{run}}/metrics.jsonl", run=EXPERIMENT.grpo_runs),
    output:
        metrics=f"{ROOT}/metrics.parquet",
        curves=f"{ROOT}/pass_at_k.parquet",
        training=f"{ROOT}/grpo_training.parquet",
    log:
        f"{LOGS}/metrics.log",
    localrule: True
    params:
        large_k=CONFIG.evaluation.large_k,
    message:
        "Metrics of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/collect_metrics.py --sheet {input.sheet} --root {ROOT}"
        " --large-k {params.large_k} --output {output.metrics} --curves {output.curves}"
        " --training {output.training}" + LOGGED


rule tables:
    """The models, and how well each predictor foretells the outcome after RL."""
    input:
        rules.metrics.output.metrics,
    output:
        models=report(
            f"{ROOT}/tables/models.csv", caption="report/models.rst", category="Tables"
        ),
        predictors=report(
            f"{ROOT}/tables/predictors.csv",
            caption="report/predictors.rst",
            category="Tables",
        ),
        markdown=f"{ROOT}/tables/tables.md",
    log:
        f"{LOGS}/tables.log",
    localrule: True
    params:
        seed=CONFIG.seed,
        label=CONFIG.label,
    message:
        "Tables of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/make_tables.py --metrics {input} --seed {params.seed} --label {params.label:q}"
        " --models {output.models} --predictors {output.predictors} --markdown {output.markdown}"
        + LOGGED


rule contamination_table:
    """How many problems of each benchmark stand in each SFT and RL set."""
    input:
        expand(
            f"{ROOT}/data/contamination/{{training_set}}.json",
            training_set=TRAINING_SETS,
        ),
    output:
        csv=report(
            f"{ROOT}/tables/contamination.csv",
            caption="report/contamination.rst",
            category="Tables",
        ),
        markdown=f"{ROOT}/tables/contamination.md",
    log:
        f"{LOGS}/contamination_table.log",
    localrule: True
    message:
        "Contamination of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/contamination_table.py --summaries {input} --csv {output.csv}"
        " --markdown {output.markdown}" + LOGGED


FIGURES = ("sft_and_rl", "loss_and_gain", "pass_at_k", "grpo_training")


rule figures:
    """All figures, from stored metrics alone."""
    input:
        **{
            name: getattr(rules.metrics.output, name)
            for name in ("metrics", "curves", "training")
        },
    output:
        *(
            report(
                f"{ROOT}/figures/{figure}.svg",
                caption=f"report/{figure}.rst",
                category="Figures",
            )
            for figure in FIGURES
        ),
        expand(
            f"{ROOT}/figures/{{figure}}.{{suffix}}",
            figure=FIGURES,
            suffix=("pdf", "png"),
        ),
    log:
        f"{LOGS}/figures.log",
    localrule: True
    params:
        label=CONFIG.label,
    message:
        "Figures of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/make_figures.py --metrics {input.metrics} --curves {input.curves} --training {input.training}"
        " --label {params.label:q} --output $(dirname {output[0]})" + LOGGED
