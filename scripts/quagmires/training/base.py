"""What the workflow needs of a trainer: the interface that training/llamafactory and training/verl implement.

docs/adding-trainer.md says how to add one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from quagmires.common.processes import Stop
from quagmires.common.terminal import Progress
from quagmires.training.runs import RunSettings

Settings = TypeVar("Settings", bound=RunSettings)
Conversation = list[dict[str, str]]


@dataclass(frozen=True)
class Job(Generic[Settings]):
    """One run to train on this machine.

    Parameters
    ----------
    name
        how messages call it.
    model, data
        the model directory to start from, and the training data.
    settings, run
        the trainer's own file, and what the config lays over it.
    save_steps, stall_minutes, grace_seconds
        steps between checkpoints to resume from; the time after which a run without a new step is ended; the time it
        has to save in when told to stop. A run trains the same model whatever these are.
    work, output, log
        checkpoints, removed at the end; where models go; the trainer's output.
    accelerator
        `cpu` or `cuda`, where the settings file does not say it.
    """

    name: str
    model: Path
    data: Path
    settings: Path
    run: Settings
    save_steps: int
    stall_minutes: float
    work: Path
    output: Path
    log: Path
    accelerator: str | None = None
    grace_seconds: float = 0


@dataclass(frozen=True)
class Launch:
    """How a trainer is started.

    Parameters
    ----------
    command, environment
        of its process.
    stop
        how it is asked to save and end; None if it can only be ended.
    scratch
        a folder that is removed when the process has ended.
    """

    command: list[str]
    environment: Mapping[str, str]
    stop: Stop | None = None
    scratch: Path | None = None


@dataclass(frozen=True)
class RunToCheck(Generic[Settings]):
    """A run whose settings a trainer is to check before anything is trained.

    Parameters
    ----------
    name
        how messages call it.
    model
        the model directory to start from.
    settings, run
        the trainer's own file, and what the config lays over it.
    problems
        of the RL set; None for SFT.
    """

    name: str
    model: str
    settings: str
    run: Settings
    problems: int | None = None


class Trainer(Protocol[Settings]):
    """SFT or RL of one model on one machine.

    `title` is its name in the report, `environment` the Python environment that it runs in (envs/<environment>-*.lock),
    `packages` those whose versions are recorded, `run_settings` the type of a run's settings, `keeps_epochs` whether it
    can keep the models of several epochs of one SFT run (`SFTRunSettings.evaluate_at`; a config that asks another for
    it is refused). `read_settings` runs in the workflow's environment and must not import the engine; everything else
    runs in the trainer's own.
    """

    title: str
    environment: str
    packages: tuple[str, ...]
    run_settings: type[Settings]
    keeps_epochs: bool

    def read_settings(self, path: str | Path, shared: Any) -> dict[str, Any]:
        """The trainer's own settings file.

        `shared` is the config's block (`SFTShared` or `RLShared`). A `UserError` if the file, or the block's `engine`,
        sets what the workflow sets.
        """

    def check(self, run: RunToCheck[Settings]) -> None:
        """Check settings against the installed engine, without a GPU; a `UserError` says in one line what is wrong."""

    def tokenized(
        self, model: Path, messages: Sequence[Conversation], response: str, template: str | None
    ) -> tuple[list[list[int]], list[int] | None]:
        """The token ids of prompts as the trainer makes them, before anything is trained (docs/evaluation.md).

        Parameters
        ----------
        messages
            a conversation for each prompt: one user turn.
        response
            an answer to the first.
        template
            the trainer's own name of a chat template; None to read the model's.

        Returns
        -------
        tuple
            ids of each prompt, and the ids that are trained on for `response` (None for RL).
        """

    def identity(self, job: Job[Settings]) -> dict[str, Any]:
        """What makes the run this run and no other, as JSON: an attempt of another identity is not resumed."""

    def newest_checkpoint(self, job: Job[Settings]) -> int | None:
        """The step to resume from; checkpoints that a killed attempt left half-written are removed."""

    def launch(self, job: Job[Settings], resumed: int | None) -> Launch | None:
        """Write what the engine reads, and say how it is started; None if all steps have been trained."""

    def read_progress(self, job: Job[Settings]) -> Progress | None:
        """How far the engine is, from what it logs."""

    def tidy(self, job: Job[Settings]) -> None:
        """Called now and then while the engine runs: remove what is needed no more."""

    def write_models(self, job: Job[Settings], resumed: int | None, record: Callable[[], dict[str, Any]]) -> None:
        """Write the trained models, each with `record()` and what the trainer knows of it.

        SFT writes one into `job.output`, with a training.json; with `evaluate_at` it writes one into `epoch<n>/` of
        that folder for each of the epochs, and training.json of the whole run into the folder itself.

        A record has seconds, identity, versions and hardware. Make one as each model is written: its seconds count
        until then, and what a job takes beside its steps is measured by them (planning/speed_measurement.py).
        """
