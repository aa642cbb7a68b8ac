"""Build one of the workflow's Python environments from its hashed lock, with uv. The stamp is written last.

Runs in the workflow environment. Packages come from the sources pip is configured with; PyTorch's own CPU index is
asked only if they lack a CPU wheel of torch. Every file is checked against the lock's hash, whatever its source.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from quagmires.common.errors import UserError
from quagmires.common.files import remove, write_text
from quagmires.common.provenance import sha256_file

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
BIN = Path(sys.executable).parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--lock", type=Path, required=True, help="requirements with hashes")
    parser.add_argument("--local", type=Path, action="append", default=[], help="a package of this repository to add")
    parser.add_argument("--environment", type=Path, required=True, help="directory of the environment")
    parser.add_argument("--stamp", type=Path, required=True, help="file that says the environment is whole")
    parser.add_argument("--log", type=Path, required=True)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    remove(options.stamp)
    options.log.parent.mkdir(parents=True, exist_ok=True)
    python = options.environment / "bin" / "python"
    with open(options.log, "wb") as log:
        if not python.exists():
            run_uv(["venv", "--clear", "--python", sys.executable, str(options.environment)], log)
        # Compiled now: the engines import so much that they would start twice as slowly every time. The best match of
        # all sources is safe to take, as the lock's hashes decide what is installed.
        sync = ["pip", "sync", "--python", str(python), "--require-hashes", "--compile-bytecode"]
        sync += ["--index-strategy", "unsafe-best-match", str(options.lock)]
        sources = configured_sources()
        if not run_uv([*sync, *sources], log, check="+cpu" not in options.lock.read_text(encoding="utf-8")):
            print(f"no CPU wheel of torch in the configured sources; trying {TORCH_CPU_INDEX}", file=sys.stderr)
            run_uv([*sync, *sources, "--index", TORCH_CPU_INDEX], log)
        for package in options.local:
            install(package, python, log)
    write_text(options.stamp, f"{sha256_file(options.lock)}\n")


def install(package: Path, python: Path, log: BinaryIO) -> None:
    """Copy a pure package of this repository into site-packages: no build tool, nothing resolved."""
    found = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    target = Path(found.stdout.strip()) / package.name
    remove(target)
    shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))
    log.write(f"copied {package} to site-packages\n".encode())


def run_uv(arguments: list[str], log: BinaryIO, check: bool = True) -> bool:
    """Run uv; True if it succeeded. With `check`, a failure is an error with uv's last words."""
    environment = {"UV_HTTP_TIMEOUT": "300", **os.environ}
    result = subprocess.run(
        [str(BIN / "uv"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    )
    log.write(result.stdout)
    log.flush()
    if result.returncode and check:
        words = [line.strip() for line in result.stdout.decode(errors="replace").splitlines() if line.strip()]
        telling = [line for line in words if not line.startswith("hint:")]
        raise UserError(f"uv {arguments[0]} failed; see {log.name}. It said: {(telling or ['nothing'])[-1]}")
    return result.returncode == 0


def configured_sources() -> list[str]:
    """uv options for the indexes and wheel folders that pip is configured with; uv does not read pip's settings."""
    values: dict[str, list[str]] = {name: [] for name in ("index-url", "extra-index-url", "find-links")}
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2]
        if name in values:
            # The environment comes last and wins in pip; for lists, all of them count.
            values[name] += ast.literal_eval(value).split()
    options = []
    for name, found in values.items():
        found = found[-1:] if name == "index-url" else found
        for value in dict.fromkeys(found):
            if not value.startswith("file:") or Path(value.removeprefix("file://")).is_dir():
                options.append(f"--{name}={value}")
    return options
