"""Make a model ready to start from: links to its files, with the chat template and end token that the config chose."""

import argparse
import json
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.data.model_directories import prepare


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--origin", type=json.loads, required=True, help="JSON: where it came from, for the record")
    parser.add_argument("--chat-template", type=Path, help="Jinja file to use in place of the model's own")
    parser.add_argument("--chat-template-sha256", help="the hash it must have")
    parser.add_argument("--eos-token", help="the token that ends a turn, where it is not the tokenizer's own")
    parser.add_argument("--output", type=Path, required=True, help="model directory to write, with model.json")
    options = parser.parse_args()

    record = prepare(
        options.model,
        options.output,
        template=options.chat_template,
        template_sha256=options.chat_template_sha256,
        eos_token=options.eos_token,
        origin=options.origin,
    )
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    command_line(main)
