"""Train one model with RL, resuming from its last checkpoint, and merge the wanted checkpoints.

Runs in the trainer's environment. Writes OUTPUT/checkpoint1/model ... and OUTPUT/metrics.jsonl.
"""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.terminal import redirect_output
from quagmires.training.base import Job
from quagmires.training.job import train
from quagmires.training.trainers import DEFAULTS, TRAINERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", choices=TRAINERS["rl"], default=DEFAULTS["rl"])
    parser.add_argument("--name", required=True, help="how messages call the run")
    parser.add_argument("--model", type=Path, required=True, help="SFT model to start from")
    parser.add_argument("--data", type=Path, required=True, help="verl parquet with the RL prompts")
    parser.add_argument("--settings", type=Path, required=True, help="Hydra file on verl's ppo_trainer")
    parser.add_argument("--run", required=True, help="JSON: what the `rl` block of the config says of a run, and seed")
    parser.add_argument("--save-steps", type=int, default=10, help="steps between checkpoints to resume from")
    parser.add_argument("--stall-minutes", type=float, default=120, help="give up after so long without a new step")
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--work", type=Path, required=True, help="directory for verl's checkpoints; removed at the end")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--log", type=Path, required=True, help="verl's output")
    given = vars(parser.parse_args())

    redirect_output(given["log"])
    trainer = TRAINERS["rl"][given.pop("trainer")]
    run = trainer.run_settings.from_json(given.pop("run"))
    train(trainer, Job(**given, run=run))


if __name__ == "__main__":
    command_line(main)
