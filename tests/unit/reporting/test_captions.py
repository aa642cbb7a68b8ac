import re

import pytest

from quagmires.common.errors import UserError
from quagmires.config import figure_names
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.loading import load_yaml
from quagmires.reporting.captions import CAPTIONS, figure_caption, table_caption
from support import ROOT, analysis_of

GENERAL_FIGURES = (*figure_names.GENERAL, *figure_names.OF_TABLES)
GENERAL_TABLES = ("models", "predictors", "outcomes", "contamination")


@pytest.fixture(scope="module")
def paper() -> AnalysisSettings:
    return analysis_of("paper")


@pytest.fixture
def captions(tmp_path):
    """Write a file of captions for figure1 and get its caption."""

    def caption(settings: AnalysisSettings, text: str) -> str:
        path = tmp_path / "captions.yaml"
        path.write_text(text)
        return figure_caption("figure1", settings, path)

    return caption


@pytest.mark.parametrize("names", [("paper",), ("paper", "example"), ("demo",), ("demo_small",)])
def test_every_figure_and_table_of_every_config_has_a_whole_caption(names):
    settings = analysis_of(*names)
    texts = [figure_caption(name, settings) for name in (*settings.figures, *GENERAL_FIGURES)]
    texts += [table_caption(name, settings) for name in (*settings.tables, *GENERAL_TABLES)]
    for text in texts:
        assert text.endswith(".") and not re.search(r"[{}]|  |\n|None", text)


def test_the_papers_figures_and_tables_name_their_source(paper):
    for number in range(1, 11):
        assert f"Figure {number} of the paper" in figure_caption(f"figure{number}", paper)
        assert f"Table {number} of the paper" in table_caption(f"table{number}", paper)


def test_the_readme_has_the_captions_of_this_file():
    settings = analysis_of("paper", "example")
    readme = " ".join((ROOT / "README.md").read_text().split())
    shown = re.findall(r"docs/images/example-(\w+)\.png", readme)
    assert len(shown) == 2
    for name in shown:
        assert f"**Figure {name[6:]}.** {figure_caption(name, settings)}" in readme


def test_captions_say_what_was_trained_on_what(paper):
    caption = figure_caption("figure6", paper)
    assert "Llama3-8B-Instruct, SFT on Llama-Nemotron, AceReason-1.1 and OpenR1-Math-220k, GRPO on MATH" in caption
    assert "Pass@1 on MATH-500" in caption
    assert "Pass@1 averaged over 7 benchmarks" in figure_caption("figure1", paper)


def test_captions_count_the_sft_models_that_are_asked_for_and_not_the_base_model(paper):
    assert len(paper.studies["figure1"].recipes) == 9
    assert "n = 8 SFT models asked for." in figure_caption("figure1", paper)
    assert "n = 5 and 5 SFT models asked for." in figure_caption("figure2", paper)


@pytest.mark.parametrize("name", ["figure3", "figure5", "linear_fit", "loss_and_gain"])
def test_no_caption_counts_models_where_the_panels_count_those_that_are_drawn(name, paper):
    block = paper.figures["figure3" if name in ("figure3", "linear_fit") else "figure5"]
    caption = figure_caption(name, paper.model_copy(update={"figures": {name: block}}))
    assert not re.search(r"\d+ SFT models", caption)
    assert "n, in the panel, counts all models drawn" in caption


def test_the_caption_says_why_losses_on_different_data_have_no_line():
    caption = figure_caption("loss_and_gain", analysis_of("demo"))
    assert "have no line and no ρ: losses on different distributions cannot be compared" in caption


def test_captions_follow_the_settings(paper):
    analysis = paper.analysis.model_copy(update={"confidence": 0.8, "outcome": "last", "splits": 2000})
    changed = paper.model_copy(update={"analysis": analysis})
    assert "80 % confidence band" in figure_caption("figure3", changed)
    assert "mean over runs of the last checkpoint" in figure_caption("figure1", changed)
    assert "2,000 random splits" in table_caption("table2", changed)


def test_the_label_ends_every_caption():
    example = analysis_of("paper", "example")
    for caption in (figure_caption("figure1", example), table_caption("models", example)):
        assert caption.endswith(" Simulated, not measured.")


def test_a_figure_of_another_name_is_captioned_by_its_kind():
    demo = analysis_of("demo")
    assert "sft_and_rl" not in load_yaml(CAPTIONS)["figures"]
    assert figure_caption("sft_and_rl", demo).startswith("Pass@1 of each recipe. ")


def test_names_come_before_kinds(captions, paper):
    assert captions(paper, "figures: {subsets: kind, figure1: name}") == "name"
    assert captions(paper, "figures: {subsets: kind}") == "kind"


def test_phrases_may_use_those_above_them(captions, paper):
    text = "phrases: {a: 'of {n}', b: '{a} models'}\nfigures: {figure1: 'all {b}, {{braces}}'}"
    assert captions(paper, text) == "all of 8 models, {braces}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "figures: {figure1: 'by {modle}'}",
            "figures.figure1: unknown placeholder {modle}; there are experiment, model",
        ),
        ("phrases: {a: '{b}', b: x}\nfigures: {figure1: x}", "phrases.a: unknown placeholder {b}"),
        ("figures: {figure1: 'open { brace'}", "figures.figure1: "),
        ("figures: {figure1: 'number {0}'}", "figures.figure1: "),
        ("figures: {figure1: 'model {model.x}'}", "figures.figure1: "),
        ("figures: {figure2: x}", "no caption for figure1; add figures.subsets"),
        ("figures: {figure1: 1}", "figures: must be names with a text each"),
        ("figure: {figure1: x}", "it has parts other than names, phrases, figures, tables"),
        ("figures: [", "not YAML"),
    ],
)
def test_what_cannot_be_a_caption_is_said_in_one_line(captions, paper, text, message):
    with pytest.raises(UserError) as error:
        captions(paper, text)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert "captions.yaml" in str(error.value)


def test_predictors_are_judged_on_studies_that_are_no_showcase(paper):
    assert paper.compared_studies == ["llama-dataset", "mistral-dataset", "llama-instance", "mistral-instance"]
    only = {name: study for name, study in paper.studies.items() if study.level == "showcase"}
    assert paper.model_copy(update={"studies": only}).compared_studies == list(only)
