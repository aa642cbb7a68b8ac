"""Where models and data sets lie: local files, and the folders that downloads from the hub go to."""

import hashlib
from glob import glob
from pathlib import Path

# Shared by all experiments: a model or a pool is downloaded once.
DOWNLOADS = "results/downloads"
# In characters: file systems allow 255 with the suffix and a temporary part.
LONGEST_SET_NAME = 150


def local_files(paths: str | list[str]) -> list[str]:
    """The files of a path, a pattern, or a list of them, in the order given and each pattern's sorted.

    A path that is no pattern is returned whether or not there is such a file.
    """
    found = []
    for path in [paths] if isinstance(paths, str) else paths:
        found += sorted(glob(path, recursive=True)) if any(mark in path for mark in "*?[") else [path]
    return found


def download_record(kind: str, identity: str, revision: str) -> str:
    """The file that is written last into the folder of a downloaded repository."""
    return f"{download_folder(kind, identity, revision)}/files.json"


def download_folder(kind: str, identity: str, revision: str) -> str:
    """The folder of a downloaded repository; `kind` is models or datasets.

    >>> download_folder("models", "Qwen/Qwen3-4B-Base", "906bfd4b4dc7f14ee4320094d8b41684abff8539")
    'results/downloads/models/Qwen--Qwen3-4B-Base--906bfd4b4dc7'
    """
    name = identity.replace("/", "--")
    return str(Path(DOWNLOADS, kind, f"{name}--{revision[:12] or 'newest'}"))


def set_name(names: list[str]) -> str:
    """The name of a file that stands for several benchmarks or training sets at once; short, however many they are.

    >>> set_name(["math500", "aime_2025"])
    'math500+aime_2025'
    >>> set_name(["x" * 100, "y" * 100])
    '2-9e8ed9bf44e981e0'
    """
    joined = "+".join(names)
    if len(joined) <= LONGEST_SET_NAME:
        return joined
    return f"{len(names)}-{hashlib.sha256(joined.encode()).hexdigest()[:16]}"
