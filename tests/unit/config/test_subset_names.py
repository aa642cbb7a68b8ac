import pytest

from quagmires.common.errors import UserError
from quagmires.config.schema import Recipe
from quagmires.config.subset_names import parse_subset, subset_size
from quagmires.config.subset_rules import SUBSET_RULES, subset_rule


@pytest.mark.parametrize(
    "name", ["random", "random-", "middle-5", "random-0", "random-1.5", "longest-5+longest-6", "Random-5"]
)
def test_misspelt_subsets_are_refused(name):
    with pytest.raises(UserError, match="subset"):
        parse_subset(name)


def test_sizes_are_read_as_people_write_them():
    assert subset_size("random-10k", 0) == 10_000
    assert subset_size("longest-1.5k+shortest-500", 0) == 2_000
    assert subset_size("all", 123) == 123


def test_messages_and_the_schema_name_every_rule():
    names = [f"{name}-N" for name in SUBSET_RULES]
    assert names[:3] == ["random-N", "shortest-N", "longest-N"]
    with pytest.raises(UserError, match="use base, all, random-N, shortest-N or longest-N") as refused:
        parse_subset("median-10k")
    described = Recipe.model_fields["subset"].description
    assert all(name in str(refused.value) and name in described for name in names)


@pytest.mark.parametrize("name", ["random", "Middle", "middle-third", "middle2", ""])
def test_a_rule_whose_name_is_taken_or_no_name_is_refused(name):
    with pytest.raises(ValueError, match="subset rule"):
        subset_rule(name)
