"""Fine-tune one model with LLaMA-Factory, resuming if an earlier attempt left a whole checkpoint.

Runs in the sft environment. Writes a Hugging Face directory with training.json in it.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from quagmires import provenance, sft
from quagmires.engines import run_engine
from quagmires.errors import command_line
from quagmires.files import read_json, remove, whole_directory, write_json

PACKAGES = ("llamafactory", "transformers", "torch", "accelerate", "trl", "datasets", "deepspeed")


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
        help="JSON: learning_rate, epochs, global_batch_size, per_device_batch_size, devices, cutoff_tokens,"
        " save_steps, seed",
    )
    parser.add_argument("--work", type=Path, required=True, help="directory for checkpoints; removed at the end")
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    parser.add_argument("--log", type=Path, required=True, help="LLaMA-Factory's output")
    options = parser.parse_args()

    started = time.time()
    settings = sft.read_settings(options.settings)
    run = {**options.run, "model": str(options.model)}
    identity = {
        "settings": settings,
        "run": run,
        "model": provenance.model_fingerprint(options.model),
        "data": provenance.sha256_file(options.data),
    }
    start_or_resume(options.work, identity)
    config = sft.write_run(options.work, settings, run, options.data)
    output = options.work / "output"
    broken = sft.discard_broken_checkpoints(output)
    if broken:
        print(f"{options.name}: discarded half-written {', '.join(broken)}", file=sys.stderr)
    resumed = sorted(path.name for path in output.glob("checkpoint-*"))
    bin_directory = Path(sys.executable).parent
    run_engine(
        [str(bin_directory / "llamafactory-cli"), "train", str(config)],
        name=options.name,
        log=options.log,
        # LLaMA-Factory looks torchrun up on PATH.
        environment={
            "PATH": f"{bin_directory}{os.pathsep}{os.environ.get('PATH', '')}",
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        },
        progress=lambda: sft.read_progress(output),
    )
    with whole_directory(options.output) as directory:
        sft.copy_model(output, directory)
        record = {
            "method": "sft",
            **sft.training_record(output),
            "seconds": round(time.time() - started, 1),
            "resumed_from": resumed[-1] if resumed else None,
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
