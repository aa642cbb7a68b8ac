# Metrics of all models, and what is made of them.


rule run_sheet:
    """The expanded config, one row per study and SFT model, for review."""
    output:
        f"{ROOT}/run_sheet.tsv",
    localrule: True
    params:
        # Written by `run`: on a command line a large grid's sheet is longer than one may be.
        sheet=EXPERIMENT.sheet.to_csv(sep="\t", index=False),
    message:
        "Run sheet"
    run:
        write_text(output[0], params.sheet)


rule analysis_settings:
    """What tables, figures and decisions need from the config, beside the metrics."""
    output:
        f"{ROOT}/analysis.json",
    localrule: True
    params:
        settings=analysis.analysis_settings(
            CONFIG, EXPERIMENT.sheet, STORED_LABEL
        ).model_dump_json(indent=2),
    message:
        "Settings of the analysis"
    run:
        write_text(output[0], params.settings + "\n")


# Apart from the settings of the analysis: its changes repeat the report and no table or figure.
rule merged_config:
    """The whole config as it is used."""
    output:
        f"{ROOT}/config.json",
    localrule: True
    params:
        config=json.dumps(MERGED_CONFIG, indent=2),
    message:
        "Config of {CONFIG.experiment}"
    run:
        write_text(output[0], params.config + "\n")


SFT_RESULTS = {
    # Not `rules.run_sheet.output`: with it Snakemake hashes all inputs once for each of these thousands of files.
    "sheet": f"{ROOT}/run_sheet.tsv",
    "records": [model_record(run.checkpoint) for run in EXPERIMENT.sft_runs.values()],
    "losses": [
        f"{ROOT}/{run.checkpoint}/generalization_loss.{dataset}.json"
        for run, dataset in EXPERIMENT.losses()
    ],
}


# With stored metrics alone there is nothing to make them from: they are taken as they are.
if not ONLY_METRICS:

    rule metrics:
        """Predictors and outcomes of every SFT model."""
        input:
            **SFT_RESULTS,
            scores=expand(
                f"{ROOT}/{{checkpoint}}/eval/scores.json",
                checkpoint=EXPERIMENT.checkpoints,
            ),
            training=expand(f"{ROOT}/{{run}}/metrics.jsonl", run=EXPERIMENT.rl_runs),
        output:
            metrics=f"{ROOT}/metrics.parquet",
            curves=f"{ROOT}/pass_at_k.parquet",
            training=f"{ROOT}/grpo_training.parquet",
        log:
            f"{LOGS}/metrics.log",
        localrule: True
        params:
            large_k=CONFIG.evaluation.large_k,
            seed=CONFIG.seed,
            label=CONFIG.label,
        message:
            "Metrics of {CONFIG.experiment}"
        shell:
            "{PYTHON} scripts/collect_metrics.py --sheet {input.sheet} --root {ROOT}"
            " --large-k {params.large_k} --seed {params.seed} --label {params.label:q} --output {output.metrics}"
            " --curves {output.curves} --training {output.training}" + LOGGED

    rule metrics_so_far:
        """Predictors of every SFT model, and outcomes of those that have been through RL."""
        input:
            **SFT_RESULTS,
            scores=expand(
                f"{ROOT}/{{checkpoint}}/eval/scores.json",
                checkpoint=EXPERIMENT.sft_runs,
            ),
        output:
            f"{ROOT}/decisions/metrics.parquet",
        log:
            f"{LOGS}/metrics_so_far.log",
        localrule: True
        params:
            large_k=CONFIG.evaluation.large_k,
            seed=CONFIG.seed,
            label=CONFIG.label,
            # No inputs: what RL has left is read, never made or repeated to rank models.
            # Looked for when the job is planned, not whenever rules are read.
            finished=lambda wildcards: progress.finished_scores(EXPERIMENT),
        message:
            "Metrics of {CONFIG.experiment} so far"
        shell:
            "{PYTHON} scripts/collect_metrics.py --sheet {input.sheet} --root {ROOT}"
            " --large-k {params.large_k} --seed {params.seed} --label {params.label:q} --output {output} --rl-optional"
            + LOGGED


METRICS = f"{ROOT}/metrics.parquet"
METRICS_SO_FAR = f"{ROOT}/decisions/metrics.parquet" if SO_FAR else METRICS


rule tables:
    """The models, and how well each predictor foretells the outcome after RL."""
    input:
        metrics=METRICS,
        settings=rules.analysis_settings.output,
        published="results/published/tables.csv",
        captions=CAPTIONS,
    output:
        expand(
            f"{ROOT}/tables/{{table}}.{{suffix}}",
            table=TABLES,
            suffix=("csv", "json", "md", "tex"),
        ),
        f"{ROOT}/tables/tables.md",
    log:
        f"{LOGS}/tables.log",
    localrule: True
    message:
        "Tables of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/make_tables.py --metrics {input.metrics} --analysis {input.settings}"
        " --published {input.published} --captions {input.captions} --output $(dirname {output[0]})"
        + LOGGED


rule contamination_table:
    """How many problems of each benchmark stand in each SFT and RL set."""
    input:
        expand(
            f"{ROOT}/data/contamination/{{training_set}}.json",
            training_set=TRAINING_SETS,
        ),
    output:
        csv=f"{ROOT}/tables/contamination.csv",
        markdown=f"{ROOT}/tables/contamination.md",
    log:
        f"{LOGS}/contamination_table.log",
    localrule: True
    message:
        "Contamination of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/contamination_table.py --summaries {input} --csv {output.csv}"
        " --markdown {output.markdown}" + LOGGED


rule figures:
    """All figures, from stored metrics alone."""
    input:
        **CURVES,
        metrics=METRICS,
        settings=rules.analysis_settings.output,
    output:
        expand(
            f"{ROOT}/figures/{{figure}}.{{suffix}}",
            figure=FIGURES,
            suffix=("pdf", "svg", "png"),
        ),
    log:
        f"{LOGS}/figures.log",
    localrule: True
    threads: 2
    params:
        curves=" ".join(f"--{name} {path}" for name, path in CURVES.items()),
    message:
        "Figures of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/make_figures.py --metrics {input.metrics} --analysis {input.settings} {params.curves}"
        " --workers {threads} --output $(dirname {output[0]})" + LOGGED


rule ranking:
    """SFT models in the order to take them through RL."""
    input:
        metrics=METRICS_SO_FAR,
        settings=rules.analysis_settings.output,
    output:
        expand(f"{ROOT}/decisions/rank.{{suffix}}", suffix=("txt", "csv", "json")),
    log:
        f"{LOGS}/ranking.log",
    localrule: True
    message:
        "Ranking the SFT models of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/rank_models.py --metrics {input.metrics} --analysis {input.settings}"
        " --output-folder $(dirname {output[0]})" + LOGGED


rule prediction:
    """Outcomes of the SFT models that have not been through RL, from those that have."""
    input:
        metrics=METRICS_SO_FAR,
        settings=rules.analysis_settings.output,
    output:
        expand(f"{ROOT}/decisions/predict.{{suffix}}", suffix=("txt", "csv", "json")),
    log:
        f"{LOGS}/prediction.log",
    localrule: True
    message:
        "Predicting the outcomes of {CONFIG.experiment}"
    shell:
        "{PYTHON} scripts/predict_outcomes.py --metrics {input.metrics} --analysis {input.settings}"
        " --output-folder $(dirname {output[0]})" + LOGGED


# Speeds are those of the runs so far, where there are any.
PLANNING = (
    "{PYTHON} scripts/measure_throughput.py --config {input.config} &&"
    " {PYTHON} scripts/plan.py --config {input.config} --benchmarks {BENCHMARKS}"
    " --output-folder {ROOT}/decisions"
)


rule costs:
    """What the experiment costs, and what it has cost so far."""
    input:
        config=rules.merged_config.output,
        throughput=CONFIG.costs.throughput,
        # Spent is what the runs so far have taken.
        results=METRICS,
    output:
        expand(f"{ROOT}/decisions/plan.{{suffix}}", suffix=("txt", "csv", "json")),
    log:
        f"{LOGS}/costs.log",
    localrule: True
    message:
        "Costs of {CONFIG.experiment}"
    shell:
        # What has been spent is not refused.
        "{{ " + PLANNING + " --no-limit; }}" + LOGGED


rule report:
    """One HTML file with everything, to be read offline."""
    input:
        tables=rules.tables.output,
        figures=rules.figures.output,
        ranking=rules.ranking.output,
        prediction=rules.prediction.output,
        costs=rules.costs.output,
        sheet=rules.run_sheet.output,
        settings=rules.analysis_settings.output,
        config=rules.merged_config.output,
        captions=CAPTIONS,
        contamination=[] if ONLY_METRICS else rules.contamination_table.output,
    output:
        f"{ROOT}/report.html",
    log:
        f"{LOGS}/report.log",
    localrule: True
    message:
        "Report of {CONFIG.experiment}: {output}"
    shell:
        "{PYTHON} scripts/make_report.py --results {ROOT} --analysis {input.settings} --config {input.config}"
        " --captions {input.captions} --output {output}" + LOGGED
