"""The figures there are: a figure is a function that `@figure` registers under its name.

To add one, put its name into config/figure_names.py, its caption into config/captions.yaml, and write

    @figure("gains")
    def gains(panels, columns):
        ...
        return figure

beside its like: growth.py has performance by number of examples, epochs or recipe; relations.py has one number against
another; predictors.py how well predictors foretell; runs.py curves of runs. A new module is imported in drawing.py.
"""

import inspect
from collections.abc import Callable

from matplotlib.figure import Figure

from quagmires.config import figure_names

# By name.
FIGURES: dict[str, Callable[..., Figure]] = {}


def figure(name: str) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """Register the decorated function as what draws the figure `name`.

    The function asks for what it needs by the names of its parameters:

    panels
        the studies to show, `Sequence[Panel]`: those of the config, or for a figure of every experiment those that
        predictors are judged on.
    confidence, seed
        of intervals (between 0 and 1), and of what is drawn at random.
    columns
        the width in columns of a paper, 1 or 2; of kinds that a config asks for.
    curves, training
        the stored table of a figure of `OF_TABLES`.

    Raises
    ------
    ValueError
        the name does not stand in config/figure_names.py, has a function already, or the function asks for what such a
        figure is not given.
    """
    offered = _offered(name)
    if name in FIGURES:
        raise ValueError(f"there is a figure {name} already; choose another name")

    def register(function: Callable[..., Figure]) -> Callable[..., Figure]:
        if unknown := set(needs(function)) - offered:
            raise ValueError(
                f"figure {name}: it is not given {min(unknown)}; it may ask for {', '.join(sorted(offered))}"
            )
        FIGURES[name] = function
        return function

    return register


def needs(function: Callable[..., Figure]) -> list[str]:
    """The names of what a figure's function asks for."""
    return list(inspect.signature(function).parameters)


def _offered(name: str) -> set[str]:
    always = {"panels", "confidence", "seed"}
    if name in figure_names.KINDS:
        return always | {"columns"}
    if name in figure_names.OF_TABLES:
        return always | {figure_names.OF_TABLES[name]}
    if name in figure_names.GENERAL:
        return always
    raise ValueError(f"figure {name}: no such name in config/figure_names.py; add it there")
