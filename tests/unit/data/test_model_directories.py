"""Model directories made ready: templates, end tokens, and what is refused."""

import json
from pathlib import Path

import pytest

from quagmires.common.errors import UserError
from quagmires.data.model_directories import model_problem, own_template, prepare, text_sha256
from quagmires.data.prompts import load_tokenizer, prompt_ids


def ready(source: Path, output: Path, **options) -> dict:
    """`prepare` without any choice but the given ones."""
    choices = {"template": None, "template_sha256": None, "eos_token": None, "origin": {"path": str(source)}}
    return prepare(source, output, **choices | options)


def test_what_a_model_needs(tmp_path):
    assert "not a model directory" in model_problem(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "no tokenizer" in model_problem(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{")
    assert "not JSON" in model_problem(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert "no chat template" in model_problem(tmp_path)
    assert model_problem(tmp_path, needs_template=False) is None
    (tmp_path / "tokenizer_config.json").write_text('{"chat_template": "x"}')
    assert model_problem(tmp_path) is None


def test_of_several_named_templates_the_default_counts(tmp_path):
    named = [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert own_template(tmp_path) == "d"


def test_a_model_as_it_is_is_linked(byte_tokenizer, tmp_path):
    record = ready(byte_tokenizer, tmp_path / "model")
    assert (
        record["chat_template_sha256"]
        == record["own_chat_template_sha256"]
        == text_sha256(own_template(byte_tokenizer))
    )
    assert json.loads((tmp_path / "model" / "model.json").read_text()) == record
    assert (tmp_path / "model" / "tokenizer.json").is_symlink()
    assert (tmp_path / "model" / "tokenizer.json").read_bytes() == (byte_tokenizer / "tokenizer.json").read_bytes()


def test_a_chosen_template_and_end_token_take_effect(byte_tokenizer, tmp_path):
    (tmp_path / "chat.jinja").write_text("{% for m in messages %}<{{ m['content'] }}>{% endfor %}")
    (byte_tokenizer / "generation_config.json").write_text('{"eos_token_id": 7}')
    try:
        record = ready(byte_tokenizer, tmp_path / "model", template=tmp_path / "chat.jinja", eos_token="<end>")
    finally:
        (byte_tokenizer / "generation_config.json").unlink()
    assert record["chat_template_sha256"] != record["own_chat_template_sha256"]
    tokenizer = load_tokenizer(str(tmp_path / "model"))
    assert tokenizer.decode(prompt_ids(tokenizer, "1 + 1", "Go.")) == "<1 + 1 Go.>"
    assert tokenizer.eos_token == "<end>"
    assert json.loads((tmp_path / "model" / "generation_config.json").read_text()) == {"eos_token_id": [0, 7]}
    # The model it came from is as it was.
    assert tokenizer.chat_template != load_tokenizer(str(byte_tokenizer)).chat_template
    assert json.loads((byte_tokenizer / "config.json").read_text()) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template_sha256": "0" * 64}, "the chat template has sha256 [0-9a-f]{64}, the config expects 0000"),
        ({"eos_token": "<stop>"}, "the tokenizer has no special token '<stop>'; correct `eos_token`"),
    ],
)
def test_a_wrong_choice_is_refused_and_leaves_nothing(byte_tokenizer, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        ready(byte_tokenizer, tmp_path / "model", **options)
    assert list(tmp_path.iterdir()) == []
