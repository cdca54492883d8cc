"""Pinecone through its true SDK, against the stand-in."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from uuid import UUID

import numpy as np
import pytest
from django.core.management import call_command

from common.loop import run
from rag.errors import (
    NotConfigured,
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderTimeout,
    ProviderUnavailable,
)
from rag.types import Filters, VectorRecord, Viewer
from rag.vector_stores.pinecone import PineconeVectorStore
from rag.vendors.pinecone import pinecone_client
from rag.vendors.pinecone_control import Place
from tests.providers import served
from tests.stand_ins.faults import ALWAYS
from tests.stand_ins.pinecone import PineconeStandIn

DIMENSION = 8
ANYONE = Filters(viewer=Viewer())
OWNER = UUID(int=1)


@pytest.fixture
def pinecone() -> Iterator[PineconeStandIn]:
    with served(PineconeStandIn()) as app:
        yield app


@pytest.fixture
def store(pinecone: PineconeStandIn) -> PineconeVectorStore:
    return make_store(pinecone)


def make_store(pinecone: PineconeStandIn, fingerprint: str = "test:one") -> PineconeVectorStore:
    """A store whose index is made and ready."""
    store = PineconeVectorStore(
        dimension=DIMENSION,
        fingerprint=fingerprint,
        api_key="key",
        control_host=pinecone.url,
        seconds=2.0,
        write_seconds=5.0,
        visible_seconds=5.0,
    )
    run(store.client.control.ensure_index(dimension=DIMENSION, seconds=10))
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


def found(store: PineconeVectorStore, axis: int = 0, filters: Filters = ANYONE) -> list[int]:
    """The keys that a search along `axis` finds."""
    return [hit.key for hit in run(store.search(along(axis), filters=filters, limit=10))]


class TestSearching:
    def test_nearest_come_first_with_their_cosine(self, store):
        run(store.upsert([make_record(1, axis=3), make_record(2), make_record(30)]))
        hits = run(store.search(along(0), filters=ANYONE, limit=2))
        assert [hit.key for hit in hits] == [2, 30]
        assert hits[0].score == pytest.approx(1.0, abs=1e-3)

    def test_private_chunks_are_found_by_their_owner_alone(self, store):
        run(store.upsert([make_record(1), make_record(2, owner_id=OWNER, public=False)]))
        assert found(store) == [1]
        assert found(store, filters=Filters(viewer=Viewer(user_id=UUID(int=9)))) == [1]
        assert found(store, filters=Filters(viewer=Viewer(user_id=OWNER))) == [1, 2]

    def test_permissions_and_category_are_part_of_the_query(self, store, pinecone):
        run(store.upsert([make_record(1), make_record(2, category="guide")]))
        filters = Filters(viewer=Viewer(user_id=OWNER), category="guide")
        assert found(store, filters=filters) == [2]
        sent = next(payload for path, payload in pinecone.journal if path.endswith("/query"))
        assert sent["filter"] == {
            "$and": [
                {"$or": [{"public": {"$eq": True}}, {"owner": {"$eq": str(OWNER)}}]},
                {"category": {"$eq": "guide"}},
            ]
        }

    def test_vectors_of_two_embedders_never_meet(self, store, pinecone):
        other = make_store(pinecone, fingerprint="test:two")
        run(store.upsert([make_record(1)]))
        run(other.upsert([make_record(2)]))
        assert found(store) == [1]
        assert found(other) == [2]


class TestWriting:
    def test_upsert_replaces_what_has_the_same_key(self, store):
        run(store.upsert([make_record(1)]))
        run(store.upsert([make_record(1, axis=5)]))
        hits = run(store.search(along(5), filters=ANYONE, limit=5))
        assert [(hit.key, round(hit.score, 2)) for hit in hits] == [(1, 1.0)]

    def test_deleted_chunks_are_gone_and_unknown_ones_no_error(self, store):
        run(store.upsert([make_record(1), make_record(2)]))
        run(store.delete([1, 77]))
        assert run(store.keys()) == {2}

    def test_many_vectors_go_in_parallel_requests_within_the_limits(self, store, pinecone):
        pinecone.hold_seconds = 0.1
        run(store.upsert([make_record(key) for key in range(1, 3_501)]))
        pinecone.hold_seconds = 0.0
        assert run(store.keys()) == set(range(1, 3_501))
        sizes = [len(p["vectors"]) for path, p in pinecone.journal if path.endswith("/upsert")]
        assert len(sizes) > 3
        assert max(sizes) <= 1_000
        assert pinecone.most_at_once > 1

    def test_delete_keeps_to_a_thousand_ids(self, store, pinecone):
        run(store.upsert([make_record(key) for key in range(1, 11)]))
        run(store.delete(list(range(2_500))))
        sizes = [len(p["ids"]) for path, p in pinecone.journal if path.endswith("/delete")]
        assert sizes == [1_000, 1_000, 500]
        assert run(store.keys()) == set()

    @pytest.mark.parametrize("tells", [True, False])
    def test_upsert_returns_when_what_it_wrote_is_found(self, store, pinecone, tells):
        pinecone.tell_positions = tells
        pinecone.visible_seconds = 0.4
        run(store.upsert([make_record(1), make_record(2)]))
        assert found(store) == [1, 2]

    def test_write_that_never_shows_is_an_error(self, store, pinecone):
        store._visible_seconds = 0.3
        pinecone.visible_seconds = 3_600
        with pytest.raises(ProviderUnavailable):
            run(store.upsert([make_record(1)]))

    def test_half_of_a_batch_is_an_error_and_mended_by_repeating(self, store, pinecone):
        pinecone.faults.add("half", path="/upsert")
        records = [make_record(key) for key in range(1, 11)]
        with pytest.raises(ProviderError):
            run(store.upsert(records))
        run(store.upsert(records))
        assert run(store.keys()) == set(range(1, 11))

    def test_batch_that_is_refused_is_an_error(self, store, pinecone):
        pinecone.faults.add("status", path="/upsert", status=400)
        with pytest.raises(ProviderRejected):
            run(store.upsert([make_record(key) for key in range(1, 1_501)]))

    def test_vector_of_another_dimension_is_not_sent(self, store, pinecone):
        short = replace(make_record(1), vector=np.ones(3, dtype=np.float32))
        with pytest.raises(ProviderMalformed):
            run(store.upsert([short]))
        assert not any(path.endswith("/upsert") for path, _ in pinecone.journal)


class TestFaults:
    @pytest.mark.parametrize(
        ("kind", "details", "expected"),
        [
            ("status", {"status": 500}, ProviderUnavailable),
            ("status", {"status": 503}, ProviderUnavailable),
            ("status", {"status": 429, "retry_after": "60"}, ProviderUnavailable),
            ("status", {"status": 401}, ProviderRejected),
            ("status", {"status": 400}, ProviderRejected),
            ("html", {}, ProviderMalformed),
            ("redirect", {}, ProviderError),
            ("slow", {"seconds": 30}, ProviderTimeout),
            ("stall", {}, ProviderTimeout),
            ("drip", {"size": 2, "seconds": 0.3}, ProviderTimeout),
            ("cut", {}, ProviderError),
            ("malformed", {}, ProviderMalformed),
            ("nan", {}, ProviderMalformed),
            ("dimension", {}, ProviderMalformed),
        ],
    )
    def test_fault_of_a_search_is_an_error_of_ours(self, store, pinecone, kind, details, expected):
        run(store.upsert([make_record(1)]))
        pinecone.faults.add(kind, path="/query", times=ALWAYS, **details)
        with pytest.raises(expected) as raised:
            run(store.search(along(0), filters=ANYONE, limit=3))
        assert "secret" not in str(raised.value)

    def test_fault_that_passes_does_not_show(self, store, pinecone):
        run(store.upsert([make_record(1)]))
        pinecone.faults.add("status", path="/query", status=503)
        store._reading._seconds = store._reading._total = 5.0
        assert found(store) == [1]

    def test_cancelled_search_leaves_at_once(self, store, pinecone):
        run(store.upsert([make_record(1)]))
        pinecone.faults.add("stall", path="/query", times=ALWAYS)

        async def cancel() -> None:
            task = asyncio.create_task(store.search(along(0), filters=ANYONE, limit=3))
            while not any(path.endswith("/query") for path in pinecone.requests):
                await asyncio.sleep(0.01)
            task.cancel()
            while not pinecone.disconnects:
                await asyncio.sleep(0.01)

        run(asyncio.wait_for(cancel(), 5))


class TestTheIndex:
    def test_missing_index_is_made_once_serverless_and_cosine(self, pinecone):
        client = pinecone_client(Place(api_key="key", control_host=pinecone.url, index_name="new"))
        made = [run(client.control.ensure_index(dimension=4, seconds=5)) for _ in range(2)]
        assert made == [True, False]
        request = pinecone.indexes["new"].request
        [field] = request["schema"]["fields"].values()
        assert (field["dimension"], field["metric"]) == (4, "cosine")
        assert request["deployment"]["region"] == "us-east-1"
        assert request["tags"] == {"made-by": "docent"}

    def test_it_waits_until_a_new_index_is_ready(self, pinecone):
        pinecone.ready_seconds = 0.6
        client = pinecone_client(Place(api_key="key", control_host=pinecone.url, index_name="new"))
        assert run(client.control.ensure_index(dimension=4, seconds=5))

    def test_index_that_stays_unready_is_a_timeout(self, pinecone):
        pinecone.ready_seconds = 3_600
        client = pinecone_client(Place(api_key="key", control_host=pinecone.url, index_name="new"))
        with pytest.raises(ProviderTimeout):
            run(client.control.ensure_index(dimension=4, seconds=0.3))

    def test_index_of_another_shape_is_left_alone(self, store, pinecone):
        with pytest.raises(NotConfigured, match="has 8 dimensions"):
            run(store.client.control.ensure_index(dimension=4, seconds=5))
        assert pinecone.deleted_indexes == 0
        assert pinecone.indexes["docent"].dimension == DIMENSION

    def test_store_without_an_index_says_what_to_do(self, pinecone):
        store = PineconeVectorStore(
            dimension=DIMENSION, fingerprint="f", api_key="key", control_host=pinecone.url
        )
        with pytest.raises(NotConfigured, match="create_index"):
            run(store.search(along(0), filters=ANYONE, limit=1))

    def test_host_of_the_index_skips_the_control_plane(self, store, pinecone):
        run(store.upsert([make_record(1)]))
        pinecone.requests.clear()
        direct = PineconeVectorStore(
            dimension=DIMENSION,
            fingerprint="test:one",
            api_key="key",
            index_host=f"{pinecone.url}/ix/docent",
        )
        assert found(direct) == [1]
        assert list(pinecone.requests) == ["POST /ix/docent/query"]

    @pytest.mark.django_db(transaction=True)
    def test_command_makes_the_index_and_says_so(self, pinecone, settings):
        options = {"api_key": "key", "control_host": pinecone.url, "index_name": "mine"}
        path = "rag.vector_stores.pinecone.PineconeVectorStore"
        mistral = {"BACKEND": "rag.embedders.mistral.MistralEmbedder", "OPTIONS": {"api_key": "k"}}
        store = {"BACKEND": path, "OPTIONS": options}
        settings.RAG = {**settings.RAG, "VECTOR_STORE": store, "EMBEDDER": mistral}
        said = StringIO()
        call_command("create_index", stdout=said)
        call_command("create_index", stdout=said)
        assert "was made" in said.getvalue()
        assert "is there" in said.getvalue()
        assert pinecone.indexes["mine"].dimension == 1_024

    def test_key_is_needed(self):
        with pytest.raises(NotConfigured):
            PineconeVectorStore(dimension=3, fingerprint="f", api_key="")

    def test_connections_are_reused(self, store, pinecone):
        async def search_often() -> None:
            for _ in range(20):
                await store.search(along(0), filters=ANYONE, limit=3)

        run(search_often())
        index = run(store.client._index())
        pool = index._http._client._transport._transport._pool
        assert len(pool.connections) == 1
