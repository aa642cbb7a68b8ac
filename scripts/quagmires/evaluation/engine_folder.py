"""Where one engine keeps its compile caches, on the node's own disk, and the stable path it reads its model from.

vLLM's key of compiled graphs holds the path of the model: `ModelConfig.compute_hash` leaves out a list of fields, and
`model` is not on it. So each engine reads its model through a link, quagmires-<user>/engine-<kind>-<slot>/model below
the cache directory. The link points to one checkpoint after the other; the path stays, and with it what has been
compiled, from checkpoint to checkpoint and from job to job of a node.

A folder belongs to one process at a time, by a lock that ends with the process however that ends. Beside the folders
are such locks for outputs: what one process of a node draws, no other draws.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from quagmires.common.errors import UserError
from quagmires.common.files import remove

KIND_LETTERS = 12
_SECONDS_OF_DAY = 86_400


@dataclass
class EngineFolder:
    """A folder that this process holds until `release`."""

    path: Path
    keep_days: float
    _lock: int

    @property
    def model(self) -> Path:
        """The path that vLLM gets, whatever model is behind it."""
        return self.path / "model"

    def point_to(self, model: Path) -> None:
        """Let `model` be the one behind the path; there is no moment without one."""
        new = self.path / "model.new"
        new.unlink(missing_ok=True)
        new.symlink_to(model.resolve(), target_is_directory=True)
        os.replace(new, self.model)

    def variables(self) -> dict[str, str]:
        """Environment variables that keep the caches of vLLM, Inductor and Triton in here."""
        return {
            "VLLM_CACHE_ROOT": str(self.path / "vllm"),
            "TORCHINDUCTOR_CACHE_DIR": str(self.path / "inductor"),
            "TRITON_CACHE_DIR": str(self.path / "triton"),
        }

    def release(self) -> None:
        """Give the folder back; with `keep_days` 0 it is removed."""
        if self.keep_days > 0:
            self.model.unlink(missing_ok=True)
            os.utime(self._lock)
        else:
            remove(self.path)
        _unlock(self._lock)


@dataclass
class Claim:
    """An output that this process alone writes, until `release`."""

    _path: Path
    _lock: int

    def release(self) -> None:
        """Let others have it."""
        remove(self._path)
        _unlock(self._lock)


def claim(directory: Path, output: Path) -> Claim | None:
    """The right to write an output, or None if another process of this node has it.

    The directory is that of `take`, as are the errors.
    """
    with _own_directory(directory) as own:
        path = own / f"output-{hashlib.sha256(bytes(output.resolve())).hexdigest()[:KIND_LETTERS]}"
        lock = _lock(path)
        return None if lock is None else Claim(path, lock)


def take(directory: Path, kind: str, keep_days: float) -> EngineFolder:
    """The first folder for engines of a kind that no other process of this node holds.

    Folders of any kind that nobody has used for `keep_days` are removed before.

    Parameters
    ----------
    directory
        of the node's own disk; it is made if it is not there.
    kind
        what engines have in common that can share compiled graphs, as hex digits.

    Raises
    ------
    UserError
        The directory cannot be written, or the folder in it is somebody else's.
    """
    with _own_directory(directory) as own:
        _remove_unused(own, keep_days)
        for slot in count():
            path = own / f"engine-{kind[:KIND_LETTERS]}-{slot}"
            lock = _lock(path)
            if lock is not None:
                return EngineFolder(path, keep_days, lock)
    raise AssertionError("there is always another slot")


@contextmanager
def _own_directory(directory: Path) -> Iterator[Path]:
    """This user's folder below a cache directory, made if need be; what fails with it ends in one line."""
    own = directory / f"quagmires-{os.getuid()}"
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        # In a directory for all, such as /tmp, another user may have made it first, and compiled code is run from it.
        if own.is_symlink() or own.stat().st_uid != os.getuid():
            raise UserError(f"{own}: belongs to somebody else; set cache.directory to a directory of yours")
        yield own
    except OSError as error:
        raise UserError(
            f"{error.filename or own}: no place for an engine's caches ({error.strerror}); set cache.directory to a"
            " directory of the node that can be written"
        ) from None


def _remove_unused(own: Path, keep_days: float) -> None:
    oldest = time.time() - keep_days * _SECONDS_OF_DAY
    for path in _folders(own):
        # Looked at before it is locked: taking the lock makes a file that is missing.
        if _last_use(path) < oldest and (lock := _lock(path)) is not None:
            remove(path)
            _unlock(lock)


def _folders(own: Path) -> Iterator[Path]:
    return (path for path in own.iterdir() if path.name.startswith(("engine-", "output-")))


def _last_use(path: Path) -> float:
    try:
        return (path / "lock").stat().st_mtime
    except FileNotFoundError:
        # Another process is just making or removing it.
        return time.time()


def _lock(path: Path) -> int | None:
    """The locked file of a folder, which is made if need be, or None if another process has it."""
    path.mkdir(mode=0o700, exist_ok=True)
    try:
        lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        # Another process has just removed the folder.
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == (path / "lock").stat().st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def _unlock(lock: int) -> None:
    # A process that was forked meanwhile has the file open too: closing it would not do.
    fcntl.flock(lock, fcntl.LOCK_UN)
    os.close(lock)
