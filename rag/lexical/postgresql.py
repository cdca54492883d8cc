"""BM25 over PostgreSQL's full text.

`ts_rank` knows no rarity of terms, so candidates are ranked by the summed rarity of the terms
that they hold, and the best of them by BM25 (Robertson and Zaragoza 2009), k1 1.2 and b 0.75.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from rag.lexical.filters import visible_sql
from rag.lexical.postings import See
from rag.lexical.terms import Table, TermQuery, idf
from rag.models import Chunk
from rag.types import Filters

K1 = 1.2
B = 0.75
CANDIDATES = 200
MEAN_TERMS = 90

_COLUMN = {"words": "words", "grams": "pieces"}
_FREQUENCIES = """SELECT t.term,
    (SELECT count(*) FROM rag_chunk c WHERE c.live {extra} AND c.{column} @@ t.query)
    FROM (SELECT term, {query} AS query FROM unnest(%s::text[]) AS term) t"""
_TURN = """(WITH wanted(query, idf) AS (
        SELECT {query}, idf FROM unnest(%s::text[], %s::float8[]) AS w(term, idf)
        -- PostgreSQL's own stop words leave an empty query.
        WHERE numnode({query}) > 0),
    found AS (
        SELECT c.key, c.{column} AS terms FROM rag_chunk c
        JOIN rag_document d ON d.id = c.document_id
        WHERE c.live {extra} AND {visible}
          AND c.{column} @@ (SELECT string_agg(w.query::text, ' | ')::tsquery FROM wanted w)
        ORDER BY (SELECT sum(w.idf) FROM wanted w WHERE c.{column} @@ w.query) DESC
        LIMIT {candidates})
    SELECT %s::int AS turn, f.key, (
        SELECT sum(w.idf * s.tf * {k1_1} / (s.tf + {k1} * (1 - {b} + {b} * length(f.terms)
            / {mean}.0)))
        FROM wanted w, LATERAL (
            SELECT coalesce(max(cardinality(u.positions)), 1) AS tf FROM unnest(f.terms) u
            WHERE u.lexeme = ANY(tsvector_to_array(w.query::text::tsvector))) s
        WHERE f.terms @@ w.query) AS score
    FROM found f ORDER BY score DESC LIMIT %s)"""


def table_sizes() -> dict[Table, int]:
    """How many chunks each table holds: counted in partial indexes."""
    live: Any = Chunk.objects.filter(live=True)
    return {"words": live.count(), "grams": live.exclude(grams="").count()}


def search(
    queries: Sequence[TermQuery],
    filters: Filters,
    limit: int,
    total: int,
    see: See | None = None,
) -> tuple[list[tuple[int, int, float]], dict[str, int]]:
    """(turn, key, BM25) of the best `limit` of each turn, and how many chunks hold each term."""
    table = queries[0].table
    frequencies = _frequencies(queries)
    visible, values = visible_sql(filters)
    turn_sql = _TURN.format(
        **_names(table),
        visible=visible,
        candidates=max(CANDIDATES, limit),
        k1=K1,
        k1_1=K1 + 1,
        b=B,
        mean=MEAN_TERMS,
    )
    parameters: list[Any] = []
    for turn, query in enumerate(queries):
        rarities = [idf(frequencies.get(term, 0), total) for term in query.stored]
        parameters += [list(query.asked), rarities, *values, turn, limit]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join([turn_sql] * len(queries)), parameters)
        rows = [(turn, key, float(score or 0.0)) for turn, key, score in cursor.fetchall()]
    return rows, frequencies


def _names(table: str) -> dict[str, str]:
    if table == "grams":
        quoted = "quote_literal(term)::tsquery"
        return {"column": "pieces", "query": quoted, "extra": "AND c.grams <> ''"}
    return {"column": "words", "query": "plainto_tsquery('english', term)", "extra": ""}


def _frequencies(queries: Sequence[TermQuery]) -> dict[str, int]:
    by_asked = {
        asked: stored
        for query in queries
        for asked, stored in zip(query.asked, query.stored, strict=True)
    }
    with connection.cursor() as cursor:
        cursor.execute(_FREQUENCIES.format(**_names(queries[0].table)), [list(by_asked)])
        return {by_asked[asked]: count for asked, count in cursor.fetchall()}
