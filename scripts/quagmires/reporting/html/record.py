"""What was run, for the report: studies, sources and their revisions, settings, seeds, versions, hardware, checks."""

import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from quagmires.common import provenance
from quagmires.common.files import read_record
from quagmires.config.algorithms import ALGORITHMS
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.experiment import Experiment
from quagmires.config.schema import Config, Model, Pool, ProblemSource
from quagmires.data import locations
from quagmires.reporting.html.blocks import (
    Block,
    Fold,
    Gap,
    Part,
    Preformatted,
    ReportTable,
    Span,
    Text,
    from_rows,
    plain,
)
from quagmires.training.trainers import TRAINERS

ANALYSIS_PACKAGES = ("snakemake", "pandas", "numpy", "scipy", "statsmodels", "matplotlib")
# Where each stage leaves its versions and hardware, below the results of an experiment: {model} is one of its models,
# {algorithm} the RL algorithm of that model and {rl} its title, {environment} that of RL's trainer.
# A checkpoint's model may be gone after it was sampled from: what the check of its settings saw is left. (The settings
# themselves, beside it, hold no versions.)
RECORDS = {
    "SFT": "{model}/*/sft/model/training.json",
    "{rl}": "{model}/*/{algorithm}/*/run*/checkpoint*/model/checkpoint.json",
    "{rl}, check of settings": "data/checks/{environment}.{model}.*.json",
    "Sampling before RL": "{model}/*/sft/eval/samples.json",
    "Sampling after RL": "{model}/*/{algorithm}/*/run*/checkpoint*/eval/samples.json",
    "Generalization loss": "{model}/*/sft/generalization_loss.*.json",
}


def what_was_run(
    results: Path, experiment: Experiment, settings: AnalysisSettings, metrics: pd.DataFrame | None
) -> Iterator[Block]:
    """Of an experiment's results folder; `metrics` is None where there are none yet."""
    config = experiment.config
    used = {study.model: config.models[study.model] for study in config.studies.values()}
    ran = engines(results, experiment)
    if ran is None:
        yield Gap(f"{results} holds no record of any run: what follows is what the config asks for.")
    yield Part("studies", "Studies", [studies(settings, metrics)])
    notes = [
        Text([Span(model.title or name, "strong"), Span(f": {model.note}")])
        for name, model in used.items()
        if model.note
    ]
    yield Part("models", "Models", [models(results, used), *notes])
    yield Part("data", "Data", [datasets(results, config)])
    yield Part("settings", "Settings and seeds", [key_settings(experiment), *_whole_config(config)])
    proofs = [Text(plain(sentence)) for sentence in checks(results, used)]
    seen = [ran] if ran else [Gap("Versions and hardware of the runs are not known.")]
    yield Part("engines", "Engines and hardware", [*seen, *proofs, workflow(config)])


def studies(settings: AnalysisSettings, metrics: pd.DataFrame | None) -> ReportTable:
    """One row per study, with how many of its SFT models are measured and have been through RL."""
    rows = []
    for name, study in settings.studies.items():
        own = metrics[metrics["study"] == name] if metrics is not None else pd.DataFrame({"outcome": []})
        counts = len(study.recipes), len(own), int(own["outcome"].notna().sum())
        names = study.level, study.model_title, study.sft_dataset, study.rl_dataset
        rows.append([study.title, *names, *counts, ", ".join(study.benchmarks)])
    header = ["study", "level", "model", "SFT set", "RL set", "SFT models", "measured", "through RL", "benchmarks"]
    return from_rows(header, rows, "Studies")


def models(results: Path, used: dict[str, Model]) -> ReportTable:
    """Where each model is from; the revision that was downloaded where there is a record of it, else the config's."""
    rows = []
    for name, model in used.items():
        own = read_record(results / "data" / "models" / name / "model.json")
        template = own.get("chat_template_sha256") or model.chat_template_sha256 or ""
        size = f"{model.parameters:.3g}" if model.parameters else None
        rows.append([model.title or name, *_source(model, "models"), size, template[:12]])
    return from_rows(["model", "source", "revision", "parameters", "chat template (sha256)"], rows, "Models")


def datasets(results: Path, config: Config) -> ReportTable:
    """SFT pools, RL sets and benchmarks of the studies, with revisions and rows."""
    rows = []
    for kind, blocks, names in (
        ("SFT", config.sft_datasets, {study.sft_dataset for study in config.studies.values()}),
        ("RL", config.rl_datasets, {study.rl_dataset for study in config.studies.values()}),
        ("benchmark", config.benchmarks, {name for study in config.studies.values() for name in study.benchmarks}),
    ):
        for name in (name for name in blocks if name in names):
            pool = read_record(results / "data" / "sft" / name / "pool.json") if kind == "SFT" else {}
            kept = pool.get("kept_rows") or getattr(blocks[name], "kept_rows", None)
            rows.append([name, kind, *_source(blocks[name], "datasets"), blocks[name].rows, kept])
    return from_rows(["name", "for", "source", "revision", "rows", "rows kept"], rows, "Data sets")


def _source(block: Model | Pool | ProblemSource, kind: str) -> tuple[str, str]:
    """Where from, and which revision: the one that was downloaded where there is a record of it."""
    if block.hub is None:
        paths = block.path if isinstance(block.path, list) else [block.path]
        return ", ".join(map(str, paths)), "local file"
    identity = block.hub.model if isinstance(block, Model) else block.hub.dataset
    downloaded = read_record(Path(locations.download_record(kind, identity, block.hub.revision)))
    return identity, (downloaded.get("commit") or block.hub.revision)[:12] or "not pinned, not downloaded"


def key_settings(experiment: Experiment) -> ReportTable:
    """The settings that a reader asks for first; the whole config is below them."""
    config, algorithm = experiment.config, experiment.algorithm_title
    sft, rl, evaluation, analysis = config.sft, config.rl, config.evaluation, config.analysis
    (sft_by, _), (rl_by, _) = _trainer("sft", sft.trainer), _trainer("rl", rl.trainer)
    rows = {
        "seed": f"{config.seed}; {algorithm} run r has {config.seed} + r - 1",
        "prompt": f"the problem, a space, “{config.prompt.instruction}”",
        "SFT": f"{sft_by}; learning rate {sft.learning_rate:g}, epochs {sft.epochs:g} (where the run sheet has no"
        f" others), global batch {sft.global_batch_size}, at most {sft.cutoff_tokens:,} tokens, validation examples"
        f" {sft.validation_examples:,}, devices of a run {sft.devices}",
        algorithm: f"{rl_by}; learning rate {rl.learning_rate:g}, epochs {rl.epochs:g}, problems of a step"
        f" {rl.batch_size}, rollouts of a problem {rl.rollouts}, temperature {rl.temperature:g}, KL"
        f" {rl.kl_coefficient:g}, entropy {rl.entropy_coefficient:g}, at most {rl.max_prompt_tokens:,} +"
        f" {rl.max_response_tokens:,} tokens, runs of an SFT model {rl.runs}, evaluated checkpoints of a run"
        f" {rl.checkpoints}, devices of a run {rl.devices}",
        "evaluation": f"vLLM and math-verify; temperature {evaluation.temperature:g}, top p {evaluation.top_p:g}, at"
        f" most {evaluation.max_tokens:,} tokens, responses of a problem before RL {evaluation.samples}, after RL"
        f" {evaluation.samples_after_rl}, large k {evaluation.large_k}",
        "analysis": f"{analysis.splits} random splits, {analysis.confidence:.0%} intervals, the outcome is the"
        f" {analysis.outcome.replace('_', ' ')} over runs and checkpoints",
    }
    return from_rows(["setting", "value"], rows.items(), "Settings")


def _trainer(stage: str, name: str) -> tuple[str, str]:
    """The title and the environment of a trainer; of one that is not registered here, its name and any environment."""
    trainer = TRAINERS[stage].get(name)
    return (trainer.title, trainer.environment) if trainer else (name, "*")


def _whole_config(config: Config) -> list[Block]:
    values = config.model_dump(mode="json", exclude_defaults=True)
    return [
        Fold("The whole config", [Preformatted(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110))])
    ]


def engines(results: Path, experiment: Experiment) -> ReportTable | None:
    """One row for each set of versions and hardware that a stage ran with, with the number of records that say so.

    None where no run left a record.
    """
    _, environment = _trainer("rl", experiment.config.rl.trainer)
    rows = []
    for stage, pattern in RECORDS.items():
        found: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for model in dict.fromkeys(study.model for study in experiment.config.studies.values()):
            algorithm = experiment.rl[model].algorithm
            named = stage.format(rl=ALGORITHMS[algorithm].title)
            for path in sorted(results.glob(pattern.format(model=model, algorithm=algorithm, environment=environment))):
                one = read_record(path)
                if "versions" in one:
                    found[named][_versions(one["versions"]), _hardware(one.get("hardware") or {})] += 1
        rows += [[named, count, *texts] for named, own in found.items() for texts, count in own.most_common()]
    return from_rows(["stage", "records", "versions", "hardware"], rows, "Engines and hardware") if rows else None


def _versions(versions: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _hardware(hardware: dict[str, Any]) -> str:
    """`4 × NVIDIA A100, 64 cores, x86_64`."""
    accelerators = Counter(hardware.get("accelerators") or [])
    parts = [f"{count} × {name}" for name, count in accelerators.items()]
    parts += [f"{hardware['cores']} cores"] if hardware.get("cores") else []
    return ", ".join([*parts, *([hardware["machine"]] if hardware.get("machine") else [])])


def checks(results: Path, used: dict[str, Model]) -> Iterator[str]:
    """What was proved before training, a sentence each."""
    for model in used:
        parity = read_record(results / "data" / "prompts" / f"{model}.parity.json")
        if parity.get("engines"):
            names = ", ".join(map(str, parity["engines"]))
            yield f"{model}: {names} make the same token ids of {parity.get('prompts', '?')} prompts."


def workflow(config: Config) -> ReportTable:
    """The revision of the workflow, and the versions that the tables, figures and this report are made with."""
    rows = {"git revision": revision(Path(__file__).parent), "accelerator": config.accelerator}
    return from_rows(["analysis and report", ""], (rows | provenance.versions(*ANALYSIS_PACKAGES)).items(), "Analysis")


def revision(folder: Path) -> str:
    """The git commit of the workflow, and whether its files differ from it."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return "none: not a git checkout"
    return commit[:12] + (", with uncommitted changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    # GitPython would run the same program.
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
