import pandas as pd
import pytest

from quagmires import curation
from quagmires.errors import UserError
from quagmires.prompts import load_tokenizer
from quagmires.subsets import parse_subset, subset_size


def pool(count: int = 60, per_problem: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"t{i}" for i in range(count)],
            "problem": [f"p{i // per_problem}" for i in range(count)],
            "prompt_tokens": 5,
            # Many ties.
            "response_tokens": [10 + i % 7 for i in range(count)],
        }
    )


def ids(frame: pd.DataFrame) -> set[str]:
    return set(frame["id"])


def test_random_subsets_are_nested_and_depend_on_the_seed():
    small, large = curation.select(pool(), "random-10", 1), curation.select(pool(), "random-20", 1)
    assert ids(small) < ids(large)
    assert ids(curation.select(pool(), "random-10", 2)) != ids(small)
    assert ids(curation.select(pool(), "random-10", 1)) == ids(small)


def test_selection_does_not_depend_on_the_order_of_the_pool():
    shuffled = pool().sample(frac=1, random_state=3)
    for subset in ("random-10", "shortest-11", "longest-11", "longest-5+shortest-5+random-5"):
        assert ids(curation.select(pool(), subset, 1)) == ids(curation.select(shuffled, subset, 1))


def test_shortest_and_longest_take_the_extremes_and_are_nested_under_ties():
    shortest = curation.select(pool(), "shortest-11", 1)
    left = pool()[~pool()["id"].isin(shortest["id"])]
    assert shortest["response_tokens"].max() <= left["response_tokens"].min()
    longest = curation.select(pool(), "longest-11", 1)
    left = pool()[~pool()["id"].isin(longest["id"])]
    assert longest["response_tokens"].min() >= left["response_tokens"].max()
    assert ids(curation.select(pool(), "shortest-5", 1)) < ids(shortest)


def test_parts_of_a_mixture_do_not_overlap():
    mixture = curation.select(pool(), "longest-20+shortest-20+random-20", 1)
    assert len(ids(mixture)) == 60
    with pytest.raises(UserError, match="random-21 asks for more traces than are left"):
        curation.select(pool(), "longest-20+shortest-20+random-21", 1)


def test_no_problem_is_both_held_out_and_trained_on():
    train, validation = curation.split_validation(pool(), 10, seed=1)
    assert len(validation) == 10
    assert not set(train["problem"]) & set(validation["problem"])
    # The rest of the last held-out problem is in neither.
    assert len(train) == 60 - 12


def test_validation_that_takes_everything_is_refused():
    with pytest.raises(UserError, match="60 validation traces leave none"):
        curation.split_validation(pool(), 60, seed=1)


def test_cutoff_counts_prompt_and_response():
    assert curation.within_cutoff(pool(), 15)["response_tokens"].max() == 10


def test_manifest_says_what_is_in_a_subset():
    subset = curation.select(pool(), "shortest-9", 1)
    record = curation.manifest(subset, name="shortest-9", seed=1, cutoff=99, dropped=2, source={"path": "x"})
    assert (record["examples"], record["response_tokens"], record["dropped_over_cutoff"]) == (9, 90, 2)
    assert record["response_token_quantiles"]["0.5"] == 10
    other = curation.manifest(subset.iloc[::-1], name="shortest-9", seed=1, cutoff=99, dropped=2, source={})
    assert other["ids_sha256"] != record["ids_sha256"]


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


def test_lengths_are_those_of_the_models_tokenizer(byte_tokenizer):
    traces = pd.DataFrame({"id": ["a", "b"], "problem": ["1+1?", "1+1?"], "response": ["é", "two"]})
    lengths = curation.measure_lengths(traces, load_tokenizer(str(byte_tokenizer)), "Go.")
    # UTF-8 bytes and the end token; the prompt is ">1+1? Go.\n".
    assert list(lengths["response_tokens"]) == [3, 4]
    assert list(lengths["prompt_tokens"]) == [10, 10]
