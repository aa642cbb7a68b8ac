"""Which samples exist and which are still to be drawn: a shard is one benchmark and one block of repetitions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shard:
    """Repetitions `first` to `last` (both included, counted from 0) of every problem of a benchmark."""

    benchmark: str
    first: int
    last: int

    @property
    def repetitions(self) -> int:
        return self.last - self.first + 1

    def path(self, evaluation: Path) -> Path:
        """The shard's file below a checkpoint's eval folder."""
        return evaluation / self.benchmark / "samples" / f"repetitions{self.first:05}-{self.last:05}.parquet"


def plan(benchmarks: Iterable[str], samples: int, block: int) -> list[Shard]:
    """All shards of `samples` repetitions in blocks of `block`; the last may be smaller.

    Blocks start at multiples of `block`, so that a larger `samples` adds shards and keeps every full one.
    """
    return [
        Shard(benchmark, first, min(first + block, samples) - 1)
        for first in range(0, samples, block)
        for benchmark in benchmarks
    ]


def request_seed(seed: int, checkpoint: str, benchmark: str, problem_id: str, first: int) -> int:
    """The seed of one problem's block of repetitions: independent of the order of work and of other shards.

    vLLM gives repetition i of the block this seed plus i.
    """
    key = f"{seed}\0{checkpoint}\0{benchmark}\0{problem_id}\0{first}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:6], "big")
