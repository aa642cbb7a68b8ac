"""Compile envs/*.in to their locks: exact versions with hashes, what engines declare and never load left out.

A package keeps the version that its lock has while that still fits; --upgrade looks for the newest.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from quagmires.commands.build_environment import BIN, TORCH_CPU_INDEX, configured_sources
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import whole_file

TARGET = ["--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"]


def main() -> None:
    every = [*sorted(Path("envs").glob("*.in")), *sorted(Path("benchmarks/rivals").glob("*.in"))]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requirements", type=Path, nargs="*", default=every, help="an .in file; all of them by default")
    parser.add_argument("--upgrade", action="store_true", help="newest versions, not those of the lock")
    options = parser.parse_args()

    for requirements in options.requirements:
        lock = requirements.with_suffix(".lock")
        excludes = requirements.with_suffix(".excludes")
        command = [
            str(BIN / "uv"),
            "pip",
            "compile",
            "--quiet",
            "--generate-hashes",
            "--no-header",
            *TARGET,
            str(requirements),
        ]
        command += ["--excludes", str(excludes)] if excludes.is_file() else []
        # From PyPI, whose hashes cover every platform's file; a configured mirror may list but one of them.
        command += [option for option in configured_sources() if option.startswith("--find-links=")]
        extra = ["--index", TORCH_CPU_INDEX, "--index-strategy", "unsafe-best-match"]
        with whole_file(lock) as temporary:
            if lock.is_file() and not options.upgrade:
                shutil.copy(lock, temporary)
            command += ["--no-annotate", "--output-file", str(temporary)]
            if (
                subprocess.run(command, stderr=subprocess.DEVNULL).returncode
                and subprocess.run([*command, *extra]).returncode
            ):
                raise UserError(f"{requirements}: uv found no set of versions that fits; its words are above")
        print(f"{lock}: {sum('==' in line for line in lock.read_text().splitlines())} packages", file=sys.stderr)


if __name__ == "__main__":
    command_line(main)
