"""BM25 by SQLite's FTS5."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from rag.lexical.filters import visible_sql
from rag.lexical.postings import See, standing
from rag.lexical.terms import Table, TermQuery
from rag.types import Filters

# A word in the title or a heading counts twice.
RANK = {"words": "bm25(rag_chunk_words, 2.0, 1.0)", "grams": "bm25(rag_chunk_grams, 1.0)"}

# Below it FTS5's own bm25() is as quick.
MANY_CHUNKS = 200

# Sorted by SQLite: FTS5's own order by rank keeps each row's positions and costs half as much
# again. LIMIT -1 keeps that a query of its own, so that the filter is asked row by row, best
# first, until `limit` have passed it: exact, and cheap where most may be seen.
_TURN = """SELECT * FROM (
    SELECT %s AS turn, f.key, f.score, NULL AS term
    FROM (SELECT rowid AS key, -{rank} AS score FROM {table} WHERE {table} MATCH %s
        ORDER BY score DESC LIMIT -1) f
    CROSS JOIN rag_chunk c ON c.key = f.key
    CROSS JOIN rag_document d ON d.id = c.document_id
    WHERE {visible} LIMIT %s)"""
_FREQUENCIES = "SELECT -1, doc, 0.0, term FROM {table}_vocab WHERE term IN ({marks})"


def table_sizes() -> dict[Table, int]:
    """How many chunks each table holds: counted in FTS5's own small tables, one entry a row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM rag_chunk_words_docsize),"
            " (SELECT count(*) FROM rag_chunk_grams_docsize)"
        )
        words, grams = cursor.fetchone()
    return {"words": words, "grams": grams}


def search(
    queries: Sequence[TermQuery],
    filters: Filters,
    limit: int,
    total: int,
    see: See | None = None,
) -> tuple[list[tuple[int, int, float]], dict[str, int]]:
    """(turn, key, BM25) of the best `limit` of each turn, and how many chunks hold each term."""
    if total >= MANY_CHUNKS and queries[0].table == "words" and filters.position is not None:
        postings = standing.at(filters.position)
        if postings is not None:
            return postings.search(queries, filters, limit, see)
    table = f"rag_chunk_{queries[0].table}"
    visible, values = visible_sql(filters)
    parameters: list[Any] = []
    parts = []
    for turn, query in enumerate(queries):
        parts.append(_TURN.format(table=table, visible=visible, rank=RANK[queries[0].table]))
        parameters += [turn, _match(query), *values, limit]
    terms = sorted({term for query in queries for term in query.stored})
    parts.append(_FREQUENCIES.format(table=table, marks=", ".join(["%s"] * len(terms))))
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), [*parameters, *terms])
        rows = cursor.fetchall()
    hits = [(turn, key, score) for turn, key, score, _ in rows if turn >= 0]
    return hits, {term: count for turn, count, _, term in rows if turn < 0}


def _match(query: TermQuery) -> str:
    # Words hold letters and digits alone, so a quote cannot end the string.
    return " OR ".join(f'"{word}"' for word in query.asked)
