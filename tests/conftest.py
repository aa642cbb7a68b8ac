"""A tokenizer for tests of curation."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def byte_tokenizer(tmp_path_factory) -> Path:
    """A model directory whose tokenizer has one token a byte, so that token counts are byte counts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    directory = tmp_path_factory.mktemp("byte_tokenizer")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<end>": 0, **{character: index for index, character in enumerate(alphabet, start=1)}}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    # One byte before and after the user's turn.
    wrapped.chat_template = "{% for m in messages %}>{{ m['content'] }}\n{% endfor %}"
    wrapped.save_pretrained(directory)
    (directory / "config.json").write_text("{}")
    return directory
