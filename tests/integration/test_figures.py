"""Figures against pictures of them (tests/images), and what every figure promises.

After a wanted change, look at what differs and draw the pictures anew:
PYTHONPATH=scripts:tests python tests/integration/test_figures.py
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from quagmires.config.analysis_settings import AnalysisSettings, analysis_settings
from quagmires.config.experiment import expand
from quagmires.config.loading import Files, parse
from quagmires.prediction.predictors import PREDICTORS, outcome_on, predictor
from quagmires.reporting.figures.drawing import Results, draw, draw_and_save, figure_names
from quagmires.reporting.figures.growth import BAR_LOOKS
from quagmires.reporting.figures.runs import evaluation_curves
from quagmires.reporting.figures.style import COLOURS, WIDTHS, cycled_styles, selection_styles, series_styles, style
from support import ROOT, script

IMAGES = ROOT / "tests" / "images"
DPI = 60
# Root mean square of grey levels. Error bars that are missing, or two series swapped, make 4 and more.
TOLERANCE = 1.5
LABEL = "test, not measured"
KINDS = ("subsets", "epochs", "bars", "linear_fit", "loss_and_gain")
GENERAL = ("predictors", "ranks", "outcomes", "pass_at_k", "grpo_training")
WHICH = (
    "base",
    "random-10k",
    "random-100k",
    "longest-10k",
    "longest-100k",
    "shortest-10k",
    "shortest-100k",
    "longest-10k+shortest-10k",
)
HOW = [(size, epochs, 1e-5) for size in (10, 50, 200) for epochs in (1, 2, 4)] + [(50, 2, 2e-5)]


def settings(**changes) -> AnalysisSettings:
    """Two studies: which traces (8 models), and how to train on random ones (10 models)."""
    common = {
        "model": "m",
        "sft_dataset": "traces",
        "rl_dataset": "sums",
        "benchmarks": ["easy", "hard"],
        "recipes": [],
    }
    studies = {
        "which": {"title": "Which traces", "level": "instance", "model_title": "Model A", **common},
        "how": {"title": "How to train", "level": "dataset", "model_title": "Model B", **common},
    }
    shown = {"subsets": ["which"], "epochs": ["how"], "bars": ["which"], "linear_fit": ["how", "which"]}
    figures = {
        kind: {"kind": kind, "studies": shown.get(kind, ["how"]), "columns": 2 if kind == "linear_fit" else 1}
        for kind in KINDS
    }
    content = {"experiment": "test", "title": "Test", "label": LABEL, "seed": 1, "studies": studies, "analysis": {}}
    return AnalysisSettings.model_validate({**content, "tables": {}, "figures": figures, **changes})


def model(study: str, place: int, subset: str, epochs: float, rate: float) -> dict:
    """A row of metrics.parquet: smooth in its place, with kinks so that nothing lies on a line."""
    kink = ((place * 7) % 5 - 2) / 100
    before, gain = 0.2 + 0.02 * place + kink, 0.12 - 0.01 * epochs - kink / 2
    after = before + gain
    examples = sum(int(size) * 1000 for size in re.findall(r"-(\d+)k", subset))
    return {
        "study": study, "level": "instance" if study == "which" else "dataset", "model": "m",
        "sft_dataset": "traces", "rl_dataset": "sums", "sft_tokens": 5000 * examples * epochs,
        "recipe": f"{subset}.ep{epochs}.lr{rate}", "subset": subset, "examples": examples, "epochs": epochs,
        "learning_rate": rate, "samples": 64, "large_k": 16,
        "pass_at_1": before, "pass_at_1_se": 0.012, "pass_at_large_k": 0.5 + 0.015 * place, "pass_at_large_k_se": 0.01,
        "generalization_loss": 0.7 + 0.03 * epochs - 0.02 * place, "generalization_loss_se": 0.006,
        "grpo_runs": 2, "checkpoints": 2, "outcome_scores": [after - 0.02, after, after - 0.03, after - 0.01],
        "outcome_best": after, "outcome_last": after - 0.005, "outcome_mean_of_run_best": after - 0.005,
        "outcome": after, "outcome_se": 0.014, "gain": gain, "gain_se": 0.008,
    }  # fmt: skip


def metrics() -> pd.DataFrame:
    which = [model("which", place, subset, 0 if subset == "base" else 1, 1e-5) for place, subset in enumerate(WHICH)]
    how = [model("how", place, f"random-{size}k", epochs, rate) for place, (size, epochs, rate) in enumerate(HOW)]
    return pd.DataFrame(which + how)


def curves(models: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for one in models.itertuples():
        for stage, start, largest in (("SFT", one.pass_at_1, 16), ("SFT + RL", one.outcome, 4)):
            for k in (k for k in (1, 2, 4, 8, 16) if k <= largest):
                rows.append((one.study, one.recipe, one.subset, one.epochs, stage, k, 1 - (1 - start) / k**0.5, 0.02))
    names = ["study", "recipe", "subset", "epochs", "stage", "k", "pass_at_k", "standard_error"]
    return pd.DataFrame(rows, columns=names)


def training(models: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (one.study, one.recipe, one.subset, one.epochs, run, step, one.pass_at_1 + 0.01 * step + 0.02 * run, 100 * step)
        for one in models.itertuples()
        for run in (1, 2)
        for step in range(1, 9)
    ]
    return pd.DataFrame(
        rows, columns=["study", "recipe", "subset", "epochs", "run", "step", "reward", "response_tokens"]
    )


def results(models: pd.DataFrame | None = None, **changes) -> Results:
    models = metrics() if models is None else models
    return Results.of(settings(**changes), models, curves(models), training(models))


def without_rl(models: pd.DataFrame, recipes: list[str]) -> pd.DataFrame:
    missing = models["recipe"].isin(recipes)
    scores = [None if gone else one for one, gone in zip(models["outcome_scores"], missing, strict=True)]
    columns = [name for name in models if name.startswith(("outcome", "gain")) and name != "outcome_scores"]
    models = models.assign(outcome_scores=scores)
    models.loc[missing, columns] = np.nan
    return models


def scores() -> dict:
    def points(start: float) -> dict:
        values = {k: 1 - (1 - start) / k**0.5 for k in (1, 2, 4)}
        return {"pass_at_k": {str(k): {"value": v, "low": v - 0.05, "high": v + 0.05} for k, v in values.items()}}

    return {"benchmarks": {"easy": points(0.5), "hard": points(0.1)}, "macro": points(0.3)}


def draw_everything() -> dict[str, Figure]:
    given = results()
    return {
        **{name: draw(name, given) for name in figure_names(given)},
        "evaluation_curves": evaluation_curves(scores(), LABEL),
    }


@pytest.fixture(scope="module")
def everything() -> dict[str, Figure]:
    return draw_everything()


def write_picture(figure: Figure, path: Path) -> None:
    with style():
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text"))]


@pytest.mark.parametrize("name", [*KINDS, *GENERAL, "evaluation_curves"])
def test_figures_look_as_they_did(everything, name, tmp_path):
    actual = tmp_path / f"{name}.png"
    write_picture(everything[name], actual)
    assert compare_images(str(IMAGES / f"{name}.png"), str(actual), tol=TOLERANCE) is None


@pytest.fixture(scope="module")
def paper() -> Results:
    """The paper's figures from the simulated example."""
    files = Files([ROOT / "config" / f"{name}.yaml" for name in ("base", "paper", "example")])
    config = parse(files.merged(), files)
    example = pd.read_parquet(ROOT / "results" / "example" / "metrics.parquet")
    return Results.of(analysis_settings(config, expand(config, files).sheet), example)


@pytest.mark.parametrize("name", [*(f"figure{number}" for number in range(1, 11)), "predictors", "ranks", "outcomes"])
def test_the_papers_figures_fit_their_columns_and_no_label_is_cut_off_or_covers_another(paper, name):
    figure = draw(name, paper)
    if name in paper.settings.figures:
        assert figure.get_figwidth() == WIDTHS[paper.settings.figures[name].columns]
    with style():
        figure.draw_without_rendering()
    boxes = [(text, box) for text, box in labels(figure) if box.width and box.height]
    for text, box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1, f"{text!r} is cut off"
        assert box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1, f"{text!r} is cut off"
    for (one, first), (other, second) in itertools.combinations(boxes, 2):
        assert not first.padded(-1).overlaps(second.padded(-1)), f"{one!r} and {other!r} overlap"


def labels(figure: Figure) -> list[tuple[str, object]]:
    """Texts around panels, with their boxes in pixels."""
    texts = [figure._suptitle, figure._supxlabel, *(text for legend in figure.legends for text in legend.get_texts())]
    for axis in figure.axes:
        low, high = sorted(axis.get_xlim())
        texts += [axis.title, axis.xaxis.label, axis.yaxis.label]
        texts += [tick.label1 for tick in axis.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        low, high = sorted(axis.get_ylim())
        texts += [tick.label1 for tick in axis.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown = [text for text in texts if text is not None and text.get_visible() and text.get_text()]
    return [(text.get_text(), text.get_window_extent()) for text in shown]


def test_every_figure_carries_the_label(everything):
    assert all(LABEL in words(figure) for figure in everything.values())
    assert LABEL not in words(draw("bars", results(label="")))


def test_the_figures_are_those_of_the_settings_and_the_general_ones():
    assert figure_names(results()) == [*KINDS, *GENERAL]
    assert figure_names(Results.of(settings(), metrics())) == [*KINDS, *GENERAL[:3]]


def test_the_best_model_of_each_stage_is_marked():
    models = metrics()
    models.loc[2, ["pass_at_1", "gain"]] = 0.5, 0.01
    models.loc[4, ["outcome_best", "outcome"]] = 0.9
    axis = draw("subsets", results(models)).axes[0]
    rings = [line.get_ydata()[0] for line in axis.lines if line.get_markersize() == 9]
    assert rings == [0.5, 0.9]


def test_sft_is_open_and_rl_is_filled(everything):
    base = metrics().iloc[0]
    stars = [line for line in everything["subsets"].axes[0].lines if line.get_marker() == "*"]
    faces = {float(line.get_ydata()[0]): line.get_markerfacecolor() for line in stars}
    assert faces == {base["pass_at_1"]: "white", base["outcome"]: selection_styles()["no SFT"].colour}


@pytest.mark.parametrize("name", [*KINDS, *GENERAL])
@pytest.mark.parametrize("left", [0, 1, 2])
def test_studies_without_results_say_so(name, left):
    """`left` models of one study are there, none of the other."""
    models = metrics()
    few = results(models[models["study"] == "how"].head(left))
    text = words(draw(name, few))
    if left == 0 or name in ("linear_fit", "outcomes", "pass_at_k"):
        assert "no results yet" in text
    if left and name in ("predictors", "ranks"):
        assert "too few models" in text


def test_models_without_rl_are_drawn_as_far_as_they_are():
    models = metrics()
    some = without_rl(models, list(models["recipe"][1:3]))
    bars = draw("bars", results(some)).axes[0]
    assert sum(text.get_text().startswith(("+", "-")) for text in bars.texts) == len(WHICH) - 2
    assert "n = 6" in " ".join(words(draw("linear_fit", results(some))))
    none = without_rl(models, list(models["recipe"]))
    for name in ("subsets", "loss_and_gain", "predictors", "ranks", "outcomes"):
        assert name == "subsets" or "no results yet" in words(draw(name, results(none)))


@pytest.mark.filterwarnings("error")
def test_forty_models_are_still_told_apart():
    models = pd.DataFrame(
        model("which", place, f"{rule}-{size}k", 1, 1e-5)
        for place, (rule, size) in enumerate(
            itertools.product(("random", "longest", "shortest", "shortest-5k+longest"), range(10, 110, 10))
        )
    )
    many = results(models)
    for name in KINDS:
        figure = draw(name, many)
        with style():
            figure.draw_without_rendering()
        assert min(axis.get_position().height * figure.get_figheight() for axis in figure.axes) > 1


def ladder_beside_runs() -> pd.DataFrame:
    """`metrics`, and of `random-10k` also the models after epochs 1, 2 and 4 of a training for 8, and its last."""
    models = metrics().assign(scheduled_epochs=lambda models: models["epochs"])
    ladder = pd.DataFrame(model("how", 10 + n, "random-10k", epochs, 1e-5) for n, epochs in enumerate((1, 2, 4, 8)))
    recipes = [f"random-10k.ep8at{epochs}.lr1e-05" for epochs in (1, 2, 4)] + ["random-10k.ep8.lr1e-05"]
    return pd.concat([models, ladder.assign(recipe=recipes, scheduled_epochs=8)], ignore_index=True)


def test_a_ladder_is_a_line_of_its_own_beside_runs_for_as_many_epochs():
    figure = draw("epochs", results(ladder_beside_runs()))
    assert {"random 10k", "random 10k, in one run of 8", "random 50k", "random 200k"} < set(words(figure))
    lines = [
        line for line in figure.axes[0].lines if line.get_linestyle() in ("-", "--") and line.get_marker() != "None"
    ]
    # Before and after RL; points of one place stand side by side.
    assert [len(line.get_xdata()) for line in lines] == [3, 3, 3, 4, 1] * 2
    for line in (lines[3], lines[8]):
        assert line.get_xdata() == pytest.approx([1, 2, 4, 8], abs=0.5)


def test_points_of_a_ladder_are_half_filled():
    blocks = {name: {"kind": name, "studies": ["how"], "columns": 1} for name in ("linear_fit", "loss_and_gain")}
    for name in blocks:
        figure = draw(name, results(ladder_beside_runs(), figures=blocks))
        half = [line for axis in figure.axes for line in axis.lines if line.get_fillstyle() == "left"]
        assert len(half) == 3 * len(figure.axes), name
        assert "part of a longer run" in words(figure)
        assert "part of a longer run" not in words(draw(name, results(figures=blocks)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [*KINDS, *GENERAL])
def test_every_figure_of_a_ladder_can_be_drawn(name, tmp_path):
    figure = draw(name, results(ladder_beside_runs()))
    with style():
        figure.draw_without_rendering()
    if name in GENERAL[3:]:
        assert "random 10k, epoch 2 of 8" in words(figure)


def test_losses_on_different_data_get_no_line_and_no_correlation():
    blocks = {"loss_and_gain": {"kind": "loss_and_gain", "studies": ["how", "which"], "columns": 2}}
    comparable, different = draw("loss_and_gain", results(figures=blocks)).axes
    assert [len(axis.collections) > len(axis.containers) * 2 for axis in (comparable, different)] == [True, False]
    assert "ρ" in comparable.texts[0].get_text()
    assert different.texts[0].get_text() == f"losses on different data:\nnot comparable, n = {len(WHICH)}"


def test_the_outcome_is_the_one_the_settings_ask_for():
    last = results(analysis={"outcome": "last"})
    assert last.panels["how"].models["outcome"].tolist() == metrics()["outcome_last"].tolist()[len(WHICH) :]


def test_errors_of_outcomes_have_runs_and_checkpoints_in_them_where_there_are_several():
    models = metrics()
    assert (results().panels["how"].models["outcome_error"] > 0.014).all()
    one_run = models.assign(grpo_runs=1, checkpoints=1, outcome_scores=[[one[0]] for one in models["outcome_scores"]])
    assert results(one_run).panels["how"].models["outcome_error"].tolist() == [0.014] * len(HOW)


def test_a_new_predictor_appears_by_itself():
    @predictor("by_loss_alone", "loss of a new kind", levels={"dataset"})
    def new(models: pd.DataFrame):
        return [outcome_on(models, "generalization_loss")]

    try:
        assert "loss of a new kind" in words(draw("predictors", results()))
        assert "loss of a new kind" in words(draw("ranks", results()))
    finally:
        del PREDICTORS["by_loss_alone"]


def luminance(colour: str) -> float:
    """CIE L*, from 0 to 100: what is left of a colour in grey."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    return 116 * float(np.dot([0.2126, 0.7152, 0.0722], linear)) ** (1 / 3) - 16


def test_any_two_series_differ_without_colour():
    for styles in (cycled_styles(), [*series_styles([*selection_styles(), *map(str, range(19))]).values()]):
        assert len(styles) >= 24
        for one, other in itertools.combinations(styles, 2):
            assert one.marker != other.marker or abs(luminance(one.colour) - luminance(other.colour)) > 6
    sft, rl = BAR_LOOKS
    assert sft.get("hatch") != rl.get("hatch")
    assert luminance(sft["facecolor"]) - luminance(rl["facecolor"]) > 30


# Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
COLOUR_BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_colours_differ_to_colour_blind_readers(kind):
    """By more than 0.1 in linear RGB where they share a marker; else the marker tells."""
    seen = {colour: np.array(COLOUR_BLIND[kind]) @ np.array(to_rgb(colour)) ** 2.2 for colour in COLOURS}
    for one, other in itertools.combinations(cycled_styles(), 2):
        if one.marker == other.marker:
            assert np.linalg.norm(seen[one.colour] - seen[other.colour]) > 0.1


def test_the_same_metrics_give_the_same_bytes_with_any_number_of_workers(tmp_path):
    models = metrics().query("study == 'which'")
    changes = {"figures": {"bars": {"kind": "bars", "studies": ["which"]}}}
    models.to_parquet(tmp_path / "metrics.parquet")
    (tmp_path / "analysis.json").write_text(settings(**changes).model_dump_json())
    script("make_figures.py", "--metrics", tmp_path / "metrics.parquet", "--analysis", tmp_path / "analysis.json",
           "--output", tmp_path / "script", "--workers", 2, timeout=120)  # fmt: skip
    written = sorted(path.name for path in (tmp_path / "script").iterdir())
    assert written == sorted(f"{name}.{suffix}" for name in ("bars", *GENERAL[:3]) for suffix in ("pdf", "svg", "png"))
    draw_and_save("bars", Results.of(settings(**changes), models), tmp_path / "here")
    for file in ("bars.pdf", "bars.svg", "bars.png"):
        assert (tmp_path / "script" / file).read_bytes() == (tmp_path / "here" / file).read_bytes(), file


def test_files_need_no_font_and_hold_no_date(tmp_path):
    draw_and_save("bars", results(), tmp_path)
    svg = (tmp_path / "bars.svg").read_text()
    assert "<text" not in svg and "<dc:date>" not in svg
    pdf = (tmp_path / "bars.pdf").read_bytes()
    assert b"/Type3" not in pdf and b"CreationDate" not in pdf


def test_a_dollar_sign_in_a_title_is_no_formula(tmp_path):
    draw_and_save("bars", results(label="costs $2 to $3_x"), tmp_path)


def test_metrics_without_a_column_are_refused_in_one_line(tmp_path):
    metrics().drop(columns="gain").to_parquet(tmp_path / "metrics.parquet")
    (tmp_path / "analysis.json").write_text(settings().model_dump_json())
    result = script("make_figures.py", "--analysis", tmp_path / "analysis.json", "--metrics",
                    tmp_path / "metrics.parquet", "--output", tmp_path, check=False, timeout=60)  # fmt: skip
    assert result.returncode == 1
    assert re.fullmatch(r"error: .*metrics\.parquet: no column gain; collect the metrics again\n", result.stderr)


def test_a_missing_file_is_named_in_one_line(tmp_path):
    (tmp_path / "analysis.json").write_text(settings().model_dump_json())
    result = script("make_figures.py", "--analysis", tmp_path / "analysis.json", "--metrics", tmp_path / "none.parquet",
                    "--output", tmp_path, check=False, timeout=60)  # fmt: skip
    assert result.returncode == 1
    assert re.fullmatch(r"error: .*none\.parquet: no such file; .*\n", result.stderr)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for picture, content in draw_everything().items():
        write_picture(content, IMAGES / f"{picture}.png")
