"""What an experiment costs, before anything runs: tokens, GPU-hours, wall time, disk, jobs and money.

The code is quagmires/commands/plan.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("plan"))
