"""Problems with their golds, from a local file or the Hugging Face hub, as one table."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from quagmires.common.errors import UserError
from quagmires.common.tabular import iterate
from quagmires.config.task_names import MATH
from quagmires.grading.task import Task, find_task

# As the column of ids: the rows are numbered from 0.
ROW_NUMBER = "#"


def read_problems(
    name: str, source: Mapping[str, Any], columns: Mapping[str, str], rule: str, rows: int | None, task: str = MATH
) -> pd.DataFrame:
    """Read a problem set; columns `id`, `problem` and `answer` (the gold, as `Gold.to_text` writes it).

    Parameters
    ----------
    source
        ``{"path": ...}`` or ``{"hub": {"dataset": ..., "config": ..., "split": ..., "revision": ...}}``.
    columns
        our name -> the source's; ``id: "#"`` numbers the rows.
    rule
        how the gold is read, one of `gold_rules.GOLD_RULES`.
    rows
        the number of rows expected; another number is an error (a changed or cut source).
    task
        the name of the kind of problems, which reads the gold by the rule.

    Raises
    ------
    UserError
        The source cannot be read, a column is missing or empty, an id occurs twice, the number of rows differs.
    """
    kind = find_task(task)
    where = source.get("path") or source["hub"]["dataset"]
    content = iterate(source["path"]) if source.get("path") else hub_rows(source["hub"])
    found = [
        _problem(name, f"{where}, row {number}", number, row, columns, rule, kind)
        for number, row in enumerate(content, start=1)
    ]
    if rows is not None and len(found) != rows:
        raise UserError(f"{where}: the config declares {rows} rows, it has {len(found)}; correct `rows` or the source")
    frame = pd.DataFrame(found, columns=["id", "problem", "answer"], dtype=object)
    if frame["id"].duplicated().any():
        twice = frame.loc[frame["id"].duplicated(), "id"].iloc[0]
        raise UserError(f'{where}: id {twice!r} occurs twice; ids must be unique (`id: "#"` numbers the rows)')
    return frame


def _problem(
    name: str, where: str, number: int, row: Mapping[str, Any], columns: Mapping[str, str], rule: str, task: Task
) -> tuple[str, str, str]:
    for column in columns.values():
        if column != ROW_NUMBER and column not in row:
            raise UserError(f"{where}: no column `{column}`; it has {', '.join(sorted(row))}; set `columns`")
        if column != ROW_NUMBER and (row[column] is None or str(row[column]).strip() == ""):
            raise UserError(f"{where}: column `{column}` is empty; remove the row")
    identity = f"{name}/{number - 1}" if columns["id"] == ROW_NUMBER else str(row[columns["id"]])
    try:
        gold = task.read_gold(rule, row[columns["answer"]], row)
    except UserError as error:
        raise UserError(f"{where}: {error}; choose another `gold` rule or remove the row") from None
    return identity, str(row[columns["problem"]]), gold.to_text()


def hub_rows(hub: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The rows of a data set on the Hugging Face hub, or in a local copy of its repository; code in it is never run.

    Downloads are kept and resumed by huggingface_hub; `HF_HUB_OFFLINE=1` uses what is there.
    """
    import datasets

    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(
            hub["dataset"], hub.get("config"), split=hub["split"], revision=hub.get("revision") or None
        )
    except (OSError, ValueError, RuntimeError) as error:
        words = str(error).strip().splitlines()
        raise UserError(
            f"{hub['dataset']}: cannot be loaded from the hub ({type(error).__name__}: {words[0] if words else ''});"
            " connect to it once, or set `path` to a local copy"
        ) from None
