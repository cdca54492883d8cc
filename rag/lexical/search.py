"""The lexical leg of retrieval, on whichever database this is."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from rag.lexical import postgresql, sqlite
from rag.lexical.postings import See
from rag.lexical.terms import Table, TermQuery, gram_query, idf, word_query
from rag.text.tokens import looks_english
from rag.types import Filters, Position

Answer = tuple[Mapping[int, float], Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LexicalResult:
    """BM25 by chunk key, weighted over the turns, and the most that their terms could score."""

    scores: Mapping[int, float]
    # By stem (or piece of a word), for all terms of the turns.
    idf: Mapping[str, float]
    idf_sum: float

    def idf_of(self, term: str) -> float:
        """How rare `term` is; 0 for one that was not asked for."""
        return self.idf.get(term, 0.0)


def search_lexical(
    turns: Sequence[tuple[str, float]], *, filters: Filters, limit: int, see: See | None = None
) -> LexicalResult:
    """The best `limit` chunks for each of `turns` (text, weight); one query, as a rule.

    `see` says of chunks that it knows whether `filters` allow them, so that the database need not.

    Questions that do not look English are asked of the pieces of words, where there are any.
    """
    sizes = _table_sizes(filters.position)
    use_grams = bool(sizes["grams"]) and not looks_english(turns[0][0])
    make = gram_query if use_grams else word_query
    queries = [query for text, weight in turns if (query := make(text, weight)).asked]
    total = sizes["grams" if use_grams else "words"]
    if not queries or not total:
        return LexicalResult(scores={}, idf={}, idf_sum=0.0)
    rows, frequencies = _database().search(queries, filters, limit, total, see)
    rarity = {
        term: idf(frequencies.get(term, 0), total) for query in queries for term in query.stored
    }
    idf_sum = sum(query.weight * rarity[term] for query in queries for term in query.stored)
    return LexicalResult(scores=_add_up(rows, queries), idf=rarity, idf_sum=idf_sum)


def _database() -> Any:
    return postgresql if connection.vendor == "postgresql" else sqlite


def _add_up(
    rows: Iterable[tuple[int, int, float]], queries: Sequence[TermQuery]
) -> dict[int, float]:
    # BM25 is a sum over terms, so turns may be weighted one by one.
    scores: dict[int, float] = defaultdict(float)
    for turn, key, score in rows:
        scores[key] += queries[turn].weight * score
    return dict(scores)


class _Sizes:
    """How many chunks each table holds, counted once for each state of the index."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.known: tuple[Position, Mapping[Table, int]] | None = None


_sizes = _Sizes()


def _table_sizes(position: Position | None) -> Mapping[Table, int]:
    with _sizes.lock:
        known = _sizes.known
    if position is not None and known is not None and known[0] == position:
        return known[1]
    counted: dict[Table, int] = dict(_database().table_sizes())
    if position is not None:
        with _sizes.lock:
            _sizes.known = (position, counted)
    return counted
