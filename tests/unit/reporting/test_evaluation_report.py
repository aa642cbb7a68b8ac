"""What the evaluation tool leaves beside its scores."""

import json

import pytest
from markdown_it import MarkdownIt

from quagmires.reporting.evaluation_report import predictor_line, write_report


def scores(value: float) -> dict:
    """Scores of two samples a problem."""
    point = {"value": value, "standard_error": 0.0134, "low": value, "high": value}
    rates = {"truncated": 0.25, "no_answer": 0.5, "timeout": 0.0, "mean_tokens": 1234.0}
    return {"pass_at_k": {"1": point, "2": point}, "majority_at_k": {"2": point}, **rates}


def test_scores_as_markdown_are_a_table_whatever_benchmarks_are_called(tmp_path):
    benchmark = {**scores(0.4121), "problems": 30, "samples": 2}
    content = {"benchmarks": {"a|b *c*": benchmark}, "macro": scores(0.4121)}
    (tmp_path / "scores.json").write_text(json.dumps(content))
    write_report(tmp_path, "model")
    text = (tmp_path / "scores.md").read_text()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    cells = ["".join(part.content for part in one.children) for one in tokens if one.type == "inline"]
    shared = ["0.412 ± 0.013"] * 3 + ["25.0%", "50.0%", "0.00%", "1,234"]
    assert cells[0] == "model"
    assert cells[11:-1] == ["a|b *c*", "30", "2", *shared, "average", "", "", *shared]
    assert cells[-1].startswith("Entropy: not known")
    lines = text.strip().splitlines()[2:-2]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("responses", "among"), [(64, ""), (32, ", of 32 of 64 responses")])
def test_a_line_says_what_else_is_known_and_of_how_many_responses(responses, among):
    point = {"value": 1.25, "standard_error": 0.5}
    macro = {"distinct_wrong_at_k": {"1": point, "16": point}, "entropy": {**point, "responses": responses}}
    line = predictor_line({"macro": macro, "benchmarks": {"easy": {"problems": 4, "samples": 16}}})
    assert line == (
        "Distinct wrong answers among 16 samples of a problem: 1.250 ± 0.500."
        f" Entropy: 1.250 ± 0.500 nats a token{among}."
    )
