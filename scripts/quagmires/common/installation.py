"""Where the files are that the library comes with: those of the checkout, or those shipped in an installed package."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
# Of an installed package there is no checkout.
CHECKOUT = PACKAGE.parents[1] if (PACKAGE.parents[1] / "Snakefile").is_file() else None


def shipped(path: str) -> Path:
    """A file of the repository's config/ or envs/, such as `config/base.yaml`."""
    return (CHECKOUT or PACKAGE / "shipped") / path


def given_or_shipped(path: str | Path) -> Path:
    """A file that a person or a config names; where there is none of that path, the one that is shipped, if one is.

    `config/base.yaml` is so found from any folder, and by an installed package.
    """
    path = Path(path)
    if path.exists() or path.is_absolute() or not shipped(str(path)).is_file():
        return path
    return shipped(str(path))


def cache() -> Path:
    """Where an installed package keeps what it builds."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("quagmires"))


def environments() -> Path:
    """The folder of the engines' environments."""
    return CHECKOUT / ".envs" if CHECKOUT else cache() / "environments"


def logs() -> Path:
    """The folder of logs of what is built."""
    return CHECKOUT / "logs" if CHECKOUT else cache() / "logs"


def import_path() -> Path:
    """A folder that holds this library and nothing that another environment could import by mistake.

    Site-packages would do for this interpreter, but not for that of an engine.
    """
    if CHECKOUT:
        return PACKAGE.parent
    folder = cache() / "library"
    folder.mkdir(parents=True, exist_ok=True)
    link, temporary = folder / PACKAGE.name, folder / f".{PACKAGE.name}.{os.getpid()}"
    temporary.symlink_to(PACKAGE)
    os.replace(temporary, link)
    return folder
