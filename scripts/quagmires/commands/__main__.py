"""`quagmires`, and `python -m quagmires.commands`."""

import argparse
import sys

from quagmires.commands import COMMANDS, STEPS, command_parser, run_command
from quagmires.common.errors import UserError, command_line

SHELLS = ("bash", "zsh", "tcsh")
_WIDTH = max(map(len, COMMANDS)) + 2


def main() -> None:
    """Run the command that the first argument names."""
    command_line(lambda: dispatch(sys.argv[1:]))


def dispatch(arguments: list[str]) -> None:
    """Run one command line, without the program's name."""
    if arguments and arguments[0] in {**COMMANDS, **STEPS}:
        run_command(arguments[0], arguments[1:], f"quagmires {arguments[0]}")
        return
    options = overview().parse_args(arguments or ["--help"])
    if options.version:
        from quagmires.commands.versions import version_text

        print(version_text())
    elif options.print_completion:
        print(completion(options.print_completion))
    else:
        raise UserError(f"quagmires: no command {options.command!r}; there are {', '.join(COMMANDS)}")


def overview() -> argparse.ArgumentParser:
    """The parser of what stands before a command."""
    listed = "\n".join(f"  {name:{_WIDTH}}{purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="quagmires",
        usage="quagmires COMMAND [OPTIONS]",
        description="Which SFT model will be best after RL? Evaluate models, rank them, predict and plan.",
        epilog=f"commands:\n{listed}\n\n`quagmires COMMAND --help` has the options of a command, and an example.\n"
        "Example: quagmires evaluate --model Qwen/Qwen3-4B-Base --benchmarks math500 --n 64 --output out/",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--version", action="store_true", help="print the versions that a bug report needs")
    parser.add_argument("--print-completion", choices=SHELLS, help="print a script that completes commands in a shell")
    return parser


def completion(shell: str) -> str:
    """A completion script for a shell.

    Raises
    ------
    UserError
        shtab is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise UserError("--print-completion needs shtab; install it with: pip install shtab") from None
    whole = argparse.ArgumentParser(prog="quagmires")
    commands = whole.add_subparsers()
    for name in COMMANDS:
        one = command_parser(name)
        commands.add_parser(name, parents=[one], add_help=False, help=COMMANDS[name])
    return shtab.complete(whole, shell)


if __name__ == "__main__":
    main()
