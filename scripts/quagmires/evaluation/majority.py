"""majority@k: is the answer most of k samples gave the right one? And how many wrong answers are among them?

All right answers are one class; wrong ones are classes by their task's `canonical`. Responses without an answer do not
vote, without any vote the problem counts as wrong, and classes that tie share the vote: 1 / (number tied) if the right
class is among them.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from quagmires.config.task_names import MATH
from quagmires.evaluation.pass_at_k import pass_at_k
from quagmires.grading.task import find_task

# Over M problems they add an error of at most 0.5 / sqrt(DRAWS * M): 0.2 points for 300 problems.
DRAWS = 200


class Votes(NamedTuple):
    """By problem_id, sorted: votes for the right answer, votes for each wrong class (where there is one), samples."""

    right: pd.Series
    wrong: dict[str, np.ndarray]
    samples: pd.Series


def majority_at_k(votes: Votes, ks: list[int], generator: np.random.Generator) -> pd.DataFrame:
    """majority@k of each problem, in expectation over subsets of k of its samples, drawn without replacement.

    Exact for k = 1 (it is Pass@1), for k = n, and where there are no wrong answers or no right ones; otherwise the mean
    of `DRAWS` drawn subsets.

    Parameters
    ----------
    ks
        each at most the number of samples of every problem.

    Returns
    -------
    DataFrame indexed by problem_id, one column per k, values in [0, 1]
    """
    none = np.array([], dtype=np.int64)
    rows = [
        [majority(int(votes.right[problem]), votes.wrong.get(problem, none), int(n), k, generator) for k in ks]
        for problem, n in votes.samples.items()
    ]
    return pd.DataFrame(rows, index=votes.samples.index, columns=ks)


def distinct_wrong_at_k(votes: Votes, ks: list[int]) -> pd.DataFrame:
    """How many different wrong answers k samples of a problem have, in expectation over subsets as in `majority_at_k`.

    With m classes of wrong answers, v_j votes for the j-th of n samples, it is the sum over j of
    1 - C(n - v_j, k) / C(n, k) (rarefaction, Hurlbert 1971, doi:10.2307/1934145): exact, and for k = n it is m. Numbers
    at one k can be compared whatever n is.

    Parameters
    ----------
    ks
        each at most the number of samples of every problem.

    Returns
    -------
    DataFrame indexed by problem_id, one column per k, values in [0, k]
    """
    table = pd.DataFrame(0.0, index=votes.samples.index, columns=ks)
    if votes.wrong:
        classes = np.concatenate(list(votes.wrong.values()))
        problems = np.repeat(votes.samples.index.get_indexer(list(votes.wrong)), [len(v) for v in votes.wrong.values()])
        n = votes.samples.to_numpy()[problems]
        for k in ks:
            table[k] = np.bincount(problems, pass_at_k(n, classes, k), minlength=len(table))
    return table


def tally(grades: pd.DataFrame, task: str = MATH) -> Votes:
    """Count the votes of graded responses.

    Parameters
    ----------
    grades
        one row per response: problem_id, answer (None: no answer), correct.
    task
        the name of the kind of problems, which says what answers are one class.
    """
    canonical = find_task(task).canonical
    codes, texts = pd.factorize(grades["answer"])
    # Every spelling is normalised once, however many responses have it.
    classes, _ = pd.factorize(np.array([canonical(text) for text in texts], dtype=object))
    problems, correct = grades["problem_id"], grades["correct"].astype(bool)
    answered = codes >= 0
    right = (correct & answered).groupby(problems, sort=True).sum()
    against = answered & ~correct.to_numpy()
    votes = grades[against].groupby([problems[against], classes[codes[against]]], sort=True).size()
    wrong = {problem: counts.to_numpy() for problem, counts in votes.groupby(level=0)}
    return Votes(right, wrong, problems.groupby(problems, sort=True).size())


def majority(right: int, wrong: np.ndarray, n: int, k: int, generator: np.random.Generator) -> float:
    """majority@k of one problem with n samples, `right` votes for the right answer and `wrong` for each other class."""
    if right == 0:
        return 0.0
    if k == 1:
        return right / n
    if len(wrong) == 0:
        return float(pass_at_k(n, right, k))
    votes = np.array([right, *wrong])
    if k == n:
        return float(_share_of_win(votes[None])[0])
    ballots = np.append(votes, n - votes.sum())
    # The default method takes time per class, and a weak model gives nearly as many answers as samples.
    drawn = generator.multivariate_hypergeometric(ballots, k, size=DRAWS, method="count")
    return float(_share_of_win(drawn[:, :-1]).mean())


def _share_of_win(votes: np.ndarray) -> np.ndarray:
    """The right class' share of a win, for votes of shape (draws, classes) with the right class first."""
    most = votes.max(axis=1)
    tied = (votes == most[:, None]).sum(axis=1)
    return np.where((votes[:, 0] == most) & (most > 0), 1 / tied, 0.0)
