"""Checks of an SFT run's settings against the LLaMA-Factory that is installed: its own, and those it lacks.

LLaMA-Factory 0.9.5 finds unknown keys and unknown values of some keys; text for numbers, templates that do not exist
and a missing flash-attn pass. Runs in the sft environment, without a GPU.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import (
    DataArguments,
    FinetuningArguments,
    GeneratingArguments,
    ModelArguments,
    TrainingArguments,
    get_train_args,
)

from quagmires.common.errors import UserError
from quagmires.training.base import RunToCheck
from quagmires.training.checks import first_line, refuse_text, require_flash_attention
from quagmires.training.llamafactory import settings as sft
from quagmires.training.runs import SFTRunSettings

ARGUMENTS = (ModelArguments, DataArguments, TrainingArguments, FinetuningArguments, GeneratingArguments)
# What LLaMA-Factory's parser accepts only where it could train with it.
NEEDS_GPU = ("deepspeed", "enable_liger_kernel", "tf32")


def check_run(run: RunToCheck[SFTRunSettings], work: Path) -> None:
    """Check one run. `work` is a folder to which nothing is written.

    Raises
    ------
    UserError
        One line that names the file and the key.
    """
    where, engine = run.settings, run.run.engine
    settings = sft.with_engine(sft.read_settings(run.settings), engine)
    where = f"{where} with sft.engine" if engine else where
    for key, value in settings.items():
        kind = scalar_kind(key)
        if kind is not None:
            refuse_text(where, key, value, kind)
    if "deepspeed" in settings:
        try:
            sft.read_deepspeed(settings["deepspeed"])
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    template = settings.get("template")
    if template is not None and template not in TEMPLATES:
        raise UserError(f"{where}: template {template!r} is none that LLaMA-Factory has; correct it")
    if settings.get("flash_attn") == "fa2" and not settings.get("use_cpu"):
        require_flash_attention(where, "flash_attn")
    complete = sft.complete_settings(settings, run.run, run.model, work, save_steps=1)
    refuse_by_llamafactory(complete, where)


def refuse_by_llamafactory(complete: Mapping[str, Any], where: str) -> None:
    """LLaMA-Factory's own argument parser."""
    on_cpu = {key: value for key, value in complete.items() if key not in NEEDS_GPU}
    try:
        get_train_args({**on_cpu, "use_cpu": True})
    # Whatever it raises is about the settings: nothing else has been read.
    except Exception as error:
        raise UserError(f"{where}: LLaMA-Factory refuses it: {first_line(error)}") from None


def scalar_kind(key: str) -> type | None:
    """`bool`, `int` or `float` if the argument is one and cannot be text; None otherwise, and for unknown ones."""
    for arguments in ARGUMENTS:
        if key in {field.name for field in dataclasses.fields(arguments)}:
            kinds = _members(typing.get_type_hints(arguments)[key])
            if kinds <= {bool, int, float}:
                return next((kind for kind in (bool, float, int) if kind in kinds), None)
    return None


def _members(hint: Any) -> set[Any]:
    """The types of a union, without None."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return set(typing.get_args(hint) if union else (hint,)) - {type(None)}
