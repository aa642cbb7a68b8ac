"""The engines' own settings files, as the rules take them into account."""

import functools
import json
import shlex

from quagmires.config.loading import load_yaml
from quagmires.config.schema import SFT


@functools.cache
def settings_content(path: str) -> str:
    """The content of a settings file as JSON, with that of DeepSpeed's file if it names one.

    A rule has it among its params: then a changed setting repeats a run, and an edited comment does not.
    """
    settings = load_yaml(path)
    if settings and "deepspeed" in settings:
        settings["deepspeed"] = load_yaml(settings["deepspeed"])
    return json.dumps(settings, sort_keys=True)


def template_option(sft: SFT) -> str:
    """LLaMA-Factory's chat template as an option of a command, if one is set; else it reads the model's own."""
    value = {**(load_yaml(sft.settings) or {}), **sft.engine}.get("template")
    return f"--template {shlex.quote(str(value))}" if value is not None else ""
