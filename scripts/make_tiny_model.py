"""Make a tiny Llama with random weights and a tokenizer of its own, to be pre-trained as the demo's base model."""

import argparse
import re
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import whole_directory
from quagmires.common.tabular import iterate

PAD, END, USER, ASSISTANT = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"
# Of what is neither a name nor a number of two digits.
VOCABULARY = 350
WORD = re.compile(r" [A-Z][a-z]+|[0-9]{2}")
# Below 32, vLLM's CPU attention refuses the head size.
HEAD_SIZE = 32
CONTEXT = 256
# The system branch and the loop are what LLaMA-Factory needs to find the slots of each role.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n' }}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>' + message['content'] + '<|assistant|>' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + '<|end|>' }}"
    "{% endif %}{% endfor %}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="JSON lines with prompt and response")
    parser.add_argument("--hidden-size", type=int, required=True)
    parser.add_argument("--layers", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="model directory")
    options = parser.parse_args()

    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        # Merges may cross words, so that the long fixed instruction costs a few tokens and not thirty; never digits.
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    texts = [f"{row['prompt']}{row['response']}" for row in iterate(options.corpus)]
    # A number or a name is one token everywhere, as in the vocabularies of large models a common word is.
    words = sorted({word for text in texts for word in WORD.findall(text)})
    specials = [PAD, END, USER, ASSISTANT]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    # What lies between the words.
    tokenizer.train_from_iterator((part for text in texts[:5000] for part in WORD.split(text)), trainer)
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in words])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[USER, ASSISTANT],
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE

    torch.manual_seed(options.seed)
    config = LlamaConfig(
        vocab_size=len(wrapped),
        hidden_size=options.hidden_size,
        intermediate_size=3 * options.hidden_size,
        num_hidden_layers=options.layers,
        num_attention_heads=options.hidden_size // HEAD_SIZE,
        head_dim=HEAD_SIZE,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=wrapped.pad_token_id,
        bos_token_id=None,
        eos_token_id=wrapped.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    with whole_directory(options.output) as directory:
        model.save_pretrained(directory)
        wrapped.save_pretrained(directory)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(wrapped)} tokens")


if __name__ == "__main__":
    command_line(main)
