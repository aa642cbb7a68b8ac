"""RL by verl: how it is launched and resumed, and the models it leaves."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from quagmires.common import provenance
from quagmires.common.errors import UserError
from quagmires.common.files import whole_directory, whole_file, write_json
from quagmires.common.processes import SCRIPTS
from quagmires.common.terminal import Progress
from quagmires.config.algorithms import nested
from quagmires.config.engine_files import with_algorithm
from quagmires.config.schema import RLShared
from quagmires.data.prompts import load_tokenizer
from quagmires.training.base import Conversation, Job, Launch, RunToCheck
from quagmires.training.runs import RLRunSettings
from quagmires.training.verl.checkpoints import prune, repair_tracker
from quagmires.training.verl.metrics import logged_steps, metric_files, read_metrics, read_progress
from quagmires.training.verl.settings import (
    check_engine,
    checkpoint_steps,
    overrides,
    read_settings,
    save_steps,
    total_steps,
)

# By path: verl loads it, a trainer does not grade.
REWARD = SCRIPTS / "quagmires" / "grading" / "reward.py"


class Verl:
    """See `training.base.Trainer`."""

    title: str = "verl"
    environment: str = "grpo"
    packages: tuple[str, ...] = (
        "verl",
        "torch",
        "transformers",
        "ray",
        "tensordict",
        "TransferQueue",
        "vllm",
        "math-verify",
    )
    run_settings: type[RLRunSettings] = RLRunSettings
    keeps_epochs: bool = False

    def read_settings(self, path: str | Path, shared: RLShared) -> dict[str, Any]:
        check_engine(shared.engine, shared.algorithm)
        return read_settings(path, shared.algorithm)

    def check(self, run: RunToCheck[RLRunSettings]) -> None:
        # It imports verl.
        from quagmires.training.verl.checks import check_run

        check_run(run)

    def tokenized(
        self, model: Path, messages: Sequence[Conversation], response: str, template: str | None
    ) -> tuple[list[list[int]], None]:
        """By the builder that verl's agent loop calls."""
        from verl.utils.tokenizer.continuous_token_wiring import create_continuous_token_builder

        builder = create_continuous_token_builder(load_tokenizer(str(model)))
        return [list(builder.build_initial_tokens(message)) for message in messages], None

    def identity(self, job: Job[RLRunSettings]) -> dict[str, Any]:
        from quagmires.training.verl.checks import refuse_unknown

        settings = self.read_settings(job.settings, job.run)
        refuse_unknown(settings, str(job.settings))
        refuse_unknown(nested(job.run.engine), "rl.engine")
        # Numbers that cannot be are refused before anything is read or removed.
        _wanted_steps(job)
        return {
            "settings": with_algorithm(settings, job.run.algorithm),
            "run": job.run.as_dict(),
            "model": provenance.model_fingerprint(job.model),
            "data": provenance.sha256_file(job.data),
        }

    def newest_checkpoint(self, job: Job[RLRunSettings]) -> int | None:
        _checkpoints(job).mkdir(exist_ok=True)
        return repair_tracker(_checkpoints(job), logged_steps(job.work))

    def launch(self, job: Job[RLRunSettings], resumed: int | None) -> Launch | None:
        """See `Trainer`.

        Told to stop (SIGTERM), verl is ended at once: a step takes longer than a cluster waits, and verl 0.9.1's new
        trainer does not look at its own setting for a job's end (`esi_redundant_time`).
        """
        wanted = _wanted_steps(job)
        if resumed == wanted[-1]:
            return None
        saves = [step for step in save_steps(wanted, job.save_steps) if step > (resumed or 0)]
        # What it refuses is refused before there is a folder that nobody would remove.
        laid_over = overrides(job.run, job.model, job.data, _checkpoints(job), REWARD, _problems(job), saves)
        # verl's file logger empties its file at the start: a new one for each attempt.
        metrics = job.work / f"metrics{len(metric_files(job.work)):03}.jsonl"
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
        if job.accelerator == "cpu":
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
            "--config-path", str(job.settings.resolve().parent),
            "--config-name", job.settings.stem,
            f"hydra.run.dir='{(job.work / 'hydra').resolve()}'",
            *laid_over,
        ]  # fmt: skip
        return Launch(command, environment, scratch=ray_folder)

    def read_progress(self, job: Job[RLRunSettings]) -> Progress | None:
        return read_progress(metric_files(job.work), _wanted_steps(job)[-1])

    def tidy(self, job: Job[RLRunSettings]) -> None:
        prune(_checkpoints(job), _wanted_steps(job), logged_steps(job.work))

    def write_models(self, job: Job[RLRunSettings], resumed: int | None, record: Callable[[], dict[str, Any]]) -> None:
        """Merge the wanted checkpoints into checkpoint1/model ..., and write metrics.jsonl."""
        wanted = _wanted_steps(job)
        total = wanted[-1]
        metrics = read_metrics(metric_files(job.work))
        if [int(row["step"]) for row in metrics] != list(range(1, total + 1)):
            raise UserError(f"{job.name}: verl logged {len(metrics)} of {total} steps; see {job.log}, then run again")
        for index, step in enumerate(wanted, start=1):
            own = {"method": job.run.algorithm, "step": step, "of_steps": total, "resumed_from_step": resumed}
            actor = _checkpoints(job) / f"global_step_{step}" / "actor"
            merge(actor, job.output / f"checkpoint{index}" / "model", job.model, {**own, **record()})
        with whole_file(job.output / "metrics.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in metrics), encoding="utf-8")


def _checkpoints(job: Job[RLRunSettings]) -> Path:
    return job.work / "checkpoints"


def _problems(job: Job[RLRunSettings]) -> int:
    return pq.read_metadata(job.data).num_rows


def _wanted_steps(job: Job[RLRunSettings]) -> list[int]:
    """The steps of the checkpoints to evaluate; the last is the end of training."""
    total = total_steps(_problems(job), job.run.batch_size, job.run.epochs)
    return checkpoint_steps(total, job.run.checkpoints)


def merge(actor: Path, target: Path, start: Path, record: Mapping[str, Any]) -> None:
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
