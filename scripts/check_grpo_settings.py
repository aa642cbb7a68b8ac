"""Check the settings of all GRPO runs against the installed verl, before any of them waits for a GPU.

Runs in the grpo environment, on a CPU. Prints a line for each wrong run.
"""

import argparse
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

    from quagmires.grpo_checks import check_run

    runs = read_json(options.runs)
    different = check_every(runs, check_run)
    write_json(
        options.output, {"runs": len(runs), "different": different, "versions": provenance.versions("verl", "vllm")}
    )


if __name__ == "__main__":
    command_line(main)
