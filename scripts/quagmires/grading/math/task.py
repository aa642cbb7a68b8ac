"""Mathematics as a task: boxed answers, compared as text, as numbers, part by part, and by computer algebra."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from quagmires.config.gold_rules import Gold
from quagmires.config.task_names import MATH
from quagmires.grading.math.equivalence import compare
from quagmires.grading.math.extraction import extract_answer
from quagmires.grading.math.numbers import canonical
from quagmires.grading.math.structures import parts
from quagmires.grading.task import Task, Verifier, task


@task(MATH)
class Mathematics(Task):
    """Problems whose answer is a number, an expression, a list, an interval, a matrix or the letter of an option."""

    def read_gold(self, rule: str, value: Any, row: Mapping[str, Any]) -> Gold:
        """As every task reads it; but a list of one part, such as the one point `(1,3)`, is no list."""
        gold = super().read_gold(rule, value, row)
        return replace(gold, several=gold.several and any(len(parts(one)) > 1 for one in gold.accepted))

    def extract(self, response: str) -> str | None:
        """See `extraction.extract_answer`."""
        return extract_answer(response)

    def compare(self, gold: Gold, answer: str, ask: Verifier | None) -> str | None:
        """See `equivalence.compare`."""
        return compare(gold, answer, ask)

    def canonical(self, answer: str) -> str:
        """See `numbers.canonical`."""
        return canonical(answer)

    def verifier(self) -> Verifier:
        """See `verification.verifier`."""
        # sympy: it takes seconds to import, and only workers need it.
        from quagmires.grading.math.verification import verifier

        return verifier()
