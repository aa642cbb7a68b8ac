"""What counts as right: the accepted answers of a problem, and the rules by which they are read from a data set.

A rule is a registered function that finds the accepted answers in one row of a benchmark or an RL set. To add a rule:

    @gold_rule("last-line")
    def on_last_line(value):
        \"\"\"The last line of the answer column.\"\"\"
        return Gold((str(value).strip().splitlines()[-1],))

This is the only place that names the rules. A config's `gold` is checked against `GOLD_RULES` (schema.py), and tasks
read golds by them (grading/task.py). The registry lies in config/ because configs are checked there. No rule knows
LaTeX: a rule that needs the final answer of a whole solution is given a function that finds it.
"""

import inspect
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quagmires.common.errors import UserError

_END_OF_SOLUTION = "####"


@dataclass(frozen=True)
class Gold:
    """The accepted answers of one problem.

    A gold travels as one string, through parquet columns and verl's `ground_truth` alike: the answer itself, or, where
    that does not say everything, a JSON object `{"accepted": [...], "several": ..., "tolerance": ...}`.

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


# Finds the final answer in a text, None where there is none.
Extract = Callable[[str], str | None]
# What a rule's function may ask for, by the names of its parameters.
_OFFERED = ("value", "row", "extract")


@dataclass(frozen=True)
class GoldRule:
    """A registered rule: see `gold_rule`."""

    name: str
    function: Callable[..., Gold]
    needs: tuple[str, ...]

    def read(self, value: Any, row: Mapping[str, Any], extract: Extract) -> Gold:
        """The gold of one row of a data set: `value` is its answer column; `extract` finds the answer of a solution.

        Raises
        ------
        UserError
            the row does not hold what the rule needs, or an accepted answer is empty.
        """
        offered = {"value": value, "row": row, "extract": extract}
        gold = self.function(**{name: offered[name] for name in self.needs})
        if not gold.accepted or not all(gold.accepted):
            raise UserError("an empty answer")
        return gold


GOLD_RULES: dict[str, GoldRule] = {}


def gold_rule(name: str) -> Callable[[Callable[..., Gold]], Callable[..., Gold]]:
    """Register the decorated function as a rule that configs may name: `gold: <name>`.

    The function asks for what it needs by the names of its parameters, and raises `UserError` for a row that does not
    hold it:

    value
        the answer column of the row, as the source has it: text, a number or a list.
    row
        the whole row, column of the source -> value.
    extract
        a function that finds the final answer in a text, as the task finds it in a response; None where there is none.

    Raises
    ------
    ValueError
        the name is taken or no name, or the function asks for something else.
    """
    if not re.fullmatch("[a-z0-9][a-z0-9_-]*", name):
        raise ValueError(f"gold rule {name!r}: a name has lower-case letters, digits, hyphens and underscores only")
    if name in GOLD_RULES:
        raise ValueError(f"there is a gold rule {name} already; choose another name")

    def register(function: Callable[..., Gold]) -> Callable[..., Gold]:
        needs = tuple(inspect.signature(function).parameters)
        if unknown := set(needs) - set(_OFFERED):
            raise ValueError(f"gold rule {name}: it is not given {min(unknown)}; it may ask for {', '.join(_OFFERED)}")
        GOLD_RULES[name] = GoldRule(name, function, needs)
        return function

    return register


@gold_rule("text")
def as_text(value: Any) -> Gold:
    """The answer column holds the answer."""
    return Gold((str(value).strip(),))


@gold_rule("number")
def as_number(value: Any) -> Gold:
    """The answer column holds a number; `142.0` is 142, `1,234` is 1234."""
    text = str(value).strip().replace(",", "")
    return Gold((text.removesuffix(".0"),))


@gold_rule("hashes")
def after_hashes(value: Any) -> Gold:
    """The answer column holds a solution that ends in `#### 1,234` (GSM8K)."""
    _, mark, answer = str(value).rpartition(_END_OF_SOLUTION)
    if not mark:
        raise UserError(f"no `{_END_OF_SOLUTION}` before the answer")
    return as_number(answer)


@gold_rule("box")
def in_box(value: Any, extract: Extract) -> Gold:
    """The answer column holds a solution whose last box is the answer (MATH, Minerva)."""
    answer = extract(str(value))
    if not answer:
        raise UserError("no `\\boxed{...}` with an answer in the solution")
    return Gold((answer,))


@gold_rule("any")
def any_of(value: Any) -> Gold:
    """The answer column holds a list of spellings, each of them right (or a single one)."""
    values = list(value) if isinstance(value, list | tuple) or hasattr(value, "tolist") else [value]
    if not values:
        raise UserError("an empty list of answers")
    return Gold(tuple(str(one).strip() for one in values))


@gold_rule("olympiadbench")
def olympiadbench(value: Any, row: Mapping[str, Any]) -> Gold:
    """OlympiadBench's columns: `final_answer` (a list of one), `is_multiple_answer`, and `error`, its tolerance."""
    answer = ", ".join(any_of(value).accepted).replace("$", "")
    # One tolerance for all parts; `1e-1,1e-1` occurs.
    error = str(row.get("error") or "").partition(",")[0]
    try:
        return Gold((answer,), bool(row.get("is_multiple_answer")), float(error) if error else None)
    except ValueError:
        raise UserError(f"`error` is {error!r}, not a number") from None
