"""Check the settings of all SFT runs against the installed LLaMA-Factory, before any of them waits for a GPU.

Runs in the sft environment, on a CPU. Prints a line for each wrong run.
"""

import argparse
import tempfile
from pathlib import Path

from quagmires import provenance
from quagmires.errors import command_line
from quagmires.files import read_json, write_json
from quagmires.settings_checks import check_every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="JSON: a list of name, model, settings, run")
    parser.add_argument("--output", type=Path, required=True, help="JSON that says what was checked")
    options = parser.parse_args()

    from quagmires.sft_checks import check_run

    runs = read_json(options.runs)
    with tempfile.TemporaryDirectory() as work:
        different = check_every(runs, lambda run: check_run(run, Path(work)))
    versions = provenance.versions("llamafactory", "transformers", "deepspeed")
    write_json(options.output, {"runs": len(runs), "different": different, "versions": versions})


if __name__ == "__main__":
    command_line(main)
