"""Build one of the workflow's Python environments from its hashed lock, with uv. The stamp is written last.

The code is quagmires/commands/build_environment.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("build_environment"))
