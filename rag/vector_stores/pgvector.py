"""Vectors in PostgreSQL with pgvector: one table, an HNSW index for each embedder.

The table is the store's own (`manage.py create_index` makes it): a projection, like any other
external store, so that a database without the extension runs all of the product's migrations.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from typing import Any, TypeVar

from django.db import DatabaseError, OperationalError, connections, transaction

from common.loop import in_thread
from rag.errors import NotConfigured, ProviderMalformed, ProviderUnavailable
from rag.resilience.guard import Guard
from rag.resilience.retry import RetryPolicy
from rag.types import Filters, Hit, Vector, VectorRecord
from rag.vector_stores.base import VectorStore

T = TypeVar("T")

TABLE = "rag_pgvector"
# pgvector 0.8 goes on scanning its index until enough rows pass the filters.
ITERATIVE_SINCE = (0, 8)
# An HNSW index takes at most this many numbers a vector; above it every search is exact.
MAX_INDEXED_DIMENSION = 2_000
MOST_EF_SEARCH = 1_000
ROWS_AT_ONCE = 200

CREATE_TABLE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    fingerprint text NOT NULL,
    key bigint NOT NULL,
    document_id uuid NOT NULL,
    owner_id uuid,
    public boolean NOT NULL,
    category text NOT NULL,
    embedding vector NOT NULL,
    PRIMARY KEY (fingerprint, key)
)"""
UPSERT = """
INSERT INTO rag_pgvector (fingerprint, key, document_id, owner_id, public, category, embedding)
VALUES {rows}
ON CONFLICT (fingerprint, key) DO UPDATE SET document_id = excluded.document_id,
    owner_id = excluded.owner_id, public = excluded.public, category = excluded.category,
    embedding = excluded.embedding"""
ROW = "(%s, %s, %s, %s, %s, %s, %s::vector)"


class PgvectorStore(VectorStore):
    """Approximate search by HNSW with the filters in the query, exact where that found too few."""

    def __init__(
        self, *, dimension: int, fingerprint: str, database: str = "default", seconds: float = 3.0
    ) -> None:
        super().__init__(dimension=dimension, fingerprint=fingerprint)
        self._database = database
        # Tried again by whoever asked: the pool heals, a statement repeated at once does not.
        self._guard = Guard(
            f"pgvector@{database}", seconds=seconds, total=60.0, policy=RetryPolicy(attempts=1)
        )
        self._version: tuple[int, ...] | None = None

    async def ensure_index(self, *, seconds: float) -> bool:
        """Make the extension, the table and the embedder's HNSW index where they are missing."""
        return await in_thread(self._ensure_now)

    async def keys(self) -> set[int]:
        """The keys of this embedder's vectors."""
        statement = f"SELECT key FROM {TABLE} WHERE fingerprint = %s"  # noqa: S608 (a constant)
        rows = await self._call(lambda: self._fetch(statement, [self.fingerprint]))
        return {key for (key,) in rows}

    async def _search(self, vector: Vector, filters: Filters, limit: int) -> list[Hit]:
        conditions, values = _allowed(filters)
        return await self._guard.call(
            lambda: in_thread(self._search_now, _as_text(vector), conditions, values, limit)
        )

    async def _upsert(self, records: Sequence[VectorRecord]) -> None:
        for start in range(0, len(records), ROWS_AT_ONCE):
            part = records[start : start + ROWS_AT_ONCE]
            values = [value for record in part for value in self._row(record)]
            statement = UPSERT.format(rows=", ".join([ROW] * len(part)))
            await self._call(lambda s=statement, v=values: self._execute(s, v))  # type: ignore[misc]

    async def _delete(self, keys: Sequence[int]) -> None:
        statement = f"DELETE FROM {TABLE} WHERE fingerprint = %s AND key = ANY(%s)"  # noqa: S608
        await self._call(lambda: self._execute(statement, [self.fingerprint, list(keys)]))

    async def _call(self, work: Callable[[], T]) -> T:
        return await self._guard.call(lambda: in_thread(work))

    # --- what runs in a thread -----------------------------------------------------------

    def _search_now(self, vector: str, conditions: str, values: list[Any], limit: int) -> list[Hit]:
        cast = f"embedding::vector({self.dimension})"
        statement = (
            f"SELECT key, 1 - ({cast} <=> %s::vector) FROM {TABLE} "  # noqa: S608 (constants)
            f"WHERE fingerprint = {self._literal()} AND {conditions} "
            f"ORDER BY {cast} <=> %s::vector LIMIT %s"
        )
        arguments = [vector, *values, vector, limit]
        with _translated_errors(), transaction.atomic(using=self._database):
            rows = self._approximate(statement, arguments, limit)
            if len(rows) < limit:
                # The filters left too few of the index's candidates: look at every row.
                self._execute("SET LOCAL enable_indexscan = off")
                rows = self._fetch(statement, arguments)
        return [Hit(key=key, score=_finite(score)) for key, score in rows]

    def _approximate(
        self, statement: str, arguments: list[Any], limit: int
    ) -> list[tuple[Any, ...]]:
        self._execute(f"SET LOCAL hnsw.ef_search = {min(MOST_EF_SEARCH, max(40, 2 * limit))}")
        if self._installed_version() >= ITERATIVE_SINCE:
            self._execute("SET LOCAL hnsw.iterative_scan = strict_order")
        return self._fetch(statement, arguments)

    def _ensure_now(self) -> bool:
        if connections[self._database].vendor != "postgresql":
            raise NotConfigured("pgvector needs a PostgreSQL database: set DATABASE_URL.")
        name = f"{TABLE}_{hashlib.sha256(self.fingerprint.encode()).hexdigest()[:12]}"
        with _translated_errors(), transaction.atomic(using=self._database):
            there = self._fetch("SELECT 1 FROM pg_indexes WHERE indexname = %s", [name])
            self._execute("CREATE EXTENSION IF NOT EXISTS vector")
            self._execute(CREATE_TABLE)
            if self.dimension <= MAX_INDEXED_DIMENSION:
                # Partial and cast: vectors of several embedders, of several lengths, one table.
                self._execute(
                    f"CREATE INDEX IF NOT EXISTS {name} ON {TABLE} USING hnsw "
                    f"((embedding::vector({self.dimension})) vector_cosine_ops) "
                    f"WHERE fingerprint = {self._literal()}"
                )
        return not there

    def _installed_version(self) -> tuple[int, ...]:
        if self._version is None:
            [(text,)] = self._fetch("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
            self._version = tuple(int(part) for part in text.split("."))
        return self._version

    def _fetch(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _translated_errors(), connections[self._database].cursor() as cursor:
            cursor.execute(statement, list(values))
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> None:
        with _translated_errors(), connections[self._database].cursor() as cursor:
            cursor.execute(statement, list(values))

    def _literal(self) -> str:
        """The fingerprint as an SQL literal: a parameter would not match the partial index."""
        return "'" + self.fingerprint.replace("'", "''").replace("%", "%%") + "'"

    def _row(self, record: VectorRecord) -> Iterable[Any]:
        yield from (self.fingerprint, record.key, record.document_id, record.owner_id)
        yield from (record.public, record.category, _as_text(record.vector))


def _allowed(filters: Filters) -> tuple[str, list[Any]]:
    """What the viewer may see, as a condition and its values."""
    conditions, values = ["(public OR owner_id = %s)"], [filters.viewer.user_id]
    if filters.category is not None:
        conditions.append("category = %s")
        values.append(filters.category)  # type: ignore[arg-type]
    if filters.metadata:
        from rag.selectors.index import documents_matching

        conditions.append("document_id = ANY(%s)")
        values.append(list(documents_matching(filters.metadata)))  # type: ignore[arg-type]
    return " AND ".join(conditions), values


def _as_text(vector: Vector) -> str:
    return "[" + ",".join(map(repr, vector.tolist())) + "]"


def _finite(score: float) -> float:
    """A vector of zeros has no direction: its cosine is NaN, and it matches nothing."""
    return 0.0 if isnan(score) else float(score)


@contextmanager
def _translated_errors() -> Iterator[None]:
    """The database's errors, as errors of ours."""
    try:
        yield
    except OperationalError as error:
        raise ProviderUnavailable from error
    except DatabaseError as error:
        if "does not exist" in str(error):
            raise NotConfigured("There is no table: run `manage.py create_index`.") from error
        raise ProviderMalformed from error
