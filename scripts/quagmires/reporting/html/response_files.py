"""The responses of an evaluation folder, each with its grade and its problem.

The texts stay on disk until they are asked for: those of a whole evaluation do not fit into memory.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from quagmires.common.errors import UserError, one_line
from quagmires.common.files import read_json

KEY = ["benchmark", "problem_id", "repetition"]
SAMPLED = ("problem_id", "repetition", "finish_reason", "n_tokens")
GRADED = ("problem_id", "repetition", "gold", "answer", "correct", "reason")
NUMBERS = ("repetition", "n_tokens")
# The reason of a response without a grade; the grader has no such verdict.
NOT_GRADED = "not_graded"


@dataclass(frozen=True)
class EvaluatedResponses:
    """Responses in the order of their files.

    Parameters
    ----------
    name
        what was evaluated.
    rows
        a row for each response: `benchmark`, `problem_id`, `repetition`, `n_tokens`, `truncated`, `gold`, `answer`,
        `correct` (None without a grade), `reason`, and where its text is: `file`, an index of `files`, and `row`.
    problems
        (benchmark, problem id) -> the problem's text, as far as the problems were found.
    notes
        what a reader should know of the choice, in sentences.
    """

    name: str
    files: list[Path]
    rows: pd.DataFrame
    problems: dict[tuple[str, str], str]
    notes: list[str] = field(default_factory=list)

    def sample(self, limit: int, seed: int) -> "EvaluatedResponses":
        """At most `limit` responses, drawn at random where there are more; a note says so."""
        if len(self.rows) <= limit:
            return self
        kept = np.sort(np.random.default_rng(seed).choice(len(self.rows), limit, replace=False))
        note = (
            f"A random sample: {limit:,} of {len(self.rows):,} responses (seed {seed}). Shares are those of the sample."
            " For more: --limit, or --benchmarks for some of them."
        )
        return replace(self, rows=self.rows.iloc[kept].reset_index(drop=True), notes=[note, *self.notes])

    def texts(self) -> Iterator[str]:
        """The text of each row, in their order."""
        for number, rows in self.rows.groupby("file", sort=True)["row"]:
            yield from _texts(self.files[number], rows.to_numpy())


def read_responses(
    folder: Path, benchmarks: Sequence[str] | None = None, problems: Path | None = None
) -> EvaluatedResponses:
    """All responses of an evaluation folder.

    Parameters
    ----------
    benchmarks
        names of those to read; all if None.
    problems
        a folder of `<benchmark>.parquet` with `id` and `problem`; looked for if None, and done without if not found.

    Raises
    ------
    UserError
        The folder is none of an evaluation, or a file in it is damaged or lacks a column.
    """
    shards, unlisted = _shards(folder)
    chosen = _choose(folder, list(shards), benchmarks)
    files = [file for name in chosen for file in shards[name]]
    tables, without = [], []
    texts: dict[tuple[str, str], str] = {}
    for name in chosen:
        table = _benchmark(folder / name, shards[name], files.index(shards[name][0]))
        known = _problems(folder, name, problems)
        if known is None:
            without.append(name)
        else:
            texts |= {(name, one): text for one, text in zip(known["id"], known["problem"], strict=True)}
            table["gold"] = table["gold"].where(table["gold"].notna(), _golds(table, known))
        tables.append(table.assign(benchmark=name))
    rows = pd.concat(tables, ignore_index=True)
    notes = []
    if ungraded := int(rows["correct"].isna().sum()):
        notes.append(f"{ungraded:,} of {len(rows):,} responses have no grade yet.")
    if without:
        notes.append(f"The texts of the problems of {', '.join(without)} were not found; --problems says where.")
    if unlisted and benchmarks is None:
        notes.append(f"Left out, because samples.json does not list them: {', '.join(unlisted)}.")
    return EvaluatedResponses(_name(folder), files, rows, texts, notes)


def _shards(folder: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """Benchmark -> its files of samples, and benchmarks that lie there and are not of this evaluation.

    samples.json lists what belongs to the evaluation; while sampling goes on there is none, and all files count.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    there: dict[str, list[Path]] = {}
    for file in sorted(folder.glob("*/samples/*.parquet")):
        there.setdefault(file.parent.parent.name, []).append(file)
    listing = folder / "samples.json"
    if not listing.is_file():
        if not there:
            inside = folder / "eval"
            hint = f"give {inside}" if inside.is_dir() else "give the folder that `quagmires evaluate --output` wrote"
            raise UserError(f"{folder}: no <benchmark>/samples/*.parquet in it; {hint}")
        return there, []
    try:
        listed = {
            str(name): [folder / str(file) for file in files] for name, files in read_json(listing)["shards"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UserError(
            f"{listing}: not what sampling writes ({type(error).__name__}); remove it, or sample again"
        ) from None
    listed = {name: files for name, files in listed.items() if files}
    if not listed:
        raise UserError(f"{listing}: lists no samples; sample first")
    return listed, [name for name in there if name not in listed]


def _choose(folder: Path, there: list[str], wanted: Sequence[str] | None) -> list[str]:
    if wanted is None:
        return there
    names = list(dict.fromkeys(name.strip() for name in wanted if name.strip()))
    for name in names:
        if name not in there:
            raise UserError(f"--benchmarks: {folder} has no {name!r}; it has {', '.join(there)}")
    if not names:
        raise UserError("--benchmarks: give at least one name")
    return names


def _name(folder: Path) -> str:
    """How sampling called the model, or the folder's name."""
    try:
        return str(read_json(folder / "samples.json")["identity"]["name"])
    except (ValueError, KeyError, TypeError, OSError):
        return folder.absolute().name


def _benchmark(folder: Path, files: list[Path], first: int) -> pd.DataFrame:
    """The rows of one benchmark, whose first file has the number `first`."""
    parts = []
    for number, file in enumerate(files, start=first):
        part = _read(file, SAMPLED)
        if "response" not in pq.read_schema(file).names:
            raise UserError(f"{file}: no column `response`; remove it and sample again")
        parts.append(part.assign(file=number, row=np.arange(len(part))))
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise UserError(f"{folder / 'samples'}: no responses in it; sample again")
    key = ["problem_id", "repetition"]
    if rows.duplicated(key).any():
        raise UserError(
            f"{folder / 'samples'}: a repetition of a problem occurs twice; remove the folder, sample again"
        )
    rows["truncated"] = rows.pop("finish_reason") == "length"
    path = folder / "grades.parquet"
    if path.is_file():
        grades = _read(path, GRADED)
        if grades.duplicated(key).any():
            raise UserError(f"{path}: a repetition of a problem occurs twice; grade again")
        rows = rows.merge(grades, how="left", on=key)
    else:
        rows = rows.assign(gold=None, answer=None, correct=None, reason=None)
    rows[["gold", "answer", "correct"]] = rows[["gold", "answer", "correct"]].astype(object)
    for column in ("gold", "answer", "correct"):
        rows[column] = rows[column].where(rows[column].notna(), None)
    rows["reason"] = rows["reason"].astype(object).fillna(NOT_GRADED)
    return rows


def _problems(folder: Path, name: str, given: Path | None) -> pd.DataFrame | None:
    """`id`, `problem` and `answer` of a benchmark: below the folder (evaluate) or of the experiment (the workflow).

    Also of an RL set, `rl.<its name>`, on whose prompts the workflow samples SFT models.
    """
    above = [parent / "data" for parent in folder.absolute().parents]
    if name.startswith("rl."):
        places = [place / "rl" / f"{name.removeprefix('rl.')}.problems.parquet" for place in above]
    elif given is None:
        folders = (folder / "benchmarks", *(place / "benchmarks" for place in above))
        places = [place / f"{name}.parquet" for place in folders]
    else:
        places = []
    if given is not None:
        places.insert(0, given / f"{name}.parquet")
        if len(places) == 1 and not places[0].is_file():
            raise UserError(f"--problems: no such file: {places[0]}")
    for path in places:
        if path.is_file():
            return _read(path, ("id", "problem", "answer"))
    return None


def _golds(rows: pd.DataFrame, problems: pd.DataFrame) -> list[str | None]:
    golds = dict(zip(problems["id"], problems["answer"], strict=True))
    return [golds.get(one) for one in rows["problem_id"]]


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Columns of a parquet file: texts as str, whatever bytes they are, and numbers as int."""
    if not path.is_file():
        raise UserError(f"{path}: no such file, though samples.json lists it; sample again")
    try:
        missing = [name for name in columns if name not in pq.read_schema(path).names]
        if missing:
            raise UserError(f"{path}: no column {', '.join(f'`{name}`' for name in missing)}; make it again")
        # By its handle: a path below `name=value` would bring columns of its own.
        with pq.ParquetFile(path) as content:
            table = content.read(columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged, or no parquet ({one_line(error)[:200]}); make it again") from None
    return pd.DataFrame({name: _values(path, name, table.column(name)) for name in columns})


def _values(path: Path, name: str, column: pa.ChunkedArray) -> Any:
    if name in NUMBERS:
        if not pa.types.is_integer(column.type) or column.null_count:
            raise UserError(f"{path}: `{name}` is not whole numbers ({column.type}); make it again")
        return column.to_numpy()
    if name == "correct":
        if not pa.types.is_boolean(column.type):
            raise UserError(f"{path}: `correct` is not true or false ({column.type}); make it again")
        return pd.Series(column.to_pylist(), dtype=object)
    return pd.Series(text_of(column), dtype=object)


def text_of(column: pa.ChunkedArray | pa.Array) -> list[str | None]:
    """Values as text. Bytes that are no UTF-8 are no error: a response may hold anything."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [None if one is None else _decoded(one) for one in column.cast(pa.large_binary()).to_pylist()]
    return [None if one is None else str(one) for one in column.to_pylist()]


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace")


def _texts(path: Path, rows: np.ndarray) -> Iterator[str]:
    """The responses in some rows of a file, ascending, batch by batch."""
    before = 0
    try:
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as content:
            for batch in content.iter_batches(batch_size=256, columns=["response"]):
                start, end = np.searchsorted(rows, (before, before + len(batch)))
                wanted = batch.column("response").take(pa.array(rows[start:end] - before))
                yield from (text or "" for text in text_of(wanted))
                before += len(batch)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: damaged ({one_line(error)[:200]}); remove it and sample again") from None
