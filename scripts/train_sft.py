"""Fine-tune one model, resuming if an earlier attempt left a whole checkpoint.

Told to stop (SIGTERM), it saves after the step at hand.
Runs in the trainer's environment. Writes a Hugging Face directory with training.json in it.
"""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.training.base import Job
from quagmires.training.job import train
from quagmires.training.trainers import DEFAULTS, TRAINERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trainer", choices=TRAINERS["sft"], default=DEFAULTS["sft"])
    parser.add_argument("--name", required=True, help="how messages call the run")
    parser.add_argument("--model", type=Path, required=True, help="model directory to start from")
    parser.add_argument("--data", type=Path, required=True, help="JSON lines with prompt and response")
    parser.add_argument("--settings", type=Path, required=True, help="LLaMA-Factory YAML")
    parser.add_argument(
        "--run",
        required=True,
        help="JSON: learning_rate, epochs, global_batch_size, per_device_batch_size, devices, cutoff_tokens, seed, and"
        " engine (LLaMA-Factory keys laid over the settings)",
    )
    parser.add_argument("--save-steps", type=int, default=200, help="steps between checkpoints to resume from")
    parser.add_argument("--stall-minutes", type=float, default=60, help="give up after so long without a new step")
    parser.add_argument("--grace-seconds", type=float, default=240, help="time to save in when told to stop (SIGTERM)")
    parser.add_argument("--work", type=Path, required=True, help="directory for checkpoints; removed at the end")
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    parser.add_argument("--log", type=Path, required=True, help="LLaMA-Factory's output")
    given = vars(parser.parse_args())

    trainer = TRAINERS["sft"][given.pop("trainer")]
    run = trainer.run_settings.from_json(given.pop("run"))
    train(trainer, Job(**given, run=run))


if __name__ == "__main__":
    command_line(main)
