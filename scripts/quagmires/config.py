"""The configuration of an experiment: typed blocks, and one-line errors that name the file, the key and the fix."""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from quagmires.errors import UserError

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Positive = Annotated[int, Field(gt=0)]
Scalar = bool | int | float | str | None


class Block(BaseModel):
    """A block of the config: unknown keys are errors, values are never coerced from text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Prompt(Block):
    """The prompt, the same for SFT, GRPO and evaluation (paper, Appendix B.3)."""

    instruction: str = Field(description="Appended to the problem after one space, in one user turn.")


class Model(Block):
    """A language model to start from."""

    path: str = Field(description="A Hugging Face model directory with a chat template.")
    note: str = Field("", description="How the model came to be; shown in the report.")


class DataSource(Block):
    """A data set in a local file."""

    path: str = Field(description="A .jsonl, .jsonl.gz or .parquet file.")
    rows: Positive = Field(description="The number of rows expected; another number stops the workflow.")
    columns: dict[str, str] = Field(
        default_factory=dict, description="Our column name -> the file's, where they differ."
    )


class Hub(Block):
    """A data set on the Hugging Face hub."""

    dataset: str = Field(description="Its id, or a local copy of its repository.")
    config: str | None = Field(None, description="The configuration, where there are several.")
    split: str
    revision: str = Field("", description="A full commit hash; empty is the newest, which `rows` alone then checks.")


class ProblemSource(Block):
    """Problems with answers, for RL or evaluation: a local file or a data set on the hub."""

    path: str | None = Field(None, description="A .jsonl, .jsonl.gz or .parquet file.")
    hub: Hub | None = None
    rows: Positive = Field(description="The number of rows expected; another number stops the workflow.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description='Our column name -> the source\'s, where they differ; `id: "#"` numbers the rows.',
    )
    gold: Literal["text", "number", "hashes", "box", "any", "olympiadbench"] = Field(
        "text", description="How the right answer is read from the answer column (golds.py)."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "ProblemSource":
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either `path` or `hub`, and set the other to null")
        return self


class Recipe(Block):
    """One SFT model: a subset of the pool and how to train on it. `subset: base` is no SFT at all."""

    subset: str = Field(description="base, all, random-N, shortest-N, longest-N, or several joined by `+`.")
    epochs: Annotated[float, Field(gt=0)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None


class Study(Block):
    """One panel of the paper: model x SFT set x RL set x a list of recipes."""

    title: str
    level: Literal["dataset", "instance", "showcase"]
    model: Name
    sft_dataset: Name
    rl_dataset: Name
    benchmarks: list[Name] = Field(min_length=1)
    recipes: list[str | Recipe] = Field(min_length=1)


class SFT(Block):
    """Supervised fine-tuning with LLaMA-Factory (paper, Appendix B.2)."""

    settings: str = Field(description="A LLaMA-Factory YAML; what this block sets is laid over it.")
    learning_rate: Annotated[float, Field(gt=0)]
    epochs: Annotated[float, Field(gt=0)]
    global_batch_size: Positive
    per_device_batch_size: Positive
    devices: Positive
    cutoff_tokens: Positive = Field(
        description="Prompt and response together; longer examples are dropped and counted."
    )
    validation_examples: Positive = Field(description="Held out by problem before any selection.")
    save_steps: Positive = Field(description="Optimizer steps between checkpoints to resume from.")


class GRPO(Block):
    """Reinforcement learning with verl (paper, Appendix B.2)."""

    settings: str = Field(description="A Hydra file on verl's ppo_trainer; what this block sets is laid over it.")
    learning_rate: Annotated[float, Field(gt=0)]
    warmup_steps: Annotated[int, Field(ge=0)]
    batch_size: Positive = Field(description="Problems per step; each is sampled `rollouts` times.")
    rollouts: Annotated[int, Field(gt=1)]
    temperature: Annotated[float, Field(gt=0)]
    kl_coefficient: Annotated[float, Field(ge=0)]
    entropy_coefficient: Annotated[float, Field(ge=0)]
    epochs: Annotated[float, Field(gt=0)]
    max_prompt_tokens: Positive
    max_response_tokens: Positive
    runs: Positive = Field(description="Independent runs from each SFT model, seeds apart.")
    checkpoints: Positive = Field(description="Evenly spaced checkpoints of each run that are evaluated.")
    devices: Positive


class Evaluation(Block):
    """Sampling and grading (paper, Appendix B.3)."""

    temperature: Annotated[float, Field(gt=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Positive = Field(description="Prompt and response together.")
    samples: Positive = Field(description="Responses per problem before RL (for Pass@large-k).")
    samples_after_rl: Positive = Field(description="Responses per problem of each RL checkpoint.")
    large_k: Positive = Field(description="The k of the Pass@large-k predictor.")
    repetitions_per_shard: Positive
    devices: Positive = Field(1, description="GPUs of the node; vLLM spreads the requests over them.")
    grading_timeout_seconds: Annotated[float, Field(gt=0)]
    engine: dict[str, Scalar] = Field(default_factory=dict, description="Further arguments of vLLM's engine.")
    environment: dict[str, str] = Field(default_factory=dict, description="Environment variables for vLLM.")


class ArithmeticWorld(Block):
    """The demo's generated problems and traces, and its tiny base model."""

    sft_problems: Positive
    rl_problems: Positive
    benchmark_problems: Positive
    base_examples: Positive = Field(description="Examples that the base model is pre-trained on.")
    base_epochs: Annotated[float, Field(gt=0)]
    base_learning_rate: Annotated[float, Field(gt=0)]
    base_batch_size: Positive
    base_settings: str = Field(description="A LLaMA-Factory YAML for the base's pre-training.")
    careful_share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Share of step-by-step solutions in the base's pre-training data; the rest are hasty guesses."
    )
    hidden_size: Positive
    layers: Positive


class Config(Block):
    """A whole experiment."""

    experiment: Name
    title: str
    label: str = Field("", description="Shown on every table and figure, e.g. that the model is a toy.")
    seed: Annotated[int, Field(ge=0)]
    accelerator: Literal["cpu", "cuda"]
    prompt: Prompt
    models: dict[Name, Model] = Field(min_length=1)
    sft_datasets: dict[Name, DataSource] = Field(min_length=1)
    rl_datasets: dict[Name, ProblemSource] = Field(min_length=1)
    benchmarks: dict[Name, ProblemSource] = Field(min_length=1)
    studies: dict[Name, Study] = Field(min_length=1)
    sft: SFT
    grpo: GRPO
    evaluation: Evaluation
    arithmetic_world: ArithmeticWorld | None = None


Location = tuple[str | int, ...]


class Files:
    """The YAML files a config was merged from, to say in which of them a key stands."""

    def __init__(self, paths: Iterable[str | Path]):
        self.parsed = [(str(path), load_yaml(path)) for path in paths]

    def merged(self) -> dict[str, Any]:
        """Each file laid over the ones before, key by key, as Snakemake does."""
        result: dict[str, Any] = {}
        for _, content in self.parsed:
            result = _laid_over(result, content or {})
        return result

    def holding(self, location: Location) -> str:
        """The last file that holds `location`, or its longest existing part; the last file if none does."""
        for length in range(len(location), 0, -1):
            for path, content in reversed(self.parsed):
                if _holds(content, location[:length]):
                    return path
        return self.parsed[-1][0] if self.parsed else "config"

    def error(self, location: Location, problem: str) -> UserError:
        """A one-line error about the value at `location`."""
        return UserError(f"{self.holding(location)}: {dotted(location)}: {problem}")


def load_yaml(path: str | Path) -> Any:
    """Read a YAML file; a `UserError` names the line that does not parse."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such config file")
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: not YAML ({getattr(error, 'problem', error)})") from None


def parse(merged: Mapping[str, Any], files: Files) -> Config:
    """Check a merged config against the schema.

    Raises
    ------
    UserError
        The first mistake, in one line, with the number of further ones.
    """
    return validate(Config, merged, files)


Checked = TypeVar("Checked", bound=Block)


def validate(block: type[Checked], merged: Mapping[str, Any], files: Files) -> Checked:
    """Check merged content against one block of the schema; see `parse`."""
    try:
        return block.model_validate(_floats_as_numbers(merged))
    except ValidationError as error:
        first, *others = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        location = tuple(part for part in first["loc"] if part not in ("str", "Recipe", "[key]"))
        more = f" (and {len(others)} more)" if others and first["type"] != "extra_forbidden" else ""
        raise files.error(location, _explain(first, location) + more) from None


def dotted(location: Location) -> str:
    """`("studies", "toy", "recipes", 2)` -> `studies.toy.recipes[2]`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _holds(content: Any, location: Location) -> bool:
    for part in location:
        if (
            isinstance(content, Mapping)
            and part in content
            or isinstance(content, list)
            and isinstance(part, int)
            and part < len(content)
        ):
            content = content[part]
        else:
            return False
    return True


def _laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: _laid_over(below[key], item) if key in below else item for key, item in above.items()}}


def _floats_as_numbers(value: Any) -> Any:
    """YAML 1.1 reads `1e-5` (no dot) as text; everybody means the number."""
    if isinstance(value, Mapping):
        return {key: _floats_as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats_as_numbers(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?[eE][+-]?\d+", value):
        return float(value)
    return value


def _explain(error: Mapping[str, Any], location: Location) -> str:
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(location[-1]), _known_keys(location[:-1]), n=1)
        return "unknown key" + (f"; did you mean `{close[0]}`?" if close else "; remove it")
    if error["type"] == "missing":
        return "missing; add it"
    message = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] == "string_pattern_mismatch":
        message = "use lower-case letters, digits, hyphens and underscores only"
    return f"{message}; found {error['input']!r}"


def _known_keys(location: Location) -> list[str]:
    """The keys of the block at `location`, found by walking the schema."""
    block: Any = Config
    for part in location:
        if isinstance(block, type) and issubclass(block, BaseModel) and part in block.model_fields:
            block = block.model_fields[part].annotation
        else:
            arguments = typing.get_args(block)
            block = arguments[-1] if arguments else None
        if isinstance(block, types.UnionType) or typing.get_origin(block) is typing.Union:
            block = next((a for a in typing.get_args(block) if isinstance(a, type) and issubclass(a, BaseModel)), None)
    return list(block.model_fields) if isinstance(block, type) and issubclass(block, BaseModel) else []
