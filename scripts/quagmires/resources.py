"""What a job asks of the cluster: GPUs, memory, processors and time, estimated from the config.

Time is computed from floating point operations: 2 for each parameter and token to sample or score it, 6 to train on it,
and 2 more to recompute activations (gradient checkpointing), at the share of the GPUs' peak that the `cluster` block
states. An estimate only sets a job's time limit: a job that is cut off resumes where it was.
"""

import math
from dataclasses import dataclass

from quagmires.blocks import Cluster, Config
from quagmires.experiment import Checkpoint, Experiment, GRPORun, SFTRun
from quagmires.grpo import total_steps
from quagmires.subsets import parse_subset, subset_size

_SCORE = 2
_TRAIN = 8
# Start, loading weights, and writing the model at the end.
OVERHEAD_MINUTES = 45
# Where `parameters` is not given: a guess on the safe side for models that one node can train.
_DEFAULT_PARAMETERS = 12e9


@dataclass(frozen=True)
class Request:
    """What one job asks for; `minutes` is its time limit."""

    devices: int
    processors: int
    memory_mb: int
    minutes: int


def example_tokens(subset: str, mean: int, cutoff: int) -> float:
    """Expected tokens of a subset's example: the longest are as long as the cutoff, others at most the pool's mean."""
    parts = parse_subset(subset)
    sizes = [(cutoff if part.rule == "longest" else min(mean, cutoff), part.size) for part in parts]
    total = sum(size for _, size in sizes)
    return sum(tokens * size for tokens, size in sizes) / total if total else min(mean, cutoff)


def sft_tokens(run: SFTRun, experiment: Experiment) -> float:
    """Tokens that an SFT run trains on, all epochs together."""
    pool = experiment.config.sft_datasets[run.dataset]
    examples = subset_size(run.subset, pool.usable_rows)
    return examples * run.epochs * example_tokens(run.subset, pool.mean_tokens, experiment.sft[run.model].cutoff_tokens)


def sft_request(run: SFTRun, experiment: Experiment) -> Request:
    """One SFT run."""
    settings = experiment.sft[run.model]
    operations = _TRAIN * parameters(experiment.config, run.model) * sft_tokens(run, experiment)
    return _on_gpus(experiment.config, settings.devices, operations / _training(experiment.config.cluster))


def loss_request(run: SFTRun, experiment: Experiment) -> Request:
    """The generalization loss of one SFT model, on one GPU."""
    config, settings = experiment.config, experiment.sft[run.model]
    tokens = settings.validation_examples * settings.cutoff_tokens
    operations = _SCORE * parameters(config, run.model) * tokens
    return _on_gpus(config, 1, operations / _training(config.cluster))


def grpo_request(run: GRPORun, experiment: Experiment) -> Request:
    """One GRPO run: in each step responses are sampled, scored once and trained on."""
    config, settings = experiment.config, experiment.grpo[run.sft.model]
    problems = config.rl_datasets[run.rl_dataset].rows
    steps = total_steps(problems, settings.batch_size, settings.epochs)
    tokens = steps * settings.batch_size * settings.rollouts * config.cluster.response_tokens
    size = parameters(config, run.sft.model)
    seconds = _SCORE * size * tokens / _sampling(config.cluster)
    seconds += (_SCORE + _TRAIN) * size * tokens / _training(config.cluster)
    return _on_gpus(config, settings.devices, seconds)


def samples_request(checkpoint: Checkpoint, experiment: Experiment) -> Request:
    """Sampling for all benchmarks of one checkpoint."""
    config, settings = experiment.config, experiment.evaluation[checkpoint.model]
    problems = sum(config.benchmarks[name].rows for name in checkpoint.benchmarks)
    tokens = problems * checkpoint.samples * config.cluster.response_tokens
    operations = _SCORE * parameters(config, checkpoint.model) * tokens
    return _on_gpus(config, settings.devices, operations / _sampling(config.cluster))


def parameters(config: Config, model: str) -> float:
    """A model's number of parameters, or a guess on the safe side."""
    return config.models[model].parameters or _DEFAULT_PARAMETERS


def memory_mb(cluster: Cluster, devices: int) -> int:
    """The node's memory for a job on so many GPUs."""
    return devices * cluster.memory_gb_per_gpu * 1000


def _training(cluster: Cluster) -> float:
    """Operations per second of one GPU in training."""
    return cluster.bf16_tflops * 1e12 * cluster.training_utilization


def _sampling(cluster: Cluster) -> float:
    """Operations per second of one GPU in sampling."""
    return cluster.bf16_tflops * 1e12 * cluster.sampling_utilization


def _on_gpus(config: Config, devices: int, gpu_seconds: float) -> Request:
    cluster = config.cluster
    minutes = OVERHEAD_MINUTES + math.ceil(cluster.margin * gpu_seconds / devices / 60)
    return Request(
        devices=devices,
        processors=devices * cluster.cpus_per_gpu,
        memory_mb=memory_mb(cluster, devices),
        minutes=min(minutes, math.floor(cluster.max_hours * 60)),
    )
