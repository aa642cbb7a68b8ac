"""Write config/schema.json, the JSON schema that editors check and complete experiment files with."""

import argparse
from pathlib import Path

from quagmires.common.errors import command_line
from quagmires.common.files import write_json
from quagmires.config.schema import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("config/schema.json"))
    options = parser.parse_args()
    write_json(options.output, editor_schema())


def editor_schema() -> dict:
    """The schema of an experiment's own file: nothing is required, as the rest may stand in base.yaml."""
    schema = Config.model_json_schema()
    for block in (schema, *schema["$defs"].values()):
        block.pop("required", None)
    return schema


if __name__ == "__main__":
    command_line(main)
