"""Results of the demo as they might be, and the report on them."""

import json

import chromium
import pandas as pd
import pytest
import yaml
from report_page import BESIDE, RANDOM, SVG, Page, figures_of, layout, tables_of, trained

from quagmires.commands import predict, rank
from quagmires.config.analysis_settings import AnalysisSettings, analysis_settings
from quagmires.config.experiment import read_experiment
from quagmires.planning import throughput
from quagmires.planning.choice_costs import choice_costs
from quagmires.planning.costs import make_plan
from quagmires.planning.jobs import planned_jobs
from quagmires.planning.spending import spent
from quagmires.prediction.forecast import Question, forecast
from quagmires.prediction.ranking import rank_candidates
from quagmires.reporting.html.report import Sources, render
from support import ROOT


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a module."""
    if chromium.PROGRAM is None:
        pytest.skip("no Chromium here")
    with chromium.Browser() as one:
        yield one


@pytest.fixture(scope="session")
def demo():
    """The demo's experiment and settings of the analysis."""
    experiment = read_experiment([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    return experiment, analysis_settings(experiment.config, experiment.sheet)


@pytest.fixture(scope="session")
def captions(tmp_path_factory, demo):
    """A file with a caption for each figure and table."""
    texts = {
        "figures": {name: f"What figure {name} shows, of {{model}}." for name in figures_of(demo[1])},
        "tables": {name: f"What table {name} shows, of {{model}}." for name in tables_of(demo[1])},
    }
    path = tmp_path_factory.mktemp("captions") / "captions.yaml"
    path.write_text(yaml.safe_dump(texts))
    return path


@pytest.fixture
def report(tmp_path, demo, captions):
    """Writes files of a results folder, then the report on them."""
    results = tmp_path / "results" / "demo"
    results.mkdir(parents=True)

    def make(files=None, captions=captions, **changes) -> Page:
        for name, content in (files or {}).items():
            path = results / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        experiment, settings = demo
        settings = AnalysisSettings.model_validate(settings.model_dump() | changes)
        return Page(render(Sources(results, experiment, settings, captions)))

    return make


@pytest.fixture(scope="session")
def decided(demo):
    """rank.json and predict.json as their scripts make them, of 17 simulated models of which 8 have no RL results."""
    metrics = pd.read_parquet(ROOT / "results" / "example" / "metrics.parquet")
    models = metrics[metrics["study"] == "llama-instance"].assign(study="toy").reset_index(drop=True)
    known_after_rl = [name for name in models if name.startswith("outcome") and not name.endswith("_se")]
    models.loc[models.index[::2][:8], known_after_rl] = None
    settings = demo[1]
    question = Question("pass_at_large_k", "best", settings.analysis.confidence, settings.seed)
    answer = forecast(models, "instance", question)
    ranking = rank_candidates(models, "instance", settings.analysis.confidence)
    return {
        "decisions/rank.json": rank.document(settings, {"toy": ranking}),
        "decisions/predict.json": predict.document(settings, question, {"toy": answer}),
    }


@pytest.fixture(scope="session")
def everything(demo, decided, tmp_path_factory) -> dict:
    """The files of a finished experiment, small ones."""
    experiment, settings = demo
    speeds = throughput.read(experiment.config, experiment.config.costs.throughput)
    jobs = planned_jobs(experiment, speeds)
    benchmark = tmp_path_factory.mktemp("benchmarks") / "sft" / "toy" / f"{RANDOM}.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\n7200.0\t2:00:00\n")
    plan = make_plan(experiment, speeds, jobs, devices=2)
    plan["spent"] = spent(jobs, benchmark.parents[2], benchmark.parents[2])
    plan["choosing"] = choice_costs(experiment, jobs, benchmark.parents[2], benchmark.parents[2])
    files = {
        **decided,
        "decisions/plan.json": plan,
        "run_sheet.tsv": f"study\tmodel\trecipe\tsubset\tepochs\ntoy\ttoy\t{RANDOM}\trandom-1k\t1.0\n",
        "tables/contamination.csv": "benchmark,problems,sums,any_set,any_set_share\n"
        "easy,40,3,3,0.0750\nhard,9,,0,0.0000\n",
        f"toy/{RANDOM}/sft/model/training.json": trained(torch="2.13.0"),
        "data/models/toy/model.json": {"chat_template_sha256": "0033a19c78a40450"},
        "data/prompts/toy.parity.json": {"engines": ["llamafactory", "verl", "vllm"], "prompts": 9},
        **dict.fromkeys((f"{name}.csv" for name in BESIDE), "a\n1\n"),
        "decisions/plan.txt": "Plan\n",
    }
    for name in tables_of(settings):
        shown = layout(["model", "score"], [f"in {name}", "0.5"], notes=(f"Note of {name}.",))
        shown["rows"][0][1]["bold"] = True
        files |= {f"tables/{name}.json": shown, f"tables/{name}.csv": "model\na\n", f"tables/{name}.tex": "a\n"}
    for name in figures_of(settings):
        files[f"figures/{name}.svg"] = SVG.format(width=245, content=f"<text>{name}</text>")
    return files
