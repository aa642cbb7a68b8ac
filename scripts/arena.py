"""Judge every registered predictor on every study that has outcomes, by one protocol, and leave none out.

The code is quagmires/commands/arena.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("arena"))
