"""Rollout entropy: how undecided a model is from token to token, from the log-probabilities of its own samples."""

import pandas as pd

from quagmires.evaluation.pass_at_k import ratio_with_error, stored_entry

# In counts.parquet, of each problem: its responses whose log-probability is stored, and their sums.
COLUMNS = ("logprob_responses", "logprob_tokens", "logprob_sum")


def logprob_counts(grades: pd.DataFrame) -> pd.DataFrame:
    """The `COLUMNS` of one benchmark's problems, from its graded responses; indexed by problem_id, sorted.

    Responses that were drawn before log-probabilities were stored have none, and are left out of all three.
    """
    table = grades.reindex(columns=["problem_id", "n_tokens", "logprob_sum"])
    known = table["logprob_sum"].notna()
    marks = pd.DataFrame(
        {
            "problem_id": table["problem_id"],
            "logprob_responses": known.astype(int),
            "logprob_tokens": table["n_tokens"].where(known, 0).astype(int),
            "logprob_sum": table["logprob_sum"].where(known, 0.0).astype(float),
        }
    )
    return marks.groupby("problem_id", sort=True).sum()


def rollout_entropy(counts: pd.DataFrame) -> dict[str, float | int | None] | None:
    """Mean entropy of the next token over the model's own responses, in nats per token.

    The estimate is sum(-ln p(token)) / number of tokens, over all sampled tokens, stop tokens included. For a token
    that was drawn from p, -ln p has the entropy of p as its expectation, so the sum is an unbiased estimate of the
    summed entropies along the responses. It holds for responses at temperature 1 and top-p 1 alone: else tokens are not
    drawn from the p that is stored. Aphale and Liu 2026 (arXiv 2606.18487) found it to go with the outcome of GRPO.

    Parameters
    ----------
    counts
        one row per problem, with `COLUMNS`.

    Returns
    -------
    `value`, `standard_error` (of a ratio of sums, clustered by problem; None with one problem) and `responses`, the
    number that it is an average of; None without any log-probability
    """
    if not set(COLUMNS) <= set(counts.columns):
        return None
    known = counts[counts["logprob_responses"] > 0]
    if known.empty:
        return None
    value, error = ratio_with_error(-known["logprob_sum"].to_numpy(float), known["logprob_tokens"].to_numpy(float))
    return {**stored_entry(value, error), "responses": int(known["logprob_responses"].sum())}
