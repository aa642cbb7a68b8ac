"""Worlds whose truth is known, to see whether statistics recover it: metrics of SFT models and what they must show.

In a world each predictor carries a chosen share of the outcome's variance, and all of it is measured with the noise of
so many problems, responses and RL runs. Noise is normal, which is close for averages over hundreds of problems. As on
real benchmarks, most of it is shared: problems that happen to be easy are easy for all models.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from quagmires.prediction.bootstrap import DRAWS
from quagmires.prediction.outcome_spread import Spread

# Standard deviations of a problem's chance of a right response: between problems, and of what a model has of its own.
BETWEEN_PROBLEMS = 0.35
TASTE = 0.08
# Mean variance of one response around its problem's chance.
WITHIN = 0.12
# Scores of a mean model, and how the outcome grows from the first to the last checkpoint.
MEAN = {"pass_at_1": 0.30, "pass_at_large_k": 0.65, "generalization_loss": 0.60, "outcome": 0.45}
GROWTH = 0.02
# A higher loss is worse.
SIGNS = {"pass_at_1": 1, "pass_at_large_k": 1, "generalization_loss": -1}


@dataclass(frozen=True)
class World:
    """How models differ and how they are measured.

    Parameters
    ----------
    models
        SFT models, all of them with RL.
    carried
        by predictor, the share of the true outcome's variance that its true value carries.
    spread
        standard deviation, between models, of the true outcome and of each true predictor.
    problems, samples, samples_after_rl
        benchmark problems, and responses to each.
    runs, checkpoints, run_spread, rest_spread
        of RL; the spreads are those of outcome_spread.Spread.
    """

    models: int = 12
    carried: Mapping[str, float] = field(
        default_factory=lambda: {"pass_at_1": 0.5, "generalization_loss": 0.8, "pass_at_large_k": 0.9}
    )
    spread: float = 0.05
    problems: int = 1_000
    samples: int = 256
    samples_after_rl: int = 64
    runs: int = 4
    checkpoints: int = 4
    run_spread: float = 0.005
    rest_spread: float = 0.003

    @property
    def shared_error(self) -> float:
        """Standard error that all models have in common: which problems were asked."""
        return BETWEEN_PROBLEMS / np.sqrt(self.problems)

    def own_error(self, samples: int) -> float:
        """Standard error of a score from `samples` responses, without the shared part."""
        return np.sqrt((TASTE**2 + WITHIN / samples) / self.problems)

    @property
    def rl(self) -> Spread:
        """The spread of scores after RL around a model's true outcome, which is that of the last checkpoint."""
        return Spread(self.run_spread, self.rest_spread, np.linspace(-GROWTH, 0, self.checkpoints))

    def correlation(self, column: str) -> float:
        """Of a measured predictor with the measured best outcome, between the models of one world.

        Measurement weakens a true correlation by the root of both reliabilities, the shares of measured variance that
        are true (Spearman 1904). The shared error moves all models alike, and none of it counts.
        """
        before = self.own_error(self.samples) ** 2
        after = self.own_error(self.samples_after_rl) ** 2 + self.rl.best(self.runs)[1] ** 2
        reliabilities = [self.spread**2 / (self.spread**2 + variance) for variance in (before, after)]
        return SIGNS[column] * float(np.sqrt(self.carried[column] * np.prod(reliabilities)))

    def draw(self, generator: np.random.Generator) -> pd.DataFrame:
        """Metrics of a world's models, with the columns that statistics and decisions use."""
        true = generator.normal(size=self.models)
        problems = generator.normal(size=1 + DRAWS)
        columns: dict[str, Any] = {}
        for name, share in self.carried.items():
            value = np.sqrt(share) * true + np.sqrt(1 - share) * generator.normal(size=self.models)
            value = MEAN[name] + self.spread * SIGNS[name] * value
            columns |= self._measured(name, value, self.own_error(self.samples), problems, generator)
        outcome = self._measured(
            "outcome", np.zeros(self.models), self.own_error(self.samples_after_rl), problems, generator
        )
        shape = (self.models, self.runs, self.checkpoints)
        luck = generator.normal(0, self.run_spread, shape[:2] + (1,)) + generator.normal(0, self.rest_spread, shape)
        measured = MEAN["outcome"] + self.spread * true + outcome["outcome"]
        scores = measured[:, None, None] + self.rl.trend + luck
        best = scores.max(axis=(1, 2))
        return pd.DataFrame(
            {
                "study": "world",
                "level": "dataset",
                "recipe": [f"model-{number}" for number in range(self.models)],
                "subset": "random-10k",
                "epochs": 1.0,
                "sft_tokens": np.geomspace(4e8, 1.8e10, self.models),
                "samples": self.samples,
                "samples_after_rl": self.samples_after_rl,
                "large_k": 64,
                **columns,
                "grpo_runs": self.runs,
                "checkpoints": self.checkpoints,
                "outcome_scores": [one.ravel() for one in scores],
                "outcome_best": best,
                "outcome_last": scores[:, :, -1].mean(axis=1),
                "outcome_mean_of_run_best": scores.max(axis=2).mean(axis=1),
                "outcome": best,
                "outcome_se": outcome["outcome_se"],
                "outcome_draws": [
                    one + by for one, by in zip(outcome["outcome_draws"], best - outcome["outcome"], strict=True)
                ],
                "gain": best - columns["pass_at_1"],
                "gain_se": np.hypot(self.own_error(self.samples), self.own_error(self.samples_after_rl)),
                "true_outcome": MEAN["outcome"] + self.spread * true,
            }
        )

    def _measured(
        self, name: str, value: np.ndarray, own: float, problems: np.ndarray, generator: np.random.Generator
    ) -> dict:
        """A column with its error and draws: `problems` is the luck with problems, of this world and of each draw."""
        luck = self.shared_error * problems + own * generator.normal(size=(self.models, 1 + DRAWS))
        measured = value + luck[:, 0]
        return {
            name: measured,
            f"{name}_se": np.hypot(self.shared_error, own),
            f"{name}_draws": list(measured[:, None] + luck[:, 1:]),
        }


def population_spearman(correlation: float) -> float:
    """Spearman's rho of endlessly many models, of normal variables."""
    return 6 / np.pi * np.arcsin(correlation / 2)


def expected_spearman(correlation: float, models: int) -> float:
    """The mean of Spearman's rho over samples of so many models, of normal variables (Moran 1948, Biometrika 35)."""
    return 6 / np.pi * (np.arcsin(correlation) + (models - 2) * np.arcsin(correlation / 2)) / (models + 1)


def expected_r2(correlation: float, fitting: int, validation: int) -> float:
    """R2, on `validation` models, of a line fitted on `fitting` others: from the expected squared errors of both.

    A line on m normal pairs predicts a new one with (m + 1) (m - 2) / (m (m - 3)) times the variance around the line;
    the held-out mean, which R2 is counted from, is itself fitted.
    """
    m, v = fitting, validation
    return 1 - (1 - correlation**2) * (m + 1) * (m - 2) / (m * (m - 3)) * v / (v - 1)
