"""A pool of traces that tests of lengths and of subsets share."""

import json

import pytest

from quagmires.data import pools

PROBLEMS = ["1+1?", "1+1?", " leading space", "line\nbreaks\n", r"\frac{1}{2} {{braces}} {% if %} é 数 <end>"]


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """A pool of 40 traces in row groups of 7."""
    monkeypatch.setattr(pools, "GROUP_ROWS", 7)
    rows = [
        {"id": f"t{i}", "problem": PROBLEMS[i % len(PROBLEMS)], "response": "é " * (i % 9) + "<end> two"}
        for i in range(40)
    ]
    source = tmp_path / "source.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "pool.parquet"
    pools.prepare_pool("p", [source], {name: name for name in rows[0]}, {}, 40, None, path)
    return path
