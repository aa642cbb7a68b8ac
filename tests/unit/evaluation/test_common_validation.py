"""The validation set of several pools: held out by all of them, whatever the spelling of a problem."""

import json
import re
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
import select_common_validation

from quagmires.common.errors import UserError
from quagmires.data import pools, subsets
from quagmires.data.lengths import measure_lengths
from quagmires.data.prompts import user_message
from quagmires.evaluation.common_validation import problem_key, split_pool

INSTRUCTION = r"Go \boxed{}."
HELD_OUT, CUTOFF, SEED = 40, 400, 1


def problem(number: int) -> str:
    return f"Let $x_{{{number}}} = \\frac{{{number}}}{{7}}$. How many integers lie between $x_{{{number}}}$ and $3$?"


def number_of(text: str) -> int:
    """What tells problems apart, in any spelling."""
    return int(re.search(r"frac\{(\d+)\}", text)[1])


def respelt(text: str) -> str:
    """The same problem as another source writes it."""
    return text.replace("\\frac", "\\dfrac").replace("$", " $ ").replace("How", "how") + "\n"


def write_pool(folder, name, problems, tokenizer):
    """A pool with two traces of each problem, and its lengths."""
    rows = [
        {"id": f"{name}-{i}.{copy}", "problem": text, "response": f"trace {copy} of {name}"}
        for i, text in enumerate(problems)
        for copy in range(2)
    ]
    source = folder / f"{name}.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path, lengths = folder / f"{name}.parquet", folder / f"{name}.lengths.parquet"
    pools.prepare_pool(name, [source], {key: key for key in rows[0]}, {}, len(rows), None, path)
    measure_lengths(path, str(tokenizer), INSTRUCTION, 1, lengths)
    return path, lengths


@pytest.fixture
def two_pools(byte_tokenizer, tmp_path):
    """`a` has 200 problems, `b` 200 of which 100 are also in `a`: half of these in another spelling."""
    shared = [problem(i) if i % 2 else respelt(problem(i)) for i in range(100)]
    return {
        "a": write_pool(tmp_path, "a", [problem(i) for i in range(200)], byte_tokenizer),
        "b": write_pool(tmp_path, "b", [*shared, *(problem(i) for i in range(200, 300))], byte_tokenizer),
    }


def select(monkeypatch, folder, found, wanted=("a", "b"), examples=8, held_out=HELD_OUT):
    output, manifest = folder / "common.jsonl", folder / "common.manifest.json"
    named = [part for name, paths in found.items() for part in ("--pool", name, *map(str, paths))]
    numbers = {"--examples": examples, "--validation-examples": held_out, "--cutoff": CUTOFF, "--seed": SEED}
    monkeypatch.setattr(
        sys,
        "argv",
        ["select_common_validation.py", *named, "--from", *wanted, "--instruction", INSTRUCTION]
        + [str(part) for pair in numbers.items() for part in pair]
        + ["--output", str(output), "--manifest", str(manifest)],
    )
    select_common_validation.main()
    return [json.loads(line) for line in output.read_text().splitlines()], json.loads(manifest.read_text())


def splits(found):
    return {
        name: split_pool(pools.open_pool(path), lengths, CUTOFF, HELD_OUT, SEED)
        for name, (path, lengths) in found.items()
    }


def test_no_problem_of_the_set_is_in_any_pools_training_data(monkeypatch, tmp_path, two_pools):
    """Whatever is selected from a pool is selected from `all` of it."""
    examples, manifest = select(monkeypatch, tmp_path, two_pools)
    assert len(examples) == manifest["examples"] == 16
    texts = {
        user_message(row["problem"], INSTRUCTION): row["problem"]
        for path, _ in two_pools.values()
        for row in pq.read_table(path).to_pylist()
    }
    numbers = {number_of(texts[example["prompt"]]) for example in examples}
    assert len(numbers) == manifest["problems"] > 8
    for split in splits(two_pools).values():
        selected = subsets.select(split.training, "all", SEED)
        trained_on = {number_of(text) for text in pools.problem_texts(split.content, selected.positions)}
        assert len(trained_on) > 150
        assert not numbers & trained_on


def test_each_pool_gives_its_own_held_out_traces(monkeypatch, tmp_path, two_pools):
    examples, manifest = select(monkeypatch, tmp_path, two_pools)
    assert [example["pool"] for example in examples] == ["a"] * 8 + ["b"] * 8
    assert len({example["id"] for example in examples}) == 16
    for name, split in splits(two_pools).items():
        held_out = set(split.held_out.ids.to_pylist())
        own = [example for example in examples if example["pool"] == name]
        assert {example["id"].removeprefix(f"{name}/") for example in own} <= held_out
        assert all(example["response"].endswith(f"of {name}") for example in own)
        assert manifest["pools"][name]["held_out"] == len(held_out) == HELD_OUT


def test_what_was_left_out_is_counted_by_the_pool_that_trains_on_it(monkeypatch, tmp_path, two_pools):
    _, manifest = select(monkeypatch, tmp_path, two_pools)
    split = splits(two_pools)
    keys = {
        (name, part): [problem_key(text) for text in pools.problem_texts(one.content, getattr(one, part).positions)]
        for name, one in split.items()
        for part in ("training", "held_out")
    }
    for name, other in (("a", "b"), ("b", "a")):
        in_other = sum(key in set(keys[other, "training"]) for key in keys[name, "held_out"])
        assert manifest["pools"][name]["excluded_by_pool"] == {name: 0, other: in_other}
        assert manifest["pools"][name]["excluded"] == in_other > 0
        assert manifest["compared_with"][name]["training_traces"] == len(split[name].training)


def test_another_spelling_within_a_pool_is_left_out_too(monkeypatch, tmp_path, byte_tokenizer):
    """A pool's own split tells problems apart by their exact text."""
    both = [spelling(problem(i)) for i in range(100) for spelling in (str, respelt)]
    found = {"a": write_pool(tmp_path, "a", both, byte_tokenizer)}
    with pytest.raises(UserError, match=r"validation: \d+ held-out traces of a are left for 40: .* trained on in a \("):
        select(monkeypatch, tmp_path, found, wanted=["a"], examples=HELD_OUT)
    assert not (tmp_path / "common.jsonl").exists()


def test_a_pool_with_too_few_left_is_refused_in_one_line(monkeypatch, tmp_path, two_pools):
    with pytest.raises(UserError) as refused:
        select(monkeypatch, tmp_path, two_pools, examples=HELD_OUT)
    message = str(refused.value)
    assert "validation: " in message and "lower sft.validation.examples, or raise sft.validation_examples" in message
    assert "\n" not in message
    assert not (tmp_path / "common.jsonl").exists() and not (tmp_path / "common.manifest.json").exists()


def test_a_smaller_set_is_part_of_a_larger_one_and_the_same_every_time(monkeypatch, tmp_path, two_pools):
    small, first = select(monkeypatch, tmp_path, two_pools, examples=5)
    again, second = select(monkeypatch, tmp_path, two_pools, examples=5)
    large, _ = select(monkeypatch, tmp_path, two_pools, examples=9)
    assert (small, first) == (again, second)
    assert {example["id"] for example in small} < {example["id"] for example in large}


def test_traces_are_taken_from_the_wanted_pools_and_compared_with_all(monkeypatch, tmp_path, two_pools):
    examples, manifest = select(monkeypatch, tmp_path, two_pools, wanted=["b"])
    assert {example["pool"] for example in examples} == {"b"}
    assert [*manifest["compared_with"]] == ["a", "b"] and [*manifest["pools"]] == ["b"]
    alone, _ = select(monkeypatch, tmp_path, {"b": two_pools["b"]}, wanted=["b"], examples=HELD_OUT)
    assert len(alone) == HELD_OUT


def test_problems_are_read_without_their_responses(two_pools):
    content = pools.open_pool(two_pools["a"][0])
    positions = np.array([0, 3, 399])
    assert list(pools.problem_texts(content, positions)) == [text for _, text, _ in pools.texts(content, positions)]
