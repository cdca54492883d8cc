"""The contract of vector stores."""

from uuid import UUID, uuid4

import numpy as np
import pytest

from common import loop
from rag.errors import ProviderMalformed
from rag.types import Filters, VectorRecord, Viewer
from rag.vector_stores.base import VectorStore

DIMENSION = 8


def direction(number: int, lean: float = 0.0) -> np.ndarray:
    """A unit vector along axis `number`, leaning a little towards the next."""
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[number % DIMENSION] = 1.0
    vector[(number + 1) % DIMENSION] += lean
    return vector / np.linalg.norm(vector)


def record(key: int, *, owner: UUID | None = None, category: str = "guide", **fields):
    fields.setdefault("vector", direction(key))
    fields.setdefault("document_id", uuid4())
    return VectorRecord(key=key, owner_id=owner, public=owner is None, category=category, **fields)


class VectorStoreContract:
    """Inherit it and give `store`, empty, of 8 dimensions."""

    @pytest.fixture
    def store(self) -> VectorStore:
        raise NotImplementedError

    def settle(self, store: VectorStore) -> None:
        """Wait until what was written can be found, where that takes a while."""

    def put(self, store, *records):
        loop.run(store.upsert(records))
        self.settle(store)

    def find(self, store, number, *, viewer=None, category=None, limit=10):
        filters = Filters(viewer=Viewer(user_id=viewer), category=category)
        return loop.run(store.search(direction(number), filters=filters, limit=limit))

    def keys(self, hits):
        return [hit.key for hit in hits]

    def test_empty_store_finds_nothing(self, store):
        assert self.find(store, 1) == []

    def test_nearest_comes_first_with_its_cosine(self, store):
        self.put(store, record(1), record(2), record(3, vector=direction(1, lean=0.5)))

        hits = self.find(store, 1)

        assert self.keys(hits)[:2] == [1, 3]
        assert hits[0].score == pytest.approx(1.0, abs=1e-3)
        assert hits[1].score == pytest.approx(float(direction(1) @ direction(1, 0.5)), abs=1e-3)

    def test_limit_is_kept(self, store):
        self.put(store, *(record(key) for key in range(1, 7)))

        assert len(self.find(store, 1, limit=3)) == 3

    def test_same_key_is_replaced(self, store):
        self.put(store, record(1))
        self.put(store, record(1, vector=direction(4)))

        hits = self.find(store, 4)

        assert self.keys(hits) == [1]
        assert hits[0].score == pytest.approx(1.0, abs=1e-3)

    def test_deleted_keys_are_gone_and_unknown_ones_are_no_error(self, store):
        self.put(store, record(1), record(2))

        loop.run(store.delete([1, 999]))
        self.settle(store)

        assert self.keys(self.find(store, 1)) == [2]
        assert loop.run(store.keys()) == {2}

    def test_keys_are_those_that_are_held(self, store):
        self.put(store, record(5), record(6))

        assert loop.run(store.keys()) == {5, 6}

    def test_private_records_are_found_by_their_owner_alone(self, store):
        owner, other = uuid4(), uuid4()
        self.put(store, record(1), record(2, owner=owner), record(3, owner=other))

        assert set(self.keys(self.find(store, 2))) == {1}
        assert set(self.keys(self.find(store, 2, viewer=owner))) == {1, 2}
        assert set(self.keys(self.find(store, 2, viewer=uuid4()))) == {1}

    def test_filter_is_inside_the_search(self, store):
        # The nearest are all somebody else's: what may be seen is found all the same.
        owner = uuid4()
        near = [record(key, owner=owner, vector=direction(1)) for key in range(10, 60)]
        self.put(store, *near, record(1, vector=direction(1, lean=2.0)))

        assert self.keys(self.find(store, 1, limit=3)) == [1]

    def test_category_is_a_filter(self, store):
        self.put(store, record(1, category="faq"), record(2, category="guide"))

        assert self.keys(self.find(store, 1, category="guide")) == [2]
        assert self.find(store, 1, category="policy") == []

    def test_record_that_changes_hands_is_found_by_the_new_owner(self, store):
        owner = uuid4()
        self.put(store, record(1))
        self.put(store, record(1, owner=owner))

        assert self.find(store, 1) == []
        assert self.keys(self.find(store, 1, viewer=owner)) == [1]

    def test_wrong_dimension_is_refused(self, store):
        filters = Filters(viewer=Viewer())
        with pytest.raises(ProviderMalformed):
            loop.run(store.search(np.ones(3, dtype=np.float32), filters=filters, limit=1))
        with pytest.raises(ProviderMalformed):
            loop.run(store.upsert([record(1, vector=np.ones(3, dtype=np.float32))]))

    def test_nothing_to_write_is_no_error(self, store):
        loop.run(store.upsert([]))
        loop.run(store.delete([]))
