"""Model directories: what one must have, and how one is made ready with the chat template that was chosen.

Files are edited as JSON: transformers would write a tokenizer anew, in the form of its own version.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quagmires.common.errors import UserError
from quagmires.common.files import read_json, whole_directory, write_json

RECORD = "model.json"
# Written anew when a template or an end token is chosen; everything else is linked.
_TOKENIZER = "tokenizer_config.json"
_TEMPLATE = "chat_template.jinja"


def model_problem(path: str | Path, needs_template: bool = True) -> str | None:
    """Why a model directory cannot be used, in one line; None if it can."""
    path = Path(path)
    if not (path / "config.json").is_file():
        return f"{path} is not a model directory (no config.json)"
    if not (path / _TOKENIZER).is_file():
        return f"{path} has no tokenizer (no {_TOKENIZER})"
    try:
        template = own_template(path)
    except json.JSONDecodeError:
        return f"{path}/{_TOKENIZER} is not JSON"
    if needs_template and template is None:
        return f"{path} has no chat template; save one as {path}/{_TEMPLATE}, or name a file as its `chat_template`"
    return None


def own_template(directory: Path) -> str | None:
    """The chat template in a model directory; transformers takes the Jinja file before the tokenizer's entry."""
    if (directory / _TEMPLATE).is_file():
        return (directory / _TEMPLATE).read_text(encoding="utf-8")
    template = read_json(directory / _TOKENIZER).get("chat_template")
    if isinstance(template, list):  # several by name
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    return template or None


def text_sha256(text: str) -> str:
    """The sha256 of a text as UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def prepare(
    source: Path,
    output: Path,
    *,
    template: Path | None,
    template_sha256: str | None,
    eos_token: str | None,
    origin: Any,
) -> dict[str, Any]:
    """Write a model directory of links to `source`, with the chosen chat template and end token in it.

    `origin` says where the model came from and goes into model.json, with the hashes of the template in use and of the
    model's own. Returns that record.

    Raises
    ------
    UserError
        No model or no template there, a template with another hash than the expected one, an unknown end token.
    """
    problem = model_problem(source, needs_template=template is None)
    if problem:
        raise UserError(problem)
    own = own_template(source)
    used = template.read_text(encoding="utf-8") if template else own
    assert used is not None
    found = text_sha256(used)
    if template_sha256 not in (None, found):
        raise UserError(
            f"{template or source}: the chat template has sha256 {found}, the config expects {template_sha256};"
            " read what changed, then correct `chat_template_sha256`"
        )
    record = {
        "origin": origin,
        "chat_template_sha256": found,
        "own_chat_template_sha256": text_sha256(own) if own is not None else None,
        "eos_token": eos_token or read_json(source / _TOKENIZER).get("eos_token"),
    }
    with whole_directory(output) as directory:
        link_files(source, directory, without=(RECORD, "files.json"))
        if template:
            _replace(directory / _TEMPLATE, used)
            _edit_json(directory / _TOKENIZER, lambda settings: settings.pop("chat_template", None))
        if eos_token:
            _set_end(directory, eos_token)
        write_json(directory / RECORD, record)
    return record


def _set_end(directory: Path, token: str) -> None:
    """Make `token` the one that ends a response, for the tokenizer and for generation, beside the ones there were."""
    number = _token_id(directory, token)
    _edit_json(directory / _TOKENIZER, lambda settings: settings.update(eos_token=token))
    for name in ("generation_config.json", "config.json"):
        path = directory / name
        if not path.is_file():
            continue

        def put_first(settings: dict[str, Any]) -> None:
            old = settings.get("eos_token_id")
            olds = old if isinstance(old, list) else [] if old is None else [old]
            settings["eos_token_id"] = [number, *(one for one in olds if one != number)]

        _edit_json(path, put_first)


def _token_id(directory: Path, token: str) -> int:
    try:
        tokenizer = read_json(directory / "tokenizer.json")
    except FileNotFoundError:
        raise UserError(f"{directory}: an `eos_token` can only be set for a model with a tokenizer.json") from None
    for added in tokenizer.get("added_tokens", []):
        if added["content"] == token:
            return added["id"]
    raise UserError(f"the tokenizer has no special token {token!r}; correct `eos_token`")


def _edit_json(path: Path, edit: Any) -> None:
    """Replace a link to a JSON file by an edited copy."""
    settings = read_json(path)
    edit(settings)
    _replace(path, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def link_files(source: Path, directory: Path, without: Sequence[str]) -> None:
    """Link a model's files into `directory`: a model of many gigabytes is not copied.

    Links are relative, and hold after the directory is renamed within its parent.
    """
    for path in sorted(source.iterdir()):
        if path.is_file() and path.name not in without:
            os.symlink(os.path.relpath(path.resolve(), directory.resolve()), directory / path.name)
