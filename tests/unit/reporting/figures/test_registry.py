import pytest

from quagmires.config import figure_names
from quagmires.config.loading import load_yaml
from quagmires.reporting.captions import CAPTIONS
from quagmires.reporting.figures import drawing
from quagmires.reporting.figures.registry import FIGURES, figure

NAMES = [*figure_names.KINDS, *figure_names.GENERAL, *figure_names.OF_TABLES]


def test_every_name_has_one_function_and_every_function_a_name():
    assert sorted(NAMES) == sorted(FIGURES)
    assert all(function.__module__.startswith(drawing.__package__) for function in FIGURES.values())


def test_every_figure_has_a_caption():
    assert set(NAMES) <= set(load_yaml(CAPTIONS)["figures"])


def test_a_name_that_is_not_declared_or_taken_is_refused():
    with pytest.raises(ValueError, match="figure gains: no such name in config/figure_names.py; add it there"):
        figure("gains")
    with pytest.raises(ValueError, match="there is a figure bars already"):
        figure("bars")


def of_a_kind(panels, curves): ...


def of_every_experiment(panels, columns): ...


def of_a_table(panels, training): ...


@pytest.mark.parametrize(
    "names, declared, function, asked",
    [
        ("KINDS", {"gains": "by recipe"}, of_a_kind, "curves"),
        ("GENERAL", ("gains",), of_every_experiment, "columns"),
        ("OF_TABLES", {"gains": "curves"}, of_a_table, "training"),
    ],
)
def test_a_function_that_asks_for_what_it_is_not_given_is_refused(monkeypatch, names, declared, function, asked):
    monkeypatch.setattr(figure_names, names, declared)
    with pytest.raises(ValueError, match=f"figure gains: it is not given {asked}; it may ask for "):
        figure("gains")(function)
    assert "gains" not in FIGURES
