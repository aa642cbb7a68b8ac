"""The demo's world: chains of additions and subtractions, and reasoning traces of three styles.

A problem is `What is 3 + 8 - 5 + 1?`. Its traces differ in length but not in kind:

- answer only: `\\boxed{7}`
- step by step: one line per operation, then the answer;
- checked: step by step, then `Check:` and the steps once more. In some, the first pass slips and the check mends it.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from quagmires.config.schema import Config

OPERANDS = (3, 5)
LARGEST_OPERAND = 6
# A first pass that slips in this share of checked traces: enough that the check is worth something.
SLIP_RATE = 0.2
# A hasty guess is off by at most this much, so that it is right in one case of nine.
LARGEST_HASTY_ERROR = 4


@dataclass(frozen=True)
class Chain:
    """`operands[0] signs[0] operands[1] ...`, evaluated from left to right; signs are +1 or -1."""

    operands: tuple[int, ...]
    signs: tuple[int, ...]

    def __str__(self) -> str:
        tail = "".join(f" {symbol(s)} {x}" for s, x in zip(self.signs, self.operands[1:], strict=True))
        return f"{self.operands[0]}{tail}"

    @property
    def problem(self) -> str:
        return f"What is {self}?"

    @property
    def answer(self) -> int:
        return self.operands[0] + sum(s * x for s, x in zip(self.signs, self.operands[1:], strict=True))


def symbol(sign: int) -> str:
    """`+` or `-`."""
    return "+" if sign > 0 else "-"


def draw_chain(rng: random.Random, operands: tuple[int, int] = OPERANDS) -> Chain:
    """A random chain with a number of operands in the closed range `operands`."""
    count = rng.randint(*operands)
    return Chain(
        tuple(rng.randint(1, LARGEST_OPERAND) for _ in range(count)),
        tuple(rng.choice((1, -1)) for _ in range(count - 1)),
    )


def draw_distinct(
    rng: random.Random, count: int, taken: set[Chain], operands: tuple[int, int] = OPERANDS
) -> list[Chain]:
    """`count` chains, none of them in `taken`; they are added to `taken`.

    Raises
    ------
    ValueError
        There are not enough different chains.
    """
    chains: list[Chain] = []
    misses = 0
    while len(chains) < count:
        chain = draw_chain(rng, operands)
        if chain in taken:
            misses += 1
            if misses > 1000 + 100 * count:
                raise ValueError(f"only {len(chains)} of {count} different chains with {operands} operands are left")
            continue
        taken.add(chain)
        chains.append(chain)
    return chains


def steps(chain: Chain, slip_at: int | None = None, slip: int = 0) -> tuple[list[str], int]:
    """The lines of a step-by-step solution and its result; step `slip_at` is off by `slip`."""
    value = chain.operands[0]
    lines = []
    for position, (sign, operand) in enumerate(zip(chain.signs, chain.operands[1:], strict=True)):
        result = value + sign * operand + (slip if position == slip_at else 0)
        lines.append(f"{value} {symbol(sign)} {operand} = {result}")
        value = result
    return lines, value


def boxed(value: int) -> str:
    """`\\boxed{value}`."""
    return f"\\boxed{{{value}}}"


def answer_only(chain: Chain, rng: random.Random) -> str:
    """The right answer and nothing else."""
    return boxed(chain.answer)


def step_by_step(chain: Chain, rng: random.Random) -> str:
    """Right steps, right answer."""
    lines, value = steps(chain)
    return "\n".join([*lines, boxed(value)])


def checked(chain: Chain, rng: random.Random) -> str:
    """Two passes; the first may slip, the second is right."""
    slips = rng.random() < SLIP_RATE
    slip_at = rng.randrange(len(chain.signs)) if slips else None
    first, _ = steps(chain, slip_at, rng.choice((-2, -1, 1, 2)))
    second, value = steps(chain)
    return "\n".join([*first, "Check:", *second, boxed(value)])


def hasty_guess(chain: Chain, rng: random.Random) -> str:
    """An answer without steps, near the right one and mostly wrong: the base model's bad habit."""
    return boxed(chain.answer + rng.randint(-LARGEST_HASTY_ERROR, LARGEST_HASTY_ERROR))


# Benchmarks of rising difficulty, by their number of operands; and the files of a world.
BENCHMARKS = {"easy": (3, 3), "medium": (4, 4), "hard": (5, 5)}
POOL_FILE, RL_FILE, BASE_FILE = "sft_pool.jsonl", "rl.jsonl", "base.jsonl"
STYLES = {"answer-only": answer_only, "step-by-step": step_by_step, "checked": checked}


def pool_rows(chains: Iterable[Chain], rng: random.Random) -> list[dict[str, str]]:
    """One trace of each style for every problem, in random order."""
    rows = [
        {
            "id": f"sft-{number}-{style}",
            "problem": chain.problem,
            "response": write(chain, rng),
            "answer": str(chain.answer),
            "style": style,
        }
        for number, chain in enumerate(chains)
        for style, write in STYLES.items()
    ]
    rng.shuffle(rows)
    return rows


def benchmark_file(name: str) -> str:
    """The file of a benchmark of the world."""
    return f"benchmark_{name}.jsonl"


def file_rows(sft_problems: int, rl_problems: int, benchmark_problems: int) -> dict[str, int]:
    """File name -> number of rows, for every file of a world that an experiment can name."""
    return {
        POOL_FILE: sft_problems * len(STYLES),
        RL_FILE: rl_problems,
        **{benchmark_file(name): benchmark_problems for name in BENCHMARKS},
    }


def problem_rows(prefix: str, chains: Iterable[Chain]) -> list[dict[str, str]]:
    """Problems with their answers, for RL and for benchmarks."""
    return [
        {"id": f"{prefix}-{number}", "problem": chain.problem, "answer": str(chain.answer)}
        for number, chain in enumerate(chains)
    ]


def base_rows(count: int, careful_share: float, forbidden: set[Chain], rng: random.Random) -> list[dict[str, str]]:
    """What the base model is pre-trained on: careful solutions and, mostly, hasty guesses.

    Problems may repeat, as in a pre-training corpus, but none of `forbidden` is among them.
    """
    rows: list[dict[str, str]] = []
    while len(rows) < count:
        chain = draw_chain(rng)
        if chain in forbidden:
            continue
        # The two careful styles are equally common, so that SFT can favour either without teaching it from nothing.
        careful = rng.choice((step_by_step, checked))
        write = careful if rng.random() < careful_share else hasty_guess
        rows.append({"problem": chain.problem, "response": write(chain, rng)})
    return rows


def made_files(config: Config) -> dict[str, int]:
    """The data files that the demo's world will hold, with their rows, and its base model (0 rows); none without it."""
    world = config.arithmetic_world
    if world is None:
        return {}
    data = f"results/{config.experiment}/data"
    rows = file_rows(world.sft_problems, world.rl_problems, world.benchmark_problems)
    return {**{f"{data}/world/{name}": count for name, count in rows.items()}, f"{data}/base_model": 0}
