"""Evaluate one model on math benchmarks: sample with vLLM, grade with math-verify, report Pass@k.

The code is quagmires/commands/evaluate.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("evaluate"))
