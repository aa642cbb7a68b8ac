import json

import numpy as np
import pandas as pd
import pytest

from quagmires.commands import predict, rank, run_command
from quagmires.common.errors import UserError
from quagmires.config.analysis_settings import AnalysisSettings, StudySettings
from quagmires.config.schema import Analysis
from quagmires.prediction.forecast import Question, forecast
from quagmires.prediction.predictors import applicable
from quagmires.reporting.decision_files import WIDTH, publish
from quagmires.simulation.known_truth import World

QUESTION = Question("pass_at_large_k", "best", 0.9, seed=1)
LONG = "llama-nemotron.longest-850k+shortest-850k.ep1.lr1e-5"


def study(name: str, count: int, seed: int, **world) -> pd.DataFrame:
    """SFT models that have all been through RL; the last is the base model."""
    models = World(models=count, **world).draw(np.random.default_rng(seed))
    subsets = [f"random-{number + 1}k" for number in range(count - 1)] + ["base"]
    recipes = [f"traces.{subset}.ep2.lr1e-5" for subset in subsets[:-1]] + ["base"]
    names = {"study": name, "model": "toy", "sft_dataset": "traces", "rl_dataset": "sums", "examples": 1_000}
    return models.assign(**names, subset=subsets, recipe=recipes, epochs=2.0, learning_rate=1e-5)


def without_rl(models: pd.DataFrame, places: list[int]) -> pd.DataFrame:
    """The same, before the models at these places go through RL."""
    models = models.reset_index(drop=True)
    for name in models:
        if name.startswith("outcome_") and name.endswith(("draws", "scores")):
            models[name] = [None if place in places else value for place, value in enumerate(models[name])]
        elif name.startswith(("outcome", "gain")):
            models.loc[places, name] = np.nan
    return models


@pytest.fixture
def decide(tmp_path, monkeypatch, capsys):
    """Run one of the scripts on metrics; its text, CSV and JSON."""

    def run(script, metrics: pd.DataFrame, *arguments: str, levels=None, label="simulated, not measured"):
        blank = {"model": "toy", "model_title": "Toy", "sft_dataset": "traces", "rl_dataset": "sums", "recipes": []}
        settings = AnalysisSettings(
            experiment="toys",
            title="Toys",
            label=label,
            seed=3,
            studies={
                name: StudySettings(title=f"All of {name}", level=level, benchmarks=["easy"], **blank)
                for name, level in (levels or dict.fromkeys(metrics["study"], "dataset")).items()
            },
            analysis=Analysis(),
            tables={},
            figures={},
        )
        (tmp_path / "analysis.json").write_text(settings.model_dump_json())
        metrics.to_parquet(tmp_path / "metrics.parquet")
        files = ["--metrics", tmp_path / "metrics.parquet", "--analysis", tmp_path / "analysis.json"]
        files += ["--output-folder", tmp_path / "decisions"]
        name = {rank: "rank", predict: "predict"}[script]
        run_command(name, [*map(str, files), *arguments])
        text = (tmp_path / "decisions" / f"{name}.txt").read_text()
        assert capsys.readouterr().out == text
        table = pd.read_csv(tmp_path / "decisions" / f"{name}.csv")
        return text, table, json.loads((tmp_path / "decisions" / f"{name}.json").read_text(), parse_constant=refuse)

    return run


def refuse(constant: str):
    raise ValueError(f"{constant} is not JSON")


def assert_same(table: pd.DataFrame, document: dict, rows: str) -> None:
    """The CSV has the rows of the JSON, value by value."""
    records = [{"study": study["study"], **row} for study in document["studies"] for row in study[rows]]
    assert len(records) == len(table) and list(records[0]) == list(table)
    for row, record in zip(table.to_dict("records"), records, strict=True):
        for name, value in record.items():
            assert pd.isna(row[name]) if value is None else row[name] == pytest.approx(value), name


def test_rank_needs_no_rl_and_its_files_agree(decide):
    metrics = pd.concat(
        [without_rl(study("one", 8, 1), list(range(8))), without_rl(study("two", 5, 2), list(range(5)))]
    )
    text, table, document = decide(rank, metrics, levels={"one": "dataset", "two": "instance"})
    assert_same(table, document, "models")
    assert table["study"].value_counts().to_dict() == {"one": 8, "two": 5}
    assert "after RL" not in text.split("Set aside (paper")[0]
    assert "*** simulated, not measured ***" in text and "two: All of two" in text
    assert "no SFT" in text
    assert document["rule"].replace(" ", "") in text.replace("\n", "").replace(" ", "")
    assert document["studies"][1]["notes"][0].startswith("No model is set aside")


def test_rank_shows_outcomes_where_they_are_known(decide):
    metrics = without_rl(study("one", 6, 1), [0, 1, 2])
    text, _, _ = decide(rank, metrics)
    assert text.count(f"{metrics['outcome'].iloc[4]:.3f}") >= 1 and "after RL" in text


def test_predict_foretells_those_without_rl_by_every_predictor(decide):
    text, table, document = decide(predict, without_rl(study("one", 10, 3), [1, 4, 6]))
    assert_same(table, document, "predictions")
    assert table["predictor"].unique().tolist() == [one.name for one in applicable("dataset")]
    assert sorted(table["recipe"].unique()) == [f"traces.random-{number}k.ep2.lr1e-5" for number in (2, 5, 7)]
    shown = table[table["predictor"] == "pass_at_large_k"]
    assert shown["best_of_predicted"].sum() == pytest.approx(1)
    assert table["outcome"].isna().all() and table["inside"].isna().all()
    assert "fitted on 7 models" in text and "Next RL run, to narrow intervals" in text
    assert len(document["studies"][0]["next_runs"]) == 3 and len(document["studies"][0]["calibration"]) == 7


def test_predictions_are_repeatable(decide):
    metrics = without_rl(study("one", 8, 3), [1, 4])
    assert decide(predict, metrics)[0] == decide(predict, metrics)[0]


def test_with_all_outcomes_each_is_predicted_from_the_others(decide):
    text, table, document = decide(predict, study("one", 10, 4))
    assert_same(table, document, "predictions")
    assert document["studies"][0]["checked"] and table["outcome"].notna().all()
    shown = table[table["predictor"] == "pass_at_large_k"]
    held = shown["outcome"].between(shown["low"], shown["high"])
    assert held.tolist() == shown["inside"].tolist()
    assert f"{held.sum()} of 10 outcomes lie in their 90% intervals" in text
    assert "nothing is left to predict" in text
    error = (shown["prediction"] - shown["outcome"]).abs().mean()
    assert document["studies"][0]["left_out_mae"] == pytest.approx(error)


@pytest.mark.parametrize("measured", [0, 2])
def test_too_few_rl_results_are_said_to_be_not_enough(decide, measured):
    text, table, document = decide(predict, without_rl(study("one", 6, 5), list(range(measured, 6))))
    assert f"No prediction: not enough models: {measured} with RL results, at least 3 are needed." in text
    assert table.empty and "prediction" in table and document["studies"][0]["predictions"] == []


def test_one_study_without_results_does_not_stop_the_others(decide):
    metrics = pd.concat([without_rl(study("none", 4, 1), [0, 1, 2, 3]), without_rl(study("some", 8, 2), [0, 1])])
    text, table, _ = decide(predict, metrics)
    assert "not enough models" in text and table["study"].unique().tolist() == ["some"]


def test_a_predictor_that_does_not_apply_gives_way_and_it_says_so(decide):
    metrics = without_rl(study("one", 8, 6), [0, 1])
    arguments = (predict, metrics, "--predictor", "generalization_loss")
    text, _, document = decide(*arguments)
    assert "SFT generalization loss, fitted on 6" in text
    text, table, document = decide(*arguments, levels={"one": "instance"})
    assert document["studies"][0]["predictor"] == "pass_at_large_k"
    assert "generalization_loss does not apply to instance-level studies" in text
    assert set(table["predictor"]) == {"pass_at_1", "pass_at_large_k"}


def test_another_outcome_can_be_predicted(decide):
    metrics = without_rl(study("one", 8, 7), [0, 1])
    best, last = (decide(predict, metrics, "--outcome", kind)[1]["prediction"] for kind in ("best", "last"))
    assert (last < best).all()


def test_mistakes_are_answered_in_one_line(decide, tmp_path):
    with pytest.raises(UserError, match="there is no 'luck'; choose one of pass_at_1, "):
        decide(predict, study("one", 5, 8), "--predictor", "luck")
    with pytest.raises(UserError, match="there is no 'rollout_entropy'; choose one of pass_at_1"):
        decide(predict, study("one", 5, 8), "--predictor", "rollout_entropy")
    with pytest.raises(UserError, match="none of the studies of toys"):
        decide(rank, study("one", 5, 8), levels={"other": "dataset"})


def test_texts_are_narrow_plain_ascii(decide):
    metrics = without_rl(study("one", 8, 9), [0, 1, 2])
    metrics.loc[0, ["recipe", "subset"]] = [LONG, "longest-850k+shortest-850k"]
    for script in (rank, predict):
        text, _, _ = decide(script, metrics)
        assert text.isascii() and max(map(len, text.splitlines())) <= WIDTH
        assert not any(line.endswith("...") for line in text.splitlines())


def test_square_brackets_are_printed_as_they_are(decide, tmp_path):
    """They are markup to rich."""
    assert "*** [bold]a toy[/bold] ***" in decide(rank, study("one", 4, 9), label="[bold]a toy[/bold]")[0]
    publish(tmp_path, "any", pd.DataFrame(), {}, lambda console: console.print("[red]50%[/red]"))
    assert (tmp_path / "any.txt").read_text() == "[red]50%[/red]\n"


def test_small_calibration_sets_come_with_a_warning():
    few = forecast(without_rl(study("one", 8, 10), list(range(4, 8))), "dataset", QUESTION)
    assert any("rest on 2 degrees of freedom" in warning for warning in few.warnings)
    three = forecast(without_rl(study("one", 8, 10), list(range(3, 8))), "dataset", QUESTION)
    assert any("rest on 1 degree of freedom" in warning for warning in three.warnings)
    enough = forecast(without_rl(study("one", 8, 10), list(range(5, 8))), "dataset", QUESTION)
    assert not any("freedom" in warning for warning in enough.warnings)
    checked = forecast(study("one", 5, 10), "dataset", QUESTION)
    assert any("rest on 2 degrees of freedom" in warning for warning in checked.warnings)


def test_candidates_beyond_the_calibrated_range_come_with_a_warning():
    models = without_rl(study("one", 8, 11), [6, 7]).assign(
        pass_at_large_k=[0.5, 0.52, 0.54, 0.56, 0.58, 0.6, 0.65, 0.55]
    )
    warnings = forecast(models, "dataset", QUESTION).warnings
    assert [warning for warning in warnings if warning.startswith("Outside")] == [
        "Outside the models with RL results: random 7k, 2 epochs (by 50% of their range)."
        " That the line goes on there is an assumption, and intervals do not allow for its being wrong. Run RL across"
        " the range of the predictor, low and high."
    ]
    assert any(warning.startswith("No chances (-) for models outside by more than 25%") for warning in warnings)


def test_predictions_far_outside_come_without_chances_and_are_headed_as_predictions(decide):
    metrics = without_rl(study("one", 8, 11), [4, 5, 6, 7])
    metrics["pass_at_large_k"] = [0.50, 0.52, 0.54, 0.56, 0.53, 0.80, 0.90, 0.90]
    text, table, document = decide(predict, metrics)
    shown = table[table["predictor"] == "pass_at_large_k"].set_index("outside").sort_index()
    assert shown["beats_calibration"].notna().tolist() == [True, False, False, False]
    assert document["studies"][0]["predictions"][-1].keys() == {*table.columns} - {"study"}
    assert "predicted after RL" in text and "tests the line there" in text
    assert "Next RL run, to find the best: there are no chances to choose by" in text


def test_rank_shows_pass_at_k_of_those_set_aside_and_ties_across_groups(decide):
    metrics = without_rl(study("one", 4, 1), [0, 1, 2, 3])
    metrics = metrics.drop(columns=[name for name in metrics if name.endswith("_draws")])
    metrics = metrics.assign(
        pass_at_large_k=[0.800, 0.780, 0.760, 0.95],
        pass_at_large_k_se=0.01,
        pass_at_1=[0.5, 0.4, 0.4, 0.1],
        generalization_loss=[0.5, 0.6, 0.6, 0.9],
    )
    text, _, _ = decide(rank, metrics, levels={"one": "instance"})
    assert "3 (= 2)" in text and "directly above it" in text
    metrics["pass_at_1"], metrics["generalization_loss"] = [0.5, 0.4, 0.3, 0.1], [0.5, 0.6, 0.7, 0.9]
    text, _, _ = decide(rank, metrics)
    row = next(line for line in text.split("set aside")[1].splitlines() if line.startswith("random 3k"))
    assert "0.760" in row


def test_a_predictor_that_predicts_nothing_comes_with_a_warning():
    models = without_rl(study("one", 12, 12), [10, 11])
    noise = np.tile([0.5, 0.6], 6)
    models["pass_at_large_k"] = noise
    models["outcome_best"] = models["outcome_best"].where(
        models["outcome_best"].isna(), 0.4 + 0.01 * (np.arange(12) // 2)
    )
    warnings = forecast(models, "dataset", QUESTION).warnings
    assert any("no better than by their mean (R2 -0." in warning for warning in warnings)
    models["pass_at_large_k"] = 0.5 + models["outcome_best"].fillna(0.4)
    assert not any("no better" in warning for warning in forecast(models, "dataset", QUESTION).warnings)


def test_equal_predictors_come_with_a_warning():
    models = without_rl(study("one", 8, 13), [6, 7]).assign(pass_at_large_k=[0.6] * 7 + [0.7])
    assert any(
        "every prediction is their mean" in warning for warning in forecast(models, "dataset", QUESTION).warnings
    )


def test_a_candidate_without_predictor_is_named():
    models = without_rl(study("one", 8, 14), [6, 7])
    models.loc[6, "pass_at_large_k"] = np.nan
    answer = forecast(models, "dataset", QUESTION)
    assert "random 7k, 2 epochs is not predicted: its predictor is unknown." in answer.warnings
