"""What a result came from: versions, hardware, fingerprints of inputs."""

import hashlib
import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any


def versions(*packages: str) -> dict[str, str]:
    """The installed versions of `packages` (those that are there) and of Python."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, Any]:
    """Processor, cores, and accelerators if torch sees any."""
    found: dict[str, Any] = {"machine": platform.machine(), "cores": os.cpu_count()}
    try:
        import torch
    except ImportError:
        return found
    found["accelerators"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return found


def sha256_file(path: str | Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """The sha256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def model_fingerprint(directory: str | Path) -> str:
    """A hash of a model's weights, config and tokenizer."""
    return _fingerprint(directory, (".safetensors", ".jinja", ".model"))


def tokenizer_fingerprint(directory: str | Path) -> str:
    """A hash of a model's config and tokenizer."""
    return _fingerprint(directory, (".jinja", ".model"))


def _fingerprint(directory: str | Path, suffixes: tuple[str, ...]) -> str:
    names = sorted(
        path.name for path in Path(directory).iterdir() if path.suffix in suffixes or path.name in _MODEL_JSON
    )
    return sha256_json({name: sha256_file(Path(directory) / name) for name in names})


_MODEL_JSON = ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json")
