"""Compare prompts as both trainers and vLLM tokenize them; any difference is an error that shows both."""

import argparse
from pathlib import Path

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import read_json, write_json
from quagmires.common.provenance import sha256_json


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
        check_response(one)
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


def check_response(one: dict) -> None:
    """A model must be trained on the response and the end token that stops its sampling, and on nothing else."""
    response = one["response"]
    if response is None:
        return
    expected = response["expected_ids"]
    if response["ids"][: len(expected)] != expected or response["rest"].strip():
        raise UserError(
            f"{one['engine']} trains on another response than the trace and the end token {expected[-1]}: the model"
            f" would not stop, or the generalization loss be that of another text; choose another `template`\n"
            f"  trained on: {response['text'][-200:]!r} {response['ids'][-8:]}\n"
            f"    expected: ... {expected[-8:]}"
        )


if __name__ == "__main__":
    command_line(main)
