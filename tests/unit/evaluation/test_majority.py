from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from quagmires.evaluation.majority import distinct_wrong_at_k, majority, majority_at_k, tally
from quagmires.evaluation.pass_at_k import pass_at_k


def grades(answers: dict[str, list], gold: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"problem_id": problem, "answer": answer, "correct": answer in (gold, "right too")}
            for problem, given in answers.items()
            for answer in given
        ]
    )


def by_enumeration(right: int, wrong: list[int], n: int, k: int) -> float:
    samples = ["right"] * right + [f"wrong {i}" for i, votes in enumerate(wrong) for _ in range(votes)]
    samples += [None] * (n - len(samples))
    wins = []
    for subset in combinations(samples, k):
        votes = Counter(answer for answer in subset if answer is not None)
        best = [answer for answer, count in votes.items() if count == max(votes.values())]
        wins.append(1 / len(best) if "right" in best else 0.0)
    return float(np.mean(wins))


def test_the_most_frequent_answer_counts_ties_share_and_silence_does_not_vote():
    table = grades(
        {
            "most": ["7", "7", "8", None],
            "tie of two": ["7", "8", None, None],
            "tie of three": ["7", "8", "9", None],
            "outvoted": ["7", "8", "8", "8"],
            "silent": [None] * 4,
            "two spellings of right": ["7", "right too", "8", "8"],
            "two spellings of wrong": ["7", "1,000", "1000", None],
        },
        gold="7",
    )
    scores = majority_at_k(tally(table), [1, 4], np.random.default_rng(0))
    assert scores[4].to_dict() == {
        "most": 1.0,
        "outvoted": 0.0,
        "silent": 0.0,
        "tie of three": pytest.approx(1 / 3),
        "tie of two": 0.5,
        "two spellings of right": 0.5,
        "two spellings of wrong": 0.0,
    }
    shares = table.groupby("problem_id")["correct"].mean()
    assert (scores[1] == shares).all()


@pytest.mark.parametrize(("right", "wrong", "n"), [(3, [2, 1], 8), (2, [3, 3], 9), (5, [1, 1, 1], 10), (1, [4], 7)])
def test_drawn_subsets_agree_with_all_subsets(right, wrong, n):
    generator = np.random.default_rng(0)
    for k in range(1, n + 1):
        drawn = [majority(right, np.array(wrong), n, k, generator) for _ in range(50)]
        # 10,000 draws: five standard errors.
        assert np.mean(drawn) == pytest.approx(by_enumeration(right, wrong, n, k), abs=0.025)
    assert majority(right, np.array(wrong), n, n, generator) == by_enumeration(right, wrong, n, n)


def test_without_wrong_answers_majority_is_pass_at_k():
    table = grades({"a": ["7", None, None, None], "b": ["7", "7", "7", None]}, gold="7")
    assert majority_at_k(tally(table), [2], np.random.default_rng(0))[2].tolist() == pytest.approx(
        pass_at_k(4, np.array([1, 3]), 2).tolist()
    )


def test_answers_of_no_response_at_all_are_all_wrong():
    table = grades({"a": [None, None]}, gold="7").astype({"answer": object})
    assert majority_at_k(tally(table), [1, 2], np.random.default_rng(0)).to_numpy().tolist() == [[0.0, 0.0]]


def test_same_seed_same_values():
    generator = np.random.default_rng(3)
    answers = {f"p{i}": [str(value) for value in generator.integers(5, 9, 32)] for i in range(20)}
    votes = tally(grades(answers, "7"))
    first, again, other = (majority_at_k(votes, [8], np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_distinct_wrong_answers_are_those_of_all_subsets():
    answers = {"a": ["7", "1,000", "1000", "8", "8", None], "all right": ["7"] * 6, "silent": [None] * 6}
    found = distinct_wrong_at_k(tally(grades(answers, "7")), [1, 2, 3, 6])
    classes = [None, "1000", "1000", "8", "8", None]
    for k in (1, 2, 3, 6):
        every = [len({one for one in subset if one}) for subset in combinations(classes, k)]
        assert found.loc["a", k] == pytest.approx(np.mean(every))
    assert found.loc["a", 6] == 2
    assert (found.loc[["all right", "silent"]] == 0).all(axis=None)


def test_without_any_wrong_answer_there_are_none_distinct():
    assert distinct_wrong_at_k(tally(grades({"a": ["7", None]}, "7")), [1, 2]).to_numpy().tolist() == [[0.0, 0.0]]
