"""Grade sampled responses with math-verify: adds `answer`, `correct` and `reason`, one row out for each row in.

The code is quagmires/commands/grade.py.
"""

from quagmires.commands import run_command
from quagmires.common.errors import command_line

if __name__ == "__main__":
    command_line(lambda: run_command("grade"))
