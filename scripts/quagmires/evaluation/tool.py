"""What the evaluation tool works with: its settings, the model's files, the machine's GPUs."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from quagmires.common.errors import UserError
from quagmires.common.files import read_json
from quagmires.common.provenance import sha256_file
from quagmires.config.experiment import check_environment
from quagmires.config.loading import Files, validate
from quagmires.config.schema import Benchmark, Block, Evaluation, Name, Prompt
from quagmires.data.model_directories import model_problem

MODEL_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "tokenizer*", "*.txt")


class Settings(Block):
    """The blocks of a config that the evaluation of one model needs."""

    seed: Annotated[int, Field(ge=0)]
    accelerator: Literal["cpu", "cuda"]
    prompt: Prompt
    evaluation: Evaluation
    benchmarks: dict[Name, Benchmark]


def load_settings(paths: Sequence[Path]) -> Settings:
    """Settings from YAML files, each laid over the ones before; blocks for other stages are left out.

    Raises
    ------
    UserError
        The first mistake, in one line that names the file and the key.
    """
    files = Files(paths)
    merged = files.merged()
    settings = validate(Settings, {name: merged[name] for name in Settings.model_fields if name in merged}, files)
    check_environment(files, ("evaluation",), settings.evaluation, settings.accelerator)
    return settings


def choose(settings: Settings, names: str) -> list[str]:
    """The benchmarks of a comma-separated list; `all` is all but those with `in_all: false`."""
    if names == "all":
        return [name for name, source in settings.benchmarks.items() if source.in_all]
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in chosen:
        if name not in settings.benchmarks:
            raise UserError(f"--benchmarks: no benchmark {name!r}; there are {', '.join(settings.benchmarks)}")
    if not chosen:
        raise UserError("--benchmarks: give at least one name")
    return chosen


def local_model(model: str, revision: str | None, chat_template: Path | None) -> Path:
    """The directory of a model, downloaded from the hub if it is not one; only weights, config and tokenizer.

    Raises
    ------
    UserError
        There is no such model, or it cannot be evaluated as it is.
    """
    path = Path(model)
    if not path.is_dir():
        path = _from_hub(model, revision)
    problem = model_problem(path)
    if problem and not (chat_template and "chat template" in problem):
        raise UserError(f"--model: {problem}" + ("; or give --chat-template" if "chat template" in problem else ""))
    if chat_template and not chat_template.is_file():
        raise UserError(f"--chat-template: no such file: {chat_template}")
    return path


def _from_hub(model: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(MODEL_FILES)))
    except (OSError, ValueError, RuntimeError) as error:
        words = str(error).strip().splitlines()
        raise UserError(
            f"--model: {model} is no directory, and cannot be had from the hub ({type(error).__name__}:"
            f" {words[0] if words else ''})"
        ) from None


def fitting_tokens(model: Path, wanted: int) -> int:
    """The wanted length, or the model's context where that is shorter."""
    context = read_json(model / "config.json").get("max_position_embeddings")
    return min(wanted, context) if context else wanted


def is_built(environment: Path, lock: Path) -> bool:
    """Whether an environment was built from a lock as it is now."""
    if not lock.is_file():
        raise UserError(f"{lock}: no such lock; this accelerator has no environment yet")
    stamp = environment / "built.sha256"
    return stamp.is_file() and stamp.read_text(encoding="utf-8").strip() == sha256_file(lock)


def gpus() -> int:
    """NVIDIA GPUs of this machine, by its driver's own tool; a library (nvidia-ml-py) for one number is too much."""
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0
