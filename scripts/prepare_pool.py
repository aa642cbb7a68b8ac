"""Stream the files of an SFT set into one pool: a Parquet file of the wanted traces' ids, problems and responses."""

import argparse
import json
from fnmatch import fnmatchcase
from pathlib import Path

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import read_json, write_json
from quagmires.data.pools import prepare_pool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="name of the pool, and of rows that are numbered")
    sources = parser.add_mutually_exclusive_group(required=True)
    sources.add_argument(
        "--files", type=Path, nargs="+", default=[], help=".jsonl, .jsonl.gz, .parquet or .arrow, read in this order"
    )
    sources.add_argument("--folder", type=Path, help="from download_dataset.py, with its files.json")
    parser.add_argument("--patterns", nargs="+", default=[], help="e.g. SFT/math/*.jsonl")
    parser.add_argument(
        "--columns", type=json.loads, required=True, help='JSON: id, problem, response -> the source\'s; id "#" numbers'
    )
    parser.add_argument("--keep", type=json.loads, default={}, help="JSON: source column -> list of allowed values")
    parser.add_argument("--rows", type=int, required=True, help="rows the config declares")
    parser.add_argument("--kept-rows", type=int, default=0, help="rows it declares to be left by --keep; 0: not known")
    parser.add_argument("--problem-prefix", default="", help="removed from the start of problems")
    parser.add_argument("--output", type=Path, required=True, help="parquet of id, problem, response")
    parser.add_argument("--manifest", type=Path, required=True, help="JSON: files, rows, fingerprints")
    options = parser.parse_args()

    if bool(options.folder) != bool(options.patterns):
        parser.error("--folder and --patterns go together")
    files = options.files or files_in(options.folder, options.patterns)
    record = prepare_pool(
        options.name, files, options.columns, options.keep, options.rows, options.kept_rows or None, options.output,
        options.problem_prefix,
    )  # fmt: skip
    write_json(options.manifest, record)
    print(
        f"{options.name}: {record['rows']} rows, {record['kept_rows']} kept, {record['unusable_rows']} unusable,"
        f" {record['rows_with_chat_marks']} with marks of a chat template in their texts"
    )


def files_in(folder: Path, patterns: list[str]) -> list[Path]:
    """The files of a downloaded repository that match, in the order of the patterns and then by name; each once.

    Only those that files.json lists: a folder may hold files of an older revision too.
    """
    if not (folder / "files.json").is_file():
        raise UserError(f"{folder}: no files.json; run download_dataset.py, or give --files")
    names = sorted(file["path"] for file in read_json(folder / "files.json")["files"])
    found: dict[str, None] = {}
    for pattern in patterns:
        matching = [name for name in names if fnmatchcase(name, pattern)]
        if not matching:
            raise UserError(f"{folder}: no file matches {pattern}; correct `files` of the data set in the config")
        found |= dict.fromkeys(matching)
    return [folder / name for name in found]


if __name__ == "__main__":
    command_line(main)
