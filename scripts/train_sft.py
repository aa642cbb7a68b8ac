"""Fine-tune one model with LLaMA-Factory, resuming if an earlier attempt left a whole checkpoint.

Told to stop (SIGTERM), it saves after the step at hand.
Runs in the sft environment. Writes a Hugging Face directory with training.json in it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from quagmires.common import provenance
from quagmires.common.errors import command_line
from quagmires.common.files import read_json, remove, whole_directory, write_json
from quagmires.common.processes import SCRIPTS, Stop, run_engine
from quagmires.training.llamafactory import settings as sft
from quagmires.training.llamafactory.checkpoints import discard_broken_checkpoints, newest_checkpoint

PACKAGES = ("llamafactory", "transformers", "torch", "accelerate", "trl", "datasets", "deepspeed", "flash-attn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="how messages call the run")
    parser.add_argument("--model", type=Path, required=True, help="model directory to start from")
    parser.add_argument("--data", type=Path, required=True, help="JSON lines with prompt and response")
    parser.add_argument("--settings", type=Path, required=True, help="LLaMA-Factory YAML")
    parser.add_argument(
        "--run",
        type=json.loads,
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
    options = parser.parse_args()

    started = time.time()
    run = {**options.run, "model": str(options.model)}
    settings = sft.with_engine(sft.read_settings(options.settings), run.get("engine", {}))
    identity = {
        "settings": settings,
        "run": run,
        "model": provenance.model_fingerprint(options.model),
        "data": provenance.sha256_file(options.data),
    }
    if "deepspeed" in settings:
        identity["deepspeed"] = sft.read_deepspeed(settings["deepspeed"])
    start_or_resume(options.work, identity)
    complete = sft.complete_settings(settings, run, options.work, options.save_steps)
    config = sft.write_run(options.work, complete, options.data)
    output = options.work / "output"
    broken = discard_broken_checkpoints(output, run["devices"])
    if broken:
        print(f"{options.name}: discarded half-written {', '.join(broken)}", file=sys.stderr)
    resumed = newest_checkpoint(output)
    command, environment = sft.launch(settings, run["devices"])
    stop = Stop(options.work / "stop", options.grace_seconds)
    run_engine(
        [*command, str(config), str(stop.file)],
        name=options.name,
        log=options.log,
        environment={
            **environment,
            # What is compiled at run time looks for its tools on PATH.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(SCRIPTS),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        },
        progress=lambda: sft.read_progress(output),
        stall_minutes=options.stall_minutes,
        stop=stop,
    )
    with whole_directory(options.output) as directory:
        sft.copy_model(output, directory)
        record = {
            "method": "sft",
            **sft.training_record(output),
            "seconds": round(time.time() - started, 1),
            "resumed_from": resumed,
            "identity": identity,
            "versions": provenance.versions(*PACKAGES),
            "hardware": provenance.hardware(),
        }
        write_json(directory / "training.json", record)
    remove(options.work)


def start_or_resume(work: Path, identity: dict) -> None:
    """Keep the work directory if it belongs to the same run; else begin anew, so that nothing stale is resumed."""
    path = work / "identity.json"
    if path.is_file() and read_json(path) == identity:
        return
    remove(work)
    work.mkdir(parents=True)
    write_json(path, identity)


if __name__ == "__main__":
    command_line(main)
