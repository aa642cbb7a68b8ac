"""Errors a user can mend, printed as one line."""

import sys
from collections.abc import Callable

from quagmires.common import terminal


class UserError(Exception):
    """Something outside the program is wrong. The message says what, where, and what to do, in one line."""


def one_line(error: BaseException) -> str:
    """What a library says, without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__


def command_line(main: Callable[[], None]) -> None:
    """Run a script's `main`; a `UserError` becomes one line on stderr and exit status 1."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=terminal.stream)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
