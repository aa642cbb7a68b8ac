"""One table of contamination: a row for each benchmark, a column for each SFT and RL set."""

import argparse
from pathlib import Path

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import read_json, whole_file, write_text
from quagmires.evaluation.contamination.summaries import overview, overview_markdown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--summaries", type=Path, nargs="+", required=True, help="JSON files of find_contamination.py")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--markdown", type=Path, required=True)
    options = parser.parse_args()

    for path in options.summaries:
        if not path.is_file():
            raise UserError(f"{path}: no such summary; run find_contamination.py for this set first")
    table = overview({path: read_json(path) for path in options.summaries})
    with whole_file(options.csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f")
    write_text(options.markdown, overview_markdown(table))


if __name__ == "__main__":
    command_line(main)
