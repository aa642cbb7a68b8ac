"""Check the settings of all SFT or RL runs against the installed engine, before any of them waits for a GPU.

Runs in the trainer's environment, on a CPU. Prints a line for each wrong run.
"""

import argparse
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import command_line
from quagmires.common.files import read_json, write_json
from quagmires.training.checks import check_every
from quagmires.training.trainers import DEFAULTS, TRAINERS

# What commands call the stages; RL has been called by its first algorithm.
STAGES = {"sft": "sft", "grpo": "rl"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=STAGES, required=True, help="sft, or grpo for RL by any algorithm")
    parser.add_argument("--trainer", help="of that stage (default: llamafactory, verl)")
    parser.add_argument("--runs", type=Path, required=True, help="JSON: a list of name, model, settings, run")
    parser.add_argument("--output", type=Path, required=True, help="JSON that says what was checked")
    options = parser.parse_args()

    stage = STAGES[options.engine]
    trainer, runs = TRAINERS[stage][options.trainer or DEFAULTS[stage]], read_json(options.runs)
    different = check_every(trainer, runs)
    versions = provenance.versions(*trainer.packages)
    write_json(options.output, {"runs": len(runs), "different": different, "versions": versions})


if __name__ == "__main__":
    command_line(main)
