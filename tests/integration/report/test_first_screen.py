"""The first screen of the report: the best models, every predictor's pick, regret and cost, as they are stored."""

import json
import re

import pytest
from report_page import loads

from quagmires.common.shown_numbers import device_hours


@pytest.fixture
def stored(decided, everything):
    """What the files say: of the study, and of its costs."""
    best = decided["decisions/predict.json"]["studies"][0]["best"]
    return best, everything["decisions/plan.json"]["choosing"]["studies"][0]


def test_the_best_after_sft_and_after_rl_stand_first_with_their_intervals(report, everything, stored):
    best, _ = stored
    section = report(everything).section("answer")
    for name in ("before", "after"):
        one = best[name]
        shown = f"{one['label']}, Pass@1 {one['value']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
        assert f"Best after {'SFT' if name == 'before' else 'RL'} {shown}" in section
    assert section.index("Best after SFT") < section.index("Best after RL") < section.index("picked by")
    assert section.index("picked by") < section.index("through RL first")
    assert "of 9 of 17 models" in section


def test_models_that_cannot_be_told_from_the_best_are_named(report, everything, decided):
    changed = json.loads(json.dumps(decided))
    best = changed["decisions/predict.json"]["studies"][0]["best"]
    best["after"]["as_good"] = ["one", "two", "three"]
    best["errors"] = ["questions"]
    section = report({**everything, **changed}).section("answer")
    assert "cannot be told apart from one, two and 1 other" in section
    assert "one RL run each, so how runs differ is not in the interval" in section
    best["after"]["as_good"] = []
    assert "Best after RL" in report({**everything, **changed}).section("answer")


def test_every_predictor_has_its_pick_its_regret_and_what_measuring_it_costs(report, everything, stored):
    best, costs = stored
    section = report(everything).section("answer")
    assert {pick["predictor"] for pick in best["picks"]} == {"pass_at_1", "pass_at_large_k"}
    for pick in best["picks"]:
        label, regret = pick["label"].removeprefix("SFT "), pick["regret"]
        points = f"{100 * regret['value']:.1f} [{100 * regret['low']:.1f}, {100 * regret['high']:.1f}]"
        minutes = device_hours(costs["measuring"]["+".join(pick["needs"])])
        row = rf"{re.escape(label)} {re.escape(pick['picked'][0])} \({pick['rank']}\w\w\) {re.escape(points)} {minutes}"
        assert re.search(row, section), row
    assert "CPU-minutes to measure" in section


def test_predictors_that_are_fits_say_that_they_need_rl(report, everything, decided):
    changed = json.loads(json.dumps(decided))
    pick = changed["decisions/predict.json"]["studies"][0]["best"]["picks"][0]
    pick |= {"fitted": True, "needs": ["samples", "loss"]}
    section = report({**everything, **changed}).section("answer")
    assert re.search(r"\d \+ RL ", section) and "fitted on models that have been through RL" in section
    assert "fitted on models that have been through RL" not in report(everything).section("answer")


def test_rl_of_all_models_stands_beside_what_a_pick_saves(report, everything, stored):
    _, costs = stored
    section = report(everything).section("answer")
    assert f"{costs['models']} models through RL: {costs['rl_runs']} runs, " in section
    saved = f"{costs['rl_runs_saved']:.0f} runs and {device_hours(costs['rl_cost_saved'])} CPU-minutes are not paid for"
    assert f", planned. With one pick alone, {saved}" in section
    recorded = json.loads(json.dumps(everything["decisions/plan.json"]))
    recorded["choosing"]["studies"][0]["recorded"] = True
    assert ", measured. With one pick alone" in report({**everything, "decisions/plan.json": recorded}).section(
        "answer"
    )


def test_without_a_plan_or_outcomes_the_rest_is_there(report, everything, decided):
    section = report({**everything, "decisions/plan.json": {}}).section("answer")
    assert "regret, points" in section and "to measure" not in section and "not paid for" not in section
    changed = json.loads(json.dumps(decided))
    changed["decisions/predict.json"]["studies"][0]["best"] |= {"after": None, "picks": [], "with_outcome": 1}
    section = report({**everything, **changed}).section("answer")
    assert "Best after RL not known: 1 of 17 models have been through RL" in section and "regret" not in section
    del changed["decisions/predict.json"]["studies"][0]["best"]
    section = report({**everything, **changed}).section("answer")
    assert "Which models are best is not known yet" in section and "through RL first" in section


FITS = """JSON.stringify({
  bottom: document.querySelector('.cards').getBoundingClientRect().bottom,
  beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  cut: [...document.querySelectorAll('.study .scroll')].filter(one => one.scrollWidth > one.clientWidth).length,
  small: [...document.querySelectorAll('.study *')]
    .filter(one => parseFloat(getComputedStyle(one).fontSize) < 12).length,
})"""


def test_the_answer_is_on_the_first_screen_and_on_a_phone_nothing_is_cut(
    report, everything, decided, browser, tmp_path
):
    """Of four studies, as many as the paper compares."""
    four = json.loads(json.dumps({**everything, **decided}))
    studies, costs = four["decisions/predict.json"]["studies"], four["decisions/plan.json"]["choosing"]["studies"]
    for name in ("two", "three", "four"):
        studies.append({**studies[0], "study": name, "title": f"Which traces of the pool {name}"})
        costs.append({**costs[0], "study": name})
    page = report(four, label="measured, toy models")
    assert loads(page) == []
    path = tmp_path / "report.html"
    path.write_text(page.html)
    for width, height in ((1440, 900), (400, 800)):
        browser.resize(width, height)
        browser.open(path)
        browser.wait("document.readyState === 'complete'")
        found = json.loads(browser.evaluate(FITS))
        assert (found["beyond"], found["cut"], found["small"]) == (0, 0, 0), width
        if width == 1440:
            assert found["bottom"] <= height
