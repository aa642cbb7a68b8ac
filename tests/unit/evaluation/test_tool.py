"""The evaluation tool's settings and its table, without an engine."""

import json
import re

import pytest

from quagmires.common.errors import UserError
from quagmires.evaluation import tool
from quagmires.reporting.evaluation_report import score_rows
from support import ROOT, script

BASE = ROOT / "config" / "base.yaml"
SEVEN = ["math500", "aime_1983_2024", "gsm8k", "aime_2025", "amc", "olympiad", "minerva"]


def test_base_settings_are_the_papers():
    settings = tool.load_settings([BASE])
    assert tool.choose(settings, "all") == SEVEN
    assert sum(settings.benchmarks[name].rows for name in SEVEN) == 3811
    assert (settings.evaluation.temperature, settings.evaluation.top_p, settings.evaluation.max_tokens) == (1, 1, 8192)


def test_a_benchmark_is_added_by_a_few_lines(tmp_path):
    (tmp_path / "mine.yaml").write_text("benchmarks:\n  mine: {path: mine.jsonl, rows: 3, gold: box}\n")
    settings = tool.load_settings([BASE, tmp_path / "mine.yaml"])
    assert tool.choose(settings, "mine, math500") == ["mine", "math500"]
    assert tool.choose(settings, "all") == [*SEVEN, "mine"]


def test_batch_invariant_kernels_are_for_gpus(tmp_path):
    (tmp_path / "mine.yaml").write_text('evaluation: {environment: {VLLM_BATCH_INVARIANT: "1"}}\n')
    given = [BASE, tmp_path / "mine.yaml"]
    assert tool.load_settings(given).evaluation.environment["VLLM_BATCH_INVARIANT"] == "1"
    with pytest.raises(UserError, match=r"mine\.yaml: evaluation\.environment\.VLLM_BATCH_INVARIANT: vLLM has no such"):
        tool.load_settings([BASE, ROOT / "config" / "evaluation_cpu.yaml", tmp_path / "mine.yaml"])


def test_newer_benchmarks_are_taken_by_name_alone():
    settings = tool.load_settings([BASE])
    assert tool.choose(settings, "aime_2026,hmmt_feb_2026") == ["aime_2026", "hmmt_feb_2026"]
    newer = {name: source for name, source in settings.benchmarks.items() if name not in SEVEN}
    assert {name: source.rows for name, source in newer.items()} == {
        "aime_2026": 30, "hmmt_feb_2025": 30, "hmmt_feb_2026": 33}  # fmt: skip
    assert all(len(source.hub.revision) == 40 for source in newer.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "benchmarks: {mine: {path: a.jsonl, rows: 3, golds: box}}",
            "benchmarks.mine.golds: unknown key; did you mean `gold`?",
        ),
        ("benchmarks: {mine: {rows: 3}}", "give either `path` or `hub`"),
        ("benchmarks: {math500: {path: a.jsonl}}", "set the other to null"),
        ("benchmarks: {mine: {path: a.jsonl, rows: 3, gold: guess}}", "benchmarks.mine.gold: input should be 'text'"),
    ],
)
def test_a_mistake_in_a_benchmark_is_one_line(tmp_path, text, words):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        tool.load_settings([BASE, tmp_path / "mine.yaml"])
    assert str(error.value).startswith(f"{tmp_path}/mine.yaml: ")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def model(tmp_path, **files):
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def evaluate(*arguments):
    return script("evaluate.py", *arguments, check=False, timeout=60)


@pytest.mark.parametrize(
    ("benchmarks", "words"),
    [
        ("nosuch", "--benchmarks: no benchmark 'nosuch'; there are math500, aime_1983_2024"),
        (",", "--benchmarks: give at least one name"),
    ],
)
def test_unknown_benchmarks_are_refused(tmp_path, benchmarks, words):
    result = evaluate("--model", tmp_path, "--benchmarks", benchmarks, "--n", 1, "--output", tmp_path / "out")
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {words}")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_chat_template_is_refused(tmp_path):
    folder = model(tmp_path, config={}, tokenizer_config={})
    result = evaluate("--model", folder, "--benchmarks", "math500", "--n", 1, "--output", tmp_path / "out")
    assert result.returncode == 1
    assert "has no chat template" in result.stderr
    assert result.stderr.strip().endswith("or give --chat-template")


def test_a_model_that_is_nowhere_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = evaluate("--model", "nobody/nothing", "--benchmarks", "math500", "--n", 1, "--output", tmp_path / "out")
    assert result.returncode == 1
    assert "error: --model: nobody/nothing is no directory, and cannot be had from the hub" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "a", "b", "--output", "out"], "--output: 2 models and 1 outputs; give one for each"),
        (["--model", "a", "a/", "--output", "one", "two"], "--model: a is there twice; remove one"),
        (["--model", "a", "b", "--output", "one", "./one"], "--output: .*/one is there twice; remove one"),
        (["--model", "a", "b", "--output", "one", "two", "--revision", "main"], "--revision: belongs to one model"),
    ],
)
def test_each_of_several_models_has_an_output_of_its_own(arguments, words):
    result = evaluate(*arguments, "--benchmarks", "math500", "--n", 1)
    assert result.returncode == 1
    assert re.match(f"error: {words}", result.stderr) and len(result.stderr.splitlines()) == 1


def test_the_length_is_the_models_where_that_is_shorter(tmp_path):
    folder = model(tmp_path, config={"max_position_embeddings": 2048})
    assert tool.fitting_tokens(folder, 8192) == 2048
    assert tool.fitting_tokens(folder, 1024) == 1024


def entry(value: float) -> dict:
    return {"value": value, "standard_error": 0.01, "low": value - 0.02, "high": value + 0.02}


def test_the_table_shows_what_every_benchmark_has():
    one = {"truncated": 0.1, "no_answer": 0.2, "timeout": 0.0, "unparsable": 0.0, "mean_tokens": 1234.5}
    small = {"problems": 2, "samples": 8, "pass_at_k": {"1": entry(0.1), "8": entry(0.5)},
             "majority_at_k": {"8": entry(0.25)}, **one}  # fmt: skip
    large = {"problems": 3, "samples": 128,
             "pass_at_k": {k: entry(0.3) for k in ("1", "8", "64", "128")},
             "majority_at_k": {"8": entry(0.35), "128": entry(0.4)}, **one}  # fmt: skip
    macro = {"pass_at_k": {"1": entry(0.2), "8": entry(0.4)}, "majority_at_k": {"8": entry(0.3)}, **one}
    header, rows = score_rows({"benchmarks": {"a": small, "b": large}, "macro": macro})
    assert header == [
        "benchmark",
        "problems",
        "n",
        "Pass@1",
        "Pass@8",
        "maj@8",
        "truncated",
        "no answer",
        "timeout",
        "tokens",
    ]
    assert rows[0] == [
        "a",
        "2",
        "8",
        "0.100 ± 0.010",
        "0.500 ± 0.010",
        "0.250 ± 0.010",
        "10.0%",
        "20.0%",
        "0.00%",
        "1,234",
    ]
    assert [row[0] for row in rows] == ["a", "b", "average"]
