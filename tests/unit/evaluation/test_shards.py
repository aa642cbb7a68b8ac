from pathlib import Path

from quagmires.evaluation.shards import plan, request_seed


def test_more_samples_only_add_shards():
    before, after = plan(["a", "b"], 64, 16), plan(["a", "b"], 256, 16)
    assert set(before) < set(after)
    assert len(before) == 8
    assert sum(shard.repetitions for shard in after if shard.benchmark == "a") == 256


def test_an_evaluation_is_its_own_shards_and_no_others():
    for samples in (20, 32, 64):
        shards = plan(["a"], samples, 16)
        drawn = [repetition for shard in shards for repetition in range(shard.first, shard.last + 1)]
        assert drawn == list(range(samples))
    assert plan(["a"], 20, 16)[0] in plan(["a"], 32, 16)


def test_the_last_block_may_be_smaller():
    assert [(shard.first, shard.last) for shard in plan(["a"], 20, 16)] == [(0, 15), (16, 19)]


def test_paths_sort_in_order_of_repetitions():
    paths = [str(shard.path(Path("eval"))) for shard in plan(["a"], 256, 16)]
    assert paths == sorted(paths)
    assert len(set(paths)) == 16


def test_seeds_differ_by_everything_that_identifies_a_request():
    base = (42, "m/base/sft", "easy", "p1", 0)
    others = [
        (43, *base[1:]),
        (42, "other", *base[2:]),
        (42, "m/base/sft", "hard", "p1", 0),
        (*base[:3], "p2", 0),
        (*base[:4], 16),
    ]
    seeds = {request_seed(*one) for one in [base, *others]}
    assert len(seeds) == 6
    assert request_seed(*base) == request_seed(*base)
    assert all(0 <= seed < 2**48 for seed in seeds)
