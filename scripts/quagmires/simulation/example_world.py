"""The story behind the example's simulated metrics: how recipes change a model (docs/example.md).

Nothing here is measured. The curves tell what the paper's text and captions describe, and their sizes were chosen so
that tables come out near the published ones. Whatever is made from them illustrates the workflow, and is evidence for
nothing. Four numbers depend on the recipe: Pass@1 and Pass@64 after SFT, what RL reaches, and generalization loss. Each
is a line in the logarithm of the number of traces, a parabola in the doublings of epochs and learning rate, an effect
of the shortest and the longest traces and of mixtures, and some luck.

    recipe                              Pass@1 after SFT               after RL
    more traces                         higher                         higher
    more epochs, larger learning rate   higher and higher              a little higher, then lower; loss flares up
    shortest traces (Llama)             higher at once                 lower than random ones of the same number
    shortest traces (Mistral)           below the base model, then     the same, later
                                        above
    longest traces                      lower                          as high or higher
    shortest and longest                between                        high
    Qwen, any                           much higher than the base      the same; higher with the longest alone
"""

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace

import numpy as np
from scipy.stats import beta

from quagmires.common.errors import UserError
from quagmires.config.subset_names import BASE, parse_subset

LARGE_K = 64
GLOBAL_BATCH = 128
CUTOFF_TOKENS = 8192
# Effects are counted from one epoch of this many random traces at this learning rate.
REFERENCE_EXAMPLES = 10_000
REFERENCE_LEARNING_RATE = 1e-5
SHORTEST_TOKENS = 600
# Of trace lengths around their mean: the larger, the more alike.
LENGTH_CONCENTRATION = 3.5


@dataclass(frozen=True)
class Benchmark:
    """Problems; the mean and spread of their difficulty in logits; the share that stands in training sets."""

    problems: int
    difficulty: float
    spread: float
    contaminated: float


BENCHMARKS = {
    "math500": Benchmark(500, -1.0, 2.0, 0.0),
    "aime_1983_2024": Benchmark(933, 2.0, 2.0, 0.5),
    "gsm8k": Benchmark(1319, -3.2, 1.8, 0.01),
    "aime_2025": Benchmark(30, 2.8, 2.0, 0.0),
    "amc": Benchmark(83, 0.6, 2.0, 0.1),
    "olympiad": Benchmark(674, 1.2, 2.2, 0.05),
    "minerva": Benchmark(272, 1.4, 2.2, 0.0),
}


@dataclass(frozen=True)
class Pool:
    """Traces of an SFT set and their mean length in tokens, prompt included."""

    rows: int
    mean_tokens: float

    def length(self, share: np.ndarray) -> np.ndarray:
        """Length of the trace that a share of the pool is shorter than."""
        span = CUTOFF_TOKENS - SHORTEST_TOKENS
        mean = (self.mean_tokens - SHORTEST_TOKENS) / span
        return SHORTEST_TOKENS + span * beta.ppf(share, mean * LENGTH_CONCENTRATION, (1 - mean) * LENGTH_CONCENTRATION)

    def mean_of(self, rule: str, size: int) -> float:
        """Mean length in tokens of the `size` shortest, longest or random traces.

        Raises
        ------
        UserError
            the simulation does not know the rule.
        """
        share = size / self.rows
        spans = {"shortest": (0, share), "longest": (1 - share, 1), "random": (0, 1)}
        if rule not in spans:
            raise UserError(f"the simulation has no subset rule {rule}; it has {', '.join(spans)}")
        low, high = spans[rule]
        return float(self.length(low + (high - low) * (np.arange(1_000) + 0.5) / 1_000).mean())


POOLS = {
    "llama-nemotron": Pool(2_225_427, 4_320),
    "acereason": Pool(2_668_741, 5_250),
    "openr1-math": Pool(93_733, 4_100),
}


@dataclass(frozen=True)
class Curve:
    """How one number of a model depends on its recipe.

    `start` is that of one epoch of 10k random traces at 1e-5. It changes by `per_decade` for tenfold the traces, by
    `per_doubling` for twice the epochs or the learning rate, and by `bend` for the square of these doublings. The
    `shortest` and the `longest` traces add, each by its share, so much at 10k and so much per decade; `mixture` is for
    subsets of two rules. `luck` is the standard deviation of what a recipe adds by chance.
    """

    start: float
    per_decade: float
    per_doubling: float
    bend: float
    shortest: tuple[float, float]
    longest: tuple[float, float]
    mixture: float
    luck: float

    def at(self, recipe: Mapping, luck: float) -> float:
        """Its value for a row of the run sheet; `luck` in standard deviations."""
        parts = parse_subset(recipe["subset"])
        decades = math.log10(recipe["examples"] / REFERENCE_EXAMPLES)
        doublings = math.log2(recipe["epochs"] * recipe["learning_rate"] / REFERENCE_LEARNING_RATE)
        value = self.start + self.per_decade * decades + self.per_doubling * doublings + self.bend * doublings**2
        for part in parts:
            at_10k, slope = {"shortest": self.shortest, "longest": self.longest}.get(part.rule, (0.0, 0.0))
            value += (at_10k + slope * decades) * part.size / recipe["examples"]
        return value + (self.mixture if len(parts) > 1 else 0.0) + self.luck * luck


@dataclass(frozen=True)
class Truth:
    """A model before anything is measured: Pass@1, Pass@LARGE_K, what RL reaches at its end (each averaged over all
    benchmarks), and loss in nats per token.
    """

    after_sft: float
    large_k: float
    after_rl: float
    loss: float

    def shifted(self, by: "Truth") -> "Truth":
        """Both added."""
        return Truth(*(one + other for one, other in zip(astuple(self), astuple(by), strict=True)))


@dataclass(frozen=True)
class Family:
    """A base model, and the curves of what SFT makes of it.

    `other_pools` is what SFT sets other than the family's usual one add.
    """

    base: Truth
    after_sft: Curve
    large_k: Curve
    after_rl: Curve
    loss: Curve
    other_pools: Mapping[str, Truth] = field(default_factory=dict)


FAMILIES = {
    # Shortest traces raise Pass@1 at once and the outcome little; repeating does the same.
    "llama3-8b-instruct": Family(
        base=Truth(0.205, 0.480, 0.275, 0.860),
        after_sft=Curve(0.235, 0.050, 0.022, -0.0025, (0.032, -0.002), (-0.028, 0.010), 0.010, 0.006),
        large_k=Curve(0.567, 0.098, 0.030, -0.0130, (-0.030, -0.009), (-0.012, 0.015), 0.018, 0.012),
        after_rl=Curve(0.345, 0.065, 0.024, -0.0080, (-0.020, -0.006), (-0.008, 0.010), 0.012, 0.006),
        loss=Curve(0.640, -0.062, -0.024, 0.0098, (0.060, 0.0), (0.040, 0.0), -0.010, 0.008),
        other_pools={
            "acereason": Truth(-0.010, 0.010, 0.010, 0.020),
            "openr1-math": Truth(0.005, 0.000, 0.004, -0.030),
        },
    ),
    # A dip below the base model before the shortest traces help.
    "mistral-nemo-12b-instruct": Family(
        base=Truth(0.215, 0.540, 0.330, 0.930),
        after_sft=Curve(0.245, 0.066, 0.034, -0.0055, (-0.050, 0.022), (-0.040, 0.010), 0.010, 0.008),
        large_k=Curve(0.575, 0.123, 0.010, -0.0260, (-0.070, -0.018), (-0.006, 0.027), 0.015, 0.008),
        after_rl=Curve(0.350, 0.082, 0.030, -0.0120, (-0.050, -0.012), (-0.004, 0.018), 0.010, 0.004),
        loss=Curve(0.710, -0.070, -0.026, 0.0104, (0.060, 0.0), (0.030, 0.0), -0.010, 0.015),
    ),
    # Much better after SFT and no better after RL, whatever the traces; only the longest help.
    "qwen3-4b-base": Family(
        base=Truth(0.330, 0.830, 0.565, 0.780),
        after_sft=Curve(0.400, 0.042, 0.018, -0.0030, (0.030, -0.010), (-0.020, 0.0), 0.010, 0.006),
        large_k=Curve(0.810, 0.006, -0.012, -0.0020, (-0.025, 0.005), (0.030, 0.0), 0.025, 0.008),
        after_rl=Curve(0.555, 0.002, -0.010, -0.0010, (-0.020, 0.004), (0.030, 0.0), 0.025, 0.005),
        loss=Curve(0.600, -0.050, -0.020, 0.0090, (0.050, 0.0), (0.030, 0.0), -0.010, 0.006),
    ),
}  # fmt: skip


def truth(recipe: Mapping, generator: np.random.Generator) -> Truth:
    """The truth about the model of a row of the run sheet.

    Raises
    ------
    UserError
        a base model or an SFT set the simulation has no curves for.
    """
    for key, there in (("model", FAMILIES), ("sft_dataset", POOLS)):
        if recipe[key] not in there:
            raise UserError(f"the simulation has no {key} {recipe[key]}; it has {', '.join(there)}")
    family = FAMILIES[recipe["model"]]
    change = family.other_pools.get(recipe["sft_dataset"], Truth(0.0, 0.0, 0.0, 0.0))
    if recipe["subset"] == BASE:
        # It has seen none of the traces: only its loss depends on whose they are.
        return family.base.shifted(replace(Truth(0.0, 0.0, 0.0, 0.0), loss=change.loss))
    curves = (family.after_sft, family.large_k, family.after_rl, family.loss)
    luck = generator.normal(size=len(curves))
    return Truth(*(curve.at(recipe, one) for curve, one in zip(curves, luck, strict=True))).shifted(change)


def sft_tokens(recipe: Mapping) -> int:
    """Tokens trained on, all epochs together: traces are between short and the cutoff, and a rule picks from an end."""
    pool = POOLS[recipe["sft_dataset"]]
    return round(
        sum(part.size * pool.mean_of(part.rule, part.size) for part in parse_subset(recipe["subset"]))
        * recipe["epochs"]
    )


def sft_steps(recipe: Mapping) -> int:
    """Optimizer steps, all epochs together."""
    return round(math.ceil(recipe["examples"] / GLOBAL_BATCH) * recipe["epochs"])


def rates(recipe: Mapping, score: float) -> dict[str, float]:
    """Shares of responses without an answer, and their mean length: responses are as long as the traces trained on.

    Parameters
    ----------
    score
        Pass@1: wrong responses are the ones that run into the limit.
    """
    parts = parse_subset(recipe["subset"])
    pool = POOLS[recipe["sft_dataset"]]
    traces = sum(part.size * pool.mean_of(part.rule, part.size) for part in parts)
    tokens = traces / recipe["examples"] if parts else SHORTEST_TOKENS
    truncated = 0.5 * (1 - score) * tokens / CUTOFF_TOKENS
    return {
        "truncated": truncated,
        "no_answer": truncated + 0.02 * (1 - score),
        "timeout": 0.0002,
        "unparsable": 0.001,
        "mean_tokens": tokens * (1.2 - score) + truncated * (CUTOFF_TOKENS - tokens),
    }
