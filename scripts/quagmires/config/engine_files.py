"""The engines' own settings files, as the rules take them into account."""

import functools
import json
import shlex
from collections.abc import Mapping
from typing import Any

from quagmires.config.algorithms import ALGORITHMS, DEFAULT, nested
from quagmires.config.loading import laid_over, load_yaml
from quagmires.config.schema import SFT


@functools.cache
def settings_content(path: str, algorithm: str | None = None) -> str:
    """The content of a settings file as JSON, with that of DeepSpeed's file if it names one, or with an RL algorithm's
    settings.

    A rule has it among its params: then a changed setting repeats a run, and an edited comment does not.
    """
    settings = load_yaml(path) or {}
    if "deepspeed" in settings:
        settings["deepspeed"] = load_yaml(settings["deepspeed"])
    if algorithm is not None:
        settings = with_algorithm(settings, algorithm)
    return json.dumps(settings, sort_keys=True)


def with_algorithm(settings: Mapping[str, Any], algorithm: str) -> dict[str, Any]:
    """verl's settings with those of an RL algorithm laid over them.

    A file that names the default's estimator itself, as all did before there was a choice, is left as it is: finished
    runs stay finished. What it does not say is verl's own default.
    """
    block = settings.get("algorithm")
    if algorithm == DEFAULT and isinstance(block, Mapping) and "adv_estimator" in block:
        return dict(settings)
    return laid_over(settings, nested(ALGORITHMS[algorithm].verl))


def template_option(sft: SFT) -> str:
    """LLaMA-Factory's chat template as an option of a command, if one is set; else it reads the model's own."""
    value = {**(load_yaml(sft.settings) or {}), **sft.engine}.get("template")
    return f"--template {shlex.quote(str(value))}" if value is not None else ""
