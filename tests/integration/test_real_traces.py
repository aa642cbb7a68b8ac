"""Curation of real traces, by the scripts themselves."""

import gzip
import json

import pandas as pd

from support import INSTRUCTION, REAL_DATA, needs_real_data, script


@needs_real_data
def test_real_traces_are_measured_and_selected(byte_tokenizer, tmp_path):
    source = REAL_DATA / "sft" / "math_traces_qwen.jsonl.gz"
    columns = json.dumps({name: name for name in ("id", "problem", "response")})
    pool, lengths = tmp_path / "pool.parquet", tmp_path / "lengths.parquet"
    script(
        "prepare_pool.py", "--name", "qwen", "--files", source, "--columns", columns, "--rows", 5683,
        "--output", pool, "--manifest", tmp_path / "pool.json",
    )  # fmt: skip
    script(
        "measure_lengths.py", "--pool", pool, "--model", byte_tokenizer, "--instruction", INSTRUCTION,
        "--workers", 2, "--output", lengths,
    )  # fmt: skip
    measured = pd.read_parquet(lengths).set_index("id")
    # Independently: bytes of the text itself, read without the project's code.
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        raw = {row["id"]: row for row in map(json.loads, lines)}
    assert len(measured) == len(raw) == 5683
    assert all(measured["response_tokens"][i] == len(row["response"].encode()) + 1 for i, row in raw.items())
    assert int(measured["response_tokens"].sum()) == sum(len(row["response"].encode()) + 1 for row in raw.values())

    shared = ["--pool", pool, "--lengths", lengths, "--validation-examples", 200, "--cutoff", 8192]
    shared += ["--instruction", INSTRUCTION, "--seed", 42]
    made = {}
    for subset in ("validation", "shortest-500", "longest-500", "random-500", "random-1k"):
        target, manifest = tmp_path / f"{subset}.jsonl", tmp_path / f"{subset}.json"
        script("select_subset.py", *shared, "--subset", subset, "--output", target, "--manifest", manifest)
        made[subset] = (
            {row["id"] for row in map(json.loads, target.read_text().splitlines())},
            json.loads(manifest.read_text()),
        )
    whole = {
        i: len(row["response"].encode()) + 1 + len(f">{row['problem']} {INSTRUCTION}\n".encode())
        for i, row in raw.items()
    }
    assert made["random-500"][1]["dropped_over_cutoff"] == sum(length > 8192 for length in whole.values()) == 62
    held_out = {raw[i]["problem"] for i in made["validation"][0]}
    assert len(made["validation"][0]) == 200
    left = sorted(
        len(row["response"].encode()) + 1
        for i, row in raw.items()
        if whole[i] <= 8192 and row["problem"] not in held_out
    )
    assert made["shortest-500"][1]["response_tokens"] == sum(left[:500])
    assert made["longest-500"][1]["response_tokens"] == sum(left[-500:])
    assert made["random-500"][0] < made["random-1k"][0]
    for subset in ("shortest-500", "longest-500", "random-1k"):
        assert not {raw[i]["problem"] for i in made[subset][0]} & held_out
