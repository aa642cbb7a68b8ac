"""Sample responses of one checkpoint to all its benchmarks with one vLLM engine.

The code is quagmires/commands/sample.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("sample"))
