"""Put one model of a ladder where the workflow looks for SFT models: the same files by a second name, or copies.

A ladder is a folder that train_sft.py writes with `evaluate_at`: `epoch<n>/` for each model, and training.json of all.
"""

import argparse
from pathlib import Path

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import link_or_copy, read_json, whole_directory, write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ladder", type=Path, required=True, help="folder of the ladder")
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()

    source = options.ladder / f"epoch{options.epoch}"
    if not (source / "training.json").is_file():
        raise UserError(f"{source}: the ladder has no such model; remove {options.ladder} and train it again")
    record = read_json(source / "training.json")
    with whole_directory(options.output) as directory:
        for path in source.iterdir():
            if path.name != "training.json":
                link_or_copy(path, directory / path.name)
        # Not by a second name: it is what the workflow waits for, and must be newer than the ladder.
        write_json(directory / "training.json", record)


if __name__ == "__main__":
    command_line(main)
