"""Options that give some of the benchmarks a number each, `NAME=N`."""

from collections.abc import Sequence

from quagmires.common.errors import UserError


def named_numbers(option: str, given: Sequence[str], names: Sequence[str], number: str) -> dict[str, int]:
    """Name -> its number, of those that are given one.

    Parameters
    ----------
    option
        as messages call it, e.g. `--samples-of`.
    given
        what follows it, each `NAME=N`.
    names
        those that there are.
    number
        what messages call the number.

    Raises
    ------
    UserError
        No such name, or no number from 1 on.

    >>> named_numbers("--samples-of", ["rl.goals=32"], ["easy", "rl.goals"], "N")
    {'rl.goals': 32}
    """
    found = {}
    for one in given:
        name, _, value = one.partition("=")
        if name not in names or not value.isdecimal() or int(value) < 1:
            raise UserError(f"{option}: {one!r}; give NAME={number}, NAME one of {', '.join(names)}")
        found[name] = int(value)
    return found
