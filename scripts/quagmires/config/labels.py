"""How recipes are called on figures and in tables."""

import pandas as pd

from quagmires.config.experiment import SCHEDULED, short_float
from quagmires.config.subset_names import BASE

NO_SFT = "no SFT"
UNITS = ((1e9, "B"), (1e6, "M"), (1e3, "k"))


def recipe_label(
    subset: str, epochs: float, learning_rate: float | None = None, scheduled_epochs: float | None = None
) -> str:
    """`longest-10k+shortest-10k`, 1 epoch -> `longest 10k + shortest 10k`; more epochs, and a learning rate, are named.

    So is the training from the middle of which a model is: it is another than one trained for so many epochs.

    >>> recipe_label("random-250", 8, 2e-5)
    'random 250, 8 epochs, lr 2e-5'
    >>> recipe_label("random-250", 2, scheduled_epochs=8)
    'random 250, epoch 2 of 8'
    """
    if subset == BASE:
        return NO_SFT
    parts = [" + ".join(part.replace("-", " ") for part in subset.split("+"))]
    if scheduled_epochs not in (None, epochs):
        parts.append(f"epoch {epochs:g} of {scheduled_epochs:g}")
    elif epochs not in (0, 1):
        parts.append(f"{epochs:g} epochs")
    if learning_rate is not None:
        parts.append(learning_rate_label(learning_rate))
    return ", ".join(parts)


def recipe_labels(models: pd.DataFrame) -> list[str]:
    """The label of each SFT model of a study; learning rates other than the study's most common one are named.

    Parameters
    ----------
    models
        rows of metrics.parquet, of one study.
    """
    usual = usual_learning_rate(models)
    rows = zip(models["subset"], models["epochs"], models["learning_rate"], scheduled_epochs(models), strict=True)
    return [
        recipe_label(subset, epochs, None if rate == usual else rate, scheduled)
        for subset, epochs, rate, scheduled in rows
    ]


def scheduled_epochs(models: pd.DataFrame) -> pd.Series:
    """The epochs of the training that made each model: its own, where nothing is said of a ladder."""
    return models[SCHEDULED].fillna(models["epochs"]) if SCHEDULED in models else models["epochs"]


def is_from_longer_run(models: pd.DataFrame) -> pd.Series:
    """Whether each model is from the middle of a training for more epochs than it has."""
    return scheduled_epochs(models) != models["epochs"]


def ladder_epochs(models: pd.DataFrame) -> pd.Series:
    """The epochs of the ladder that each model of a study stands in, the last of it included; NaN for all others."""
    scheduled = scheduled_epochs(models)
    trainings = list(zip(models["subset"], models["learning_rate"], scheduled, strict=True))
    ladders = {training for training, rung in zip(trainings, is_from_longer_run(models), strict=True) if rung}
    return scheduled.where([training in ladders for training in trainings]).astype(float)


def usual_learning_rate(models: pd.DataFrame) -> float | None:
    """The most common learning rate of SFT, the smallest if there are several; None if nothing was trained."""
    rates = models.loc[models["subset"] != BASE, "learning_rate"].mode()
    return None if rates.empty else float(rates.iloc[0])


def learning_rate_label(learning_rate: float) -> str:
    """2e-05 -> `lr 2e-5`."""
    return f"lr {short_float(learning_rate)}"


def in_units(count: float) -> tuple[float, str]:
    """A count of examples or tokens in the largest unit that leaves at least one.

    >>> in_units(1_400_000), in_units(20), in_units(2e9)
    ((1.4, 'M'), (20.0, ''), (2.0, 'B'))
    """
    size, unit = next(((size, unit) for size, unit in UNITS if count >= size), (1, ""))
    return count / size, unit


def examples_label(examples: float) -> str:
    """10000 -> `10k`, 1400000 -> `1.4M`."""
    size, unit = in_units(examples)
    return f"{size:g}{unit}"


def large_k_label(models: pd.DataFrame) -> str:
    """`Pass@64`, of models that have one large k."""
    ks = models["large_k"].dropna().unique()
    return f"Pass@{ks[0]:g}" if len(ks) == 1 else "Pass@large k"


def epochs_label(epochs: float) -> str:
    """1 -> `1 epoch`, 2 -> `2 epochs`."""
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}"
