import pytest

from quagmires.common.errors import UserError
from quagmires.grading.targets import GOLD_RULES, Gold, read_gold


@pytest.mark.parametrize(
    "gold",
    [
        Gold(("7",)),
        Gold(("1,2",), several=True),
        Gold(("4.2",), tolerance=0.1),
        Gold(("0.01", r"1 \times 10^{-2}")),
        Gold((r'a "quoted" \frac{1}{2} π',), several=True),
    ],
)
def test_a_gold_survives_being_text(gold):
    assert Gold.from_text(gold.to_text()) == gold


@pytest.mark.parametrize(
    "text",
    [
        '{"accepted": 5}', '{"accepted": []}', '{"accepted": ["5"', '{"accepted": ["5"], "tolerance": "much"}',
        '{"accepted": ["5"], "tolerance": NaN}', '{"accepted": null}', "{1, 2}", "",
    ],
)  # fmt: skip
def test_any_other_text_is_one_accepted_answer(text):
    assert Gold.from_text(text) == Gold((text,))


@pytest.mark.parametrize(
    ("rule", "value", "row", "gold"),
    [
        ("text", r" \frac{1}{2} ", {}, Gold((r"\frac{1}{2}",))),
        ("text", 7, {}, Gold(("7",))),
        ("number", 142.0, {}, Gold(("142",))),
        ("number", "1,234", {}, Gold(("1234",))),
        ("hashes", "a\n#### 1,234", {}, Gold(("1234",))),
        ("box", r"so $\boxed{\frac12}$.", {}, Gold((r"\frac12",))),
        ("any", ["0.01", "1e-2"], {}, Gold(("0.01", "1e-2"))),
        ("any", "7", {}, Gold(("7",))),
        ("olympiadbench", ["$1,3$"], {"is_multiple_answer": True}, Gold(("1,3",), several=True)),
        ("olympiadbench", ["$(1,3)$"], {"is_multiple_answer": True}, Gold(("(1,3)",))),
        ("olympiadbench", "4.5", {"is_multiple_answer": False, "error": "1e-1,1e-1"}, Gold(("4.5",), tolerance=0.1)),
        ("olympiadbench", "4.5", {"error": None}, Gold(("4.5",))),
    ],
)
def test_rules(rule, value, row, gold):
    assert read_gold(rule, value, row) == gold


@pytest.mark.parametrize(
    ("rule", "value", "row", "message"),
    [
        ("text", "  ", {}, "an empty answer"),
        ("hashes", "no mark", {}, "no `####`"),
        ("box", "no box", {}, "no `\\boxed"),
        ("any", [], {}, "an empty list"),
        ("olympiadbench", "4", {"error": "small"}, "`error` is 'small', not a number"),
    ],
)
def test_rows_without_what_a_rule_needs_are_refused(rule, value, row, message):
    with pytest.raises(UserError, match=message.replace("\\", r"\\").replace("{", r"\{")):
        read_gold(rule, value, row)


def test_every_rule_is_tested():
    assert set(GOLD_RULES) == {"text", "number", "hashes", "box", "any", "olympiadbench"}
