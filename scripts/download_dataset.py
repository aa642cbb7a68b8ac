"""Download files of a data set's or a model's repository on the Hugging Face hub; cut off, it resumes when run again.

files.json is written last: what was asked for, the commit it was at, and the files with their sizes.
"""

import argparse
import glob
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import httpx
from huggingface_hub import HfApi, errors, snapshot_download
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import disable_progress_bars

from quagmires.common.errors import UserError, command_line
from quagmires.common.files import write_json

Kind = Literal["dataset", "model"]
RECORD = "files.json"
MODEL_FILES = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja")
# The same weights again in their makers' own formats, and a tokenizer that libraries prefer to tokenizer.json.
NOT_MODEL_FILES = ("original/*", "consolidated*", "tekken.json")
TIMEOUT_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    repository = parser.add_mutually_exclusive_group(required=True)
    repository.add_argument("--dataset", help="id on the hub, e.g. nvidia/AceReason-1.1-SFT")
    repository.add_argument("--model", help="id on the hub, e.g. Qwen/Qwen3-4B-Base")
    parser.add_argument("--revision", default="", help="full commit hash; empty: the newest")
    parser.add_argument("--files", nargs="+", default=[], help="paths or patterns in the repository; * crosses folders")
    parser.add_argument("--output", type=Path, required=True, help="directory")
    options = parser.parse_args()
    if options.dataset and not options.files:
        parser.error("--dataset needs --files")

    disable_progress_bars()
    kind: Kind = "dataset" if options.dataset else "model"
    identity = options.dataset or options.model
    record = download(kind, identity, options.revision, options.files or MODEL_FILES, options.output)
    size = sum(file["bytes"] for file in record["files"])
    print(f"{identity}: {len(record['files'])} files, {size / 1e9:.1f} GB, commit {record['commit']}")


def download(
    kind: Kind, identity: str, revision: str, patterns: Sequence[str], output: Path, endpoint: str | None = None
) -> dict[str, Any]:
    """Download the files that match into `output`; returns what files.json holds.

    Raises
    ------
    UserError
        There is no such repository, commit or file, its terms are not accepted, or the hub cannot be reached.
    """
    api = HfApi(endpoint=endpoint)
    try:
        commit = api.repo_info(identity, repo_type=kind, revision=revision or None, timeout=TIMEOUT_SECONDS).sha
        tree = api.list_repo_tree(identity, repo_type=kind, revision=commit, recursive=True)
        sizes = {entry.path: entry.size for entry in tree if isinstance(entry, RepoFile)}
        wanted = matching(identity, list(sizes), patterns, NOT_MODEL_FILES if kind == "model" else ())
        (output / RECORD).unlink(missing_ok=True)
        snapshot_download(
            identity,
            repo_type=kind,
            revision=commit,
            local_dir=output,
            allow_patterns=[glob.escape(path) for path in wanted],
            endpoint=endpoint,
        )
    except (httpx.HTTPError, OSError, errors.HFValidationError, errors.XetDownloadError) as error:
        raise UserError(f"{identity}: {_explain(error, kind, identity, revision, api.endpoint)}") from None
    for path in wanted:
        found = (output / path).stat().st_size if (output / path).is_file() else 0
        if found != sizes[path]:
            raise UserError(f"{output / path}: {found} bytes, the hub has {sizes[path]}; remove the file and run again")
    record = {
        kind: identity,
        "revision": revision,
        "commit": commit,
        "files": [{"path": path, "bytes": sizes[path]} for path in wanted],
    }
    write_json(output / RECORD, record)
    return record


def matching(identity: str, paths: Sequence[str], patterns: Sequence[str], refused: Sequence[str]) -> list[str]:
    """The paths that match a pattern, sorted; every pattern the user gave must match one.

    huggingface_hub's own filter does not say which pattern matched nothing.
    """
    allowed = [path for path in sorted(paths) if not any(fnmatchcase(path, pattern) for pattern in refused)]
    required = ("config.json", "*.safetensors") if tuple(patterns) == MODEL_FILES else patterns
    for pattern in required:
        if not any(fnmatchcase(path, pattern) for path in allowed):
            raise UserError(
                f"{identity}: no file matches {pattern}; it has {', '.join(allowed[:10]) or 'no files'}"
                f"{', ...' if len(allowed) > 10 else ''}; correct `files`"
            )
    return [path for path in allowed if any(fnmatchcase(path, pattern) for pattern in patterns)]


def _explain(error: Exception, kind: Kind, identity: str, revision: str, endpoint: str) -> str:
    """What went wrong and what to do, without addresses that may carry signatures."""
    page = f"{endpoint}/{'datasets/' if kind == 'dataset' else ''}{identity}"
    if isinstance(error, errors.GatedRepoError):
        return f"its terms must be accepted; accept them at {page} and set HF_TOKEN"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"no such {kind} at {page}, or a private one; correct the id or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no commit {revision or 'main'} at {page}; correct `revision`"
    if isinstance(error, errors.HFValidationError):
        return "not an id of the hub; write it as owner/name"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "cannot be downloaded while HF_HUB_OFFLINE is set; unset it where there is internet"
    words = (str(error).splitlines() or [""])[0]
    words = re.sub(r"https?://\S+", endpoint, words)
    return f"cannot be downloaded ({type(error).__name__}: {words}); run again with internet, what is here is kept"


if __name__ == "__main__":
    command_line(main)
