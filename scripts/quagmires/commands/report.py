"""Write the report of an experiment: one HTML file that is read without a network.

    quagmires report --results results/demo --analysis results/demo/analysis.json \\
        --config results/demo/config.json --output results/demo/report.html

It is made of stored results alone. A part that is not there is named in the report, with the target that makes it.
"""

import argparse
from pathlib import Path

from quagmires.common.files import write_text
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.experiment import read_experiment
from quagmires.reporting.captions import CAPTIONS
from quagmires.reporting.html.report import Sources, render


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to `parser`."""
    parser.add_argument("--results", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json")
    parser.add_argument("--config", type=Path, required=True, help="the whole config, as one JSON or YAML file")
    parser.add_argument("--captions", type=Path, default=CAPTIONS)
    parser.add_argument("--output", type=Path, required=True, help="HTML; beside tables/ and figures/ its links work")


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    given = Sources(
        results=options.results,
        experiment=read_experiment([options.config]),
        settings=AnalysisSettings.read(options.analysis),
        captions=options.captions,
    )
    page = render(given)
    write_text(options.output, page)
    print(f"{options.output}: {len(page.encode()) / 1e6:.1f} MB")
