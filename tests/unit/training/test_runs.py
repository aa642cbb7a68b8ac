"""The settings of a run, from the config to a training script's `--run` and back."""

import json

import pytest

from quagmires.common.errors import UserError
from quagmires.config.experiment import read_experiment
from quagmires.training.runs import RLRunSettings, SFTRunSettings, rl_settings, sft_settings
from support import ROOT


@pytest.fixture(scope="module")
def demo():
    return read_experiment([ROOT / "config/base.yaml", ROOT / "config/demo.yaml"])


def test_settings_are_the_same_after_json(demo):
    for run in demo.sft_runs.values():
        settings = sft_settings(run, demo)
        assert SFTRunSettings.from_json(json.dumps(settings.as_dict())) == settings
        assert (settings.epochs, settings.learning_rate) == (run.epochs, run.learning_rate)
    for run in demo.rl_runs.values():
        settings = rl_settings(run, demo)
        assert RLRunSettings.from_json(json.dumps(settings.as_dict())) == settings


def test_repetitions_of_an_rl_run_differ_by_their_seed(demo):
    seeds = {run.number: rl_settings(run, demo).seed for run in demo.rl_runs.values()}
    assert seeds == {number: demo.config.seed + number - 1 for number in seeds}


def test_grpo_is_not_named_as_finished_runs_do_not_name_it(demo):
    settings = rl_settings(next(iter(demo.rl_runs.values())), demo)
    assert "algorithm" not in settings.as_dict()
    assert settings.model_copy(update={"algorithm": "rloo"}).as_dict()["algorithm"] == "rloo"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": "two"}, "--run: epochs: input should be a valid number"),
        ({"lr": 1}, "--run: lr: extra inputs are not permitted"),
        ({"seed": -1}, "--run: seed: input should be greater than or equal to 0"),
    ],
)
def test_settings_that_cannot_be_are_one_line(demo, change, message):
    given = sft_settings(next(iter(demo.sft_runs.values())), demo).as_dict() | change
    with pytest.raises(UserError, match=message):
        SFTRunSettings.from_json(json.dumps(given))
