"""RL problems as verl reads them."""

import pandas as pd
import pytest

from support import INSTRUCTION, script


def write(tmp_path, byte_tokenizer, problems: list[str], limit: int, **options):
    frame = pd.DataFrame({"id": [str(i) for i in range(len(problems))], "problem": problems, "answer": "1"})
    frame.to_parquet(tmp_path / "problems.parquet")
    return script(
        "write_rl_prompts.py", "--name", "sums", "--problems", tmp_path / "problems.parquet", "--model", byte_tokenizer,
        "--max-tokens", limit, "--instruction", INSTRUCTION, "--output", tmp_path / "out.parquet", **options,
    )  # fmt: skip


def test_a_prompt_that_is_too_long_is_left_out_and_counted(tmp_path, byte_tokenizer):
    # The template of the test's tokenizer adds two bytes, the prompt a space.
    limit = 10 + len(INSTRUCTION) + 3
    result = write(tmp_path, byte_tokenizer, ["a" * 10] * 199 + ["a" * 11], limit)
    assert f"199 prompts, 1 left out as longer than {limit} tokens" in result.stdout
    rows = pd.read_parquet(tmp_path / "out.parquet")
    assert len(rows) == 199
    assert list(rows.columns) == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
    assert (rows["data_source"][0], rows["ability"][0]) == ("sums", "math")
    assert rows["prompt"][0][0] == {"role": "user", "content": "a" * 10 + " " + INSTRUCTION}


def test_a_limit_that_many_prompts_exceed_is_refused(tmp_path, byte_tokenizer):
    result = write(tmp_path, byte_tokenizer, ["a" * 10, "a" * 99], 50 + len(INSTRUCTION), check=False)
    assert result.returncode == 1
    assert "1 of 2 prompts are longer than rl.max_prompt_tokens" in result.stderr
    assert not (tmp_path / "out.parquet").exists()


def choose(tmp_path, byte_tokenizer, number: int, seed: int = 1) -> pd.DataFrame:
    """The chosen among 200 prompts, the last of which is too long for RL."""
    write(tmp_path, byte_tokenizer, [f"{i:03}" for i in range(199)] + ["a" * 99], 50 + len(INSTRUCTION))
    script(
        "choose_rl_prompts.py", "--name", "sums", "--problems", tmp_path / "problems.parquet", "--prompts",
        tmp_path / "out.parquet", "--number", number, "--seed", seed, "--output", tmp_path / "chosen.parquet",
    )  # fmt: skip
    return pd.read_parquet(tmp_path / "chosen.parquet")


def test_chosen_prompts_depend_on_the_seed_alone_and_grow(tmp_path, byte_tokenizer):
    few = choose(tmp_path, byte_tokenizer, 20)
    assert list(few.columns) == ["id", "problem", "answer"]
    assert few["id"].is_unique and len(few) == 20
    more = choose(tmp_path, byte_tokenizer, 60)
    assert set(few["id"]) < set(more["id"])
    assert set(choose(tmp_path, byte_tokenizer, 20, seed=2)["id"]) != set(few["id"])
    # Spread over the whole set, not its first rows.
    assert more["id"].astype(int).between(100, 199).sum() == pytest.approx(30, abs=12)


def test_prompts_that_rl_does_not_train_on_are_never_chosen(tmp_path, byte_tokenizer):
    chosen = choose(tmp_path, byte_tokenizer, 200)
    assert len(chosen) == 199 and "199" not in set(chosen["id"])
