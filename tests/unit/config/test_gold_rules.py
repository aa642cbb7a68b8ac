import pytest

from quagmires.common.errors import UserError
from quagmires.config.gold_rules import GOLD_RULES, Gold, gold_rule
from quagmires.config.schema import ProblemSource


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


def last_word(text: str) -> str | None:
    """A task's way to find an answer, without any LaTeX."""
    return text.split()[-1] if "box" not in text else None


@pytest.mark.parametrize(
    ("rule", "value", "row", "gold"),
    [
        ("text", r" \frac{1}{2} ", {}, Gold((r"\frac{1}{2}",))),
        ("text", 7, {}, Gold(("7",))),
        ("number", 142.0, {}, Gold(("142",))),
        ("number", "1,234", {}, Gold(("1234",))),
        ("hashes", "a\n#### 1,234", {}, Gold(("1234",))),
        ("box", "so it is 12", {}, Gold(("12",))),
        ("any", ["0.01", "1e-2"], {}, Gold(("0.01", "1e-2"))),
        ("any", "7", {}, Gold(("7",))),
        ("olympiadbench", ["$1,3$"], {"is_multiple_answer": True}, Gold(("1,3",), several=True)),
        ("olympiadbench", "4.5", {"is_multiple_answer": False, "error": "1e-1,1e-1"}, Gold(("4.5",), tolerance=0.1)),
        ("olympiadbench", "4.5", {"error": None}, Gold(("4.5",))),
    ],
)
def test_rules(rule, value, row, gold):
    assert GOLD_RULES[rule].read(value, row, last_word) == gold


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
        GOLD_RULES[rule].read(value, row, last_word)


def test_every_rule_is_tested():
    assert list(GOLD_RULES) == ["text", "number", "hashes", "box", "any", "olympiadbench"]


def test_a_config_may_name_the_rules_there_are_and_no_other():
    for rule in GOLD_RULES:
        assert ProblemSource(path="a.jsonl", rows=1, gold=rule).gold == rule
    with pytest.raises(ValueError, match="should be 'text', 'number', 'hashes', 'box', 'any' or 'olympiadbench'"):
        ProblemSource(path="a.jsonl", rows=1, gold="guess")


@pytest.mark.parametrize("name", ["text", "Last Line", "", "-"])
def test_a_rule_whose_name_is_taken_or_no_name_is_refused(name):
    with pytest.raises(ValueError, match="gold rule"):
        gold_rule(name)


def test_a_rule_that_asks_for_what_it_is_not_given_is_refused():
    with pytest.raises(ValueError, match="it is not given hint; it may ask for value, row, extract"):

        @gold_rule("hinted")
        def hinted(value, hint):
            return Gold((value,))

    assert "hinted" not in GOLD_RULES
