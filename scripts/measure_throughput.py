"""Speeds of an experiment's finished runs, for the plan and for the time limits of its further jobs.

    python scripts/measure_throughput.py --config config/base.yaml config/paper.yaml

Writes results/<experiment>/throughput.yaml, whose numbers go before those of config/throughput.yaml. Run it again when
more runs are done. An experiment without a finished run leaves no file.
"""

import argparse
from pathlib import Path

import yaml

from quagmires.common.errors import command_line
from quagmires.common.files import write_text
from quagmires.config.experiment import read_experiment
from quagmires.planning import throughput
from quagmires.planning.speed_measurement import measured_entries

_HEAD = "# Measured by scripts/measure_throughput.py: tokens a second on one device. See config/throughput.yaml.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="YAML or JSON, laid over each other")
    parser.add_argument("--output", type=Path, help="default: results/<experiment>/throughput.yaml")
    options = parser.parse_args()

    experiment = read_experiment(options.config)
    entries = measured_entries(experiment, Path(experiment.root))
    if not entries:
        print(f"{experiment.root}: no finished run yet, nothing to measure")
        return
    table = throughput.SpeedTable(speeds={throughput.device(experiment.config): entries})
    output = options.output or throughput.measured_file(experiment.config)
    write_text(output, _HEAD + yaml.safe_dump(rounded(table.model_dump(exclude_defaults=True)), sort_keys=False))
    for model, entry in entries.items():
        speeds = ", ".join(f"{kind} {value:,.0f}" for kind, value in entry.tokens_per_second.items())
        print(f"{model}: {speeds} tokens/s on one device, from {sum(entry.runs.values())} jobs")
    print(f"Written: {output}")


def rounded(value: object) -> object:
    """Numbers to four digits; there is no more in them."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    command_line(main)
