"""The configuration of an experiment: YAML files laid over each other, and one-line errors that name the file, the key
and the fix.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from quagmires.common.errors import UserError
from quagmires.config.schema import Block, Config

Location = tuple[str | int, ...]


class Files:
    """The YAML files a config was merged from, to say in which of them a key stands."""

    def __init__(self, paths: Iterable[str | Path]):
        self._written = [(str(path), load_yaml(path)) for path in paths]
        self._parsed = [(path, with_current_names(content, path)) for path, content in self._written]

    def merged(self) -> dict[str, Any]:
        """Each file laid over the ones before, key by key, as Snakemake does."""
        return _merged(content for _, content in self._parsed)

    def with_current_names(self, merged: Mapping[str, Any]) -> Mapping[str, Any]:
        """What Snakemake merged from these files and its command line, with the names that blocks have today.

        Names are changed before files are laid over each other: of two files that call a block by its old and its new
        name the later one counts, and over both what is in no file (`--config`).
        """
        if not any("grpo" in block for block in (merged, *_models(merged).values())):
            return merged
        beyond = _beyond(merged, _merged(content for _, content in self._written))
        return laid_over(self.merged(), with_current_names(beyond, "--config"))

    def error(self, location: Location, problem: str) -> UserError:
        """A one-line error about the value at `location`, called as it is in the file that holds it."""
        path, written = self._holding(location)
        return UserError(f"{path}: {dotted(_as_written(location, written))}: {problem}")

    def _holding(self, location: Location) -> tuple[str, Any]:
        """The last file that holds `location`, or its longest existing part; the last file if none does."""
        for length in range(len(location), 0, -1):
            for (_, content), written in zip(reversed(self._parsed), reversed(self._written), strict=True):
                if _holds(content, location[:length]):
                    return written
        return self._written[-1] if self._written else ("config", {})


def load_yaml(path: str | Path) -> Any:
    """Read a YAML file; a `UserError` names the line that does not parse."""
    if not Path(path).is_file():
        raise UserError(f"{path}: no such config file")
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where}: not YAML ({getattr(error, 'problem', error)})") from None


def parse(merged: Mapping[str, Any], files: Files) -> Config:
    """Check a merged config against the schema.

    Raises
    ------
    UserError
        The first mistake, in one line, with the number of further ones.
    """
    return validate(Config, files.with_current_names(merged), files)


def with_current_names(config: Any, path: str) -> Any:
    """One file's content with the names that blocks have today. `rl` was `grpo` once; a file may still say so.

    >>> with_current_names({"grpo": {"runs": 2}, "models": {"toy": {"grpo": {"devices": 4}}}}, "old.yaml")
    {'models': {'toy': {'rl': {'devices': 4}}}, 'rl': {'runs': 2}}

    Raises
    ------
    UserError
        It has a block by both names.
    """
    if not isinstance(config, Mapping):
        return config
    models = {name: _renamed(model, path, ("models", name)) for name, model in _models(config).items()}
    if models:
        config = {**config, "models": {**config["models"], **models}}
    return _renamed(config, path, ())


def _models(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The models of a config that was not checked yet."""
    models = config.get("models")
    return (
        {name: model for name, model in models.items() if isinstance(model, Mapping)}
        if isinstance(models, Mapping)
        else {}
    )


def _renamed(block: Mapping[str, Any], path: str, within: Location) -> Mapping[str, Any]:
    if "grpo" not in block:
        return block
    others = {key: value for key, value in block.items() if key != "grpo"}
    if "rl" in others:
        raise UserError(f"{path}: {dotted((*within, 'grpo'))}: the old name of `rl`, which is there too; make them one")
    return {**others, "rl": block["grpo"]}


def _as_written(location: Location, written: Any) -> Location:
    """`location` by the old name of its block, if a file has that."""
    place = 2 if location[:1] == ("models",) else 0
    if location[place : place + 1] == ("rl",):
        old = (*location[:place], "grpo")
        if _holds(written, old):
            return (*old, *location[place + 1 :])
    return location


def _merged(contents: Iterable[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for content in contents:
        result = laid_over(result, content or {})
    return result


def _beyond(above: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """What `above` says that `below` does not.

    >>> _beyond({"rl": {"runs": 2, "devices": 8}, "seed": 1}, {"rl": {"runs": 4, "devices": 8}, "seed": 1})
    {'rl': {'runs': 2}}
    """
    found = {}
    for key, value in above.items():
        if key not in below:
            found[key] = value
        elif isinstance(value, Mapping) and isinstance(below[key], Mapping):
            if inner := _beyond(value, below[key]):
                found[key] = inner
        elif value != below[key]:
            found[key] = value
    return found


Checked = TypeVar("Checked", bound=Block)


# Parts of pydantic's locations that name a member of a union or a mapping's key.
_NOT_KEYS = ("str", "Recipe", "[key]", "list[str]")


def validate(block: type[Checked], merged: Mapping[str, Any], files: Files, within: Location = ()) -> Checked:
    """Check merged content against one block of the schema, which stands at `within` in the config; see `parse`."""
    try:
        return block.model_validate(_floats_as_numbers(merged))
    except ValidationError as error:
        # What may be a name or a block is tried as both: a block's own mistake says more than that it is no name.
        found = [e for e in error.errors() if not (e["loc"][-1:] == ("str",) and isinstance(e["input"], Mapping))]
        first, *others = sorted(found or error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        location = within + tuple(part for part in first["loc"] if part not in _NOT_KEYS)
        more = f" (and {len(others)} more)" if others and first["type"] != "extra_forbidden" else ""
        raise files.error(location, _explain(first, location, block) + more) from None


def validate_part(below: Checked, changes: Mapping[str, Any], files: Files, location: Location) -> Checked:
    """A block with the `changes` that stand at `location` in the config laid over it, checked like the block itself."""
    return validate(type(below), laid_over(below.model_dump(), changes), files, location) if changes else below


def dotted(location: Location) -> str:
    """`("studies", "toy", "recipes", 2)` -> `studies.toy.recipes[2]`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _holds(content: Any, location: Location) -> bool:
    for part in location:
        if isinstance(content, Mapping):
            there = part in content
        else:
            there = isinstance(content, list) and isinstance(part, int) and part < len(content)
        if not there:
            return False
        content = content[part]
    return True


def laid_over(below: Any, above: Any) -> Any:
    """`above` over `below`, key by key; anything but a mapping replaces what was there.

    As Snakemake's `update_config`, which no engine's environment has, and OmegaConf's `merge`, which this one lacks.
    """
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return above
    return {**below, **{key: laid_over(below[key], item) if key in below else item for key, item in above.items()}}


def _floats_as_numbers(value: Any) -> Any:
    """YAML 1.1 reads `1e-5` (no dot) as text; everybody means the number.

    ruamel.yaml reads YAML 1.2, but Snakemake has read the config by PyYAML already.
    """
    if isinstance(value, Mapping):
        return {key: _floats_as_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats_as_numbers(item) for item in value]
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d+)?[eE][+-]?\d+", value):
        return float(value)
    return value


# What values of a key must look like, where that is not a name.
_PATTERNS = {
    "revision": "write a full commit hash of 40 characters, or leave it out",
    "chat_template_sha256": "write the 64 hexadecimal digits of a sha256",
}


def _explain(error: Mapping[str, Any], location: Location, block: type[Block]) -> str:
    if error["type"] == "extra_forbidden":
        inside = tuple(part for part in error["loc"][:-1] if part not in _NOT_KEYS)
        close = difflib.get_close_matches(str(location[-1]), _known_keys(inside, block), n=1)
        return "unknown key" + (f"; did you mean `{close[0]}`?" if close else "; remove it")
    if error["type"] == "missing":
        return "missing; add it"
    message = error["msg"][0].lower() + error["msg"][1:]
    if error["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(str(location[-1]), "use lower-case letters, digits, hyphens and underscores only")
    return f"{message}; found {error['input']!r}"


def _known_keys(location: Location, block: Any) -> list[str]:
    """The keys of the block at `location` inside `block`, found by walking the schema."""
    for part in location:
        if isinstance(block, type) and issubclass(block, BaseModel) and part in block.model_fields:
            block = block.model_fields[part].annotation
        else:
            arguments = typing.get_args(block)
            block = arguments[-1] if arguments else None
        if isinstance(block, types.UnionType) or typing.get_origin(block) is typing.Union:
            block = next((a for a in typing.get_args(block) if isinstance(a, type) and issubclass(a, BaseModel)), None)
    return list(block.model_fields) if isinstance(block, type) and issubclass(block, BaseModel) else []
