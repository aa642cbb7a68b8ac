"""The paper's published values (results/published/tables.csv), to stand beside those of a run."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from quagmires.common.errors import UserError

COLUMNS = ("table", "level", "model", "row", "n_fit", "n_validation", "predictor", "mean", "std", "gain")
NUMBERS = ("table", "n_fit", "n_validation", "mean", "std", "gain")
# What the paper calls by the k it used.
PREDICTORS = {"pass_at_64": "pass_at_large_k"}
AVERAGE = "average"


@dataclass(frozen=True)
class PublishedValue:
    """One printed value: a rank correlation, or a mean R2 and what follows its ±. `gain` as printed, over Pass@1."""

    mean: float
    standard_deviation: float | None = None
    gain: float | None = None


@dataclass(frozen=True)
class PublishedRow:
    """Where a value stands: `group` is all, half, ratio, a budget as `2-5B`, or average; counts are for ratio alone."""

    group: str
    fitting: int | None = None
    validation: int | None = None


@dataclass(frozen=True)
class PublishedStudy:
    """A study of the paper: `model` as it calls it, and `level`, dataset or instance.

    Data sets do not count: the paper's spellings (`MATH-train`, `AceReasoner1.1`) are no keys of a config, and each of
    its models has one pair of them.
    """

    model: str
    level: str


class Published:
    """The values, by table, study, row and predictor."""

    def __init__(self, values: dict[tuple[int, PublishedStudy, PublishedRow, str], PublishedValue]) -> None:
        self._values = values

    @classmethod
    def read(cls, path: str | Path) -> "Published":
        """Read a file like results/published/tables.csv.

        Raises
        ------
        UserError
            no such file, a column is missing, a number is none, or two rows are for the same cell.
        """
        table = _read(Path(path))
        values: dict[tuple[int, PublishedStudy, PublishedRow, str], PublishedValue] = {}
        for line, row in enumerate(table.to_dict("records"), start=2):
            place = PublishedRow(budget_group(row["row"]), _whole(row["n_fit"]), _whole(row["n_validation"]))
            study = PublishedStudy(row["model"], row["level"])
            key = (int(row["table"]), study, place, PREDICTORS.get(row["predictor"], row["predictor"]))
            if key in values:
                raise UserError(f"{path}: line {line} is for the same cell as one before; remove one of them")
            values[key] = PublishedValue(row["mean"], _known(row["std"]), _known(row["gain"]))
        return cls(values)

    def cell(
        self, table: int | None, study: PublishedStudy, predictor: str, row: str = "all", fitting: int | None = None
    ) -> PublishedValue | None:
        """What the paper printed; None where it has no such cell.

        Parameters
        ----------
        table
            its number, or None for a table that is not the paper's.
        study
            of the paper; another level of the same model is another study.
        predictor
            name in `predictors.PREDICTORS`.
        row
            all, half, ratio, a budget as `rank_correlation.budget_groups` writes it, or average.
        fitting
            number of fitted models, for ratio.
        """
        for (number, of_study, place, of_predictor), value in self._values.items():
            if (number, of_study, of_predictor) == (table, study, predictor) and (place.group, place.fitting) == (
                budget_group(row),
                fitting,
            ):
                return value
        return None

    def rows(self, table: int | None, study: PublishedStudy) -> list[PublishedRow]:
        """The rows that a table has for a study, in its order."""
        places = [place for number, of_study, place, _ in self._values if (number, of_study) == (table, study)]
        return list(dict.fromkeys(places))

    def studies(self, table: int) -> list[PublishedStudy]:
        """The studies that a table has, in its order."""
        return list(dict.fromkeys(study for number, study, *_ in self._values if number == table))

    def copied_from(
        self, table: int | None, study: PublishedStudy, row: str = "all"
    ) -> tuple[int, PublishedRow] | None:
        """The row of a more detailed table that has the same values as a row of this one, by number of that table.

        Tables 2 and 4 are rows of Tables 5 to 7 and 9, not always that of half of the models; Table 3 has the means
        over budgets of Tables 8 and 10. Ours are what the paper's text says, which is then something else.
        """
        wanted = self._row(table, study, PublishedRow(row))
        for number in dict.fromkeys(number for number, *_ in self._values if number != table):
            for place in self.rows(number, study):
                detailed = place.fitting is not None or place.group == AVERAGE
                if wanted and detailed and self._row(number, study, place) == wanted:
                    return number, place
        return None

    def _row(
        self, table: int | None, study: PublishedStudy, place: PublishedRow
    ) -> dict[str, tuple[float, float | None]]:
        """Mean and deviation by predictor."""
        return {
            predictor: (value.mean, value.standard_deviation)
            for (*where, predictor), value in self._values.items()
            if where == [table, study, place]
        }


def budget_group(row: str) -> str:
    """One spelling for the file's rows and for our labels.

    >>> budget_group("budget <2B"), budget_group("< 2B"), budget_group("budget average")
    ('<2B', '<2B', 'average')
    """
    return row.removeprefix("budget ").replace(" ", "")


def _read(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; give results/published/tables.csv") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a CSV file ({error}); restore it") from None
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path}: no column {', '.join(missing)}; restore the file")
    for name in NUMBERS:
        try:
            table[name] = pd.to_numeric(table[name])
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}: column {name}: {error}; give a number or nothing") from None
    required = ["table", "level", "model", "row", "predictor", "mean"]
    if table[required].isna().any(axis=None):
        line = int(table[required].isna().any(axis=1).idxmax()) + 2
        raise UserError(f"{path}: line {line} lacks one of {', '.join(required)}; fill it in")
    return table


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else int(value)
