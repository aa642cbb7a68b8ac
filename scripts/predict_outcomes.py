"""Predict the outcomes of SFT models that have not been through RL, from those of the same study that have.

The code is quagmires/commands/predict.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("predict"))
