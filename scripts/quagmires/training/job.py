"""Train one model with any trainer: resume if the work directory is of the same run, watch, record."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quagmires.common import provenance
from quagmires.common.files import read_json, remove, write_json
from quagmires.common.processes import run_engine
from quagmires.training.base import Job, Settings, Trainer


def train(trainer: Trainer[Settings], job: Job[Settings]) -> None:
    """Train, from the newest checkpoint of an earlier attempt if there is one, and write the models.

    Raises
    ------
    UserError
        the settings are wrong, or the engine failed: see `run_engine`.
    """
    started = time.time()
    identity = trainer.identity(job)
    keep_or_begin(job.work, identity)
    resumed = trainer.newest_checkpoint(job)
    launch = trainer.launch(job, resumed)
    if launch is not None:
        try:
            run_engine(
                launch.command,
                name=job.name,
                log=job.log,
                environment=launch.environment,
                progress=lambda: trainer.read_progress(job),
                stall_minutes=job.stall_minutes,
                stop=launch.stop,
                each_look=lambda: trainer.tidy(job),
            )
        finally:
            if launch.scratch is not None:
                # Whatever still holds a file of it does not matter.
                shutil.rmtree(launch.scratch, ignore_errors=True)

    def record() -> dict[str, Any]:
        return {
            "seconds": round(time.time() - started, 1),
            "identity": identity,
            "versions": provenance.versions(*trainer.packages),
            "hardware": provenance.hardware(),
        }

    trainer.write_models(job, resumed, record)
    remove(job.work)


def keep_or_begin(work: Path, identity: Mapping[str, Any]) -> None:
    """Keep the work directory if it belongs to the same run; else begin anew, so that nothing stale is resumed."""
    path = work / "identity.json"
    if path.is_file() and read_json(path) == identity:
        return
    remove(work)
    work.mkdir(parents=True)
    write_json(path, identity)
