"""The report: closed HTML, all that is there, a sentence for what is not, and nothing of others at work in it."""

import base64
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise

import make_report
import pandas as pd
import predict_outcomes
import pytest
import rank_models
import yaml

from quagmires import throughput
from quagmires.analysis import AnalysisSettings, analysis_settings
from quagmires.candidates import rank_candidates
from quagmires.config import Files, parse
from quagmires.errors import UserError
from quagmires.experiment import expand
from quagmires.forecast import Question, forecast
from quagmires.plan import make_plan
from quagmires.planned_jobs import planned_jobs
from quagmires.report import Sources, render
from quagmires.report_training import sparkline
from quagmires.spending import spent
from support import ROOT

RANDOM = "arithmetic.random-500.ep1.lr5e-4"
VOID = {"meta", "img", "br"}
SEPARATE = {"th", "td", "p", "li", "h2", "h3", "figcaption"}
BESIDE = ("decisions/rank", "decisions/predict", "decisions/plan", "tables/contamination")
HEADINGS = ("h1", "h2", "h3")
HOSTILE = '"><script>alert(1)</script><img src=http://evil.example/x onerror="alert(2)">'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{width}pt" height="100pt">{content}</svg>\n'


class Page(HTMLParser):
    """What a browser makes of a page: its elements in order with their attributes, and the text below each tag."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.html, self.open, self.elements, self.mistakes, self.texts = html, [], [], [], {}
        self.feed(html)
        self.close()
        self.mistakes += [f"{tag} is not closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) != len(attrs):
            self.mistakes.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

        if tag in SEPARATE:
            self.handle_data(" ")

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts.setdefault(tag, []).append(data)

    def text(self, tag: str = "main") -> str:
        return " ".join("".join(self.texts.get(tag, [])).split())

    def attributes(self, tag: str, name: str) -> list[str]:
        return [found[name] for one, found in self.elements if one == tag and name in found]

    def section(self, anchor: str) -> str:
        """The text of one section."""
        html = self.html.split(f'<section id="{anchor}">')[1].split("</section>")[0]
        return Page(f"<main>{html}</main>").text()


@pytest.fixture(scope="session")
def demo():
    """The demo's experiment and settings of the analysis."""
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    experiment = expand(parse(files.merged(), files), files)
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
        "decisions/rank.json": rank_models.document(settings, {"toy": ranking}),
        "decisions/predict.json": predict_outcomes.document(settings, question, {"toy": answer}),
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
    files = {
        **decided,
        "decisions/plan.json": plan,
        "run_sheet.tsv": f"study\tmodel\trecipe\tsubset\tepochs\ntoy\ttoy\t{RANDOM}\trandom-500\t1.0\n",
        "tables/contamination.md": "| benchmark | sums |\n|---|---:|\n| easy | 3 |\n",
        f"toy/{RANDOM}/sft/model/training.json": trained(torch="2.13.0"),
        "data/models/toy/model.json": {"chat_template_sha256": "0033a19c78a40450"},
        "data/prompts/toy.parity.json": {"engines": ["llamafactory", "verl", "vllm"], "prompts": 9},
        **dict.fromkeys((f"{name}.csv" for name in BESIDE), "a\n1\n"),
        "decisions/plan.txt": "Plan\n",
    }
    for name in tables_of(settings):
        text = f"*{settings.label}*\n\n| model | score |\n|---|---:|\n| in {name} | **0.5** |\n\n- Note of {name}.\n"
        files |= {f"tables/{name}.md": text, f"tables/{name}.csv": "model\na\n", f"tables/{name}.tex": "a\n"}
    for name in figures_of(settings):
        files[f"figures/{name}.svg"] = SVG.format(width=245, content=f"<text>{name}</text>")
    return files


def tables_of(settings) -> list[str]:
    return [*settings.tables, "models", "predictors", "outcomes"]


def figures_of(settings) -> list[str]:
    return [*settings.figures, "predictors", "ranks", "outcomes"]


def trained(**versions) -> dict:
    """training.json of an SFT run on four GPUs."""
    return {
        "steps": 199,
        "tokens_seen": 123_456,
        "seconds": 90.0,
        "loss_curve": [{"step": step, "loss": 2.0 / step} for step in range(1, 200)],
        "versions": {"python": "3.11.7", **versions},
        "hardware": {"machine": "x86_64", "cores": 64, "accelerators": ["NVIDIA A100"] * 4},
    }


def loads(page: Page) -> list[str]:
    """Whatever a browser would fetch or run for a page."""
    sources = [found for tag, attributes in page.elements for name, found in attributes.items() if name in LOADING]
    links = page.attributes("a", "href")
    found = [source for source in sources if not source.startswith("data:image/svg+xml;base64,")]
    found += [link for link in links if re.match(r"[a-z]+:|//", link, re.IGNORECASE)]
    found += [tag for tag, _ in page.elements if tag in ("script", "link", "iframe", "object", "embed", "base", "form")]
    found += [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    return found + re.findall(r"url\(|@import", page.text("style"))


LOADING = ("src", "srcset", "data", "action", "poster", "background", "style")


@pytest.mark.parametrize("finished", [False, True])
def test_html_is_whole_with_unique_ids_and_headings_in_order(report, everything, finished):
    page = report(everything if finished else {})
    assert page.mistakes == []
    assert page.html.startswith("<!DOCTYPE html>")
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.attributes("a", "href") if link.startswith("#")} <= set(ids)
    levels = [HEADINGS.index(tag) for tag, _ in page.elements if tag in HEADINGS]
    assert levels[0] == 0
    assert levels.count(0) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("finished", [False, True])
def test_no_heading_is_without_content(report, everything, finished):
    page = report(everything if finished else {})
    assert not re.search(r"</h[23]>\s*(<h[23]|</section|</article)", page.html)


def test_nothing_is_loaded_or_run(report, everything):
    page = report(everything)
    assert loads(page) == []
    assert len(page.attributes("img", "src")) > 5
    policies = [found["content"] for tag, found in page.elements if found.get("http-equiv")]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; img-src data:;")


def test_names_from_configs_and_results_are_text(report, everything, demo):
    name = next(iter(demo[1].figures))
    hostile = {
        **everything,
        "run_sheet.tsv": f"study\tmodel\trecipe\tsubset\tepochs\ntoy\ttoy\t{HOSTILE}\trandom-500\t1.0\n",
        "tables/models.md": f"| model |\n|---|\n| {HOSTILE} ![a](http://evil.example/y) [b](javascript:f()) |\n",
        "decisions/rank.json": renamed(everything["decisions/rank.json"], HOSTILE),
        f"figures/{name}.svg": SVG.format(width=245, content="<script>alert(4)</script>"),
        f"toy/{RANDOM}/sft/model/training.json": trained(torch=HOSTILE),
    }
    plain, page = report(everything), report(hostile, title=HOSTILE, label=HOSTILE)
    assert page.mistakes == []
    assert loads(page) == []
    assert page.text().count("<script>alert(1)</script>") >= 5
    # The label of the other tables is not the page's: it stays there, in italics.
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | {"em"}
    # An image runs no script; as markup it would.
    assert not any("alert(4)" in part for part in page.html.split('src="data:'))


def renamed(ranking: dict, label: str) -> dict:
    """A ranking whose models are called `label`."""
    copy = json.loads(json.dumps(ranking))
    for model in copy["studies"][0]["models"]:
        model["label"] = label
    return copy


def test_label_is_on_top_and_in_the_title(report):
    page = report({}, label="simulated, not measured")
    assert "(simulated, not measured)" in page.text("title")
    body = page.html.split("<body>")[1]
    assert body.index("simulated, not measured") < body.index("<h1>")
    assert re.search(r"p\.label \{[^}]*position: sticky", page.text("style"))
    assert 'class="label"' not in report({}, label="").html


def test_every_missing_part_is_named_with_the_target_that_makes_it(report, demo):
    page = report({})
    for anchor, target in {
        "answer": "snakemake rank",
        "decisions": "snakemake predict",
        "sheet": "snakemake sheet",
        "contamination": "contamination.md",
        "tables": "snakemake tables",
        "figures": "snakemake figures",
        "training": "snakemake sft_models",
        "costs": "snakemake plan",
    }.items():
        assert target in page.section(anchor), anchor
    assert "no record of any run: what follows is what the config asks for" in page.section("runs")
    assert "Nothing was spent here" in page.section("costs")
    assert page.section("figures").count("is not there") == len(figures_of(demo[1]))
    assert page.section("tables").count("is not there") == len(tables_of(demo[1]))


def test_nothing_is_missing_from_a_finished_experiment(report, everything):
    page = report(everything)
    for anchor in ("answer", "decisions", "runs", "sheet", "contamination", "tables", "figures", "costs"):
        assert "not there" not in page.section(anchor), anchor
    assert (
        page.html.count('class="gap"') == 2
    )  # curves of RL, and rewards: grpo_training.parquet is not among the files


@pytest.mark.parametrize(
    ("file", "content", "anchor"),
    [
        ("decisions/rank.json", {"studies": [{"study": "toy"}], "confidence": 0.9}, "answer"),
        ("decisions/rank.json", "{", "answer"),
        ("decisions/predict.json", [], "decisions"),
        ("decisions/plan.json", {"totals": {}}, "costs"),
        ("run_sheet.tsv", "", "sheet"),
        ("run_sheet.tsv", "a\tb\n1\n", "sheet"),
        ("metrics.parquet", "no parquet", "runs"),
        ("grpo_training.parquet", "no parquet", "training"),
        ("figures/predictors.svg", "<svg width='1pt'", "figures"),
        ("tables/models.md", "| no table\n", "tables"),
        (f"toy/{RANDOM}/sft/model/training.json", {"loss_curve": [{"loss": 1.0}]}, "training"),
        ("decisions/plan.json", {"unit": "job-hours", "spent": [{"title": "SFT"}]}, "costs"),
    ],
)
def test_damaged_files_leave_a_report(report, everything, file, content, anchor):
    page = report({**everything, file: content})
    assert page.mistakes == []
    assert len(page.section(anchor)) > 40
    assert "Planned" in page.section("costs")


def test_every_table_is_there_with_caption_files_and_notes(report, everything, demo):
    page = report(everything)
    for name in tables_of(demo[1]):
        assert f"in {name}" in page.section("tables")
        assert f"Note of {name}." in page.section("tables")
        assert f"What table {name} shows, of toy." in page.section("tables")
        assert f"tables/{name}.csv" in page.attributes("a", "href")
    assert "<strong>0.5</strong>" in page.html
    # The label is in view all the time: no need for it above each table.
    assert f"<em>{demo[1].label}</em>" not in page.html


def test_links_lead_to_files_beside_the_report(report, everything, tmp_path):
    links = [link for link in report(everything).attributes("a", "href") if not link.startswith("#")]
    assert len(links) > 20
    assert [link for link in links if not (tmp_path / "results" / "demo" / link).is_file()] == []


def test_published_values_are_set_apart(report, everything):
    text = "| model | score | published: score |\n|---|---:|---:|\n| a | 0.5 | 0.6 |\n"
    page = report({**everything, "tables/models.md": text})
    assert '<td class="number">0.5</td><td class="number published">0.6</td>' in page.html


def rows(count: int, columns: int = 2) -> str:
    """A Markdown table."""
    lines = [["model"] + ["score"] * (columns - 1), ["---"] + ["---:"] * (columns - 1)]
    lines += [["a"] + ["0.72 [0.41, 0.89] (+0.26)"] * (columns - 1)] * count
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def test_tables_of_up_to_forty_rows_are_shown_whole_and_longer_ones_say_that_they_scroll(report, everything):
    page = report({**everything, "tables/models.md": rows(40)})
    assert 'class="scroll long"' not in page.html
    assert "scroll down" not in page.text()
    page = report({**everything, "tables/models.md": rows(41)})
    assert '<div class="scroll long"' in page.html
    assert "41 rows: scroll down in the table." in page.section("tables")


def test_tables_of_many_columns_are_set_smaller_break_beside_intervals_and_say_that_they_scroll(report, everything):
    page = report({**everything, "tables/models.md": rows(1, 8)})
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Models">' in page.html
    assert "scroll sideways" not in page.section("tables")
    page = report({**everything, "tables/models.md": rows(1, 9)})
    assert '<div class="scroll wide" tabindex="0" role="region" aria-label="Models">' in page.html
    assert "9 columns: scroll sideways for those that do not fit." in page.section("tables")
    assert '<td class="number">0.72 [0.41,\N{NO-BREAK SPACE}0.89] (+0.26)</td>' in page.html
    style = page.text("style")
    assert re.search(r"\.wide td\.number \{ white-space: normal; \}", style)
    assert re.search(r"\.scroll::-webkit-scrollbar \{ width: [^;]+; height: ", style)


def test_every_figure_is_there_as_an_image_with_its_caption(report, everything, demo):
    page = report(everything)
    names = figures_of(demo[1])
    images = [base64.b64decode(source.split(",")[1]).decode() for source in page.attributes("img", "src")]
    drawn = [image for image in images if "<text>" in image]
    assert [re.search("<text>(.*)</text>", image)[1] for image in drawn] == names
    captions = [f"What figure {name} shows, of toy." for name in names]
    assert re.findall(r"What figure \w+ shows, of toy\.", page.text("figcaption")) == captions
    alternatives = page.attributes("img", "alt")
    assert all(any(caption in text for text in alternatives) for caption in captions)


def test_without_captions_figures_are_there_and_the_report_says_why(report, everything, tmp_path):
    captions = tmp_path / "captions.yaml"
    captions.write_text(yaml.safe_dump({"figures": {"bars": "All {nonsense}."}}))
    page = report(everything, captions=captions)
    assert page.mistakes == []
    assert "unknown placeholder {nonsense}" in page.section("figures")
    assert "no caption for models" in page.section("tables")


def test_answer_names_the_model_to_take_the_tied_ones_and_the_best_prediction(report, everything, decided):
    ranked = decided["decisions/rank.json"]["studies"][0]["models"]
    predicted = decided["decisions/predict.json"]["studies"][0]
    answer = report(everything).section("answer")
    first = [model["label"] for model in ranked if model["group"] == 1]
    assert first[0] in answer.split("through RL first")[0]
    rows = [row for row in predicted["predictions"] if row["predictor"] == "pass_at_large_k"]
    best = max(rows, key=lambda row: row["prediction"])
    measured = max(predicted["calibration"], key=lambda model: model["outcome"])
    assert f"Of the others {best['label']} is predicted highest: {best['prediction']:.3f}" in answer
    assert f"9 have been through RL, the best is {measured['label']} with {measured['outcome']:.3f}" in answer
    tied = json.loads(json.dumps(decided["decisions/rank.json"]))
    for model in tied["studies"][0]["models"]:
        model |= {"group": 1, "tied": True, "pass_at_large_k": 0.995}
    answer = report({**everything, "decisions/rank.json": tied}).section("answer")
    assert "Take one of these through RL first" in answer
    assert f"and {len(ranked) - 3} others" in answer
    assert "0.99 or more for 17 of 17: it tells little here" in answer


def test_answer_doubts_what_is_outside_and_what_rests_on_few_models(report, everything, decided):
    changed = json.loads(json.dumps(decided))
    study = changed["decisions/predict.json"]["studies"][0]
    study["calibration"] = study["calibration"][:4]
    for row in study["predictions"]:
        row |= {"outside": 4.24, "degrees_of_freedom": 2.0, "beats_calibration": None, "best_of_predicted": None}
    changed["decisions/rank.json"]["studies"][0]["models"][3]["as_good_as"] = "any"
    answer = report({**everything, **changed}).section("answer")
    assert "outside the models with RL results, by 424% of their range" in answer and "no chance is given" in answer
    assert "Run RL across the range of the predictor" in answer and "beats the best so far" not in answer
    assert "Only 4 models have RL results: the interval rests on 2 degrees of freedom." in answer
    disputed = changed["decisions/rank.json"]["studies"][0]["models"][3]["label"]
    assert f"of {disputed} is not below that of the best SFT model kept" in answer


def test_decisions_show_every_model_of_the_study(report, everything, decided):
    section = report(everything).section("decisions")
    for model in decided["decisions/rank.json"]["studies"][0]["models"]:
        assert f"{model['label']} {model['group']}" in section
        assert f"{model['low']:.3f} to {model['high']:.3f}" in section


def test_showcases_are_folded_away_where_there_are_other_studies(report, everything, decided):
    two = json.loads(json.dumps(decided))
    for document in two.values():
        document["studies"].append(
            {**document["studies"][0], "study": "show", "title": "Showcase", "level": "showcase"}
        )
    html = report({**everything, **two}).html.split('<section id="decisions">')[0]
    assert "Showcase" in html.split("<details>")[1]
    for document in two.values():
        document["studies"] = document["studies"][1:]
    assert "<details>" not in report({**everything, **two}).html.split('<section id="decisions">')[0]


def test_runs_with_other_versions_or_hardware_have_rows_of_their_own(report, everything):
    other = trained(torch="2.14.0")
    files = {f"toy/{name}/sft/model/training.json": trained(torch="2.13.0") for name in ("a", "b")}
    section = report({**everything, **files, "toy/c/sft/model/training.json": other}).section("runs")
    assert "SFT 3 python 3.11.7, torch 2.13.0 4 × NVIDIA A100, 64 cores, x86_64" in section
    assert "SFT 1 python 3.11.7, torch 2.14.0" in section
    assert "llamafactory, verl, vllm make the same token ids of 9 prompts" in section
    assert "0033a19c78a4" in section


def test_seeds_settings_and_the_whole_config_are_there(report):
    section = report({}).section("runs")
    assert "42; GRPO run r has 42 + r - 1" in section
    assert "experiment: demo" in section
    assert "learning rate 0.0005" in section


def test_models_measured_and_through_rl_are_counted(report, tmp_path):
    report({})
    rows = pd.DataFrame({"study": "toy", "recipe": ["a", "b", "c"], "outcome": [0.5, None, None]})
    folder = tmp_path / "results" / "demo" / "decisions"
    folder.mkdir()
    rows.to_parquet(folder / "metrics.parquet")
    # While RL is not done there is no metrics.parquet of all: that of the decisions has what is known.
    assert "toy arithmetic sums 7 3 1 easy, medium, hard" in report({}).section("runs")


def test_training_of_each_run_is_drawn(report, everything, tmp_path):
    report(everything)
    steps = [
        {"study": "toy", "recipe": RANDOM, "subset": "random-500", "epochs": 1.0, "run": run, "step": step}
        | {"reward": 0.1 * step * run, "response_tokens": 20.0, "seconds": 60.0}
        for run in (1, 2)
        for step in (1, 2, 3)
    ]
    pd.DataFrame(steps).to_parquet(tmp_path / "results" / "demo" / "grpo_training.parquet")
    page = report({})
    assert "random 500 toy 1.5 min 199 123,456 2.000 0.010" in page.section("training")
    assert "random 500 toy 3.0 min 2 3 20 0.200 0.600" in page.section("training")
    assert {"from 2 to 0.0101", "from 0.1 to 0.3", "from 0.2 to 0.6"} <= set(page.attributes("img", "alt"))


def test_what_was_spent_stands_beside_what_was_planned(report, everything):
    section = report(everything).section("costs")
    assert re.search(r"SFT 6 1 [0-9.]+ 2\.00 [0-9.]+", section)
    assert re.search(r"all 6 1 [0-9.]+ 2\.00", section)
    assert "jobs at a time" in section
    planned = everything["decisions/plan.json"]["stages"]
    rollouts = next(row["responses"] for row in planned if row["stage"] == "grpo")
    assert re.search(rf"GRPO 7 0 [0-9,]+ {rollouts:,} ", section)


def test_same_results_give_the_same_report(report, everything):
    assert report(everything).html == report({}).html


def test_script_writes_the_report_and_says_what_it_lacks(tmp_path, demo, monkeypatch, capsys):
    experiment, settings = demo
    for name, content in (("analysis", settings), ("config", experiment.config)):
        (tmp_path / f"{name}.json").write_text(content.model_dump_json())
    output = tmp_path / "report.html"
    command = ["make_report.py", f"--results={tmp_path}", f"--config={tmp_path / 'config.json'}", f"--output={output}"]
    monkeypatch.setattr("sys.argv", [*command, f"--analysis={tmp_path / 'analysis.json'}"])
    make_report.main()
    assert re.fullmatch(rf"{output}: \d\.\d MB\n", capsys.readouterr().out)
    assert output.read_text().endswith("</html>\n")
    monkeypatch.setattr("sys.argv", [*command, f"--analysis={tmp_path / 'none.json'}"])
    with pytest.raises(UserError, match="none.json: no such file"):
        make_report.main()


def points(values) -> list[tuple[float, float]]:
    svg = base64.b64decode(sparkline(values).source.split(",")[1]).decode()
    return [tuple(map(float, point.split(","))) for point in re.search('points="([^"]*)"', svg)[1].split()]


def test_line_of_a_run_falls_with_its_loss_and_has_few_points():
    drawn = points([2.0 - step / 1000 for step in range(1000)])
    assert 20 < len(drawn) <= 100
    assert all(right > left and lower > upper for (left, upper), (right, lower) in pairwise(drawn))
    assert len({height for _, height in points([0.5] * 10)}) == 1
    assert len(points([0.1, math.nan, 0.2])) == 2
    assert sparkline([]).text == "–"
