import json

import numpy as np
import pandas as pd
import pytest
from made_up_outcomes import metrics as after_rl
from made_up_outcomes import scores_after_rl

from quagmires.common.errors import UserError
from quagmires.prediction.arena_studies import (
    check_names,
    metrics_studies,
    predictor_columns,
    required_columns,
    table_studies,
)
from quagmires.prediction.metrics_file import write_metrics
from quagmires.prediction.predictors import PREDICTORS, outcome_on, predictor
from support import ROOT

GOOD = """study,model,level,outcome,pass_at_1,cost_unit,cost_samples,cost_rl
ours,a,dataset,0.5,0.1,GPU-hours,1,100
ours,b,dataset,0.7,0.2,GPU-hours,2,100
ours,c,dataset,0.6,0.3,GPU-hours,3,100
ours,d,dataset,0.8,0.4,GPU-hours,4,100
"""


def study_file(folder, text, curves=None):
    path = folder / "ours.csv"
    path.write_text(text)
    if curves:
        (folder / "ours.curves.csv").write_text(curves)
    return path


def test_a_table_is_a_study(tmp_path):
    [study] = table_studies(study_file(tmp_path, GOOD))
    assert (study.name, study.level, study.origin) == ("ours", "dataset", "given as a table")
    assert list(study.models["recipe"]) == ["a", "b", "c", "d"]
    assert list(study.models["gain"]) == pytest.approx([0.4, 0.5, 0.3, 0.4])
    assert study.costs.unit == "GPU-hours"
    assert study.costs.amounts == {"samples": 10.0, "rl": 400.0}
    assert study.costs.of(["samples"]) == 10 and study.costs.of(["samples", "loss"]) is None


def test_what_is_not_said_is_not_claimed(tmp_path):
    [study] = table_studies(study_file(tmp_path, "study,model,outcome\nours,a,0.5\nours,b,\n"))
    assert study.level == "instance" and np.isnan(study.models["outcome"][1])


def test_a_cost_of_some_models_is_not_that_of_the_study(tmp_path):
    [study] = table_studies(study_file(tmp_path, GOOD.replace("GPU-hours,4,", "GPU-hours,,")))
    assert study.costs.amounts == {"rl": 400.0}


def test_several_studies_of_a_file_keep_their_own_costs(tmp_path):
    more = "\n".join(line.replace("ours", "theirs", 1) for line in GOOD.splitlines()[1:3])
    first, second = table_studies(study_file(tmp_path, GOOD + more + "\n"))
    assert (len(first.models), len(second.models)) == (4, 2)
    assert second.costs.amounts == {"samples": 3.0, "rl": 200.0}


def curves(points=40):
    lines = ["study,model,compute,score"]
    for model, top in (("a", 0.5), ("b", 0.6), ("c", 0.55), ("d", 0.7)):
        for compute in range(points):
            rise = (top - 0.2) / (1 + 4 / compute) if compute else 0
            lines.append(f"ours,{model},{compute},{0.2 + rise:.6f}")
    return "\n".join(lines) + "\n"


def test_curves_give_early_scores_ceilings_and_their_costs(tmp_path):
    [study] = table_studies(study_file(tmp_path, GOOD, curves()))
    # The median run is 39 long: 3.9 and 9.75 of it count.
    assert study.models["early_rl_score"][3] == pytest.approx(0.2 + 0.5 / (1 + 4 / 3))
    assert list(study.models["early_rl_ceiling"]) == pytest.approx([0.5, 0.6, 0.55, 0.7], abs=2e-3)
    assert study.costs.amounts["early_score"] == pytest.approx(4 * 3.9)
    assert study.costs.amounts["early_curve"] == pytest.approx(4 * 9.75)


def test_what_a_table_gives_goes_before_its_curves(tmp_path):
    rows = [line + end for line, end in zip(GOOD.splitlines(), [",early_rl_score", ",0.1", ",0.2", ",0.3", ",0.4"],
                                            strict=True)]  # fmt: skip
    [study] = table_studies(study_file(tmp_path, "\n".join(rows) + "\n", curves()))
    assert list(study.models["early_rl_score"]) == [0.1, 0.2, 0.3, 0.4]


BAD = {
    "no file": (None, "no such file; give a CSV of a study"),
    "empty": ("", "not a CSV file"),
    "header alone": (GOOD.splitlines()[0] + "\n", "no rows; give one for each SFT model"),
    "no column": (GOOD.replace("outcome", "pass_at_large_k"), "no column outcome; every row needs study, model"),
    "unknown column": (GOOD.replace("pass_at_1", "pass_at1"),
                       "no predictor reads the column 'pass_at1'; did you mean"),
    "unlike any column": (GOOD.replace("pass_at_1", "zzz"),
                          "no predictor reads the column 'zzz'; predictors read"),
    "column twice": (GOOD.replace("pass_at_1", "outcome"), "no predictor reads the column 'outcome.1'"),
    "no number": (GOOD.replace("0.7,0.2", "0.7,high"), "line 3: pass_at_1 'high' is no number; give one, or nothing"),
    "nan": (GOOD.replace("0.7,0.2", "nan,0.2"), "line 3: outcome 'nan' is no number"),
    "infinite": (GOOD.replace("0.7,0.2", "inf,0.2"), "line 3: outcome 'inf' is no number"),
    "percent": (GOOD.replace("0.8,0.4", "80,0.4"), "line 5: outcome 80 is not between 0 and 1; give a share"),
    "negative cost": (GOOD.replace("GPU-hours,3", "GPU-hours,-3"), "line 4: cost_samples -3 is below 0; correct it"),
    "unknown level": (GOOD.replace("ours,b,dataset", "ours,b,token"), "line 3: level 'token' is no level; give one of"),
    "two levels": (GOOD.replace("ours,b,dataset", "ours,b,instance"),
                   "study ours: level is both 'dataset' and 'instance'"),
    "two units": (GOOD.replace("0.2,GPU-hours", "0.2,EFLOP"), "study ours: cost_unit is both 'GPU-hours' and 'EFLOP'"),
    "no unit": (GOOD.replace("cost_unit", "group"), "costs without a unit; fill in cost_unit, such as GPU-hours"),
    "model twice": (GOOD.replace("ours,b", "ours,a"), "line 3: study ours, model a is there twice; remove one"),
    "no name": (GOOD.replace("ours,b", "ours,"), "line 3: model '' is empty; give a name"),
    "no outcome": ("study,model,outcome\nours,a,\n", "no model of study ours has an outcome"),
    "cells": (GOOD + "ours,e,dataset,0.5,0.1,GPU-hours,1,100,7,8\n", "not a CSV file"),
    "cells in every row": ("study,model,outcome\nours,a,0.5,9\nours,b,0.6,9\n", "rows have more cells than"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_in_a_table_is_one_line(name, tmp_path):
    text, message = BAD[name]
    path = tmp_path / "ours.csv" if text is None else study_file(tmp_path, text)
    with pytest.raises(UserError) as error:
        table_studies(path)
    said = str(error.value)
    assert said.startswith(str(path)) and message in said and "\n" not in said


def test_bytes_that_are_no_text_are_one_line(tmp_path):
    (tmp_path / "ours.csv").write_bytes(b"study,model,outcome\n\xff\xfe,a,0.5\n")
    with pytest.raises(UserError, match=r"ours.csv: not a CSV file .*; docs/arena.md has an example"):
        table_studies(tmp_path / "ours.csv")


BAD_CURVES = {
    "no column": ("study,model,compute\nours,a,1\n", "no column score"),
    "unknown column": ("study,model,compute,score,loss\nours,a,1,0.5,1\n", "unknown column 'loss'"),
    "another model": ("study,model,compute,score\nours,z,1,0.5\n", "line 2: model 'z' is no such model in the table"),
    "no compute": ("study,model,compute,score\nours,a,,0.5\n", "line 2: compute nan is not 0 or more"),
    "percent": ("study,model,compute,score\nours,a,1,50\n", "line 2: score 50 is not between 0 and 1"),
    "twice": ("study,model,compute,score\nours,a,1,0.5\nours,a,1,0.6\n", "line 3: study ours, model a, compute 1.0 is"),
}


@pytest.mark.parametrize("name", BAD_CURVES)
def test_a_mistake_in_curves_is_one_line(name, tmp_path):
    text, message = BAD_CURVES[name]
    with pytest.raises(UserError) as error:
        table_studies(study_file(tmp_path, GOOD, text))
    said = str(error.value)
    assert said.startswith(f"{tmp_path}/ours.curves.csv: ") and message in said and "\n" not in said


def test_the_columns_of_a_new_predictor_are_known_at_once():
    @predictor("ours", "Ours", arena_only=True)
    def ours(models: pd.DataFrame):
        return [outcome_on(models, "self_bleu")]

    try:
        assert required_columns(PREDICTORS["ours"]) == ["self_bleu"] and "self_bleu" in predictor_columns()
    finally:
        PREDICTORS.pop("ours")
    assert "self_bleu" not in predictor_columns()


def test_the_page_names_every_column():
    page = (ROOT / "docs" / "arena.md").read_text()
    assert [name for name in predictor_columns() if f"`{name}`" not in page] == []


# Stored metrics


def stored(folder, models=6, checkpoints=3, label="", study="sums"):
    scores = scores_after_rl(models, trend=np.linspace(-0.05, 0, checkpoints))
    rows = after_rl(
        scores, study=study, level="instance", model="toy", sft_dataset="sums", examples=10, learning_rate=1e-3,
        rl_dataset="sums", sft_tokens=100, samples=64, large_k=16, pass_at_1_se=0.01, pass_at_large_k=0.5,
        pass_at_large_k_se=0.01, generalization_loss=0.7, generalization_loss_se=0.01, checkpoints=checkpoints,
        gain_se=0.01,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    write_metrics(folder / "metrics.parquet", rows, label)
    return rows


def test_stored_metrics_are_a_study_named_by_their_folder(tmp_path):
    rows = stored(tmp_path / "toy", label="toy models")
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    assert (study.name, study.origin, study.level) == ("toy/sums", "toy models", "instance")
    first = [np.reshape(scores, (4, 3))[:, 0].mean() for scores in rows["outcome_scores"]]
    assert list(study.models["early_rl_score"]) == pytest.approx(first)
    assert "early_rl_reward" not in study.models
    assert study.costs.unknown.startswith("no plan of the experiment")


def test_the_outcome_is_of_the_kind_asked_for(tmp_path):
    rows = stored(tmp_path / "toy")
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "last")
    assert list(study.models["outcome"]) == list(rows["outcome_last"]) and study.origin == "measured"


def test_one_checkpoint_is_not_early(tmp_path):
    stored(tmp_path / "toy", checkpoints=1)
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    assert study.models["early_rl_score"].isna().all()


def rewards(folder, steps=40):
    table = pd.DataFrame(
        {"study": "sums", "recipe": f"recipe{model}", "run": run, "step": step,
         "reward": 0.2 + (0.02 * model + 0.3) / (1 + 5 / step) + (0.01 if run == 1 else -0.01)}
        for model in range(6) for run in (1, 2) for step in range(1, steps + 1)
    )  # fmt: skip
    table.to_parquet(folder / "grpo_training.parquet", index=False)
    return table


def test_rewards_beside_the_metrics_give_early_rewards_and_ceilings(tmp_path):
    stored(tmp_path / "toy")
    rewards(tmp_path / "toy")
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    # A tenth of 40 steps; the two runs' noise is opposite.
    expected = [np.mean([0.2 + (0.02 * model + 0.3) / (1 + 5 / step) for step in range(1, 5)]) for model in range(6)]
    assert list(study.models["early_rl_reward"]) == pytest.approx(expected)
    assert np.all(np.diff(study.models["early_rl_ceiling"]) > 0)


def test_a_model_without_rewards_has_no_early_reward(tmp_path):
    stored(tmp_path / "toy")
    table = rewards(tmp_path / "toy")
    table[table["recipe"] != "recipe2"].to_parquet(tmp_path / "toy" / "grpo_training.parquet", index=False)
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    assert list(study.models["early_rl_reward"].isna()) == [False, False, True, False, False, False]


def test_damaged_files_beside_metrics_are_one_line(tmp_path):
    stored(tmp_path / "toy")
    pd.DataFrame({"step": [1]}).to_parquet(tmp_path / "toy" / "grpo_training.parquet")
    with pytest.raises(UserError, match=r"grpo_training.parquet: no column study, recipe, run, reward; collect"):
        metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")


def test_metrics_without_outcomes_are_refused(tmp_path):
    rows = stored(tmp_path / "toy")
    write_metrics(tmp_path / "toy" / "metrics.parquet", rows.assign(outcome=np.nan), "")
    with pytest.raises(UserError, match="no model has been through RL; give metrics with outcomes"):
        metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    pd.DataFrame({"study": ["sums"]}).to_parquet(tmp_path / "toy" / "metrics.parquet")
    with pytest.raises(UserError, match="no column level, model, recipe"):
        metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")


def test_showcases_are_not_judged_beside_studies(tmp_path):
    rows = stored(tmp_path / "toy")
    both = pd.concat([rows, rows.assign(study="shown", level="showcase")], ignore_index=True)
    write_metrics(tmp_path / "toy" / "metrics.parquet", both, "")
    assert [study.name for study in metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")] == ["toy/sums"]


def test_costs_are_those_of_the_plan(tmp_path):
    rows = stored(tmp_path / "toy").assign(rl_prompts=10, rl_samples=5)
    write_metrics(tmp_path / "toy" / "metrics.parquet", rows, "")
    jobs = []
    for recipe in rows["recipe"]:
        for name, stage, hours, responses in (
            ("sft", "sft", 9.0, 0),
            ("sft/samples", "samples_before", 2.0, 200),
            ("sft/loss.sums", "loss", 0.1, 0),
            ("sft/loss.common", "loss", 0.3, 0),
            ("grpo/sums/run1", "grpo", 6.0, 0),
            ("grpo/sums/run1/checkpoint1/samples", "samples_after", 1.0, 100),
        ):
            jobs.append({"name": f"toy/{recipe}/{name}", "stage": stage, "studies": ["sums"], "device_hours": hours,
                         "responses": responses})  # fmt: skip
    jobs.append({"name": "toy/other/sft/samples", "stage": "samples_before", "studies": ["sums"],
                 "device_hours": 50.0, "responses": 1})  # fmt: skip
    (tmp_path / "toy" / "decisions").mkdir()
    plan = tmp_path / "toy" / "decisions" / "plan.json"
    plan.write_text(json.dumps({"unit": "GPU-hours", "jobs": jobs, "totals": {}}))
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    # Six models; 50 of 200 responses are to RL prompts; the first of three checkpoints is a third of RL.
    assert study.costs.unit == "GPU-hours"
    assert study.costs.amounts == pytest.approx(
        {"samples": 9.0, "rl_samples": 3.0, "loss": 0.6, "common_loss": 1.8, "early_score": 14.0,
         "early_reward": 3.6, "early_curve": 9.0, "rl": 42.0}
    )  # fmt: skip
    plan.write_text(json.dumps({"unit": "job-hours", "jobs": jobs}))
    [study] = metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")
    assert study.costs.unit == "CPU-minutes" and study.costs.amounts["samples"] == pytest.approx(540)
    plan.write_text('{"unit": "GPU-hours"}')
    with pytest.raises(UserError, match=r"plan.json: not a plan .*; run `snakemake plan` again"):
        metrics_studies(tmp_path / "toy" / "metrics.parquet", "best")


def test_two_studies_of_one_name_are_refused(tmp_path):
    studies = table_studies(study_file(tmp_path, GOOD))
    with pytest.raises(UserError, match="two studies are called ours; rename one"):
        check_names(studies * 2)
