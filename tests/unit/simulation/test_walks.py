import json
import random
import re

import pytest

from quagmires.grading.math.extraction import extract_answer
from quagmires.simulation import walks
from support import INSTRUCTION, script

WORLD = ("--seed", 7, "--moves", 40, "--sft-problems", 60, "--rl-problems", 40, "--benchmark-problems", 10,
         "--base-examples", 300, "--careful-share", 0.4, "--instruction", INSTRUCTION)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> walks.World:
    return walks.World(40, seed=3)


def drawn(world: walks.World, count: int, kind: walks.Kind = walks.POOL) -> list[walks.Walk]:
    rng = random.Random(1)
    return [world.draw(rng, kind) for _ in range(count)]


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_trace_ends_in_the_right_answer(world):
    for walk in drawn(world, 200):
        for write in walks.STYLES.values():
            assert extract_answer(write(world, walk, random.Random(1))) == world.answer(walk)


def test_each_line_of_a_trace_leads_on_from_the_line_before(world):
    """Read by a pattern, against the displacements of the world."""
    brief = 0
    for walk in drawn(world, 200):
        for style, write in walks.STYLES.items():
            *lines, _ = write(world, walk, random.Random(1)).splitlines()
            at, moves = walk.start, []
            for line in lines:
                found = re.fullmatch(r"- ([A-Za-z ]+?)(?: \(([+-]\d),([+-]\d)\):)? \((\d+),(\d+)\)", line)
                names = found[1].split()
                for name in names:
                    at = tuple(a + b for a, b in zip(at, world.displacement[name], strict=True))
                assert at == (int(found[4]), int(found[5]))
                assert (found[2] is not None) == (style == "explicit")
                if found[2]:
                    assert (int(found[2]), int(found[3])) == world.displacement[names[0]]
                assert len(names) == 1 or (style == "brief" and len(names) == 2)
                brief += len(names) == 2
                moves += names
            assert tuple(moves) == walk.moves
    assert brief > 100


def test_guesses_are_nearly_always_wrong(world):
    rng = random.Random(1)
    pairs = [(walk, walks.guess(world, walk, rng)) for walk in drawn(world, 5000)]
    right = sum(extract_answer(text) == world.answer(walk) for walk, text in pairs)
    assert 0 < right < 5000 / 200


def test_moves_are_as_rare_as_their_ranks_say_and_evenly_drawn_ones_are_not(world):
    def most_and_least(kind: walks.Kind) -> tuple[int, int]:
        moves = [move for walk in drawn(world, 3000, kind) for move in walk.moves]
        return moves.count(world.names[0]), moves.count(world.names[-1])

    common, rare = most_and_least(walks.Kind((2, 2), 0.0))
    assert common > 20 * rare > 0
    common, rare = most_and_least(walks.Kind((2, 2), 1.0))
    assert common < 2 * rare


def test_places_stay_on_the_grid_of_two_digits():
    kinds = (walks.BASE, walks.POOL, walks.RL, *walks.BENCHMARKS.values())
    furthest = walks.REACH * max(kind.moves[1] for kind in kinds)
    assert walks.START[0] - furthest >= 0 and walks.START[1] + furthest <= walks.LARGEST


def test_no_set_shares_a_problem_with_another(tmp_path):
    script("make_walk_world.py", "--output", tmp_path / "world", *WORLD)
    folder = tmp_path / "world"
    problems = {name: {row["problem"] for row in rows(folder / f"{name}.jsonl")} for name in
                ("sft_pool", "rl", "benchmark_easy", "benchmark_medium", "benchmark_hard")}  # fmt: skip
    names = list(problems)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert not problems[one] & problems[other], (one, other)
    base = {row["prompt"].removesuffix(f" {INSTRUCTION}") for row in rows(folder / "base.jsonl")}
    for name in names[2:]:
        assert not base & problems[name]
    assert len(rows(folder / "sft_pool.jsonl")) == 180


def test_the_world_depends_on_the_seed_alone(tmp_path):
    for name in ("one", "two"):
        script("make_walk_world.py", "--output", tmp_path / name, *WORLD)
    script("make_walk_world.py", "--output", tmp_path / "other", *WORLD[:1], 8, *WORLD[2:])
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert (tmp_path / "one" / "rl.jsonl").read_bytes() != (tmp_path / "other" / "rl.jsonl").read_bytes()


def test_more_walks_than_there_are_cannot_be_drawn(world):
    with pytest.raises(ValueError, match=r"only \d+ of 5000 different walks"):
        walks.World(5, seed=1).draw_distinct(random.Random(1), walks.Kind((1, 1), 1.0), 5000, set())


def test_traces_of_one_problem_differ_clearly_in_length(world):
    for walk in drawn(world, 50, walks.Kind((5, 5), 0.5)):
        short, middle, long = (len(write(world, walk, random.Random(3))) for write in walks.STYLES.values())
        assert short < middle < 0.8 * long
