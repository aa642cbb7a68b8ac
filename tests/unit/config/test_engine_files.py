import json

from quagmires.config.engine_files import settings_content, template_option, with_algorithm
from quagmires.config.experiment import read_experiment
from support import ROOT


def test_a_comment_is_no_content_but_deepspeeds_settings_are(tmp_path):
    for name, comment in (("a", ""), ("b", "# bf16 is faster\n")):
        deepspeed = tmp_path / "zero3.json"
        deepspeed.write_text('{"stage": 3}')
        (tmp_path / f"{name}.yaml").write_text(f"{comment}bf16: true\ndeepspeed: {deepspeed}\n")
    first, second = (settings_content(str(tmp_path / f"{name}.yaml")) for name in "ab")
    assert first == second
    assert json.loads(first) == {"bf16": True, "deepspeed": {"stage": 3}}


def test_a_file_that_names_grpo_itself_is_as_it_was_before_there_was_a_choice(tmp_path):
    """Runs that finished with it are not repeated; other files say what the algorithm is."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("algorithm: {adv_estimator: grpo}\n")
    new.write_text("trainer: {device: cpu}\n")
    grpo = {"adv_estimator": "grpo", "norm_adv_by_std_in_grpo": True}
    assert json.loads(settings_content(str(old), "grpo")) == {"algorithm": {"adv_estimator": "grpo"}}
    assert json.loads(settings_content(str(new), "grpo")) == {"trainer": {"device": "cpu"}, "algorithm": grpo}
    assert with_algorithm({"algorithm": {"adv_estimator": "grpo"}}, "dr_grpo")["algorithm"] == {
        "adv_estimator": "grpo",
        "norm_adv_by_std_in_grpo": False,
    }


def test_a_template_is_an_option_only_where_one_is_set():
    sft = read_experiment([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"]).sft["toy"]
    with_template = sft.model_copy(update={"engine": {"template": "llama 3"}})
    assert template_option(sft) == ""
    assert template_option(with_template) == "--template 'llama 3'"
