"""Write the report of an experiment: one HTML file that is read without a network.

    python scripts/make_report.py --results results/demo --analysis results/demo/analysis.json \\
        --config results/demo/config.json --output results/demo/report.html

It is made of stored results alone. A part that is not there is named in the report, with the target that makes it.
"""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import write_text
from quagmires.config.analysis_settings import AnalysisSettings
from quagmires.config.experiment import read_experiment
from quagmires.reporting.html.report import Sources, render


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--analysis", type=Path, required=True, help="analysis.json")
    parser.add_argument("--config", type=Path, required=True, help="the whole config, as one JSON or YAML file")
    parser.add_argument("--captions", type=Path, default=Path("config/captions.yaml"))
    parser.add_argument("--output", type=Path, required=True, help="HTML; beside tables/ and figures/ its links work")
    options = parser.parse_args()

    given = Sources(
        results=options.results,
        experiment=read_experiment([options.config]),
        settings=AnalysisSettings.read(options.analysis),
        captions=options.captions,
    )
    page = render(given)
    write_text(options.output, page)
    print(f"{options.output}: {len(page.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    command_line(main)
