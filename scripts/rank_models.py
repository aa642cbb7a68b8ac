"""Rank SFT models for RL, from what is known without RL: the clearly suboptimal set aside, the rest by Pass@large-k.

The code is quagmires/commands/rank.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("rank"))
