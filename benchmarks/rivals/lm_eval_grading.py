"""Accuracy over all repeats of a problem by math-verify, for the task of lm-evaluation-harness. Boxed answers only."""

from math_verify import LatexExtractionConfig, parse, verify

BOXED = [LatexExtractionConfig(boxed_match_priority=0, try_extract_without_anchor=False)]


def process_results(doc: dict, results: list[list[str]]) -> dict[str, float]:
    """The share of right responses; `results` holds one list, of all repeats."""
    gold = parse(f"\\boxed{{{doc['answer']}}}", BOXED)
    (responses,) = results
    return {"accuracy": sum(verify(gold, parse(response, BOXED)) for response in responses) / len(responses)}
