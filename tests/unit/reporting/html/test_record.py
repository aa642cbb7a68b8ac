"""What was run, of models that differ in their RL algorithm and of other trainers."""

import json
from pathlib import Path

import pytest

from quagmires.config.experiment import Experiment, expand
from quagmires.config.loading import Files, parse
from quagmires.reporting.html.blocks import ReportTable
from quagmires.reporting.html.record import engines, key_settings
from support import ROOT


def experiment(**rl) -> Experiment:
    """The demo with a second model, which is trained by RLOO."""
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    config = files.merged()
    config["models"]["other"] = {**config["models"]["toy"], "rl": {"algorithm": "rloo"}}
    config["studies"]["other"] = {**config["studies"]["toy"], "model": "other"}
    config["rl"] |= rl
    return expand(parse(config, files), files)


def texts(table: ReportTable) -> list[list[str]]:
    return [["".join(span.text for span in cell) for cell in row] for row in table.rows]


@pytest.fixture
def results(tmp_path) -> Path:
    """Records of both models; the version of each tells which it is."""

    def write(path: str, content) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(content))

    for model, algorithm in (("toy", "grpo"), ("other", "rloo")):
        run = f"{model}/base/{algorithm}/goals/run1/checkpoint1"
        write(f"{run}/model/checkpoint.json", {"versions": {"verl": f"of {model}"}})
        write(f"{run}/eval/samples.json", {"versions": {"vllm": f"of {model}"}})
        write(f"data/checks/grpo.{model}.goals.json", {"versions": {"verl": f"checked {model}"}})
        write(f"data/checks/grpo.{model}.goals.settings.json", [{"name": model}])
        write(f"data/checks/sft.{model}.json", {"versions": {"llamafactory": "1"}})
        write(f"data/checks/sft.{model}.settings.json", {"versions": {"llamafactory": "none"}})
    # Of an algorithm that the model is not trained by.
    write("toy/base/rloo/goals/run1/checkpoint1/model/checkpoint.json", {"versions": {"verl": "of another time"}})
    return tmp_path


def test_each_models_runs_are_those_of_its_own_algorithm(results):
    rows = [row[:3] for row in texts(engines(results, experiment()))]
    assert rows == [
        ["GRPO", "1", "verl of toy"],
        ["RLOO", "1", "verl of other"],
        ["GRPO, check of settings", "1", "verl checked toy"],
        ["RLOO, check of settings", "1", "verl checked other"],
        ["Sampling after RL", "1", "vllm of toy"],
        ["Sampling after RL", "1", "vllm of other"],
    ]


def test_settings_name_every_algorithm_and_the_trainers():
    rows = dict(texts(key_settings(experiment())))
    assert rows["seed"] == "42; GRPO, RLOO run r has 42 + r - 1"
    assert rows["SFT"].startswith("LLaMA-Factory; learning rate")
    assert rows["GRPO, RLOO"].startswith("verl; learning rate")
    # Results may be those of a trainer that is not registered here.
    assert dict(texts(key_settings(experiment(trainer="ours"))))["GRPO, RLOO"].startswith("ours; learning rate")
