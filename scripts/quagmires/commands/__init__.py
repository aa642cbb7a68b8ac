"""The command line: `quagmires COMMAND`, and in a checkout `python scripts/NAME.py`, are the same code.

A command is a module with `add_arguments(parser)` and `run(options)`. Its docstring is its help. argparse is the parser
everywhere, because three of the four environments hold nothing else that all of them have.
"""

import argparse
from importlib import import_module

# What a person types -> what it is for. `quagmires --help` lists these without importing any of them.
COMMANDS = {
    "evaluate": "sample, grade and score one model on math benchmarks",
    "grade": "mark responses with math-verify",
    "rank": "put SFT models in the order to take them through RL",
    "predict": "predict how good SFT models will be after RL",
    "plan": "count what an experiment costs before it runs",
    "arena": "judge all predictors on all studies that have outcomes",
    "compare": "compare two checkpoints on the same problems",
    "contamination": "find benchmark problems in a training set",
    "browse": "look through the responses of an evaluation in a browser",
    "report": "write the report of an experiment",
}
# What commands and rules start for themselves.
STEPS = {
    "sample": "draw responses with vLLM (in its environment)",
    "score": "turn grades into Pass@k and majority@k",
    "build_environment": "build a Python environment from a lock",
}


def command_parser(name: str, program: str | None = None) -> argparse.ArgumentParser:
    """The parser of a command; `program` is how its usage calls it."""
    module = import_module(f"quagmires.commands.{name}")
    parser = argparse.ArgumentParser(
        prog=program, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_arguments(parser)
    return parser


def run_command(name: str, arguments: list[str] | None = None, program: str | None = None) -> None:
    """Run a command with `arguments`, by default those of this process."""
    options = command_parser(name, program).parse_args(arguments)
    import_module(f"quagmires.commands.{name}").run(options)
