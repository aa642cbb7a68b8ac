"""Train one model with GRPO by verl, resuming from its last checkpoint, and merge the wanted checkpoints.

Runs in the grpo environment. Writes OUTPUT/checkpoint1/model ... and OUTPUT/metrics.jsonl.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

from quagmires.common import provenance
from quagmires.common.errors import UserError, command_line
from quagmires.common.files import read_json, remove, whole_directory, whole_file, write_json
from quagmires.common.processes import SCRIPTS, run_engine
from quagmires.common.terminal import redirect_output
from quagmires.training.verl import settings as grpo
from quagmires.training.verl.checkpoints import prune, repair_tracker
from quagmires.training.verl.checks import refuse_unknown

PACKAGES = ("verl", "torch", "transformers", "ray", "tensordict", "TransferQueue", "vllm", "math-verify")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="how messages call the run")
    parser.add_argument("--model", type=Path, required=True, help="SFT model to start from")
    parser.add_argument("--data", type=Path, required=True, help="verl parquet with the RL prompts")
    parser.add_argument("--settings", type=Path, required=True, help="Hydra file on verl's ppo_trainer")
    parser.add_argument("--run", type=json.loads, required=True, help="JSON: the `grpo` block of the config, and seed")
    parser.add_argument("--save-steps", type=int, default=10, help="steps between checkpoints to resume from")
    parser.add_argument("--stall-minutes", type=float, default=120, help="give up after so long without a new step")
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--work", type=Path, required=True, help="directory for verl's checkpoints; removed at the end")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--log", type=Path, required=True, help="verl's output")
    options = parser.parse_args()

    redirect_output(options.log)
    started = time.time()
    refuse_unknown(grpo.read_settings(options.settings), str(options.settings))
    refuse_unknown(grpo.nested(options.run.get("engine", {})), "grpo.engine")
    problems = len(pd.read_parquet(options.data, columns=["data_source"]))
    total = grpo.total_steps(problems, options.run["batch_size"], options.run["epochs"])
    steps = grpo.checkpoint_steps(total, options.run["checkpoints"])
    identity = {
        "settings": yaml.safe_load(options.settings.read_text(encoding="utf-8")),
        "run": options.run,
        "model": provenance.model_fingerprint(options.model),
        "data": provenance.sha256_file(options.data),
    }
    resumed = start_or_resume(options.work, identity)
    checkpoints = options.work / "checkpoints"
    if resumed != total:
        saves = [step for step in grpo.save_steps(steps, options.save_steps) if step > (resumed or 0)]
        train(options, checkpoints, problems, steps, saves)
    metrics = grpo.read_metrics(metric_files(options.work))
    if [int(row["step"]) for row in metrics] != list(range(1, total + 1)):
        raise UserError(
            f"{options.name}: verl logged {len(metrics)} of {total} steps; see {options.log}, then run again"
        )
    for index, step in enumerate(steps, start=1):
        record = {
            "method": "grpo",
            "step": step,
            "of_steps": total,
            "resumed_from_step": resumed,
            "seconds": round(time.time() - started, 1),
            "identity": identity,
            "versions": provenance.versions(*PACKAGES),
            "hardware": provenance.hardware(),
        }
        merge(
            checkpoints / f"global_step_{step}" / "actor",
            options.output / f"checkpoint{index}" / "model",
            options.model,
            record,
        )
    with whole_file(options.output / "metrics.jsonl") as temporary:
        temporary.write_text("".join(json.dumps(row) + "\n" for row in metrics), encoding="utf-8")
    remove(options.work)


def start_or_resume(work: Path, identity: dict) -> int | None:
    """Keep the work directory if it belongs to the same run, else begin anew; return the step to resume from."""
    path = work / "identity.json"
    if path.is_file() and read_json(path) == identity:
        return repair_tracker(work / "checkpoints", logged_steps(work))
    remove(work)
    (work / "checkpoints").mkdir(parents=True)
    write_json(path, identity)
    return None


def metric_files(work: Path) -> list[Path]:
    """The metric logs of all attempts, oldest first."""
    return sorted(work.glob("metrics*.jsonl"))


def logged_steps(work: Path) -> set[int]:
    """The steps whose metrics were written."""
    return {int(row["step"]) for row in grpo.read_metrics(metric_files(work))}


def train(options: argparse.Namespace, checkpoints: Path, problems: int, wanted: list[int], saves: list[int]) -> None:
    """Run verl; it resumes by itself from the newest checkpoint. `saves` are the steps it has yet to save.

    Told to stop (SIGTERM), it is ended at once: a step takes longer than a cluster waits, and verl 0.9.1's new trainer
    does not look at its own setting for a job's end (`esi_redundant_time`).
    """
    reward = SCRIPTS / "quagmires" / "grading" / "reward.py"
    overrides = grpo.engine_overrides(options.run.get("engine", {}))
    overrides += grpo.overrides(options.run, options.model, options.data, checkpoints, reward, problems, saves)
    # verl's file logger empties its file at the start: a new one for each attempt.
    metrics = options.work / f"metrics{len(metric_files(options.work)):03}.jsonl"
    # Ray's sockets have a short length limit, so its folder cannot live under results/.
    ray_folder = Path(tempfile.mkdtemp(prefix="ray-"))
    environment = {
        "PYTHONPATH": str(SCRIPTS),
        "VERL_FILE_LOGGER_PATH": str(metrics.resolve()),
        "RAY_TMPDIR": str(ray_folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        "HYDRA_FULL_ERROR": "1",
    }
    if options.accelerator == "cpu":
        environment |= {
            "VERL_USE_EXTERNAL_MODULES": "verl_cpu",
            "VERL_PLATFORM": "cpu",
            # verl's engines are registered for cuda only; FSDP2 itself runs on either.
            "VERL_ENGINE_DEVICE": "cuda",
            # Ray would kill workers for what other programs on the machine use.
            "RAY_memory_monitor_refresh_ms": "0",
            "RAY_prestart_worker_first_driver": "0",
        }
    command = [
        sys.executable, "-m", "verl.trainer.main_ppo",
        "--config-path", str(options.settings.resolve().parent),
        "--config-name", options.settings.stem,
        f"hydra.run.dir='{(options.work / 'hydra').resolve()}'",
        *overrides,
    ]  # fmt: skip
    try:
        run_engine(
            command,
            name=options.name,
            log=options.log,
            environment=environment,
            progress=lambda: grpo.read_progress(metric_files(options.work), wanted[-1]),
            stall_minutes=options.stall_minutes,
            each_look=lambda: prune(checkpoints, wanted, logged_steps(options.work)),
        )
    finally:
        shutil.rmtree(ray_folder, ignore_errors=True)


def merge(actor: Path, target: Path, start: Path, record: dict) -> None:
    """Merge a sharded checkpoint into a Hugging Face directory, checkpoint.json last."""
    from verl.model_merger.base_model_merger import ModelMergerConfig
    from verl.model_merger.fsdp_model_merger import FSDPModelMerger

    with whole_directory(target) as directory:
        config = ModelMergerConfig(
            operation="merge",
            backend="fsdp",
            local_dir=str(actor),
            hf_model_config_path=str(actor / "huggingface"),
            target_dir=str(directory),
        )
        merger = FSDPModelMerger(config)
        merger.merge_and_save()
        merger.cleanup()
        # The tokenizer as it was, byte for byte: verl saves it anew with another transformers.
        for path in start.iterdir():
            if path.name.startswith("tokenizer") or path.suffix == ".jinja":
                shutil.copy(path, directory / path.name)
        for path in directory.iterdir():
            os.chmod(path, 0o644)
        write_json(directory / "checkpoint.json", record)


if __name__ == "__main__":
    command_line(main)
