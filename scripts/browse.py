"""Look through the responses of an evaluation in a browser: one HTML file that is read without a network.

The code is quagmires/commands/browse.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("browse"))
