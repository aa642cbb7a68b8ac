"""What of an experiment is there already."""

from pathlib import Path

from quagmires.config.experiment import Experiment


def only_metrics(experiment: Experiment) -> bool:
    """Whether this machine holds an experiment's stored metrics and nothing else of it.

    Then tables, figures and decisions come from the metrics, and nothing is trained for them.
    """
    root = Path(experiment.root)
    others = ("data", *experiment.config.models)
    return (root / "metrics.parquet").is_file() and not any((root / name).exists() for name in others)


def finished_scores(experiment: Experiment) -> list[str]:
    """The score files that are there, each with the time of its last change in nanoseconds: new ones are seen by it."""
    paths = [Path(experiment.root, checkpoint, "eval", "scores.json") for checkpoint in experiment.checkpoints]
    return sorted(f"{path} {path.stat().st_mtime_ns}" for path in paths if path.is_file())
