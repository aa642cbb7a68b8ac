"""Models after RL with a known spread of runs and checkpoints."""

import numpy as np
import pandas as pd

RUN, REST = 0.010, 0.006
TREND = np.array([-0.03, -0.005, 0.005, 0.004])


def scores_after_rl(models, runs=4, trend=TREND, run=RUN, rest=REST, seed=0):
    """(models, runs, checkpoints) around 0.4 plus the trend."""
    generator = np.random.default_rng(seed)
    luck = generator.normal(0, run, (models, runs, 1)) + generator.normal(0, rest, (models, runs, len(trend)))
    return 0.4 + trend + luck


def metrics(scores, **columns):
    """Rows of metrics.parquet from scores after RL."""
    scores = np.asarray(scores)
    models, runs, _ = scores.shape
    best = scores.max(axis=(1, 2))
    return pd.DataFrame(
        {
            "recipe": [f"recipe{i}" for i in range(models)],
            "subset": "random-10k",
            "epochs": 1.0,
            "pass_at_1": 0.3,
            "grpo_runs": runs,
            "outcome_scores": [one.ravel() for one in scores],
            "outcome_best": best,
            "outcome_last": scores[:, :, -1].mean(axis=1),
            "outcome_mean_of_run_best": scores.max(axis=2).mean(axis=1),
            "outcome": best,
            "outcome_se": 0.01,
            "gain": best - 0.3,
            **columns,
        }
    )


def draws(values):
    """A column of draws from (models, DRAWS)."""
    return [one.astype(np.float32) for one in values]
