"""Put a model without SFT where the workflow looks for SFT models: the same files, and a training.json that says so."""

import argparse
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import read_json, whole_directory, write_json
from quagmires.data.model_directories import RECORD, link_files, model_problem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    options = parser.parse_args()

    problem = model_problem(options.model)
    if problem:
        raise UserError(problem)
    record = {
        "method": "none",
        "steps": 0,
        "epochs": 0,
        "tokens_seen": 0,
        "loss_curve": [],
        "model": provenance.model_fingerprint(options.model),
    }
    made_by = options.model / "training.json"
    if made_by.is_file():
        record["base"] = read_json(made_by)
    with whole_directory(options.output) as directory:
        link_files(options.model, directory, without=(RECORD, "training.json"))
        write_json(directory / "training.json", record)


if __name__ == "__main__":
    command_line(main)
