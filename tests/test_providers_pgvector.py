"""pgvector in a true PostgreSQL of the tests' own."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import dj_database_url
import numpy as np
import pytest
from django.db import connections

from common.loop import close_threads, run
from rag.errors import NotConfigured, ProviderMalformed, ProviderUnavailable
from rag.types import Filters, VectorRecord, Viewer
from rag.vector_stores.pgvector import PgvectorStore
from tests.postgres import Postgres, running_postgres

ALIAS = "vectors"
DIMENSION = 16
ANYONE = Filters(viewer=Viewer())
OWNER = UUID(int=1)


@pytest.fixture(scope="module")
def postgres(django_db_blocker: Any) -> Iterator[Postgres]:
    # Not the suite's database, so none of its rules about tests apply: only let it connect.
    with running_postgres() as server, django_db_blocker.unblock():
        connections.databases[ALIAS] = connections.configure_settings(
            {"default": {}, ALIAS: dj_database_url.parse(server.url("postgres"))}
        )[ALIAS]
        yield server
        close_threads()
        del connections.databases[ALIAS]


@pytest.fixture
def store(postgres: Postgres) -> PgvectorStore:
    postgres.psql("DROP TABLE IF EXISTS rag_pgvector;")
    return make_store()


def make_store(fingerprint: str = "it's one:50%", dimension: int = DIMENSION) -> PgvectorStore:
    """A store whose table and index are there."""
    store = PgvectorStore(dimension=dimension, fingerprint=fingerprint, database=ALIAS)
    run(store.ensure_index(seconds=10))
    return store


def make_record(key: int, *, axis: int = 0, **more: object) -> VectorRecord:
    """A public chunk whose vector points along `axis`, a little turned by its key."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[axis] = 1.0
    vector[(axis + 1) % DIMENSION] = key / 1_000
    values = {"document_id": UUID(int=key), "owner_id": None, "public": True, "category": "faq"}
    return VectorRecord(**{"key": key, "vector": vector, **values, **more})


def along(axis: int) -> np.ndarray:
    """The unit vector of `axis`."""
    return np.eye(DIMENSION, dtype=np.float32)[axis]


def found(store: PgvectorStore, filters: Filters = ANYONE, limit: int = 10) -> list[int]:
    """The keys that a search along the first axis finds."""
    return [hit.key for hit in run(store.search(along(0), filters=filters, limit=limit))]


def test_index_is_made_once(store):
    assert not run(store.ensure_index(seconds=10))


def test_nearest_come_first_with_their_cosine(store):
    run(store.upsert([make_record(1, axis=3), make_record(2), make_record(300)]))
    hits = run(store.search(along(0), filters=ANYONE, limit=2))
    assert [hit.key for hit in hits] == [2, 300]
    assert hits[1].score == pytest.approx(1 / (1 + 0.3**2) ** 0.5, abs=1e-4)


def test_private_chunks_are_found_by_their_owner_alone(store):
    run(store.upsert([make_record(1), make_record(2, owner_id=OWNER, public=False)]))
    assert found(store) == [1]
    assert found(store, Filters(viewer=Viewer(user_id=UUID(int=9)))) == [1]
    assert found(store, Filters(viewer=Viewer(user_id=OWNER))) == [1, 2]


def test_category_is_part_of_the_query(store):
    run(store.upsert([make_record(1), make_record(2, category="guide")]))
    assert found(store, Filters(viewer=Viewer(), category="guide")) == [2]


def test_rare_permission_among_thousands_finds_all_that_it_may(store):
    others = [make_record(key, owner_id=UUID(int=5), public=False) for key in range(1, 3_001)]
    mine = [make_record(key, axis=1, owner_id=OWNER, public=False) for key in range(3_001, 3_006)]
    run(store.upsert([*others, *mine]))
    may = found(store, Filters(viewer=Viewer(user_id=OWNER)))
    assert sorted(may) == [3001, 3002, 3003, 3004, 3005]


def test_search_can_use_the_index_in_spite_of_its_filters(store, postgres):
    run(store.upsert([make_record(key) for key in range(1, 2_001)]))
    postgres.psql("ANALYZE rag_pgvector;")
    cast = f"embedding::vector({DIMENSION})"
    vector = "[" + ",".join(["1"] + ["0"] * (DIMENSION - 1)) + "]"
    plan = postgres.psql(
        # So few rows are read faster one by one; what counts is that the index fits the query.
        "SET enable_seqscan = off; SET enable_sort = off; EXPLAIN SELECT key FROM rag_pgvector "
        "WHERE fingerprint = 'it''s one:50%' "
        f"AND (public OR owner_id = NULL) ORDER BY {cast} <=> '{vector}'::vector LIMIT 10;"
    )
    assert "Index Scan using rag_pgvector_" in plan


def test_upsert_replaces_and_delete_takes_out(store):
    run(store.upsert([make_record(1), make_record(2)]))
    run(store.upsert([make_record(1, axis=5)]))
    run(store.delete([2, 77]))
    hits = run(store.search(along(5), filters=ANYONE, limit=5))
    assert [(hit.key, round(hit.score, 2)) for hit in hits] == [(1, 1.0)]
    assert run(store.keys()) == {1}


def test_embedders_of_other_lengths_share_the_table_and_never_meet(store):
    other = make_store("two", dimension=3)
    vector = np.array([1, 0, 0], dtype=np.float32)
    values = {"document_id": OWNER, "owner_id": None, "public": True, "category": "faq"}
    run(store.upsert([make_record(1)]))
    run(other.upsert([VectorRecord(key=2, vector=vector, **values)]))
    assert found(store) == [1]
    assert [hit.key for hit in run(other.search(vector, filters=ANYONE, limit=9))] == [2]


def test_vector_of_another_dimension_is_refused(store):
    with pytest.raises(ProviderMalformed):
        run(store.search(np.ones(3, dtype=np.float32), filters=ANYONE, limit=1))


def test_missing_table_says_what_to_do(store, postgres):
    postgres.psql("DROP TABLE rag_pgvector;")
    with pytest.raises(NotConfigured, match="create_index"):
        run(store.search(along(0), filters=ANYONE, limit=1))


def test_database_of_another_kind_is_not_configured():
    if connections["default"].vendor == "postgresql":
        pytest.skip("the suite runs on PostgreSQL")
    with pytest.raises(NotConfigured, match="PostgreSQL"):
        run(PgvectorStore(dimension=3, fingerprint="f").ensure_index(seconds=1))


def test_database_that_restarts_costs_the_searches_of_that_moment(store, postgres):
    run(store.upsert([make_record(1)]))
    postgres.stop()
    with pytest.raises(ProviderUnavailable):
        found(store)
    postgres.start()
    assert found(store) == [1]
