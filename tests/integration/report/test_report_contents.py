"""What the report says: the answer, the decisions, what was run, training, costs; and the script."""

import base64
import json
import math
import re
from itertools import pairwise

import pandas as pd
import pytest
from report_page import RANDOM, trained

from quagmires.commands import run_command
from quagmires.common.errors import UserError
from quagmires.reporting.html.figures import sparkline
from support import MODELS


def test_answer_names_the_model_to_take_the_tied_ones_and_the_best_prediction(report, everything, decided):
    ranked = decided["decisions/rank.json"]["studies"][0]["models"]
    predicted = decided["decisions/predict.json"]["studies"][0]
    answer = report(everything).section("answer")
    first = [model["label"] for model in ranked if model["group"] == 1]
    assert first[0] in answer.split("through RL first")[0]
    rows = [row for row in predicted["predictions"] if row["predictor"] == "pass_at_large_k"]
    best = max(rows, key=lambda row: row["prediction"])
    measured = max(predicted["calibration"], key=lambda model: model["outcome"])
    assert f"Of the others {best['label']} is predicted highest: {best['prediction']:.3f}" in answer
    assert f"9 have been through RL, the best is {measured['label']} with {measured['outcome']:.3f}" in answer
    tied = json.loads(json.dumps(decided["decisions/rank.json"]))
    for model in tied["studies"][0]["models"]:
        model |= {"group": 1, "tied": True, "pass_at_large_k": 0.995}
    answer = report({**everything, "decisions/rank.json": tied}).section("answer")
    assert "Take one of these through RL first" in answer
    assert f"and {len(ranked) - 3} others" in answer
    assert "0.99 or more for 17 of 17: it tells little here" in answer


def test_answer_doubts_what_is_outside_and_what_rests_on_few_models(report, everything, decided):
    changed = json.loads(json.dumps(decided))
    study = changed["decisions/predict.json"]["studies"][0]
    study["calibration"] = study["calibration"][:4]
    for row in study["predictions"]:
        row |= {"outside": 4.24, "degrees_of_freedom": 2.0, "beats_calibration": None, "best_of_predicted": None}
    changed["decisions/rank.json"]["studies"][0]["models"][3]["as_good_as"] = "any"
    answer = report({**everything, **changed}).section("answer")
    assert "outside the models with RL results, by 424% of their range" in answer and "no chance is given" in answer
    assert "Run RL across the range of the predictor" in answer and "beats the best so far" not in answer
    assert "Only 4 models have RL results: the interval rests on 2 degrees of freedom." in answer
    disputed = changed["decisions/rank.json"]["studies"][0]["models"][3]["label"]
    assert f"of {disputed} is not below that of the best SFT model kept" in answer


def test_decisions_show_every_model_of_the_study(report, everything, decided):
    section = report(everything).section("decisions")
    for model in decided["decisions/rank.json"]["studies"][0]["models"]:
        assert f"{model['label']} {model['group']}" in section
        assert f"{model['low']:.3f} to {model['high']:.3f}" in section


def test_showcases_are_folded_away_where_there_are_other_studies(report, everything, decided):
    two = json.loads(json.dumps(decided))
    for document in two.values():
        document["studies"].append(
            {**document["studies"][0], "study": "show", "title": "Showcase", "level": "showcase"}
        )
    html = report({**everything, **two}).html.split('<section id="decisions">')[0]
    assert "Showcase" in html.split("<details>")[1]
    for document in two.values():
        document["studies"] = document["studies"][1:]
    assert "<details>" not in report({**everything, **two}).html.split('<section id="decisions">')[0]


def test_runs_with_other_versions_or_hardware_have_rows_of_their_own(report, everything):
    other = trained(torch="2.14.0")
    files = {f"toy/{name}/sft/model/training.json": trained(torch="2.13.0") for name in ("a", "b")}
    section = report({**everything, **files, "toy/c/sft/model/training.json": other}).section("runs")
    assert "SFT 3 python 3.11.7, torch 2.13.0 4 × NVIDIA A100, 64 cores, x86_64" in section
    assert "SFT 1 python 3.11.7, torch 2.14.0" in section
    assert "llamafactory, verl, vllm make the same token ids of 9 prompts" in section
    assert "0033a19c78a4" in section


def test_seeds_settings_and_the_whole_config_are_there(report):
    section = report({}).section("runs")
    assert "42; GRPO run r has 42 + r - 1" in section
    assert "experiment: demo" in section
    assert "learning rate 0.001" in section


def test_models_measured_and_through_rl_are_counted(report, tmp_path):
    report({})
    rows = pd.DataFrame({"study": "toy", "recipe": ["a", "b", "c"], "outcome": [0.5, None, None]})
    folder = tmp_path / "results" / "demo" / "decisions"
    folder.mkdir()
    rows.to_parquet(folder / "metrics.parquet")
    # While RL is not done there is no metrics.parquet of all: that of the decisions has what is known.
    assert f"toy walks goals {MODELS} 3 1 easy, medium, hard" in report({}).section("runs")


def test_training_of_each_run_is_drawn(report, everything, tmp_path):
    report(everything)
    steps = [
        {"study": "toy", "recipe": RANDOM, "subset": "random-1k", "epochs": 1.0, "run": run, "step": step}
        | {"reward": 0.1 * step * run, "response_tokens": 20.0, "seconds": 60.0}
        for run in (1, 2)
        for step in (1, 2, 3)
    ]
    pd.DataFrame(steps).to_parquet(tmp_path / "results" / "demo" / "grpo_training.parquet")
    page = report({})
    assert "random 1k toy 1.5 min 199 123,456 2.000 0.010" in page.section("training")
    assert "random 1k toy 3.0 min 2 3 20 0.200 0.600" in page.section("training")
    assert {"from 2 to 0.0101", "from 0.1 to 0.3", "from 0.2 to 0.6"} <= set(page.attributes("img", "alt"))


def test_what_was_spent_stands_beside_what_was_planned(report, everything):
    section = report(everything).section("costs")
    assert re.search(rf"SFT {MODELS - 1} 1 [0-9.]+ 2\.00 [0-9.]+", section)
    assert re.search(rf"all {MODELS - 1} 1 [0-9.]+ 2\.00", section)
    assert "jobs at a time" in section
    planned = everything["decisions/plan.json"]["stages"]
    rollouts = next(row["responses"] for row in planned if row["stage"] == "grpo")
    assert re.search(rf"GRPO {MODELS} 0 [0-9,]+ {rollouts:,} ", section)


def test_same_results_give_the_same_report(report, everything):
    assert report(everything).html == report({}).html


def test_script_writes_the_report_and_says_what_it_lacks(tmp_path, demo, capsys):
    experiment, settings = demo
    for name, content in (("analysis", settings), ("config", experiment.config)):
        (tmp_path / f"{name}.json").write_text(content.model_dump_json())
    output = tmp_path / "report.html"
    command = [f"--results={tmp_path}", f"--config={tmp_path / 'config.json'}", f"--output={output}"]
    run_command("report", [*command, f"--analysis={tmp_path / 'analysis.json'}"])
    assert re.fullmatch(rf"{output}: \d\.\d MB\n", capsys.readouterr().out)
    assert output.read_text().endswith("</html>\n")
    with pytest.raises(UserError, match="none.json: no such file"):
        run_command("report", [*command, f"--analysis={tmp_path / 'none.json'}"])


def points(values) -> list[tuple[float, float]]:
    svg = base64.b64decode(sparkline(values).source.split(",")[1]).decode()
    return [tuple(map(float, point.split(","))) for point in re.search('points="([^"]*)"', svg)[1].split()]


def test_line_of_a_run_falls_with_its_loss_and_has_few_points():
    drawn = points([2.0 - step / 1000 for step in range(1000)])
    assert 20 < len(drawn) <= 100
    assert all(right > left and lower > upper for (left, upper), (right, lower) in pairwise(drawn))
    assert len({height for _, height in points([0.5] * 10)}) == 1
    assert len(points([0.1, math.nan, 0.2])) == 2
    assert sparkline([]).text == "–"
