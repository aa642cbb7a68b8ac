"""Write the report of an experiment: one HTML file that is read without a network.

The code is quagmires/commands/report.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("report"))
