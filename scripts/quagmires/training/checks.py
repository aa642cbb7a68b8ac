"""What the checks of both engines' settings share: every run once, one line for each that is wrong."""

import importlib.util
import json
from collections.abc import Callable
from typing import Any

from quagmires.common.errors import UserError

Run = dict[str, Any]


def check_every(runs: list[Run], check: Callable[[Run], None]) -> int:
    """Check runs; return how many differ by more than their seed.

    A run is its name, model (a directory), settings (a file) and run (a training script's `--run`).

    Raises
    ------
    UserError
        Some are wrong: a line for each, with its name.
    """
    different = {}
    for run in runs:
        settings = {key: value for key, value in run["run"].items() if key != "seed"}
        different.setdefault(json.dumps([run["model"], run["settings"], settings], sort_keys=True), run)
    wrong = []
    for run in different.values():
        try:
            check(run)
        except UserError as error:
            wrong.append(f"{run['name']}: {error}")
    if wrong:
        raise UserError("\nerror: ".join(wrong))
    return len(different)


def first_line(error: BaseException) -> str:
    """The first line of an engine's error, or of what caused it, with its kind where it says little."""
    # Hydra wraps what a typed block raises.
    error = error.__cause__ or error
    lines = str(error).strip().splitlines()
    return lines[0] if lines and " " in lines[0] else f"{type(error).__name__} {lines[0] if lines else ''}".strip()


def refuse_text(where: str, key: str, value: Any, wanted: type) -> None:
    """Refuse text where a number or a truth value belongs: engines take it, and fail hours later or never."""
    if isinstance(value, str):
        kind = "true or false" if wanted is bool else "a number"
        raise UserError(f"{where}: {key} is text ({value!r}); write {kind}")


def require_flash_attention(where: str, key: str) -> None:
    """Refuse flash attention in an environment for GPUs that lacks it. On a CPU it is never used."""
    import torch

    if torch.version.cuda and importlib.util.find_spec("flash_attn") is None:
        raise UserError(
            f"{where}: {key} needs flash-attn, which is not in this environment; build it (docs/engines.md) or change"
            f" {key}"
        )
