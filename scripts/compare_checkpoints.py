"""Compare two checkpoints evaluated on the same problems: differences of Pass@k with paired standard errors.

The code is quagmires/commands/compare.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("compare"))
