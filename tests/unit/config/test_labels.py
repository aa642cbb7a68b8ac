import numpy as np
import pandas as pd

from quagmires.config.labels import (
    epochs_label,
    examples_label,
    ladder_epochs,
    recipe_label,
    recipe_labels,
    usual_learning_rate,
)


def models(*rows: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["subset", "epochs", "learning_rate"])


def test_one_epoch_goes_without_saying():
    assert recipe_label("longest-10k+shortest-10k", 1) == "longest 10k + shortest 10k"
    assert recipe_label("random-250", 8) == "random 250, 8 epochs"
    assert recipe_label("base", 0) == "no SFT"


def test_learning_rates_are_named_where_they_are_not_the_usual_one():
    table = models(("random-50k", 1, 1e-5), ("random-10k", 5, 1e-5), ("random-10k", 5, 2e-5), ("base", 0, 0.0))
    assert recipe_labels(table) == ["random 50k", "random 10k, 5 epochs", "random 10k, 5 epochs, lr 2e-5", "no SFT"]
    assert usual_learning_rate(table) == 1e-5


def test_labels_of_a_study_stay_apart_when_two_learning_rates_are_equally_common():
    table = models(("random-50k", 1, 2e-5), ("random-50k", 1, 1e-5))
    assert recipe_labels(table) == ["random 50k, lr 2e-5", "random 50k"]


def test_the_base_model_alone_has_no_learning_rate():
    assert usual_learning_rate(models(("base", 0, np.nan))) is None
    assert recipe_labels(models(("base", 0, np.nan))) == ["no SFT"]
    assert recipe_labels(models()) == []


def test_counts_read_aloud():
    assert [examples_label(count) for count in (250, 10_000, 1_400_000)] == ["250", "10k", "1.4M"]
    assert [epochs_label(count) for count in (1, 2.5)] == ["1 epoch", "2.5 epochs"]


def test_a_model_of_a_ladder_is_told_apart_from_one_of_so_many_epochs():
    table = models(("random-10k", 2, 1e-5), ("random-10k", 1, 1e-5), ("random-10k", 2, 1e-5), ("random-10k", 8, 1e-5))
    table["scheduled_epochs"] = [2, 8, 8, 8]
    labels = ["random 10k, 2 epochs", "random 10k, epoch 1 of 8", "random 10k, epoch 2 of 8", "random 10k, 8 epochs"]
    assert recipe_labels(table) == labels
    assert ladder_epochs(table).tolist()[1:] == [8, 8, 8] and np.isnan(ladder_epochs(table)[0])


def test_metrics_of_before_there_were_ladders_have_none():
    table = models(("random-10k", 2, 1e-5), ("base", 0, 0.0))
    assert recipe_labels(table) == ["random 10k, 2 epochs", "no SFT"]
    assert ladder_epochs(table).isna().all()
