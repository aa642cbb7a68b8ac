"""Contamination: which benchmark problems stand in an SFT or RL set, word for word or nearly so."""

import contextlib
import functools
import hashlib
import multiprocessing
import re
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import NamedTuple

from quagmires.common.errors import UserError
from quagmires.config.gold_rules import Gold
from quagmires.config.task_names import MATH
from quagmires.evaluation.contamination.ngrams import MIN_WORDS, NgramIndex, exact_key, plain, words
from quagmires.grading.task import find_task
from quagmires.grading.verdicts import RIGHT

NGRAM = 13
# For rewordings, which break long n-grams: short ones are proof only where the answers agree too.
SHORT_NGRAM = 5
COVERAGE = 0.5
BATCH = 2_000
EXACT, NGRAM_OVERLAP, REWORDED = "exact", "ngram", "reworded"
# Everybody's answer to a multiple-choice question.
_OPTION = re.compile(r"\(?[a-zA-Z]\)?")


Ngram = tuple[str, ...]


class Problem(NamedTuple):
    """A benchmark's problem."""

    benchmark: str
    id: str
    text: str
    answer: str


class Row(NamedTuple):
    """A row of a training set; `answer` is None where the set has none."""

    id: str
    text: str
    answer: str | None


class Pair(NamedTuple):
    """A benchmark problem and a training problem that are the same, or nearly.

    `coverage` is the share of the benchmark problem's distinct n-grams that the training problem has: 13-grams, or
    5-grams if reworded; 1 if exact. `rows` counts the training rows with this very text; `row` is the first of them.
    `task` is the name of the kind of both problems.
    """

    problem: Problem
    row: Row
    match: str
    coverage: float
    rows: int
    task: str = MATH

    @property
    def answer_match(self) -> bool | None:
        """Whether the answers have one value, as far as it shows without a worker; None where the row has no answer."""
        if self.row.answer is None:
            return None
        compare = find_task(self.task).compare
        gold = Gold.from_text(self.problem.answer)
        return any(compare(gold, answer, None) in RIGHT for answer in Gold.from_text(self.row.answer).accepted)


class Scan(NamedTuple):
    """Pairs in the order of the training set, then of the benchmarks, and what was read to find them."""

    pairs: list[Pair]
    rows: int
    distinct_problems: int


class Match(NamedTuple):
    """Position of a text in a batch and of a problem in the benchmarks, and how they match."""

    text: int
    problem: int
    match: str
    coverage: float


class Matcher:
    """Benchmark problems, indexed to be looked up in batches of training problems.

    A problem of at least `NGRAM` words is found where `COVERAGE` of its distinct n-grams are. One of `MIN_WORDS` to
    `NGRAM` - 1 words is a single n-gram, found where it stands whole, operators included. Either is also found where
    `COVERAGE` of its distinct `SHORT_NGRAM`-grams are and the answers agree. A shorter problem is found only where it
    is the training problem.
    """

    def __init__(self, problems: Sequence[Problem], task: str = MATH) -> None:
        self._task = task
        texts = [plain(problem.text) for problem in problems]
        documents = [words(text) for text in texts]
        self._keys = [exact_key(text) for text in texts]
        # Words glued together do not depend on white space: few training problems need the dearer key.
        self._by_letters: dict[str, list[int]] = {}
        for number, document in enumerate(documents):
            self._by_letters.setdefault("".join(document), []).append(number)
        self._long = NgramIndex(documents, NGRAM)
        self._short_words = [document if MIN_WORDS <= len(document) < NGRAM else [] for document in documents]
        self._short = NgramIndex([document[:MIN_WORDS] for document in self._short_words], MIN_WORDS)
        self._by_answer: dict[str, dict[Ngram, list[int]]] = {}
        self._short_sizes = [self._index_by_answer(*item) for item in enumerate(zip(problems, documents, strict=True))]

    def _index_by_answer(self, number: int, item: tuple[Problem, list[str]]) -> int:
        problem, document = item
        answer = _telling_answer(problem.answer, self._task)
        if answer is None or len(document) < MIN_WORDS:
            return 0
        grams = set(_ngrams(document, SHORT_NGRAM))
        for gram in grams:
            self._by_answer.setdefault(answer, {}).setdefault(gram, []).append(number)
        return len(grams)

    def matches(self, rows: Sequence[tuple[str, str | None]]) -> list[Match]:
        """All matches of a batch of training problems, given as (text, answer), by text, then by problem.

        A pair that matches in several ways is reported as exact before ngram before reworded.
        """
        texts = [plain(text) for text, _ in rows]
        text_words = [words(text) for text in texts]
        found = {(m.text, m.problem): m for m in self._reworded(text_words, [answer for _, answer in rows])}
        found |= {(m.text, m.problem): m for m in self._overlapping(texts, text_words)}
        found |= {(m.text, m.problem): m for m in self._exact(texts, text_words)}
        return [found[place] for place in sorted(found)]

    def _exact(self, texts: Sequence[str], text_words: Sequence[list[str]]) -> Iterator[Match]:
        for text, its_words in enumerate(text_words):
            if numbers := self._by_letters.get("".join(its_words)):
                key = exact_key(texts[text])
                yield from (Match(text, number, EXACT, 1.0) for number in numbers if self._keys[number] == key)

    def _overlapping(self, texts: Sequence[str], text_words: Sequence[list[str]]) -> Iterator[Match]:
        for text, counts in self._long.shared(text_words).items():
            for problem, count in counts.items():
                coverage = count / self._long.sizes[problem]
                if coverage >= COVERAGE:
                    yield Match(text, problem, NGRAM_OVERLAP, coverage)
        for text, counts in self._short.shared(text_words).items():
            key = exact_key(texts[text])
            for problem in counts:
                if self._keys[problem] in key and _contains(text_words[text], self._short_words[problem]):
                    yield Match(text, problem, NGRAM_OVERLAP, 1.0)

    def _reworded(self, text_words: Sequence[list[str]], row_answers: Sequence[str | None]) -> Iterator[Match]:
        for text, (its_words, row_answer) in enumerate(zip(text_words, row_answers, strict=True)):
            answer = None if row_answer is None else _telling_answer(row_answer, self._task)
            owners = None if answer is None else self._by_answer.get(answer)
            if owners is None:
                continue
            grams = {gram for gram in _ngrams(its_words, SHORT_NGRAM) if gram in owners}
            counts = Counter(problem for gram in grams for problem in owners[gram])
            for problem, count in counts.items():
                coverage = count / self._short_sizes[problem]
                if coverage >= COVERAGE:
                    yield Match(text, problem, REWORDED, coverage)


@functools.lru_cache(maxsize=10_000)
def _telling_answer(answer: str, task: str) -> str | None:
    """The answer's canonical form, or None for the letter of an option. The first of several spellings."""
    value = find_task(task).canonical(Gold.from_text(answer).accepted[0])
    return None if _OPTION.fullmatch(value) else value


def _ngrams(text: Sequence[str], n: int) -> Iterator[Ngram]:
    return zip(*(text[offset:] for offset in range(n)), strict=False)


def _contains(text: Sequence[str], part: Sequence[str]) -> bool:
    return f" {' '.join(part)} " in f" {' '.join(text)} "


def scan(rows: Iterable[Row], problems: Sequence[Problem], workers: int, batch: int = BATCH, task: str = MATH) -> Scan:
    """Find the benchmark problems among the rows of a training set, each distinct text looked at once.

    The problems, and the answers of the rows, are of the kind that `task` names.
    The rows are streamed; what is kept is one digest and one count for each distinct text. The result depends
    neither on `workers` nor on `batch`.

    Raises
    ------
    UserError
        A worker process died.
    """
    seen: dict[bytes, int] = {}
    counts = array("q")

    def first_occurrences() -> Iterator[tuple[int, Row]]:
        for row in rows:
            digest = hashlib.blake2b(row.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            number = seen.setdefault(digest, len(counts))
            if number < len(counts):
                counts[number] += 1
            else:
                counts.append(1)
                yield number, row

    found: list[tuple[int, Row, Match]] = []
    with _matching(problems, workers, task) as match:
        for numbered, matches in match(_batches(first_occurrences(), batch)):
            found.extend((*numbered[place.text], place) for place in matches)
    pairs = [
        Pair(problems[place.problem], row, place.match, place.coverage, counts[number], task)
        for number, row, place in found
    ]
    return Scan(pairs, sum(counts), len(counts))


Batch = list[tuple[int, Row]]


def _batches(rows: Iterator[tuple[int, Row]], size: int) -> Iterator[Batch]:
    # As itertools.batched of Python 3.12.
    while batch := list(islice(rows, size)):
        yield batch


def _texts(batch: Batch) -> list[tuple[str, str | None]]:
    return [(row.text, row.answer) for _, row in batch]


@contextlib.contextmanager
def _matching(
    problems: Sequence[Problem], workers: int, task: str
) -> Iterator[Callable[[Iterable[Batch]], Iterator[tuple[Batch, list[Match]]]]]:
    """A function from batches to (batch, its matches), in order, run in this process or in `workers` others."""
    if workers < 1:
        raise UserError(f"workers: {workers} is too few; give at least 1")
    if workers == 1:
        matcher = Matcher(problems, task)
        yield lambda batches: ((batch, matcher.matches(_texts(batch))) for batch in batches)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_set_matcher, initargs=(list(problems), task)) as pool:
        yield lambda batches: _in_order(pool, batches, ahead=workers + 2)


def _in_order(pool: ProcessPoolExecutor, batches: Iterable[Batch], ahead: int) -> Iterator[tuple[Batch, list[Match]]]:
    """Results in the order of the batches, with at most `ahead` batches in memory."""
    waiting: deque[tuple[Batch, Future[list[Match]]]] = deque()
    try:
        for batch in batches:
            waiting.append((batch, pool.submit(_matches, _texts(batch))))
            if len(waiting) == ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
    except BrokenProcessPool:
        raise UserError("contamination: a worker process was killed, likely for memory; use fewer --workers") from None


# One a worker process: sending the index with every batch would cost more than the search.
_matcher: Matcher | None = None


def _set_matcher(problems: Sequence[Problem], task: str) -> None:
    global _matcher
    _matcher = Matcher(problems, task)


def _matches(rows: Sequence[tuple[str, str | None]]) -> list[Match]:
    assert _matcher is not None
    return _matcher.matches(rows)
