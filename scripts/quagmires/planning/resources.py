"""The work of each job, in expected seconds, and what the job asks of the cluster for it.

A request is the expected time (throughput.py) with a margin, and minutes to start. It only sets a job's time limit: a
job that is cut off resumes where it was. The plan (costs.py) counts the same expected times without the margin.
"""

import math
from dataclasses import dataclass, replace

from quagmires.config.experiment import COMMON, Checkpoint, Experiment, RLRun, SFTRun
from quagmires.config.schema import Cluster
from quagmires.config.subset_names import parse_subset, subset_size
from quagmires.config.subset_rules import SUBSET_RULES, mean_of_pool
from quagmires.planning import throughput
from quagmires.planning.throughput import Speed, Throughput
from quagmires.training.verl.settings import total_steps

# Start, loading weights, and writing the model at the end: at least so much of a time limit is for it.
OVERHEAD_MINUTES = 45


@dataclass(frozen=True)
class Request:
    """What one job asks for; `minutes` is its time limit."""

    devices: int
    processors: int
    memory_mb: int
    minutes: int


@dataclass(frozen=True)
class Work:
    """What one job is expected to do: `tokens` in `seconds` on all its devices, and `start_seconds` beside them."""

    devices: int
    tokens: float
    seconds: float
    start_seconds: float
    measured: bool

    @property
    def hours(self) -> float:
        """From start to end, if it is never cut off."""
        return (self.seconds + self.start_seconds) / 3600

    @property
    def device_hours(self) -> float:
        return self.devices * self.hours


def example_tokens(subset: str, mean: int, cutoff: int) -> float:
    """Expected tokens of a subset's example, by the rules that pick it; of `all` and `base` it is the pool's mean.

    Parameters
    ----------
    mean, cutoff
        tokens: the mean of the pool's examples, and the most that an example may have.
    """
    parts = parse_subset(subset)
    sizes = [(SUBSET_RULES[part.rule].expected_tokens(mean, cutoff), part.size) for part in parts]
    total = sum(size for _, size in sizes)
    return sum(tokens * size for tokens, size in sizes) / total if total else mean_of_pool(mean, cutoff)


def sft_tokens(run: SFTRun, experiment: Experiment) -> float:
    """Tokens that an SFT run trains on, all epochs together."""
    pool = experiment.config.sft_datasets[run.dataset]
    examples = subset_size(run.subset, pool.usable_rows)
    return examples * run.epochs * example_tokens(run.subset, pool.mean_tokens, experiment.sft[run.model].cutoff_tokens)


def rl_steps(run: RLRun, experiment: Experiment) -> int:
    """The steps of an RL run."""
    settings = experiment.rl[run.sft.model]
    return total_steps(experiment.config.rl_datasets[run.rl_dataset].rows, settings.batch_size, settings.epochs)


def responses(checkpoint: Checkpoint, experiment: Experiment) -> int:
    """Responses to draw from one checkpoint, all benchmarks and RL prompts together."""
    settings = experiment.evaluation[checkpoint.model]
    to_rl_prompts = len(checkpoint.rl_sets) * (settings.rl_prompts or 0) * (settings.rl_samples or 0)
    problems = sum(experiment.config.benchmarks[name].rows for name in checkpoint.benchmarks)
    return checkpoint.samples * problems + to_rl_prompts


def sft_work(run: SFTRun, experiment: Experiment, speeds: Throughput) -> Work:
    """One SFT run."""
    tokens, devices = sft_tokens(run, experiment), experiment.sft[run.model].devices
    return _work(devices, tokens, speeds, run.model, "sft", [speeds.speed(run.model, "sft")])


def loss_tokens(model: str, dataset: str, experiment: Experiment) -> float:
    """Tokens of a data set's held-out traces (or of `COMMON`) as far as they are known before they are measured."""
    settings = experiment.sft[model]
    common = settings.validation if dataset == COMMON else None
    pools, examples = (common.pools, common.examples) if common else ([dataset], settings.validation_examples)
    means = (min(experiment.config.sft_datasets[pool].mean_tokens, settings.cutoff_tokens) for pool in pools)
    return sum(examples * mean for mean in means)


def loss_work(run: SFTRun, dataset: str, experiment: Experiment, speeds: Throughput) -> Work:
    """The generalization loss of one SFT model on a data set's held-out traces (or on `COMMON`), on one device."""
    tokens = loss_tokens(run.model, dataset, experiment)
    return _work(1, tokens, speeds, run.model, "loss", [speeds.speed(run.model, "loss")])


def rl_work(run: RLRun, experiment: Experiment, speeds: Throughput) -> Work:
    """One RL run: in each step responses are sampled, scored once and trained on."""
    model, settings = run.sft.model, experiment.rl[run.sft.model]
    length = speeds.response_tokens(model, "grpo", settings.max_response_tokens)
    tokens = rl_steps(run, experiment) * settings.batch_size * settings.rollouts * length
    both = [speeds.speed(model, "grpo_sampling"), speeds.speed(model, "grpo_update")]
    return _work(settings.devices, tokens, speeds, model, "grpo", both)


def samples_work(checkpoint: Checkpoint, experiment: Experiment, speeds: Throughput) -> Work:
    """Sampling for all benchmarks of one checkpoint."""
    model, settings = checkpoint.model, experiment.evaluation[checkpoint.model]
    length = speeds.response_tokens(model, "sampling", settings.max_tokens)
    tokens = responses(checkpoint, experiment) * length
    return _work(settings.devices, tokens, speeds, model, "sampling", [speeds.speed(model, "sampling")])


def rl_samples_work(run: RLRun, experiment: Experiment, speeds: Throughput) -> Work:
    """Sampling from all checkpoints of one RL run, by one engine that starts once."""
    each = [samples_work(one, experiment, speeds) for one in rl_checkpoints(run, experiment)]
    return replace(each[0], tokens=sum(one.tokens for one in each), seconds=sum(one.seconds for one in each))


def rl_checkpoints(run: RLRun, experiment: Experiment) -> list[Checkpoint]:
    """The checkpoints of one RL run that are evaluated."""
    count = experiment.rl[run.sft.model].checkpoints
    return [experiment.checkpoints[run.checkpoint(index)] for index in range(1, count + 1)]


def _work(
    devices: int, tokens: float, speeds: Throughput, model: str, stage: throughput.Stage, passes: list[Speed]
) -> Work:
    seconds = sum(tokens / speed.tokens_per_second for speed in passes) / devices
    measured = all(speed.source == "measured" for speed in passes)
    return Work(devices, tokens, seconds, speeds.start_seconds(model, stage), measured)


def sft_request(run: SFTRun, experiment: Experiment) -> Request:
    """One SFT run."""
    return _request(sft_work(run, experiment, throughput.of(experiment.config)), experiment.config.cluster)


def loss_request(run: SFTRun, experiment: Experiment, dataset: str | None = None) -> Request:
    """The generalization loss of one SFT model, on one GPU; by default on the traces of its own data set."""
    work = loss_work(run, dataset or run.dataset, experiment, throughput.of(experiment.config))
    return _request(work, experiment.config.cluster)


def rl_request(run: RLRun, experiment: Experiment) -> Request:
    """One RL run."""
    return _request(rl_work(run, experiment, throughput.of(experiment.config)), experiment.config.cluster)


def samples_request(checkpoint: Checkpoint, experiment: Experiment) -> Request:
    """Sampling for all benchmarks of one checkpoint."""
    return _request(samples_work(checkpoint, experiment, throughput.of(experiment.config)), experiment.config.cluster)


def rl_samples_request(run: RLRun, experiment: Experiment) -> Request:
    """Sampling from all checkpoints of one RL run."""
    return _request(rl_samples_work(run, experiment, throughput.of(experiment.config)), experiment.config.cluster)


def memory_mb(cluster: Cluster, devices: int) -> int:
    """The node's memory for a job on so many GPUs."""
    return devices * cluster.memory_gb_per_gpu * 1000


def _request(work: Work, cluster: Cluster) -> Request:
    overhead = max(OVERHEAD_MINUTES, math.ceil(cluster.margin * work.start_seconds / 60))
    minutes = overhead + math.ceil(cluster.margin * work.seconds / 60)
    return Request(
        devices=work.devices,
        processors=work.devices * cluster.cpus_per_gpu,
        memory_mb=memory_mb(cluster, work.devices),
        minutes=min(minutes, math.floor(cluster.max_hours * 60)),
    )
