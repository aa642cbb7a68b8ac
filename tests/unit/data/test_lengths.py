import shutil

import pyarrow.parquet as pq
import pytest

from quagmires.common.errors import UserError
from quagmires.data import lengths
from quagmires.data.lengths import TokenCounter, measure_lengths
from quagmires.data.prompts import load_tokenizer, prompt_ids, response_ids

INSTRUCTION = r"Go \boxed{}."


def test_lengths_are_those_of_the_models_tokenizer(byte_tokenizer, pool, tmp_path):
    output = tmp_path / "lengths.parquet"
    counted = measure_lengths(pool, str(byte_tokenizer), INSTRUCTION, 1, output)
    table = pq.read_table(output).to_pylist()
    texts = pq.read_table(pool).to_pylist()
    tokenizer = load_tokenizer(str(byte_tokenizer))
    assert [row["id"] for row in table] == [row["id"] for row in texts]
    for row, text in zip(table, texts, strict=True):
        assert row["response_tokens"] == len(response_ids(tokenizer, text["response"]))
        assert row["prompt_tokens"] == len(prompt_ids(tokenizer, text["problem"], INSTRUCTION))
    # UTF-8 bytes; the end token in the text is one, as is that at its end. The prompt is ">1+1? Go \boxed{}.\n".
    assert table[0]["response_tokens"] == len(b"<end> two") - 4 + 1
    assert table[0]["prompt_tokens"] == len(">1+1? Go \\boxed{}.\n")
    assert counted == (40, sum(row["response_tokens"] for row in table))
    assert len({row["problem"] for row in table}) == len({text["problem"] for text in texts})


def test_lengths_do_not_depend_on_the_number_of_workers(byte_tokenizer, pool, tmp_path):
    for workers in (1, 2):
        measure_lengths(pool, str(byte_tokenizer), INSTRUCTION, workers, tmp_path / f"{workers}.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_a_tokenizer_that_adds_to_its_backend_is_counted_one_by_one(byte_tokenizer, monkeypatch):
    counter = TokenCounter(str(byte_tokenizer), "Go.")
    monkeypatch.setattr(lengths, "response_ids", lambda tokenizer, response: [0, *response_ids(tokenizer, response)])
    _, responses = counter.count(["a", "b"], ["x", "yy"])
    assert responses.tolist() == [3, 4]


def test_a_model_without_tokenizer_or_template_is_one_line(byte_tokenizer, pool, tmp_path):
    with pytest.raises(UserError, match="no tokenizer_config.json"):
        measure_lengths(pool, str(tmp_path), "Go.", 1, tmp_path / "x.parquet")
    bare = shutil.copytree(byte_tokenizer, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="has no chat template"):
        measure_lengths(pool, str(bare), "Go.", 1, tmp_path / "x.parquet")
    with pytest.raises(UserError, match="workers: 0 is too few"):
        measure_lengths(pool, str(byte_tokenizer), "Go.", 0, tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()
