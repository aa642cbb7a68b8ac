import json

from quagmires.config.engine_files import settings_content, template_option
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


def test_a_template_is_an_option_only_where_one_is_set():
    sft = read_experiment([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"]).sft["toy"]
    with_template = sft.model_copy(update={"engine": {"template": "llama 3"}})
    assert template_option(sft) == ""
    assert template_option(with_template) == "--template 'llama 3'"
