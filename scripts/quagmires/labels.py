"""How recipes are called on figures and in tables."""

from quagmires.subsets import BASE


def recipe_label(subset: str, epochs: float) -> str:
    """`longest-10k+shortest-10k`, 1 epoch -> `longest 10k + shortest 10k`; more epochs are named.

    >>> recipe_label("random-250", 8)
    'random 250, 8 epochs'
    """
    if subset == BASE:
        return "no SFT"
    text = " + ".join(part.replace("-", " ") for part in subset.split("+"))
    return text if epochs in (0, 1) else f"{text}, {epochs:g} epochs"
