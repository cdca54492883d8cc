"""BM25 over SQLite's FTS5 for many chunks: what it holds of each term, read once and kept.

FTS5's own bm25() looks up the length of each row that holds a term: a microsecond a row, and at
100,000 chunks a question's words stand in tens of thousands. Here what each term adds to each
chunk comes from arrays that are kept for as long as the index stands still. The scores are
those of bm25(), and the filter is asked of the database for the best of them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from common.database import fill, statement
from rag.lexical.filters import visible_sql
from rag.lexical.terms import TermQuery, idf
from rag.types import Filters, Position

K1, B = 1.2, 0.75
HEADING_WEIGHT = 2
# What is kept may take so many bytes for each chunk of the index: 3 for a chunk and a term.
BYTES_A_CHUNK = 100
MIN_BYTES = 500_000
OVERHEAD_BYTES = 400  # of a term's own objects, so that words that nothing holds have a bound too
FIRST_LOOK = 2  # times the limit: as many of the best are first asked whether they may be seen
LOOK_GROWTH = 4
MAX_LOOK = 8_000  # SQLite takes 32,766 parameters.

# A table of the connection's own; FTS5 fills it from its index.
_OPEN = """CREATE VIRTUAL TABLE IF NOT EXISTS temp.rag_chunk_words_places
    USING fts5vocab('main', 'rag_chunk_words', 'instance')"""
# One text instead of a row for each place: a fifth of the time.
_PLACES = """SELECT group_concat(doc * 2 + (col = 'heading_path'))
    FROM temp.rag_chunk_words_places WHERE term = %s"""
_SIZES = "SELECT id, sz FROM rag_chunk_words_docsize ORDER BY id"
_VISIBLE = """SELECT c.key FROM rag_chunk c CROSS JOIN rag_document d ON d.id = c.document_id
    WHERE {visible} AND c.key IN ({marks})"""

MAX_NARROW = 0xFFFF
MAX_OFTEN = 0xFF

Keys = NDArray[np.int64]
Floats = NDArray[np.float32]
Hits = list[tuple[int, int, float]]
# Of those of some keys that it knows, whether a filter allows them.
See = Callable[[Sequence[int], Filters], dict[int, bool]]


class _Posting(NamedTuple):
    """Which chunks hold a term, and how often: by their place among the keys.

    `gaps` lead from one place to the next; a word in the headings counts as `HEADING_WEIGHT`.
    """

    gaps: NDArray[np.integer[Any]]
    often: NDArray[np.uint8]


class Postings:
    """The lexical index at one position; safe for any number of threads."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self.keys, lengths = _read_lengths()
        self._norms = (K1 * (1 - B + B * lengths / max(1.0, lengths.mean()))).astype(np.float32)
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, _Posting] = OrderedDict()
        self._bytes = 0

    def search(
        self, queries: Sequence[TermQuery], filters: Filters, limit: int, see: See | None = None
    ) -> tuple[Hits, dict[str, int]]:
        """As `rag.lexical.sqlite.search`."""
        hits: Hits = []
        frequencies: dict[str, int] = {}
        for turn, query in enumerate(queries):
            scores = np.zeros(len(self.keys), dtype=np.float32)
            for term in query.stored:
                posting = self._get(term)
                frequencies[term] = len(posting.gaps)
                self._add(posting, scores)
            found = self._best_visible(scores, filters, limit, see)
            hits += [(turn, key, score) for key, score in found]
        return hits, frequencies

    def _add(self, posting: _Posting, scores: Floats) -> None:
        """Add to `scores` what the term adds to each chunk that holds it: BM25."""
        slots = np.cumsum(posting.gaps, dtype=np.intp)
        often = posting.often.astype(np.float32)
        rarity = np.float32(idf(len(slots), len(self.keys)) * (K1 + 1))
        scores[slots] += rarity * often / (often + self._norms[slots])

    def _get(self, term: str) -> _Posting:
        with self._lock:
            known = self._kept.get(term)
            if known is not None:
                self._kept.move_to_end(term)
                return known
        return self._keep(term, self._read(term))

    def _keep(self, term: str, posting: _Posting) -> _Posting:
        with self._lock:
            if term not in self._kept:
                self._kept[term] = posting
                self._bytes += _size(posting)
            while self._bytes > max(MIN_BYTES, BYTES_A_CHUNK * len(self.keys)):
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return posting

    def _read(self, term: str) -> _Posting:
        with connection.cursor() as cursor:
            cursor.execute(_OPEN)
            cursor.execute(_PLACES, [term])
            text = cursor.fetchone()[0] or ""
        places = np.fromstring(text, dtype=np.int64, sep=",")
        keys, firsts = np.unique(places >> 1, return_index=True)
        if not len(keys):
            return _Posting(np.empty(0, np.uint16), np.empty(0, np.uint8))
        often = np.add.reduceat(1 + (HEADING_WEIGHT - 1) * (places & 1), firsts)
        slots = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        # What came after the lengths were read belongs to the next position.
        known = self.keys[slots] == keys
        gaps = np.diff(slots[known], prepend=0)
        narrow = np.uint16 if gaps.max(initial=0) <= MAX_NARROW else np.int32
        return _Posting(gaps.astype(narrow), often[known].clip(max=MAX_OFTEN).astype(np.uint8))

    def _best_visible(
        self, scores: Floats, filters: Filters, limit: int, see: See | None
    ) -> Iterator[tuple[int, float]]:
        """(key, score) of the best `limit` that the filters let pass, best first."""
        passed, looked, look = 0, 0, FIRST_LOOK * limit
        while passed < limit and looked < len(scores):
            best = _best(scores, look)[looked:]
            keys = self.keys[best].tolist()
            visible = _visible(keys, filters, see)
            for key, score in zip(keys, scores[best].tolist(), strict=True):
                if passed < limit and key in visible:
                    passed += 1
                    yield key, score
            if len(best) < look - looked:
                return
            looked, look = look, min(look * LOOK_GROWTH, look + MAX_LOOK)


class _Standing:
    """The postings of the index while it stands still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Position | None = None
        self._being_made = False
        self._postings: Postings | None = None

    def at(self, position: Position) -> Postings | None:
        """Those of `position`; None where they are not there yet: FTS5 can answer itself.

        The first search after a change does without: where changes come one after another, what
        is read for a search would be read for that one alone.
        """
        with self._lock:
            if self._postings is not None and self._postings.position == position:
                return self._postings
            stands, self._seen = self._seen == position, position
            if not stands or self._being_made:
                return None
            self._being_made, self._postings = True, None
        try:
            made = Postings(position)
            with self._lock:
                self._postings = made
            return made
        finally:
            self._being_made = False


standing = _Standing()


def _read_lengths() -> tuple[Keys, NDArray[np.int64]]:
    """The keys of all chunks in the index, ascending, and how many words each has."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        rows = cursor.fetchall()
    keys = np.array([key for key, _ in rows], dtype=np.int64)
    return keys, _sums([sizes for _, sizes in rows])


def _sums(rows: Sequence[bytes]) -> NDArray[np.int64]:
    """The sum of each row's numbers: SQLite's varints, seven bits a byte, the eighth for "more"."""
    if not rows:
        return np.zeros(0, dtype=np.int64)
    data = np.frombuffer(b"".join(rows), dtype=np.uint8)
    places = np.arange(len(data))
    ends = np.flatnonzero(data < 0x80)
    behind = ends[np.searchsorted(ends, places)] - places
    values = (data & 0x7F).astype(np.int64) << 7 * behind
    sizes = np.fromiter(map(len, rows), dtype=np.int64)
    sums: NDArray[np.int64] = np.add.reduceat(values, sizes.cumsum() - sizes)
    return sums


def _best(scores: Floats, count: int) -> NDArray[np.intp]:
    """The places of the best `count` scores above 0, best first; equal ones as they lie."""
    least = np.float32(0.0)
    if count < len(scores):
        least = np.partition(scores, len(scores) - count)[len(scores) - count]
    found = np.flatnonzero((scores >= least) & (scores > 0.0))
    return found[np.argsort(-scores[found], kind="stable")][:count]


def _visible(keys: Sequence[int], filters: Filters, see: See | None) -> set[int]:
    """Those of `keys` that the filters let pass; one query about those that nobody knows here."""
    seen = see(keys, filters) if see is not None else {}
    visible = {key for key, is_visible in seen.items() if is_visible}
    return visible | _ask_visible([key for key in keys if key not in seen], filters)


def _ask_visible(keys: Sequence[int], filters: Filters) -> set[int]:
    if not keys:
        return set()
    visible, values = visible_sql(filters)
    places = fill(keys)
    ask = statement(_VISIBLE.replace("{visible}", visible), len(places))
    return {key for (key,) in ask.fetch_all(*values, *places)}


def _size(posting: _Posting) -> int:
    return posting.gaps.nbytes + posting.often.nbytes + OVERHEAD_BYTES
