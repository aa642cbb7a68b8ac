"""How fast devices are: measured before estimated, and measured from what runs leave."""

import json
import re

import numpy as np
import pytest
import yaml

from quagmires.common.errors import UserError
from quagmires.config.experiment import Experiment, expand
from quagmires.config.loading import Files, laid_over, parse
from quagmires.planning import resources, throughput
from quagmires.planning.speed_measurement import measured_entries, start_and_speed
from quagmires.planning.throughput import OPERATIONS
from support import ROOT, script

TABLE = ROOT / "config" / "throughput.yaml"
LLAMA = "llama3-8b-instruct"


def experiment(name: str, **changes) -> Experiment:
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / f"{name}.yaml"])
    merged = laid_over(files.merged(), changes)
    return expand(parse(merged, files), files)


@pytest.fixture(scope="module")
def paper() -> Experiment:
    return experiment("paper")


@pytest.fixture(scope="module")
def demo() -> Experiment:
    return experiment("demo")


def table(path, device="a100", model=LLAMA, **entry):
    """A throughput file with one entry."""
    complete = {"source": "measured", "how": "a test", "date": "2026-01-31", **entry}
    path.write_text(re.sub(r"'(2026-01-31)'", r"\1", yaml.safe_dump({"speeds": {device: {model: complete}}})))
    return path


def test_measured_speeds_go_before_estimated_ones_number_by_number(paper, tmp_path):
    measured = table(tmp_path / "measured.yaml", tokens_per_second={"sft": 2468.0})
    speeds = throughput.read(paper.config, TABLE, measured)
    sft, sampling = speeds.speed(LLAMA, "sft"), speeds.speed(LLAMA, "sampling")
    assert (sft.tokens_per_second, sft.source, sft.how) == (2468, "measured", "a test")
    assert (sampling.tokens_per_second, sampling.source) == (1940, "estimated")
    run = next(run for run in paper.sft_runs.values() if run.model == LLAMA and run.subset != "base")
    faster, slower = (resources.sft_work(run, paper, one) for one in (speeds, throughput.read(paper.config, TABLE)))
    assert faster.seconds == pytest.approx(slower.seconds * 1700 / 2468)
    assert (faster.measured, slower.measured) == (True, False)


def test_measured_starts_and_lengths_go_before_assumed_ones(paper, tmp_path):
    measured = table(
        tmp_path / "measured.yaml",
        tokens_per_second={"sampling": 2000.0},
        start_seconds={"sampling": 90.0},
        response_tokens={"sampling": 5000.0},
    )
    speeds = throughput.read(paper.config, TABLE, measured)
    checkpoint = paper.checkpoints[f"{LLAMA}/base/sft"]
    work = resources.samples_work(checkpoint, paper, speeds)
    assert work.start_seconds == 90
    assert work.tokens == resources.responses(checkpoint, paper) * 5000
    assert work.seconds == pytest.approx(work.tokens / 2000 / 8)
    # A response is not longer than what is sampled.
    assert speeds.response_tokens(LLAMA, "sampling", 4096) == 4096
    assert speeds.response_tokens(LLAMA, "grpo", 7168) == paper.config.cluster.response_tokens


@pytest.mark.parametrize("kind", OPERATIONS)
def test_a_model_without_an_entry_is_estimated_by_operations(paper, tmp_path, kind):
    (tmp_path / "empty.yaml").write_text("speeds: {}\n")
    speed = throughput.read(paper.config, tmp_path / "empty.yaml").speed(LLAMA, kind)
    share = 0.10 if "sampling" in kind else 0.35
    assert speed.tokens_per_second == pytest.approx(312e12 * share / (OPERATIONS[kind] * 8.03e9))
    assert speed.source == "estimated"


@pytest.mark.parametrize("model", ["llama3-8b-instruct", "mistral-nemo-12b-instruct", "qwen3-4b-base"])
@pytest.mark.parametrize("kind", OPERATIONS)
def test_the_shipped_estimates_are_made_as_they_say(paper, model, kind):
    parameters = paper.config.models[model].parameters
    a100, h100 = (
        throughput.read(experiment("paper", cluster={"gpu_model": gpu}).config, TABLE).speed(model, kind)
        for gpu in ("a100", "h100")
    )
    by_operations = 1e12 / (OPERATIONS[kind] * parameters)
    if "sampling" in kind:
        assert a100.tokens_per_second == pytest.approx(312 * 0.10 * by_operations, rel=0.01)
        assert h100.tokens_per_second == pytest.approx(1.64 * a100.tokens_per_second, rel=0.01)
    else:
        assert a100.tokens_per_second == pytest.approx(312 * 0.35 * by_operations, rel=0.01)
        assert h100.tokens_per_second == pytest.approx(989 * 0.30 * by_operations, rel=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speeds: {a100: {x: {source: guessed}}}", "speeds.a100.x"),
        ("speed: {}", "speed: unknown key; did you mean `speeds`?"),
        (
            "speeds: {a100: {x: {source: measured, how: y, date: 2026-01-31, tokens_per_second: {sfd: 1}}}}",
            "speeds.a100.x.tokens_per_second.sfd",
        ),
        (
            "speeds: {a100: {x: {source: measured, how: y, date: 2026-01-31, tokens_per_second: {sft: 0}}}}",
            "speeds.a100.x.tokens_per_second.sft",
        ),
        ("- 1", ""),
    ],
)
def test_a_wrong_table_is_one_line_with_file_and_key(paper, tmp_path, text, message):
    file = tmp_path / "table.yaml"
    file.write_text(text + "\n")
    with pytest.raises(UserError) as error:
        throughput.read(paper.config, file)
    assert str(error.value).startswith(f"{file}: {message}") and "\n" not in str(error.value)


def test_a_missing_table_is_named(paper, tmp_path):
    with pytest.raises(UserError, match="none.yaml: no such config file"):
        throughput.read(paper.config, tmp_path / "none.yaml")


def test_time_limits_take_what_the_experiment_measured(paper, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "throughput.yaml").write_text(TABLE.read_text())
    run = next(run for run in paper.sft_runs.values() if run.model == LLAMA and run.subset == "random-500k")
    before = resources.sft_request(run, paper).minutes - resources.OVERHEAD_MINUTES
    folder = tmp_path / "results" / "paper"
    folder.mkdir(parents=True)
    table(folder / "throughput.yaml", tokens_per_second={"sft": 3400.0})
    after = resources.sft_request(run, paper).minutes - resources.OVERHEAD_MINUTES
    assert after == pytest.approx(before / 2, abs=1)
    # A start that takes longer than what limits leave for it moves them.
    table(folder / "throughput.yaml", tokens_per_second={"sft": 3400.0}, start_seconds={"sft": 7200.0})
    assert resources.sft_request(run, paper).minutes == pytest.approx(after + 180, abs=1)


def test_start_and_speed_are_told_apart_by_runs_of_different_length():
    tokens = np.array([1e6, 2e6, 5e6, 8e6])
    start, speed = start_and_speed(tokens, 300 + tokens / 1700)
    assert (start, speed) == (pytest.approx(300), pytest.approx(1700))


@pytest.mark.parametrize(
    "tokens, seconds",
    [
        ([1e6, 2e6], [400.0, 700.0]),
        ([1e6, 1.1e6, 1.2e6], [400.0, 500.0, 420.0]),
        ([1e6, 2e6, 3e6], [900.0, 500.0, 90.0]),
    ],
)
def test_where_they_cannot_be_told_apart_the_start_is_part_of_the_speed(tokens, seconds):
    start, speed = start_and_speed(np.array(tokens), np.array(seconds))
    assert (start, speed) == (0, pytest.approx(sum(tokens) / sum(seconds)))


def write(path, record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(record if isinstance(record, str) else json.dumps(record))


HARDWARE = {"machine": "x86_64", "cores": 2, "accelerators": []}


@pytest.fixture
def finished(demo, tmp_path):
    """The demo as if finished: SFT starts in 10 s and has 5,000 tokens/s, sampling 4,000; GRPO steps take 3 + 5 s."""
    recipes = [run for run in demo.sft_runs.values() if run.subset != "base"]
    for number, run in enumerate(recipes, start=1):
        record = {"tokens_seen": 10_000 * number, "seconds": 10 + 2.0 * number, "resumed_from": None}
        write(tmp_path / run.checkpoint / "model" / "training.json", {**record, "hardware": HARDWARE})
    for run in demo.sft_runs.values():
        drawn = {"responses": 100, "tokens": 3000, "seconds": 0.75}
        write(tmp_path / run.checkpoint / "eval" / "samples.json", {"drawn": drawn, "hardware": HARDWARE})
    step = {"timing_s/step": 8.0, "timing_s/update_actor": 4.5, "timing_s/old_log_prob": 0.5, "timing_s/gen": 0.01}
    for run in demo.rl_runs.values():
        steps = resources.rl_steps(run, demo)
        rows = [{"step": number, "response_length/mean": 20.0, **step} for number in range(1, steps + 1)]
        write(tmp_path / run.path / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        record = {"resumed_from_step": None, "seconds": steps * 8.0 + 60}
        write(tmp_path / run.checkpoint(demo.rl["toy"].checkpoints) / "model" / "checkpoint.json", record)
    return tmp_path


def test_speeds_are_read_from_finished_runs(demo, finished):
    entry = measured_entries(demo, finished)["toy"]
    step_tokens = demo.rl["toy"].batch_size * demo.rl["toy"].rollouts * 20
    assert entry.source == "measured" and "2 x86_64 cores" in entry.how
    assert entry.tokens_per_second == {
        "sft": pytest.approx(5000),
        "sampling": pytest.approx(4000),
        "grpo_sampling": pytest.approx(step_tokens / 3),
        "grpo_update": pytest.approx(step_tokens / 5),
    }
    assert entry.start_seconds == {"sft": pytest.approx(10), "grpo": pytest.approx(60)}
    assert entry.response_tokens == {"sampling": 30, "grpo": 20}
    models = len(demo.sft_runs)
    assert entry.runs == {"sft": models - 1, "sampling": models, "grpo": models}


def test_a_measured_run_is_planned_with_the_time_it_took(demo, finished, tmp_path):
    file = tmp_path / "measured.yaml"
    entries = measured_entries(demo, finished)
    file.write_text(yaml.safe_dump(throughput.SpeedTable(speeds={"cpu": entries}).model_dump()))
    speeds = throughput.read(demo.config, TABLE, file)
    run = demo.rl_runs["toy/base/grpo/goals/run1"]
    assert 3600 * resources.rl_work(run, demo, speeds).hours == pytest.approx(18 * 8 + 60)


def test_speeds_are_of_one_device(finished):
    two = experiment("demo", sft={"devices": 2}, evaluation={"devices": 4})
    entry = measured_entries(two, finished)["toy"]
    assert entry.tokens_per_second["sft"] == pytest.approx(2500)
    assert entry.tokens_per_second["sampling"] == pytest.approx(1000)


def test_records_that_do_not_say_how_long_the_work_took_are_left_out(demo, finished):
    runs = [run for run in demo.sft_runs.values() if run.subset != "base"]
    base = {"seconds": 1.0, "hardware": HARDWARE}
    write(finished / runs[2].checkpoint / "model" / "training.json",
          {**base, "tokens_seen": 1e9, "resumed_from": "checkpoint-50"})  # fmt: skip
    write(
        finished / runs[3].checkpoint / "model" / "training.json", {**base, "tokens_seen": -6e21, "resumed_from": None}
    )
    write(finished / runs[4].checkpoint / "model" / "training.json", '{"tokens_seen": 7')
    write(finished / runs[0].checkpoint / "eval" / "samples.json",
          {"drawn": {"responses": 0, "tokens": 0, "seconds": 0.0}})  # fmt: skip
    write(finished / "toy" / "base" / "grpo" / "goals" / "run1" / "metrics.jsonl", '{"step": 1}\n')
    entry = measured_entries(demo, finished)["toy"]
    assert entry.runs == {"sft": len(runs) - 3, "sampling": len(runs), "grpo": len(runs)}
    assert entry.tokens_per_second["sft"] == pytest.approx(5000)
    assert entry.tokens_per_second["sampling"] == pytest.approx(4000)


def test_nothing_finished_leaves_no_file(tmp_path):
    config = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
    config["experiment"] = "never-run"
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(config))
    output = tmp_path / "throughput.yaml"
    result = script(
        "measure_throughput.py", "--config", "config/base.yaml", tmp_path / "experiment.yaml", "--output", output
    )
    assert "no finished run yet" in result.stdout
    assert not output.exists()
