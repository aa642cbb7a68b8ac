"""Check the settings of all SFT or GRPO runs against the installed engine, before any of them waits for a GPU.

Runs in the sft or the grpo environment, on a CPU. Prints a line for each wrong run.
"""

import argparse
import tempfile
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import command_line
from quagmires.common.files import read_json, write_json
from quagmires.training.checks import check_every

PACKAGES = {"sft": ("llamafactory", "transformers", "deepspeed"), "grpo": ("verl", "vllm")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=PACKAGES, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="JSON: a list of name, model, settings, run")
    parser.add_argument("--output", type=Path, required=True, help="JSON that says what was checked")
    options = parser.parse_args()

    runs = read_json(options.runs)
    with tempfile.TemporaryDirectory() as work:
        if options.engine == "sft":
            from quagmires.training.llamafactory.checks import check_run as check_sft

            different = check_every(runs, lambda run: check_sft(run, Path(work)))
        else:
            from quagmires.training.verl.checks import check_run as check_grpo

            different = check_every(runs, check_grpo)
    versions = provenance.versions(*PACKAGES[options.engine])
    write_json(options.output, {"runs": len(runs), "different": different, "versions": versions})


if __name__ == "__main__":
    command_line(main)
