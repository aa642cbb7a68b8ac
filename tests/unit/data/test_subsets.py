import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import select_subset

from quagmires.common.errors import UserError
from quagmires.config.subset_rules import SUBSET_RULES, subset_rule
from quagmires.data import pools, subsets
from quagmires.data.lengths import measure_lengths
from quagmires.data.subsets import Lengths

INSTRUCTION = r"Go \boxed{}."


def traces(count: int = 60, per_problem: int = 3) -> Lengths:
    return Lengths(
        pa.array([f"t{i}" for i in range(count)]),
        np.arange(count, dtype=np.uint64) // np.uint64(per_problem),
        np.full(count, 5, np.int32),
        # Many ties.
        np.array([10 + i % 7 for i in range(count)], np.int32),
        np.arange(count),
    )


def ids(lengths: Lengths) -> set[str]:
    return set(lengths.ids.to_pylist())


def shuffled(lengths: Lengths, seed: int = 3) -> Lengths:
    order = np.random.default_rng(seed).permutation(len(lengths))
    numbers = (lengths.problems, lengths.prompt_tokens, lengths.response_tokens)
    return Lengths(lengths.ids.take(pa.array(order)), *(values[order] for values in numbers), lengths.positions)


def test_random_subsets_are_nested_and_depend_on_the_seed():
    small, large = subsets.select(traces(), "random-10", 1), subsets.select(traces(), "random-20", 1)
    assert ids(small) < ids(large)
    assert ids(subsets.select(traces(), "random-10", 2)) != ids(small)
    assert ids(subsets.select(traces(), "random-10", 1)) == ids(small)


def test_a_trace_more_moves_no_other():
    some, more = subsets.select(traces(57), "random-20", 1), subsets.select(traces(60), "random-20", 1)
    assert ids(more) - {"t57", "t58", "t59"} <= ids(some)


def test_the_random_order_is_the_same_everywhere():
    """The subsets of published runs depend on it."""
    import hashlib

    order = sorted((f"t{i}" for i in range(60)), key=lambda name: hashlib.sha256(f"1\0{name}".encode()).digest())
    assert ids(subsets.select(traces(), "random-10", 1)) == set(order[:10])


def test_selection_does_not_depend_on_the_order_of_the_pool():
    for subset in ("random-10", "shortest-11", "longest-11", "longest-5+shortest-5+random-5"):
        assert ids(subsets.select(traces(), subset, 1)) == ids(subsets.select(shuffled(traces()), subset, 1))
    for one, other in zip(
        subsets.split_validation(traces(), 10, 1), subsets.split_validation(shuffled(traces()), 10, 1), strict=True
    ):
        assert ids(one) == ids(other)


def test_a_subset_is_in_the_order_of_the_pool():
    chosen = subsets.select(shuffled(traces()), "longest-20+random-10", 1)
    assert (np.diff(chosen.positions) > 0).all()
    where = dict(zip(shuffled(traces()).ids.to_pylist(), range(60), strict=True))
    assert [where[name] for name in chosen.ids.to_pylist()] == chosen.positions.tolist()


def test_shortest_and_longest_take_the_extremes_and_are_nested_under_ties():
    shortest = subsets.select(traces(), "shortest-11", 1)
    left = ~np.isin(np.arange(60), shortest.positions)
    assert shortest.response_tokens.max() <= traces().response_tokens[left].min()
    longest = subsets.select(traces(), "longest-11", 1)
    left = ~np.isin(np.arange(60), longest.positions)
    assert longest.response_tokens.min() >= traces().response_tokens[left].max()
    assert ids(subsets.select(traces(), "shortest-5", 1)) < ids(shortest)
    assert ids(subsets.select(traces(), "longest-5", 1)) < ids(longest)


def test_parts_of_a_mixture_do_not_overlap():
    mixture = subsets.select(traces(), "longest-20+shortest-20+random-20", 1)
    assert len(ids(mixture)) == 60
    with pytest.raises(UserError, match="random-21 asks for 21 traces, 20 are left after the cutoff"):
        subsets.select(traces(), "longest-20+shortest-20+random-21", 1)


def test_no_problem_is_both_held_out_and_trained_on():
    train, validation = subsets.split_validation(traces(), 10, seed=1)
    assert len(validation) == 10
    assert not set(train.problems.tolist()) & set(validation.problems.tolist())
    # The rest of the last held-out problem is in neither.
    assert len(train) == 60 - 12


def test_validation_that_takes_everything_is_refused():
    subsets.split_validation(traces(), 57, seed=1)
    for examples in (58, 60, 61):
        with pytest.raises(UserError, match=f"{examples} validation traces leave none"):
            subsets.split_validation(traces(), examples, seed=1)


def test_cutoff_counts_prompt_and_response():
    assert subsets.within_cutoff(traces(), 15).response_tokens.max() == 10


def test_manifest_says_what_is_in_a_subset():
    subset = subsets.select(traces(), "shortest-9", 1)
    record = subsets.manifest(subset, name="shortest-9", seed=1, cutoff=99, dropped=2, source={"path": "x"})
    assert (record["examples"], record["response_tokens"], record["dropped_over_cutoff"]) == (9, 90, 2)
    assert record["response_token_quantiles"]["0.5"] == 10
    other = subsets.select(shuffled(traces()), "shortest-9", 1)
    assert ids(other) == ids(subset)
    record_of_other = subsets.manifest(other, name="shortest-9", seed=1, cutoff=99, dropped=2, source={})
    assert record_of_other["ids_sha256"] != record["ids_sha256"]


@pytest.fixture
def registered():
    """The subset rules as they were, after a test that adds some."""
    before = dict(SUBSET_RULES)
    yield
    SUBSET_RULES.clear()
    SUBSET_RULES.update(before)


def test_a_rule_that_takes_a_trace_twice_or_not_at_all_is_refused(registered):
    @subset_rule("first")
    def first(given):
        return np.zeros(len(given.random_keys), int)

    @subset_rule("few")
    def few(given):
        return np.arange(5)

    for name in ("first-3", "few-3"):
        with pytest.raises(ValueError, match=f"subset rule {name[:-2]}: .* every position of 60 traces once"):
            subsets.select(traces(), name, 1)


def run_select(monkeypatch, pool, lengths, subset, output):
    manifest = output.with_suffix(".manifest.json")
    monkeypatch.setattr(
        sys,
        "argv",
        ["select_subset.py", "--pool", str(pool), "--lengths", str(lengths), "--subset", subset, "--seed", "1"]
        + ["--validation-examples", "8", "--cutoff", "60", "--instruction", INSTRUCTION]
        + ["--output", str(output), "--manifest", str(manifest)],
    )
    select_subset.main()
    return [json.loads(line) for line in output.read_text().splitlines()], json.loads(manifest.read_text())


def test_examples_are_written_with_their_own_texts(byte_tokenizer, pool, tmp_path, monkeypatch):
    lengths = tmp_path / "lengths.parquet"
    measure_lengths(pool, str(byte_tokenizer), INSTRUCTION, 1, lengths)
    texts = {row["id"]: row for row in pq.read_table(pool).to_pylist()}
    examples, manifest = run_select(monkeypatch, pool, lengths, "shortest-5+random-3", tmp_path / "s.jsonl")
    held_out, _ = run_select(monkeypatch, pool, lengths, "validation", tmp_path / "v.jsonl")
    assert len(examples) == manifest["examples"] == 8
    assert len(held_out) == 8
    for example in examples + held_out:
        text = texts[example["id"]]
        assert example["prompt"] == f"{text['problem']} {INSTRUCTION}"
        assert example["response"] == text["response"]
    assert not {example["prompt"] for example in examples} & {example["prompt"] for example in held_out}
    again, same = run_select(monkeypatch, pool, lengths, "shortest-5+random-3", tmp_path / "again.jsonl")
    assert (again, same) == (examples, manifest)
    with pytest.raises(UserError, match=r"random-1000 asks for 1000 traces, \d+ are left"):
        run_select(monkeypatch, pool, lengths, "random-1k", tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()


def test_lengths_of_another_pool_are_refused(byte_tokenizer, pool, tmp_path, monkeypatch):
    lengths = tmp_path / "lengths.parquet"
    measure_lengths(pool, str(byte_tokenizer), INSTRUCTION, 1, lengths)
    other = pq.read_table(pool).to_pylist()
    other[3]["response"] += "!"
    (tmp_path / "o.jsonl").write_text("".join(json.dumps(row) + "\n" for row in other))
    columns = {name: name for name in ("id", "problem", "response")}
    pools.prepare_pool("o", [tmp_path / "o.jsonl"], columns, {}, 40, None, tmp_path / "other.parquet")
    with pytest.raises(UserError, match="lengths of another pool"):
        run_select(monkeypatch, tmp_path / "other.parquet", lengths, "random-3", tmp_path / "x.jsonl")
