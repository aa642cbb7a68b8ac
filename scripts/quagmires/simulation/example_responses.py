"""Simulated responses of the example's models: problem by problem, from a model's chance of solving it.

A problem i has a difficulty d_i, the same for all models, and each model finds it easier or harder by e_ij. A model's
chance is p_ij = sigmoid((skill_j - d_i + e_ij) / breadth_j). With little breadth it solves reliably what it can and the
rest never; with much it solves more problems now and then, which Pass@k at a large k sees and Pass@1 does not. RL makes
reliable what was solved now and then: after it the chance is 1 - (1 - p)^K, the Pass@K from before (GRPO as compression
of Pass@k into Pass@1: Yue et al. 2025, arXiv 2504.13837), with K as large as the model's outcome asks for.
"""

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

import numpy as np
import pandas as pd
from scipy.optimize import brentq, root
from scipy.special import log_expit

from quagmires.common.errors import UserError
from quagmires.simulation.example_world import BENCHMARKS, LARGE_K, Truth

# Standard deviations in logits: how far families of models, and models of a family, differ about a problem.
FAMILY_TASTE = 0.7
MODEL_TASTE = 0.25
# Where the first checkpoint stands between no RL and its end, on the log scale of K; progress slows down. The spread of
# log K between runs, and between checkpoints of a run.
FIRST_PROGRESS = 0.7
RUN_SPREAD = 0.05
CHECKPOINT_SPREAD = 0.05
Counts = dict[str, pd.DataFrame]


def seeded(seed: int, *names: str) -> np.random.Generator:
    """A generator of its own for whatever the names say, so that nothing depends on the order of models."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


@dataclass(frozen=True)
class Solver:
    """A model: log of the chance that a response to a problem is wrong, (problems,) by benchmark."""

    log_wrong: dict[str, np.ndarray]

    def pass_at(self, k: float) -> dict[str, np.ndarray]:
        """Chance that one of k responses is right, by benchmark; k need not be whole."""
        return {name: -np.expm1(k * one) for name, one in self.log_wrong.items()}

    def mean_pass_at(self, k: float) -> float:
        """Its average over benchmarks."""
        return float(np.mean([one.mean() for one in self.pass_at(k).values()]))

    def k_for(self, outcome: float) -> float:
        """The K at which the average is `outcome`."""
        return float(np.exp(brentq(lambda log_k: self.mean_pass_at(np.exp(log_k)) - outcome, 0, np.log(LARGE_K))))


def solver(model: str, recipe: str, truth: Truth, seed: int) -> Solver:
    """The model with the Pass@1 and Pass@LARGE_K of `truth`.

    Raises
    ------
    UserError
        there is no such model; the curves must keep Pass@1 < outcome < Pass@LARGE_K.
    """
    margins = {
        name: -_difficulties(name, seed)
        + FAMILY_TASTE * seeded(seed, model, name).normal(size=benchmark.problems)
        + MODEL_TASTE * seeded(seed, model, recipe, name).normal(size=benchmark.problems)
        for name, benchmark in BENCHMARKS.items()
    }

    def of(skill: float, log_breadth: float) -> Solver:
        return Solver({name: log_expit(-(skill + one) / np.exp(log_breadth)) for name, one in margins.items()})

    def misses(parameters: np.ndarray) -> list[float]:
        one = of(*parameters)
        return [one.mean_pass_at(1) - truth.after_sft, one.mean_pass_at(LARGE_K) - truth.large_k]

    found = root(misses, x0=[-1.0, 0.0])
    if not (0 < truth.after_sft < truth.after_rl < truth.large_k < 1 and found.success):
        raise UserError(f"{model}/{recipe}: no model can be like {truth}; change the curves in example_world.py")
    return of(*found.x)


@lru_cache
def _difficulties(name: str, seed: int) -> np.ndarray:
    benchmark = BENCHMARKS[name]
    return seeded(seed, name, "difficulty").normal(benchmark.difficulty, benchmark.spread, benchmark.problems)


def answers(chances: dict[str, np.ndarray], n: int, generator: np.random.Generator) -> Counts:
    """Counts of n responses to each problem, by benchmark: problem_id, n, c."""
    return {
        name: pd.DataFrame({"problem_id": np.arange(len(one)), "n": n, "c": generator.binomial(n, one)})
        for name, one in chances.items()
    }


def answers_after_rl(
    model: Solver, outcome: float, runs: int, checkpoints: int, n: int, generator: np.random.Generator
) -> list[Counts]:
    """Counts of all checkpoints of all RL runs, run by run.

    Parameters
    ----------
    outcome
        what RL reaches at its end, the mean over runs.
    n
        responses to each problem.
    """
    left = np.linspace(1, 0, checkpoints) if checkpoints > 1 else np.zeros(1)
    progress = 1 - (1 - FIRST_PROGRESS) * left**2
    luck = generator.normal(0, RUN_SPREAD, (runs, 1)) + generator.normal(0, CHECKPOINT_SPREAD, (runs, checkpoints))
    reached = model.k_for(outcome) ** progress * np.exp(luck)
    return [answers(model.pass_at(k), n, generator) for k in reached.ravel()]


@lru_cache
def contaminated(benchmark: str, seed: int) -> np.ndarray:
    """(problems,): True where a problem stands in a training set."""
    there = BENCHMARKS[benchmark]
    return seeded(seed, benchmark, "contaminated").random(there.problems) < there.contaminated


def validation_loss(dataset: str, model: str, recipe: str, loss: float, examples: int, seed: int) -> pd.DataFrame:
    """Held-out traces of an SFT set: tokens, the same for all models, and nll, whose ratio is near `loss`."""
    shared = seeded(seed, dataset, "validation")
    tokens = shared.integers(600, 8_000, examples)
    hardness = shared.gamma(30, 1 / 30, examples)
    own = seeded(seed, dataset, model, recipe, "validation").gamma(400, 1 / 400, examples)
    return pd.DataFrame({"tokens": tokens, "nll": tokens * loss * hardness * own})
