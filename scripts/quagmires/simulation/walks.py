"""The demo's world: walks on a grid by named moves, and reasoning traces of three styles.

A problem is `Start at (12,15). Go Kado Mila Nuro.`; its answer is the place where the walk ends. What a name does, say
two to the right and three down, is a fact to be known, and nothing in the problem tells it. It can be failed in two
ways. A model may *guess* the place and not walk there, which a little training can change. Or it may *not know* a name,
which trying hardly makes good: of 80 displacements one is right, and a guess of the place once in 625. The base model
meets names by a power law over their ranks, so it knows few of them well; one that it hardly met it takes for another.

The traces of a problem differ in length:

- brief: most moves are taken two at a time, `- Kado Mila (15,15)`;
- plain: one line for each move, `- Kado (14,12)`;
- explicit: each line says what the move does, `- Kado (+2,-3): (14,12)`.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from quagmires.config.schema import Config

Place = tuple[int, int]
# A move changes each coordinate by at most this much.
REACH = 4
# Coordinates are in 0 to 99, so that every number is one token.
START = (20, 30)
LARGEST = 99
# A guess misses each coordinate by up to this much: right once in 625.
GUESS_ERROR = 12
# Moves that a brief trace takes together with the one before.
BRIEF_SHARE = 0.6
# How often moves occur in text that nobody chose: as the rank to this power.
RARITY = 1.8
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True)
class Walk:
    """A problem: where it starts, and the names of the moves in their order."""

    start: Place
    moves: tuple[str, ...]

    @property
    def problem(self) -> str:
        """What the model is asked."""
        return f"Start at {place(self.start)}. Go {' '.join(self.moves)}."


@dataclass(frozen=True)
class Kind:
    """A kind of problems: the range of their number of moves, and the share of moves that are drawn evenly.

    The rest are drawn as often as they occur in the base's training data, so the share says how much has to be known.
    """

    moves: tuple[int, int]
    even_share: float


# What the base is trained on, the SFT pool, the RL set, and benchmarks of rising difficulty.
BASE, POOL, RL = Kind((2, 5), 0.0), Kind((2, 5), 0.5), Kind((2, 5), 0.05)
BENCHMARKS = {"easy": Kind((3, 3), 0.04), "medium": Kind((4, 4), 0.05), "hard": Kind((5, 5), 0.06)}
POOL_FILE, RL_FILE, BASE_FILE = "sft_pool.jsonl", "rl.jsonl", "base.jsonl"


class World:
    """Names and their displacements; the first are met most often. It depends on the seed alone."""

    def __init__(self, moves: int, seed: int):
        rng = random.Random(seed)
        syllables = [a + b for a in CONSONANTS for b in VOWELS]
        names = rng.sample([(first + second).capitalize() for first in syllables for second in syllables], moves)
        self.displacement: dict[str, Place] = {name: _displacement(rng) for name in names}
        self.names = names
        # Summed up once: a world is made of a hundred thousand walks and more.
        self._shares = list(accumulate((rank + 1) ** -RARITY for rank in range(moves)))

    def draw(self, rng: random.Random, kind: Kind) -> Walk:
        """A random walk of a kind; no move occurs twice in it."""
        count = min(rng.randint(*kind.moves), len(self.names))
        moves: list[str] = []
        while len(moves) < count:
            even = rng.random() < kind.even_share
            [move] = rng.choices(self.names, cum_weights=None if even else self._shares)
            if move not in moves:
                moves.append(move)
        start = (rng.randint(*START), rng.randint(*START))
        return Walk(start, tuple(moves))

    def draw_distinct(self, rng: random.Random, kind: Kind, count: int, taken: set[Walk]) -> list[Walk]:
        """`count` walks, none of them in `taken`; they are added to `taken`.

        Raises
        ------
        ValueError
            There are not enough different walks.
        """
        walks: list[Walk] = []
        misses = 0
        while len(walks) < count:
            walk = self.draw(rng, kind)
            if walk in taken:
                misses += 1
                if misses > 1000 + 100 * count:
                    raise ValueError(f"only {len(walks)} of {count} different walks of {kind.moves} moves are left")
                continue
            taken.add(walk)
            walks.append(walk)
        return walks

    def places(self, walk: Walk) -> list[Place]:
        """Where each move leads."""
        at, visited = walk.start, []
        for move in walk.moves:
            step = self.displacement[move]
            at = (at[0] + step[0], at[1] + step[1])
            visited.append(at)
        return visited

    def answer(self, walk: Walk) -> str:
        """The place where the walk ends."""
        return place(self.places(walk)[-1])


def _displacement(rng: random.Random) -> Place:
    while True:
        found = (rng.randint(-REACH, REACH), rng.randint(-REACH, REACH))
        if any(found):
            return found


def place(at: Sequence[int]) -> str:
    """`(12,15)`."""
    return f"({at[0]},{at[1]})"


def boxed(answer: str) -> str:
    r"""`\boxed{answer}`."""
    return f"\\boxed{{{answer}}}"


def brief(world: World, walk: Walk, rng: random.Random) -> str:
    """Right, but most moves are taken together with the one before."""
    lines, held = [], []
    for number, (move, at) in enumerate(zip(walk.moves, world.places(walk), strict=True), 1):
        held.append(move)
        if number < len(walk.moves) and len(held) < 2 and rng.random() < BRIEF_SHARE:
            continue
        lines.append(f"- {' '.join(held)} {place(at)}")
        held = []
    return "\n".join([*lines, boxed(world.answer(walk))])


def plain(world: World, walk: Walk, rng: random.Random) -> str:
    """One line for each move."""
    lines = [f"- {move} {place(at)}" for move, at in zip(walk.moves, world.places(walk), strict=True)]
    return "\n".join([*lines, boxed(world.answer(walk))])


def explicit(world: World, walk: Walk, rng: random.Random) -> str:
    """One line for each move, which says what the move does before where it leads."""
    lines = [
        f"- {move} ({world.displacement[move][0]:+d},{world.displacement[move][1]:+d}): {place(at)}"
        for move, at in zip(walk.moves, world.places(walk), strict=True)
    ]
    return "\n".join([*lines, boxed(world.answer(walk))])


def guess(world: World, walk: Walk, rng: random.Random) -> str:
    """A place near the right one, hardly ever it: the base model's bad habit."""
    at = world.places(walk)[-1]
    return boxed(place([min(LARGEST, max(0, x + rng.randint(-GUESS_ERROR, GUESS_ERROR))) for x in at]))


Style = Callable[[World, Walk, random.Random], str]
STYLES: Mapping[str, Style] = {"brief": brief, "plain": plain, "explicit": explicit}
# How often the base's careful solutions are of each style: the plain one most, so that SFT can favour any.
STYLE_WEIGHTS = {"brief": 1, "plain": 2, "explicit": 1}


def pool_rows(world: World, walks: Iterable[Walk], rng: random.Random) -> list[dict[str, str]]:
    """One trace of each style for every problem, in random order."""
    rows = [
        {
            "id": f"sft-{number}-{style}",
            "problem": walk.problem,
            "response": write(world, walk, rng),
            "answer": world.answer(walk),
            "style": style,
        }
        for number, walk in enumerate(walks)
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


def problem_rows(prefix: str, world: World, walks: Iterable[Walk]) -> list[dict[str, str]]:
    """Problems with their answers, for RL and for benchmarks."""
    return [
        {"id": f"{prefix}-{number}", "problem": walk.problem, "answer": world.answer(walk)}
        for number, walk in enumerate(walks)
    ]


def base_rows(
    world: World, count: int, careful_share: float, forbidden: set[Walk], rng: random.Random
) -> list[dict[str, str]]:
    """What the base model is pre-trained on: careful solutions and guesses.

    Problems may repeat, as in a pre-training corpus, but none of `forbidden` is among them.
    """
    rows: list[dict[str, str]] = []
    while len(rows) < count:
        walk = world.draw(rng, BASE)
        if walk in forbidden:
            continue
        [style] = rng.choices([*STYLE_WEIGHTS], [*STYLE_WEIGHTS.values()])
        write = STYLES[style] if rng.random() < careful_share else guess
        rows.append({"problem": walk.problem, "response": write(world, walk, rng)})
    return rows


def made_files(config: Config) -> dict[str, int]:
    """The data files that the demo's world will hold, with their rows, and its base model (0 rows); none without it."""
    world = config.walk_world
    if world is None:
        return {}
    data = f"results/{config.experiment}/data"
    rows = file_rows(world.sft_problems, world.rl_problems, world.benchmark_problems)
    return {**{f"{data}/world/{name}": count for name, count in rows.items()}, f"{data}/base_model": 0}
