"""The report: closed HTML, all that is there, a sentence for what is not, and nothing of others at work in it."""

import base64
import json
import re
from itertools import pairwise

import pytest
import yaml
from report_page import HEADINGS, HOSTILE, RANDOM, SVG, figures_of, layout, loads, tables_of, trained


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
        "tables/models.json": layout(["model"], [f"{HOSTILE} ![a](http://evil.example/y) [b](javascript:f())"]),
        "decisions/rank.json": renamed(everything["decisions/rank.json"], HOSTILE),
        f"figures/{name}.svg": SVG.format(width=245, content="<script>alert(4)</script>"),
        f"toy/{RANDOM}/sft/model/training.json": trained(torch=HOSTILE),
    }
    plain, page = report(everything), report(hostile, title=HOSTILE, label=HOSTILE)
    assert page.mistakes == []
    assert loads(page) == []
    assert page.text().count("<script>alert(1)</script>") >= 5
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}
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
        "contamination": "contamination.csv",
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
        ("decisions/predict.json", {"studies": [{"best": {}}]}, "answer"),
        ("decisions/plan.json", {"choosing": {}}, "answer"),
        ("decisions/plan.json", {"totals": {}}, "costs"),
        ("run_sheet.tsv", "", "sheet"),
        ("run_sheet.tsv", "a\tb\n1\n", "sheet"),
        ("metrics.parquet", "no parquet", "runs"),
        ("grpo_training.parquet", "no parquet", "training"),
        ("figures/predictors.svg", "<svg width='1pt'", "figures"),
        ("tables/models.json", "| no table\n", "tables"),
        ("tables/models.json", {"columns": [{"title": "model"}], "rows": [[]]}, "tables"),
        ("tables/contamination.csv", "benchmark\neasy\n", "contamination"),
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


def test_a_table_of_another_shape_costs_the_report_that_table_alone(report, everything, demo):
    section = report({**everything, "tables/models.json": {"columns": []}}).section("tables")
    assert "Models cannot be read: " in section and "models.json: rows: Field required; remove it" in section
    assert "snakemake tables" in section
    assert all(f"in {name}" in section for name in tables_of(demo[1]) if name != "models")


def test_contamination_is_shown_by_set_and_in_any_set(report, everything):
    page = report(everything)
    assert "benchmark problems sums any set easy 40 3 3 (7.5%) hard 9 – 0 (0.0%)" in page.section("contamination")
    assert '<td class="number">3 (7.5%)</td>' in page.html


def test_links_lead_to_files_beside_the_report(report, everything, tmp_path):
    links = [link for link in report(everything).attributes("a", "href") if not link.startswith("#")]
    assert len(links) > 20
    assert [link for link in links if not (tmp_path / "results" / "demo" / link).is_file()] == []


def test_published_values_are_set_apart(report, everything):
    shown = layout(["model", "score", "score"], ["a", "0.5", "0.6"], group="published")
    page = report({**everything, "tables/models.json": shown})
    assert '<th scope="col" class="number published">published: score</th>' in page.html
    assert '<td class="number">0.5</td><td class="number published">0.6</td>' in page.html


def rows(count: int, columns: int = 2) -> dict:
    """A table of as many rows and columns."""
    row = ["a"] + ["0.72 [0.41, 0.89] (+0.26)"] * (columns - 1)
    return layout(["model"] + ["score"] * (columns - 1), *[row] * count)


def test_tables_of_up_to_forty_rows_are_shown_whole_and_longer_ones_say_that_they_scroll(report, everything):
    page = report({**everything, "tables/models.json": rows(40)})
    assert 'class="scroll long"' not in page.html
    assert "scroll down" not in page.text()
    page = report({**everything, "tables/models.json": rows(41)})
    assert '<div class="scroll long"' in page.html
    assert "41 rows: scroll down in the table." in page.section("tables")


def test_tables_of_many_columns_are_set_smaller_break_beside_intervals_and_say_that_they_scroll(report, everything):
    page = report({**everything, "tables/models.json": rows(1, 8)})
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Models">' in page.html
    assert "scroll sideways" not in page.section("tables")
    page = report({**everything, "tables/models.json": rows(1, 9)})
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
