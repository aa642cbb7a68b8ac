"""The example of each page on adding something is run as it stands, and what it adds is used."""

import re
import runpy
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from made_up_metrics import METRICS, SETTINGS, cell, frame_of, of

from quagmires.commands import run_command
from quagmires.common.errors import UserError
from quagmires.common.files import read_json, write_json
from quagmires.common.tabular import write_jsonl
from quagmires.config.algorithms import ALGORITHMS
from quagmires.config.analysis_settings import AnalysisSettings, analysis_settings
from quagmires.config.experiment import expand
from quagmires.config.figure_names import KINDS
from quagmires.config.gold_rules import GOLD_RULES
from quagmires.config.loading import Files, laid_over, load_yaml, parse
from quagmires.config.schema import FigureSettings, ProblemSource
from quagmires.config.subset_names import subset_size
from quagmires.config.subset_rules import SUBSET_RULES
from quagmires.config.task_names import TASK_NAMES
from quagmires.data.problems import read_problems
from quagmires.data.subsets import Lengths, select
from quagmires.evaluation.majority import majority_at_k, tally
from quagmires.grading.grader import Grader
from quagmires.grading.reward import compute_score, source_name
from quagmires.grading.task import TASKS, find_task
from quagmires.grading.verdicts import DIFFERENT, EXACT, NO_ANSWER
from quagmires.planning.preflight import check_engine_files
from quagmires.planning.resources import example_tokens
from quagmires.prediction.predictors import PREDICTORS
from quagmires.prediction.rank_correlation import rank_agreement
from quagmires.prediction.selection_cost import leave_one_out
from quagmires.reporting.captions import CAPTIONS, figure_caption
from quagmires.reporting.figures.drawing import Results, draw, draw_and_save
from quagmires.reporting.figures.registry import FIGURES
from quagmires.reporting.figures.style import Series, series_styles
from quagmires.training.base import Job
from quagmires.training.job import train
from quagmires.training.runs import SFTRunSettings, rl_settings
from quagmires.training.trainers import TRAINERS
from quagmires.training.verl.settings import overrides
from support import ROOT, SCRIPTS


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of one language of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "docs" / page).read_text(), re.DOTALL | re.MULTILINE)


def run_example(page: str) -> None:
    """Run what a page says to write."""
    [example] = blocks(page, "python")
    exec(compile(example, page, "exec"), {"__name__": "example"})


@pytest.fixture(autouse=True)
def registries():
    """Every registry as it was, after a page has added to it."""
    # A task registers itself once, when it is first asked for.
    find_task("math")
    there = (
        *(SUBSET_RULES, FIGURES, KINDS, PREDICTORS, GOLD_RULES, TASK_NAMES, TASKS, ALGORITHMS),
        TRAINERS["sft"],
    )
    before = [dict(one) for one in there]
    yield
    for one, entries in zip(there, before, strict=True):
        one.clear()
        one.update(entries)


def check_subset_rule(folder: Path) -> None:
    tokens = np.random.default_rng(1).permutation(101).astype(np.int32)
    numbers = (np.arange(101, dtype=np.uint64), np.full(101, 5, np.int32), tokens, np.arange(101))
    pool = Lengths(pa.array([f"t{place}" for place in range(101)]), *numbers)
    assert sorted(select(pool, "middle-11", 1).response_tokens) == list(range(45, 56))
    mixture = select(pool, "longest-20+middle-10", 1).response_tokens
    assert sorted(mixture) == [*range(35, 45), *range(81, 101)]
    assert subset_size("middle-1.5k", 0) == 1_500
    assert example_tokens("middle-10", mean=4_000, cutoff=8_192) == 4_000
    assert series_styles(["random", "middle"])["middle"] == Series("#E69F00", "v")


def check_figure(folder: Path) -> None:
    figures = {"ours": FigureSettings(kind="gains", studies=["llama", "mistral"])}
    settings = AnalysisSettings.model_validate(SETTINGS.model_dump() | {"figures": figures})
    results = Results.of(settings, METRICS)
    axis = draw("ours", results).axes[0]
    assert sorted(axis.lines[0].get_xdata()) == sorted(of(METRICS, "llama")["gain"])
    draw_and_save("ours", results, folder)
    assert np.ptp(matplotlib.image.imread(folder / "ours.png")) > 0.5
    [caption] = blocks("adding-figure.md", "yaml")
    captions = laid_over(load_yaml(CAPTIONS), yaml.safe_load(caption))
    (folder / "captions.yaml").write_text(yaml.safe_dump(captions, sort_keys=False))
    text = figure_caption("ours", settings, folder / "captions.yaml")
    assert text.startswith("The gain of Pass@1 through RL (best of all runs") and "{" not in text


def check_predictor(folder: Path) -> None:
    models = of(METRICS, "llama").reset_index(drop=True)
    ours = PREDICTORS["headroom"]
    assert leave_one_out(models, ours).mae < 0.1
    assert rank_agreement(models, ours, seed=1).spearman is not None
    score = cell(frame_of(statistic="spearman", studies=["llama"]), "headroom")
    assert -1 <= score["value"] <= 1


def check_gold_rule(folder: Path) -> None:
    write_jsonl(
        folder / "ours.jsonl",
        [
            {"id": "1", "problem": "2+2?", "answer": "Easy.\nFinal answer: 4"},
            {"id": "2", "problem": "pi?", "answer": "Final answer: 3.1\n", "margin": 0.1},
        ],
    )
    columns = {name: name for name in ("id", "problem", "answer")}
    block = ProblemSource(path=str(folder / "ours.jsonl"), rows=2, gold="final-line")
    table = read_problems("ours", block.model_dump(include={"path"}), columns, block.gold, block.rows)
    assert list(table["answer"]) == ["4", '{"accepted": ["3.1"], "tolerance": 0.1}']
    write_jsonl(folder / "ours.jsonl", [{"id": "1", "problem": "2+2?", "answer": "4"}])
    with pytest.raises(UserError, match="ours.jsonl, row 1: no line `Final answer:` at the end of the solution"):
        read_problems("ours", {"path": folder / "ours.jsonl"}, columns, "final-line", 1)


def check_task(folder: Path) -> None:
    block = ProblemSource(path=str(folder / "ours.jsonl"), rows=1, task="words")
    question = "Which animal of the farm gives milk twice a day and eats grass all day long?"
    write_jsonl(folder / "ours.jsonl", [{"id": "1", "problem": question, "answer": "the Cow"}])
    columns = {name: name for name in ("id", "problem", "answer")}
    table = read_problems("ours", block.model_dump(include={"path"}), columns, block.gold, block.rows, block.task)
    [gold] = table["answer"]
    responses = ["Answer: The  cow", "Answer: a cow", "It is the cow.", "Answer: A Cow", "Answer: hen"]
    with Grader(task=block.task) as grader:
        grades = grader.grade_many([gold] * 5, responses)
    assert [grade.reason for grade in grades] == [EXACT, DIFFERENT, NO_ANSWER, DIFFERENT, DIFFERENT]
    assert compute_score(source_name("ours", "words"), "Answer: the cow", gold)["score"] == 1.0
    assert compute_score("ours", "Answer: the cow", gold)["answered"] == 0.0
    # `a cow` and `A Cow` are two votes for one answer, and outvote the right one.
    table = pd.DataFrame([vars(grade) for grade in grades[:4]]).assign(problem_id="1")
    assert majority_at_k(tally(table, "words"), [4], np.random.default_rng(0)).loc["1", 4] == 0
    # Among benchmarks of two tasks, each is looked for by its own: answers that agree show that a question is reworded.
    reworded = question.replace("all day long", "only").replace("Which animal", "What")
    write_jsonl(folder / "traces.jsonl", [{"id": "r", "problem": reworded, "response": "Answer: THE COW"}])
    write_jsonl(folder / "sums.jsonl", [{"id": "1", "problem": "What is 12 times 12, divided by 2?", "answer": "72"}])
    run_command("contamination", [
        "--name", "ours", "--kind", "sft", "--data", str(folder / "traces.jsonl"),
        "--columns", '{"id": "id", "problem": "problem", "response": "response"}',
        "--benchmark", f"sums={folder / 'sums.jsonl'}", "--benchmark", f"ours={folder / 'ours.jsonl'}",
        "--task", "ours=words", "--workers", "1",
        "--output", str(folder / "pairs.parquet"), "--summary", str(folder / "summary.json"),
    ])  # fmt: skip
    [pair] = pd.read_parquet(folder / "pairs.parquet").to_dict("records")
    assert (pair["benchmark"], pair["match"], pair["answer_match"]) == ("ours", "reworded", True)
    assert read_json(folder / "summary.json")["rows"] == 1


def check_algorithm(folder: Path) -> None:
    [chosen] = blocks("adding-algorithm.md", "yaml")
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    config = laid_over(files.merged(), yaml.safe_load(chosen))
    experiment = expand(parse(config, files), files)
    assert experiment.algorithm_title == "OPO"
    run = experiment.rl_runs["toy/base/opo/goals/run1"]
    made = overrides(rl_settings(run, experiment), folder, folder, folder, folder, 512, [1])
    assert "algorithm.adv_estimator=opo" in made
    caption = figure_caption("grpo_training", analysis_settings(experiment.config, experiment.sheet))
    assert "over OPO steps" in caption


def check_trainer(folder: Path) -> None:
    trainer = TRAINERS["sft"]["copy"]
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "settings.json").write_text("{}")
    run = SFTRunSettings(
        epochs=1, learning_rate=1e-5, global_batch_size=1, per_device_batch_size=1, devices=1, cutoff_tokens=1, seed=1
    )
    job = Job(
        "ours", folder / "model", folder / "data.jsonl", folder / "settings.json", run, save_steps=1, stall_minutes=1,
        work=folder / "work", output=folder / "output", log=folder / "log.txt",
    )  # fmt: skip
    train(trainer, job)
    assert (folder / "output" / "config.json").read_text() == "{}" and not (folder / "work").exists()
    record = read_json(folder / "output" / "training.json")
    assert record["identity"]["run"] == run.as_dict() and record["seconds"] >= 0 and "python" in record["versions"]
    files = Files([ROOT / "config" / "base.yaml", ROOT / "config" / "demo.yaml"])
    # The demo's base model stays LLaMA-Factory's, whose settings are no JSON.
    changes = {"sft": {"trainer": "copy", "settings": str(folder / "settings.json")}}
    experiment = expand(parse(laid_over(files.merged(), changes), files), files)
    check_engine_files(experiment, files)


def test_the_example_trainer_renders_prompts_and_is_checked_by_its_name(byte_tokenizer, tmp_path, monkeypatch):
    """It shares LLaMA-Factory's environment, and does not take the place of its checks."""
    run_example("adding-trainer.md")
    messages = [[{"role": "user", "content": "2+2?"}]]
    [prompt], trained = TRAINERS["sft"]["copy"].tokenized(byte_tokenizer, messages, "4", None)
    # One token a byte: `>2+2?` and a line break, then the answer and the end.
    assert (len(prompt), len(trained), trained[-1]) == (6, 2, 0)
    checked = []
    for name in ("copy", "llamafactory"):
        monkeypatch.setattr(TRAINERS["sft"][name], "check", lambda run, name=name: checked.append((name, run.name)))
    settings = dict.fromkeys(("epochs", "learning_rate", "global_batch_size", "per_device_batch_size", "devices",
                              "cutoff_tokens", "seed"), 1)  # fmt: skip
    write_json(tmp_path / "runs.json", [{"name": "ours", "model": "m", "settings": "s", "run": settings}])
    main = runpy.run_path(str(SCRIPTS / "check_settings.py"))["main"]
    command = ["check_settings.py", "--engine", "sft", "--runs", f"{tmp_path}/runs.json", "--output", f"{tmp_path}/ok"]
    for options in ([], ["--trainer", "copy"]):
        monkeypatch.setattr(sys, "argv", [*command, *options])
        main()
    assert checked == [("llamafactory", "ours"), ("copy", "ours")]


CHECKS = {
    "adding-algorithm.md": check_algorithm,
    "adding-trainer.md": check_trainer,
    "adding-subset-rule.md": check_subset_rule,
    "adding-figure.md": check_figure,
    "adding-predictor.md": check_predictor,
    "adding-gold-rule.md": check_gold_rule,
    "adding-task.md": check_task,
}


@pytest.mark.parametrize("page", CHECKS)
def test_the_example_of_the_page_adds_what_it_says(page, tmp_path):
    run_example(page)
    CHECKS[page](tmp_path)
