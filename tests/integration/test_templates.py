"""The chat templates of config/templates, in a tokenizer with the special tokens of the model each is for."""

import json

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from quagmires.data.model_directories import prepare
from support import INSTRUCTION, ROOT, environment, python, script

ENGINES = {"llamafactory": "sft", "verl": "grpo", "vllm": "evaluate"}


def tokenizer_directory(directory, special: list[str], bos: str | None, eos: str):
    """A model directory whose tokenizer has one token a byte, and the given special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={character: i for i, character in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos).save_pretrained(directory)
    (directory / "config.json").write_text(json.dumps({"model_type": "llama"}))
    return directory


@pytest.mark.parametrize(
    ("template", "special", "bos", "eos", "end", "prompt"),
    [
        (
            "llama3",
            ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|eot_id|>",
            "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        ("mistral-nemo", ["<s>", "</s>", "[INST]", "[/INST]"], "<s>", "</s>", None, "<s>[INST]{}[/INST]"),
        (
            "chatml",
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            None,
            "<|endoftext|>",
            "<|im_end|>",
            "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
        ),
    ],
)
def test_all_engines_render_a_template_alike(environments, tmp_path, template, special, bos, eos, end, prompt):
    """And LLaMA-Factory, which reads the template itself, trains on the response and the token that ends it."""
    source = tokenizer_directory(tmp_path / "source", special, bos, eos)
    path = ROOT / "config" / "templates" / f"{template}.jinja"
    prepare(source, tmp_path / "model", template=path, template_sha256=None, eos_token=end, origin={})
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"problem": "What is 1 + 1?", "response": "<think>So 2.</think> \\boxed{2}"}) + "\n")
    for engine, name in ENGINES.items():
        script(
            "render_prompts.py", "--engine", engine, "--model", tmp_path / "model", "--problems", pool, "--instruction",
            INSTRUCTION, "--output", tmp_path / f"{engine}.json", python=python(name), env=environment(),
        )  # fmt: skip
    rendered = [tmp_path / f"{engine}.json" for engine in ENGINES]
    script("check_prompt_parity.py", "--rendered", *rendered, "--output", tmp_path / "parity.json")
    parity = json.loads((tmp_path / "parity.json").read_text())
    assert parity["engines"] == list(ENGINES)
    assert parity["example"] == prompt.format(f"What is 1 + 1? {INSTRUCTION}")
    trained = json.loads((tmp_path / "llamafactory.json").read_text())["response"]
    assert trained["text"].startswith("<think>So 2.</think> \\boxed{2}" + (end or eos))
