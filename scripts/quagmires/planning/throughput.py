"""How fast a device is at each kind of work with each model: measured, else from a table, else by operations.

The one source of expected times: the plan (costs.py) and the jobs' time limits (resources.py) both ask here.
"""

import datetime
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from quagmires.common import installation
from quagmires.config.loading import Files, validate
from quagmires.config.schema import Block, Cluster, Config, Name

# In tokens a second on one device. Both of RL are per response token, and a step takes the sum of both: sampling is
# rollouts and all that is not the update, which includes the log-probabilities before it.
Kind = Literal["sft", "loss", "sampling", "grpo_sampling", "grpo_update"]
# The jobs that start an engine.
Stage = Literal["sft", "loss", "sampling", "grpo"]
# Those whose work is in proportion to the length of responses.
Drawing = Literal["sampling", "grpo"]
Source = Literal["measured", "estimated"]
Rate = Annotated[float, Field(gt=0)]

# For each parameter and token, where there is no entry: 2 forward, 4 backward, and 2 to recompute activations (gradient
# checkpointing). RL's update has one more forward pass, for the old log-probabilities.
OPERATIONS: dict[Kind, int] = {"sft": 8, "loss": 2, "sampling": 2, "grpo_sampling": 2, "grpo_update": 10}
_BY_SAMPLING = ("sampling", "grpo_sampling")
# A process with tiny matrices on a CPU, in operations a second: a guess, the demo's models are measured.
_CPU_OPERATIONS = 2e10
# Starting an engine, loading weights, writing the model at the end.
_START_SECONDS = {"cuda": 600.0, "cpu": 20.0}
# Where `parameters` is not given: a guess on the safe side for models that one node can train; tiny ones on a CPU.
_DEFAULT_PARAMETERS = {"cuda": 12e9, "cpu": 1e6}


class Entry(Block):
    """What is known of one model on one kind of GPU."""

    source: Source
    how: str = Field(description="How the numbers came to be.")
    date: datetime.date
    tokens_per_second: dict[Kind, Rate] = Field(description="On one device.")
    start_seconds: dict[Stage, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="From a job's start to its first token, and from its last to its end."
    )
    response_tokens: dict[Drawing, Rate] = Field(
        default_factory=dict, description="Mean length of responses; the cluster block's where it is not given."
    )
    runs: dict[str, int] = Field(default_factory=dict, description="How many finished jobs each stage is from.")


class SpeedTable(Block):
    """A throughput file: GPU (as the config's `gpu_model`, or cpu) -> model -> entry."""

    speeds: dict[str, dict[Name, Entry]]


@dataclass(frozen=True)
class Speed:
    """Tokens a second on one device, and where the number is from."""

    tokens_per_second: float
    source: Source
    how: str
    date: datetime.date | None = None


@dataclass(frozen=True)
class Throughput:
    """Speeds of one experiment's models on its devices; of `tables`, a later one goes before an earlier one."""

    device: str
    accelerator: Literal["cuda", "cpu"]
    cluster: Cluster
    parameters: dict[str, float | None]
    tables: tuple[SpeedTable, ...] = field(default=())

    def size(self, model: str) -> float:
        """A model's number of parameters, or a guess on the safe side."""
        return self.parameters[model] or _DEFAULT_PARAMETERS[self.accelerator]

    def speed(self, model: str, kind: Kind) -> Speed:
        """The newest number there is, else operations a second over operations a token."""
        for entry in self._entries(model):
            if kind in entry.tokens_per_second:
                return Speed(entry.tokens_per_second[kind], entry.source, entry.how, entry.date)
        if self.accelerator == "cpu":
            operations, how = _CPU_OPERATIONS, "a guess for a CPU"
        else:
            share = "sampling_utilization" if kind in _BY_SAMPLING else "training_utilization"
            utilization = getattr(self.cluster, share)
            operations = self.cluster.bf16_tflops * 1e12 * utilization
            how = f"{utilization:.0%} of {self.cluster.bf16_tflops:g} TFLOPS (cluster block)"
        return Speed(operations / (OPERATIONS[kind] * self.size(model)), "estimated", how)

    def start_seconds(self, model: str, stage: Stage) -> float:
        """What a job takes beside its tokens."""
        for entry in self._entries(model):
            if stage in entry.start_seconds:
                return entry.start_seconds[stage]
        return _START_SECONDS[self.accelerator]

    def response_tokens(self, model: str, stage: Literal["sampling", "grpo"], at_most: int) -> float:
        """The mean length of a model's responses; `at_most` is where they are cut."""
        for entry in self._entries(model):
            if stage in entry.response_tokens:
                return min(entry.response_tokens[stage], at_most)
        return min(self.cluster.response_tokens, at_most)

    def _entries(self, model: str) -> list[Entry]:
        found = [table.speeds.get(self.device, {}).get(model) for table in reversed(self.tables)]
        return [entry for entry in found if entry]


def read(config: Config, *paths: str | Path) -> Throughput:
    """Speeds by the given files, of which a later one goes before an earlier one. The default table is found anywhere.

    Raises
    ------
    UserError
        A file is not there, or not a throughput table.
    """
    return Throughput(
        device=device(config),
        accelerator=config.accelerator,
        cluster=config.cluster,
        parameters={name: model.parameters for name, model in config.models.items()},
        tables=tuple(_table(str(installation.given_or_shipped(path))) for path in paths),
    )


def of(config: Config, measured: Path | None = None) -> Throughput:
    """Speeds by the config's table, and by what was measured in this experiment (`measured_file`) if there is such."""
    measured = measured or measured_file(config)
    return read(config, config.costs.throughput, *([measured] if measured.is_file() else []))


def measured_file(config: Config) -> Path:
    """Where measure_throughput.py writes an experiment's own speeds."""
    return Path("results") / config.experiment / "throughput.yaml"


def device(config: Config) -> str:
    """What a table calls the devices of an experiment."""
    return config.cluster.gpu_model if config.accelerator == "cuda" else "cpu"


def _table(path: str) -> SpeedTable:
    file = Path(path)
    # Thousands of jobs ask; a file that was written meanwhile is read again.
    return _read_table(path, file.stat().st_mtime_ns if file.is_file() else 0)


@functools.cache
def _read_table(path: str, modified: int) -> SpeedTable:
    files = Files([path])
    return validate(SpeedTable, files.merged(), files)
