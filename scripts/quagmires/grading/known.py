"""Verdicts that a grader remembers: of the pairs that it met last, in memory that does not grow with their length."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping

# Pairs remembered, about 250 bytes each; a long GRPO run meets millions of answers.
MOST_KNOWN = 500_000


def pair_key(task: str, gold: str, answer: str) -> bytes:
    """A hash of a pair of gold and answer, 16 bytes: an answer may be long, and a million of them many."""
    # 128 bits: answers are made by models, which nobody should be able to teach a collision.
    text = f"{task}\0{len(gold)}\0{gold}{answer}"
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


class KnownVerdicts:
    """Verdicts by key of the pair; beyond `most` of them, those that nobody asked for longest are forgotten.

    Safe to use from threads.

    >>> known = KnownVerdicts(most=2)
    >>> known.add({b"a": "exact", b"b": "different"})
    >>> known.get(b"a"), known.add({b"c": "exact"}), known.get(b"b"), known.get(b"a")
    ('exact', None, None, 'exact')
    """

    def __init__(self, most: int = MOST_KNOWN) -> None:
        self._most = most
        self._reasons: OrderedDict[bytes, str] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> str | None:
        """The verdict on a pair; None if it is not known (any more)."""
        with self._lock:
            reason = self._reasons.get(key)
            if reason is not None:
                self._reasons.move_to_end(key)
            return reason

    def add(self, reasons: Mapping[bytes, str]) -> None:
        """Remember verdicts."""
        with self._lock:
            for key, reason in reasons.items():
                self._reasons[key] = reason
                self._reasons.move_to_end(key)
            while len(self._reasons) > self._most:
                self._reasons.popitem(last=False)

    def __len__(self) -> int:
        return len(self._reasons)
