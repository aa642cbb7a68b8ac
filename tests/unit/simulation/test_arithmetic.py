import json
import random

from quagmires.grading.math.extraction import extract_answer
from quagmires.simulation import arithmetic
from support import INSTRUCTION, script

WORLD = ("--seed", 7, "--sft-problems", 60, "--rl-problems", 40, "--benchmark-problems", 10, "--base-examples", 300,
         "--careful-share", 0.4, "--instruction", INSTRUCTION)  # fmt: skip


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_trace_ends_in_the_right_answer_and_steps_add_up():
    rng = random.Random(1)
    for _ in range(200):
        chain = arithmetic.draw_chain(rng)
        for write in arithmetic.STYLES.values():
            assert extract_answer(write(chain, rng)) == str(chain.answer)
        for line in arithmetic.step_by_step(chain, rng).splitlines()[:-1]:
            left, right = line.split(" = ")
            first, sign, second = left.split()
            assert int(first) + (1 if sign == "+" else -1) * int(second) == int(right)


def test_some_checked_traces_correct_themselves():
    rng = random.Random(1)
    corrected = 0
    for _ in range(200):
        chain = arithmetic.draw_chain(rng)
        first, second = arithmetic.checked(chain, rng).split("\nCheck:\n")
        corrected += first.splitlines() != second.splitlines()[:-1]
    assert 20 < corrected < 80


def test_hasty_guesses_are_mostly_wrong():
    rng = random.Random(1)
    chains = [arithmetic.draw_chain(rng) for _ in range(900)]
    right = sum(extract_answer(arithmetic.hasty_guess(chain, rng)) == str(chain.answer) for chain in chains)
    assert 60 < right < 140


def test_no_set_shares_a_problem_with_another(tmp_path):
    script("make_arithmetic_world.py", "--output", tmp_path / "world", *WORLD)
    world = tmp_path / "world"
    problems = {name: {row["problem"] for row in rows(world / f"{name}.jsonl")} for name in
                ("sft_pool", "rl", "benchmark_easy", "benchmark_medium", "benchmark_hard")}  # fmt: skip
    names = list(problems)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            assert not problems[one] & problems[other], (one, other)
    base = {row["prompt"].removesuffix(f" {INSTRUCTION}") for row in rows(world / "base.jsonl")}
    for name in names[2:]:
        assert not base & problems[name]
    assert len(rows(world / "sft_pool.jsonl")) == 180
    hard, easy = (max(len(problem) for problem in problems[f"benchmark_{name}"]) for name in ("hard", "easy"))
    assert hard > easy


def test_the_world_depends_on_the_seed_alone(tmp_path):
    for name in ("one", "two"):
        script("make_arithmetic_world.py", "--output", tmp_path / name, *WORLD)
    script("make_arithmetic_world.py", "--output", tmp_path / "other", *WORLD[:1], 8, *WORLD[2:])
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert (tmp_path / "one" / "rl.jsonl").read_bytes() != (tmp_path / "other" / "rl.jsonl").read_bytes()


def test_traces_of_one_problem_differ_clearly_in_length():
    rng = random.Random(1)
    for _ in range(50):
        chain = arithmetic.draw_chain(rng)
        short, middle, long = (len(write(chain, rng)) for write in arithmetic.STYLES.values())
        assert 2 * short < middle < 0.7 * long
