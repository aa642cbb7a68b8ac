"""Verdicts that outlive a grading that is killed, or whose output finds no room on the disk.

Grading takes hours, and a parquet file is nothing until its last byte is written. So each verdict is also a line of a
small hidden file beside the output: a hash of (task, gold, answer), and the reason. The same command, run again, grades
only the rest. The file goes when the output is whole, and counts for nothing once the grader has changed.
"""

import itertools
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import quagmires.grading
from quagmires.common.errors import UserError, one_line
from quagmires.common.provenance import sha256_file, sha256_json, versions
from quagmires.config import gold_rules
from quagmires.grading.grader import MAX_ANSWER_CHARACTERS, Grade, Grader
from quagmires.grading.known import pair_key
from quagmires.grading.task import find_task
from quagmires.grading.verdicts import NO_ANSWER, REASONS, RIGHT

# Verdicts in memory, 150 bytes each. Pairs met after these are compared again where the grader has forgotten them.
MOST_KEPT = 1_000_000
# Pairs that are compared between two writes: what a kill may cost.
_BATCH = 2_000
_LINE = re.compile(rb"([0-9a-f]{32}) ([a-z_]+)")


class KeptVerdicts:
    """Verdicts by hash of (task, gold, answer), in memory and in a file.

    Parameters
    ----------
    output
        the file that is written of the verdicts; they are kept beside it.
    timeout
        the grader's; verdicts under another one are not taken up.
    """

    def __init__(self, output: Path, timeout: float) -> None:
        self.path = output.with_name(f".{output.name}.verdicts")
        self._header = json.dumps({"grader": _grader_version(), "timeout": timeout}).encode() + b"\n"
        self._reasons: dict[bytes, str] = {}
        self._file: int | None = None

    def __enter__(self) -> "KeptVerdicts":
        if self.path.is_file():
            with open(self.path, "rb") as lines:
                if next(lines, b"") == self._header:
                    self._reasons = dict(itertools.islice(_read(lines), MOST_KEPT))
                else:
                    self.path.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
        if kind is None:
            self.path.unlink(missing_ok=True)

    def get(self, key: bytes) -> str | None:
        """The verdict on a pair; None if there is none."""
        return self._reasons.get(key)

    def keep(self, reasons: dict[bytes, str]) -> None:
        """Add verdicts, on the disk before anything else happens."""
        if len(self._reasons) < MOST_KEPT:
            self._reasons |= reasons
        lines = b"".join(b"%s %s\n" % (key.hex().encode(), reason.encode()) for key, reason in reasons.items())
        try:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
                # The last line of a full disk may have no end.
                lines = (b"\n" if os.fstat(self._file).st_size else self._header) + lines
            # Without a buffer: nothing is left to be written when this process is killed.
            while lines:
                lines = lines[os.write(self._file, lines) :]
        except OSError as error:
            raise UserError(
                f"{self.path}: verdicts cannot be kept ({one_line(error)}); make room and grade again"
            ) from None


class KeepingGrader:
    """Grades blocks of responses; equal pairs of gold and answer are compared once, also over blocks and runs.

    Safe to call from threads: a block waits for the pairs that another is comparing.
    """

    def __init__(self, task: str, grader: Grader, kept: KeptVerdicts) -> None:
        self._task, self._grader, self._kept = task, grader, kept
        self._extract = find_task(task).extract
        self._lock = threading.Lock()
        # By pair, the verdicts of the block that it is compared for.
        self._compared: dict[bytes, Future[dict[bytes, str]]] = {}

    def grade_many(self, golds: Sequence[str], responses: Sequence[str]) -> list[Grade]:
        """Grade responses against golds of the same length."""
        answers = [self._extract(response) for response in responses]
        keys = [
            None if answer is None else pair_key(self._task, gold, answer)
            for gold, answer in zip(golds, answers, strict=True)
        ]
        own: Future[dict[bytes, str]] = Future()
        reasons, elsewhere, new = self._share(keys, own)
        try:
            for start in range(0, len(new), _BATCH):
                batch = dict(itertools.islice(new.items(), start, start + _BATCH))
                chosen = list(batch.values())
                grades = self._grader.grade_many([golds[i] for i in chosen], [responses[i] for i in chosen])
                fresh = {key: grade.reason for key, grade in zip(batch, grades, strict=True)}
                with self._lock:
                    self._kept.keep(fresh)
                reasons |= fresh
            own.set_result(dict(reasons))
        except BaseException as error:
            # Nobody may wait for what is left open.
            own.set_exception(error)
            raise
        finally:
            with self._lock:
                for key in new:
                    del self._compared[key]
        reasons |= {key: future.result()[key] for key, future in elsewhere.items()}
        return [
            Grade(None, False, NO_ANSWER)
            if key is None or answer is None
            else Grade(answer[:MAX_ANSWER_CHARACTERS], reasons[key] in RIGHT, reasons[key])
            for key, answer in zip(keys, answers, strict=True)
        ]

    def _share(
        self, keys: Sequence[bytes | None], own: "Future[dict[bytes, str]]"
    ) -> tuple[dict[bytes, str], dict[bytes, "Future[dict[bytes, str]]"], dict[bytes, int]]:
        """Which pairs have a verdict, which are compared for another block, and which are ours, with a row of each."""
        reasons, elsewhere, new = {}, {}, {}
        with self._lock:
            for index, key in enumerate(keys):
                if key is None or key in new or key in reasons:
                    continue
                if (reason := self._kept.get(key)) is not None:
                    reasons[key] = reason
                elif key in self._compared:
                    elsewhere[key] = self._compared[key]
                else:
                    new[key] = index
                    self._compared[key] = own
        return reasons, elsewhere, new


def _read(lines: BinaryIO) -> Iterator[tuple[bytes, str]]:
    """The whole lines."""
    for line in lines:
        match = _LINE.fullmatch(line.rstrip(b"\n"))
        if match and match[2] in _REASON:
            yield bytes.fromhex(match[1].decode()), _REASON[match[2]]


# One text for each, however many lines there are.
_REASON = {reason.encode(): reason for reason in REASONS}


@cache
def _grader_version() -> str:
    """A hash of the grader's code and of the libraries that decide."""
    [folder] = quagmires.grading.__path__
    code = [*sorted(Path(folder).rglob("*.py")), Path(gold_rules.__file__)]
    return sha256_json(
        [[sha256_file(path) for path in code], versions("math-verify", "latex2sympy2-extended", "sympy")]
    )
