"""What counts as right: the accepted answers of a problem, read from a data set's own columns by a rule.

A gold travels as one string, through parquet columns and verl's `ground_truth` alike: the answer itself, or, where that
does not say everything, a JSON object `{"accepted": [...], "several": ..., "tolerance": ...}`.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quagmires.common.errors import UserError
from quagmires.grading.math.extraction import BOX, extract_answer
from quagmires.grading.math.structures import parts

_END_OF_SOLUTION = "####"


@dataclass(frozen=True)
class Gold:
    """The accepted answers of one problem.

    Parameters
    ----------
    accepted
        spellings or values; any one of them is right.
    several
        each accepted answer is a list whose parts may come in any order, and all must be there.
    tolerance
        the largest absolute difference of a number, for problems that allow one.
    """

    accepted: tuple[str, ...]
    several: bool = False
    tolerance: float | None = None

    def to_text(self) -> str:
        """The gold as one string.

        >>> Gold(("7",)).to_text(), Gold(("1,3",), several=True).to_text()
        ('7', '{"accepted": ["1,3"], "several": true}')
        """
        if len(self.accepted) == 1 and not self.several and self.tolerance is None:
            return self.accepted[0]
        content: dict[str, Any] = {"accepted": list(self.accepted)}
        if self.several:
            content["several"] = True
        if self.tolerance is not None:
            content["tolerance"] = self.tolerance
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_text(cls, text: str) -> "Gold":
        """Read what `to_text` wrote; any other string is one accepted answer.

        >>> Gold.from_text('{"accepted": ["4.2"], "tolerance": 0.1}')
        Gold(accepted=('4.2',), several=False, tolerance=0.1)
        >>> Gold.from_text("(1,2)")
        Gold(accepted=('(1,2)',), several=False, tolerance=None)
        """
        if text.startswith('{"accepted":'):
            try:
                content = json.loads(text)
                tolerance = float(content.get("tolerance") or 0.0)
                accepted = tuple(map(str, content["accepted"]))
                if accepted and math.isfinite(tolerance):
                    return cls(accepted, bool(content.get("several")), tolerance or None)
            except (ValueError, TypeError):
                pass
        return cls((text,))


def as_text(value: Any) -> Gold:
    """The answer column holds the answer."""
    return Gold((str(value).strip(),))


def as_number(value: Any) -> Gold:
    """The answer column holds a number; `142.0` is 142, `1,234` is 1234."""
    text = str(value).strip().replace(",", "")
    return Gold((text.removesuffix(".0"),))


def after_hashes(value: Any) -> Gold:
    """The answer column holds a solution that ends in `#### 1,234` (GSM8K)."""
    _, mark, answer = str(value).rpartition(_END_OF_SOLUTION)
    if not mark:
        raise UserError(f"no `{_END_OF_SOLUTION}` before the answer")
    return as_number(answer)


def in_box(value: Any) -> Gold:
    """The answer column holds a solution whose last box is the answer (MATH, Minerva)."""
    answer = extract_answer(str(value))
    if not answer:
        raise UserError(f"no `{BOX}{{...}}` with an answer in the solution")
    return Gold((answer,))


def any_of(value: Any) -> Gold:
    """The answer column holds a list of spellings, each of them right (or a single one)."""
    values = list(value) if isinstance(value, list | tuple) or hasattr(value, "tolist") else [value]
    if not values:
        raise UserError("an empty list of answers")
    return Gold(tuple(str(one).strip() for one in values))


def olympiadbench(value: Any, row: Mapping[str, Any]) -> Gold:
    """OlympiadBench's columns: `final_answer` (a list of one), `is_multiple_answer`, and `error`, its tolerance."""
    answer = ", ".join(any_of(value).accepted).replace("$", "")
    several = bool(row.get("is_multiple_answer")) and len(parts(answer)) > 1
    # One tolerance for all parts; `1e-1,1e-1` occurs.
    error = str(row.get("error") or "").partition(",")[0]
    try:
        return Gold((answer,), several, float(error) if error else None)
    except ValueError:
        raise UserError(f"`error` is {error!r}, not a number") from None


# A benchmark's `gold` in the config names one of these.
GOLD_RULES: dict[str, Callable[..., Gold]] = {
    "text": as_text,
    "number": as_number,
    "hashes": after_hashes,
    "box": in_box,
    "any": any_of,
    "olympiadbench": olympiadbench,
}


def read_gold(rule: str, value: Any, row: Mapping[str, Any]) -> Gold:
    """The gold of one row of a data set: `value` is its answer column.

    Raises
    ------
    UserError
        The row does not hold what the rule needs.
    """
    gold = olympiadbench(value, row) if rule == "olympiadbench" else GOLD_RULES[rule](value)
    if not all(gold.accepted):
        raise UserError("an empty answer")
    return gold
