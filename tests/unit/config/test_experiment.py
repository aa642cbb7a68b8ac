"""What a config expands into: ladders, and the losses that are measured."""

import copy
import json

import pytest

from quagmires.common.errors import UserError
from quagmires.config.experiment import COMMON, Experiment, expand
from quagmires.config.loading import Files, laid_over, parse
from quagmires.planning.preflight import check_engine_files
from quagmires.training.checks import runs_to_check
from quagmires.training.llamafactory.trainer import LLaMAFactory
from quagmires.training.runs import SFTRunSettings, sft_settings
from support import ROOT

LADDER = {"subset": "random-60", "epochs": 8, "evaluate_at": [1, 2, 4, 8]}
RUN = "toy/walks.random-60.ep8.lr1e-3/sft"


def demo(**changes) -> Experiment:
    """The demo with some blocks or values changed; a dunder goes one block down."""
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    merged = files.merged()
    for path, value in changes.items():
        for key in reversed(path.split("__")):
            value = {key: value}
        merged = laid_over(merged, value)
    experiment = expand(parse(merged, files), files)
    check_engine_files(experiment, files)
    return experiment


def with_recipes(*recipes, **changes) -> Experiment:
    return demo(studies__toy__recipes=["base", *recipes], tables={}, figures={}, **changes)


def test_a_ladder_is_several_models_of_one_training():
    one = with_recipes(LADDER)
    rungs = [f"toy/walks.random-60.ep{name}.lr1e-3/sft" for name in ("8at1", "8at2", "8at4", "8")]
    assert list(one.sft_runs) == ["toy/base/sft", *rungs]
    assert {one.sft_runs[rung].training.checkpoint for rung in rungs} == {RUN} == {*one.ladders}
    assert one.ladders[RUN] == (1, 2, 4, 8)
    assert one.sheet["epochs"].tolist() == [0, 1, 2, 4, 8]
    assert one.sheet["scheduled_epochs"].tolist() == [0, 8, 8, 8, 8]
    # Each is evaluated, measured and taken through RL as any other.
    runs, checkpoints = one.rl["toy"].runs, one.rl["toy"].checkpoints
    assert {run.sft.recipe for run in one.rl_runs.values()} == {run.recipe for run in one.sft_runs.values()}
    assert len(one.checkpoints) == 5 * (1 + runs * checkpoints)
    assert [run.checkpoint for run, _ in one.losses()] == list(one.sft_runs)


def test_the_last_model_of_a_ladder_is_an_ordinary_run():
    ladder, plain = with_recipes(LADDER), with_recipes({"subset": "random-60", "epochs": 8})
    assert ladder.sft_runs[RUN] == plain.sft_runs[RUN]
    of_ladder, of_plain = (sft_settings(one.sft_runs[RUN], one) for one in (ladder, plain))
    assert (of_ladder.evaluate_at, of_plain.evaluate_at) == ((1, 2, 4, 8), ())
    assert of_ladder.model_copy(update={"evaluate_at": ()}) == of_plain
    # The settings of runs that were finished before there were ladders.
    assert "evaluate_at" not in of_plain.as_dict()
    for run in list(ladder.sft_runs.values())[1:]:
        assert sft_settings(run, ladder) == of_ladder


def test_a_ladder_of_its_last_epoch_alone_is_no_ladder():
    one, plain = with_recipes({**LADDER, "evaluate_at": [8]}), with_recipes({"subset": "random-60", "epochs": 8})
    assert (one.sft_runs, one.ladders) == (plain.sft_runs, {})
    assert one.sheet.equals(plain.sheet)


def test_studies_share_a_training_with_all_epochs_that_any_of_them_asks_for():
    toy = demo().config.studies["toy"].model_dump()
    others = {
        "two": {**toy, "recipes": [{**LADDER, "evaluate_at": [2, 8]}]},
        "three": {**toy, "recipes": [{**LADDER, "evaluate_at": [4, 8]}]},
        "plain": {**toy, "recipes": [{"subset": "random-60", "epochs": 8}]},
    }
    one = with_recipes("random-60", studies=others)
    assert one.ladders == {RUN: (2, 4, 8)}
    assert one.sheet.groupby("study")["recipe"].size().to_dict() == {"toy": 2, "two": 2, "three": 2, "plain": 1}
    # What is trained is the same whichever study is first.
    assert sft_settings(one.sft_runs[RUN], one).evaluate_at == (2, 4, 8)


def test_without_ladders_the_run_sheet_is_what_it_was():
    assert list(demo().sheet)[-1] == "benchmarks"


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"evaluate_at": [2, 1, 8]}, r"recipes\[1\]\.evaluate_at: \[2, 1, 8\] must rise"),
        ({"evaluate_at": [1, 1, 8]}, r"evaluate_at: \[1, 1, 8\] must rise"),
        ({"evaluate_at": [1, 9]}, "evaluate_at: 9 is beyond the 8 epochs of the training; raise `epochs`"),
        ({"evaluate_at": [1, 2]}, "evaluate_at: ends at 2, but the training goes on to 8; the last must be `epochs`"),
        ({"epochs": 2.5, "evaluate_at": [1, 2]}, "evaluate_at: ends at 2, but the training goes on to 2.5"),
        ({"evaluate_at": []}, "evaluate_at: list should have at least 1 item"),
        ({"evaluate_at": [1.5, 8]}, r"evaluate_at\[0\]: input should be a valid integer; found 1.5"),
        ({"evaluate_at": [0, 8]}, r"evaluate_at\[0\]: input should be greater than 0; found 0"),
        ({"evaluate_at": [True, 8]}, r"evaluate_at\[0\]: input should be a valid integer; found True"),
        ({"evaluate_at": 8}, "evaluate_at: input should be a valid list; found 8"),
        ({"subset": "base"}, "evaluate_at: `base` is not trained; remove it"),
        ({"epochs": -8}, r"recipes\[1\]\.epochs: input should be greater than 0; found -8"),
    ],
)
def test_a_ladder_that_cannot_be_is_one_line(recipe, message):
    with pytest.raises(UserError, match=message) as caught:
        with_recipes({**LADDER, **recipe})
    assert str(caught.value).startswith(f"{ROOT}/config/demo.yaml: studies.toy.recipes[1]")
    assert "\n" not in str(caught.value)


def test_a_ladder_and_its_last_model_by_itself_are_the_same_model():
    with pytest.raises(UserError, match=r"recipes\[2\]: recipe \S+ep8\.lr1e-3 occurs twice .* last epoch of a ladder"):
        with_recipes(LADDER, {"subset": "random-60", "epochs": 8})
    # One trained for so many epochs by itself is another model than that of a ladder.
    both = with_recipes(LADDER, {"subset": "random-60", "epochs": 2})
    assert {"walks.random-60.ep8at2.lr1e-3", "walks.random-60.ep2.lr1e-3"} < {*both.sheet["recipe"]}


def test_the_check_of_a_models_settings_does_not_depend_on_ladders():
    assert runs_to_check(with_recipes(LADDER, "random-60")) == runs_to_check(with_recipes("random-60"))


def test_a_trainer_that_cannot_keep_epochs_is_refused(monkeypatch):
    monkeypatch.setattr(LLaMAFactory, "keeps_epochs", False)
    with_recipes("random-60")
    with pytest.raises(UserError, match="sft.trainer: llamafactory cannot keep the models of several epochs; remove"):
        with_recipes(LADDER)


def test_settings_of_a_ladder_are_the_same_after_json():
    one = with_recipes(LADDER)
    settings = sft_settings(one.sft_runs[RUN], one)
    assert SFTRunSettings.model_validate_json(json.dumps(settings.as_dict())) == settings


SET = {"from": ["walks"], "examples": 300}
OTHER_POOL = {"path": "traces.jsonl", "rows": 9000}


def test_every_model_is_measured_on_the_validation_set_of_several_pools():
    toy = demo().config.studies["toy"].model_dump()
    two = {
        "sft_datasets": {"other": OTHER_POOL, "third": OTHER_POOL},
        "studies": {"other": {**toy, "sft_dataset": "other", "recipes": ["base", "random-60"]}},
        "sft": {"validation": {"from": ["walks", "third"], "examples": 30}},
    }
    one = demo(**copy.deepcopy(two))
    assert one.pools("toy") == ["walks", "other", "third"]
    assert {run.checkpoint for run, dataset in one.losses() if dataset == COMMON} == {*one.sft_runs}
    assert {dataset for run, dataset in one.losses() if run.recipe == "base"} == {"walks", "other", COMMON}
    assert set(one.sheet["common_validation"]) == {"walks,third"}
    assert COMMON not in {dataset for _, dataset in demo().losses()}


def test_a_model_may_have_a_validation_set_of_its_own_or_none():
    own = demo(sft__validation=SET, models__toy__sft={"validation": {"examples": 20}})
    assert (own.sft["toy"].validation.pools, own.sft["toy"].validation.examples) == (["walks"], 20)
    assert demo(sft__validation=SET, models__toy__sft={"validation": None}).losses() == demo().losses()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sft__validation": {**SET, "examples": 301}}, "sft.validation.examples: 301 of each pool, but a pool holds"),
        ({"sft__validation": {**SET, "from": ["arithmetik"]}}, r"sft.validation.from\[0\]: unknown SFT data set 'ari"),
        ({"sft__validation": {**SET, "from": ["walks"] * 2}}, r"from\[1\]: walks is there twice; remove one"),
        ({"sft__validation": {**SET, "from": []}}, "sft.validation.from: list should have at least 1 item"),
        ({"sft__validation": {**SET, "form": ["walks"]}}, "sft.validation.form: unknown key"),
        ({"sft__validation": {**SET, "examples": 0}}, "sft.validation.examples: input should be greater than 0"),
        ({"models__toy__sft__validation": {**SET, "examples": 301}}, "models.toy.sft.validation.examples: 301 of each"),
        ({"sft__validation": SET, "sft_datasets__common": OTHER_POOL}, "sft_datasets.common: is what the validation"),
    ],
)  # fmt: skip
def test_a_validation_set_that_cannot_be_is_one_line(changes, message):
    with pytest.raises(UserError, match=message) as caught:
        demo(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evaluation__environment__VLLM_BATCH_INVARIANT": "1"}, "evaluation.environment.VLLM_BATCH_INVARIANT: vLLM"),
        (
            {"models__toy__evaluation__environment__VLLM_BATCH_INVARIANT": "1"},
            "models.toy.evaluation.environment.VLLM_BATCH_INVARIANT: vLLM has no such kernels for CPUs",
        ),
        (
            {"evaluation__environment__VLLM_BATCH_INVARIANT": "true", "accelerator": "cuda"},
            """VLLM_BATCH_INVARIANT: write "1" or "0"; found 'true'""",
        ),
    ],
)
def test_batch_invariant_kernels_are_refused_where_there_are_none(changes, message):
    with pytest.raises(UserError, match=message) as caught:
        demo(**changes)
    assert "\n" not in str(caught.value)


def test_batch_invariant_kernels_can_be_had_for_one_model_on_gpus():
    one = demo(models__toy__evaluation__environment__VLLM_BATCH_INVARIANT="1", accelerator="cuda")
    assert one.evaluation["toy"].environment["VLLM_BATCH_INVARIANT"] == "1"
    assert "VLLM_BATCH_INVARIANT" not in one.config.evaluation.environment
