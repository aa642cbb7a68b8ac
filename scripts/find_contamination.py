"""Find the benchmark problems that stand in an SFT or RL set, word for word or nearly so.

The code is quagmires/commands/contamination.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("contamination"))
