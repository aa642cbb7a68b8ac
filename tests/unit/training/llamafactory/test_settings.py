import json

import pytest
import yaml

from quagmires.common.errors import UserError
from quagmires.training.llamafactory import settings as sft
from quagmires.training.runs import SFTRunSettings
from support import ROOT


def test_a_global_batch_that_does_not_divide_is_refused():
    assert sft.accumulation_steps(128, 2, 8) == 8
    with pytest.raises(UserError, match="global_batch_size 100 is not a multiple"):
        sft.accumulation_steps(100, 3, 8)
    with pytest.raises(UserError, match="not a multiple"):
        sft.accumulation_steps(4, 8, 1)


def test_settings_may_not_set_what_the_workflow_sets(tmp_path):
    (tmp_path / "sft.yaml").write_text("learning_rate: 1\n")
    with pytest.raises(UserError, match="learning_rate is set by the workflow"):
        sft.read_settings(tmp_path / "sft.yaml")


@pytest.mark.parametrize("name", ["sft", "sft_cpu"])
def test_shipped_settings_train_on_the_response_only_without_packing(name):
    settings = sft.read_settings(ROOT / "config" / f"{name}.yaml")
    assert settings["train_on_prompt"] is False
    assert settings["packing"] is False
    assert settings["finetuning_type"] == "full"
    assert settings["lr_scheduler_type"] == "cosine"


RUN = SFTRunSettings(learning_rate=1e-5, epochs=2, global_batch_size=128, per_device_batch_size=2, devices=8,
                     cutoff_tokens=8192, seed=7)  # fmt: skip


def test_run_yaml_holds_the_recipe(tmp_path):
    complete = sft.complete_settings({"bf16": True}, RUN, "m", tmp_path, save_steps=5)
    written = yaml.safe_load(sft.write_run(tmp_path, complete, tmp_path / "d.jsonl").read_text())
    assert written["gradient_accumulation_steps"] == 8
    assert written["learning_rate"] == 1e-5
    assert written["num_train_epochs"] == 2.0
    assert (written["seed"], written["cutoff_len"], written["bf16"]) == (7, 8192, True)
    assert (written["save_steps"], written["save_total_limit"], written["save_only_model"]) == (5, 1, False)


def test_tokens_of_packed_examples_are_not_counted_from_their_mask(tmp_path):
    """It is one of numbers to add to attention: the sum of a demo's base model was -6e21."""
    counted = [
        sft.complete_settings({"neat_packing": packed}, RUN, "m", tmp_path, 5)["include_num_input_tokens_seen"]
        for packed in (False, True)
    ]
    assert counted == ["non_padding", "all"]


def test_deepspeeds_file_is_found_from_anywhere(tmp_path):
    settings = sft.read_settings(ROOT / "config" / "sft.yaml")
    assert sft.complete_settings(settings, RUN, "m", tmp_path, 5)["deepspeed"] == str(ROOT / "config" / "zero3.json")
    content = sft.read_deepspeed(settings["deepspeed"])
    assert content["zero_optimization"]["stage"] == 3
    assert content["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True


def test_zero_2_with_offloading_is_refused_and_without_is_not(tmp_path):
    file = tmp_path / "zero2.json"
    zero = {"stage": 2, "offload_optimizer": {"device": "cpu"}}
    file.write_text(json.dumps({"zero_optimization": zero}))
    with pytest.raises(UserError, match="ZeRO stage 2 with offload_optimizer drops the gradients"):
        sft.read_deepspeed(file)
    for harmless in ({"stage": 2}, {"stage": 3, **{k: zero[k] for k in zero if k != "stage"}},
                     {"stage": 2, "offload_optimizer": {"device": "none"}}):  # fmt: skip
        file.write_text(json.dumps({"zero_optimization": harmless}))
        assert sft.read_deepspeed(file)["zero_optimization"] == harmless
    with pytest.raises(UserError, match="not a readable JSON file"):
        sft.read_deepspeed(tmp_path / "absent.json")


def test_engine_keys_are_laid_over_the_file_but_not_over_the_workflow():
    with pytest.raises(UserError, match="sft.engine: num_train_epochs is set by the workflow"):
        sft.with_engine({}, {"num_train_epochs": 3})
    assert sft.with_engine({"a": 1, "b": 2}, {"a": 3, "b": None}) == {"a": 3}
