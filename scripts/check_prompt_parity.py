"""Compare prompts as LLaMA-Factory, verl and vLLM tokenize them; any difference is an error that shows both."""

import argparse
from pathlib import Path

from quagmires.errors import UserError, command_line
from quagmires.files import read_json, write_json
from quagmires.provenance import sha256_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rendered", type=Path, nargs="+", required=True, help="JSON files from render_prompts.py")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()

    rendered = [read_json(path) for path in options.rendered]
    reference = rendered[0]
    for other in rendered[1:]:
        compare(reference, other)
    for one in rendered:
        check_end(one)
    summary = {
        "engines": [one["engine"] for one in rendered],
        "prompts": len(reference["prompts"]),
        "example": reference["prompts"][0]["text"],
        "sha256": sha256_json([prompt["ids"] for prompt in reference["prompts"]]),
    }
    write_json(options.output, summary)


def compare(one: dict, other: dict) -> None:
    """Raise with both renderings of the first prompt that differs."""
    for mine, theirs in zip(one["prompts"], other["prompts"], strict=True):
        if mine["ids"] != theirs["ids"]:
            raise UserError(
                f"prompts differ between {one['engine']} and {other['engine']}; make their templates agree"
                f" (`template` in the SFT settings, or the model's chat template)\n"
                f"  {one['engine']:>12}: {mine['text']!r} {mine['ids']}\n"
                f"  {other['engine']:>12}: {theirs['text']!r} {theirs['ids']}"
            )


def check_end(one: dict) -> None:
    """A model must be trained to end with the token that stops its sampling."""
    response = one["response"]
    if response and response["ids"][-1:] != [one["end"]]:
        raise UserError(
            f"{one['engine']} trains responses that do not end with the end-of-text token {one['end']}, so the model"
            f" would never stop; choose another `template`. The response ends: {response['text'][-60:]!r}"
            f" {response['ids'][-5:]}"
        )


if __name__ == "__main__":
    command_line(main)
