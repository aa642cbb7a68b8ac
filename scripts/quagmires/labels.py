"""How recipes are called on figures and in tables."""

import pandas as pd

from quagmires.experiment import short_float
from quagmires.subsets import BASE

NO_SFT = "no SFT"


def recipe_label(subset: str, epochs: float, learning_rate: float | None = None) -> str:
    """`longest-10k+shortest-10k`, 1 epoch -> `longest 10k + shortest 10k`; more epochs, and a learning rate, are named.

    >>> recipe_label("random-250", 8, 2e-5)
    'random 250, 8 epochs, lr 2e-5'
    """
    if subset == BASE:
        return NO_SFT
    parts = [" + ".join(part.replace("-", " ") for part in subset.split("+"))]
    if epochs not in (0, 1):
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
    return [
        recipe_label(subset, epochs, None if rate == usual else rate)
        for subset, epochs, rate in zip(models["subset"], models["epochs"], models["learning_rate"], strict=True)
    ]


def usual_learning_rate(models: pd.DataFrame) -> float | None:
    """The most common learning rate of SFT, the smallest if there are several; None if nothing was trained."""
    rates = models.loc[models["subset"] != BASE, "learning_rate"].mode()
    return None if rates.empty else float(rates.iloc[0])


def learning_rate_label(learning_rate: float) -> str:
    """2e-05 -> `lr 2e-5`."""
    return f"lr {short_float(learning_rate)}"


def examples_label(examples: float) -> str:
    """10000 -> `10k`, 1400000 -> `1.4M`."""
    size, unit = (1e6, "M") if examples >= 1e6 else (1e3, "k") if examples >= 1e3 else (1, "")
    return f"{examples / size:g}{unit}"


def epochs_label(epochs: float) -> str:
    """1 -> `1 epoch`, 2 -> `2 epochs`."""
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}"
