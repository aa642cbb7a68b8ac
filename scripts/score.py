"""Scores of one checkpoint from its graded responses: counts per problem, Pass@k and majority@k.

The code is quagmires/commands/score.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("score"))
