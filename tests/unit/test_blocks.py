"""Blocks of vectors find the same, whichever library searches them."""

from uuid import UUID

import numpy as np
import pytest

from rag.types import VectorRecord
from rag.vector_stores.blocks import FEW_VECTORS, FaissBlock, NumpyBlock, import_faiss, make_block
from rag.vector_stores.flat import FlatIndex

DIMENSION = 8


def unit_vectors(count: int) -> np.ndarray:
    vectors = np.random.default_rng(5).standard_normal((count, DIMENSION), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_record(key: int, vector: np.ndarray) -> VectorRecord:
    return VectorRecord(
        key=key,
        vector=vector,
        document_id=UUID(int=key % 50),
        owner_id=None,
        public=True,
        category="guide",
    )


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("count", [1, 7, 8, 300])
def test_both_kinds_give_the_same_rows_in_the_same_order(count, share):
    vectors = unit_vectors(count)
    visible = np.random.default_rng(6).random(count) < share
    mask = np.packbits(visible, bitorder="little")
    found = []
    for block in (NumpyBlock(DIMENSION), FaissBlock(import_faiss().IndexFlatIP(DIMENSION))):
        block.resize(count)
        block.rows[:] = vectors
        scores, rows = block.search(vectors[0], mask, 5)
        assert visible[rows].all()
        assert scores == pytest.approx(vectors[rows] @ vectors[0], abs=1e-5)
        found.append(rows.tolist())
    assert found[0] == found[1]
    assert len(found[0]) == min(5, int(visible.sum()))


def test_slot_of_a_chunk_taken_out_twice_is_free_once():
    index = FlatIndex(DIMENSION)
    records = [make_record(number, vector) for number, vector in enumerate(unit_vectors(600), 1)]
    index.put(records[:300])
    index.remove([7, 7, 9])
    assert len(index) == 298
    index.put(records[300:])
    assert index.keys() == {record.key for record in records} - {7, 9}
    assert len(index) == 598


def test_few_vectors_need_no_faiss():
    assert isinstance(make_block(DIMENSION, FEW_VECTORS), NumpyBlock)
    assert isinstance(make_block(DIMENSION, FEW_VECTORS + 1), FaissBlock)


def test_index_that_grows_out_of_numpy_keeps_what_it_has():
    vectors = unit_vectors(FEW_VECTORS + 500)
    index = FlatIndex(DIMENSION)
    records = [make_record(number, vector) for number, vector in enumerate(vectors, 1)]
    index.put(records[:FEW_VECTORS])
    before = index.search(vectors[3], index.mask(None, None), 3)
    index.put(records[FEW_VECTORS:])
    after = index.search(vectors[3], index.mask(None, None), len(records))
    assert (before[0].key, after[0].key) == (4, 4)
    assert {hit.key for hit in after} == {record.key for record in records}
    assert index.score(vectors[3], [4, FEW_VECTORS + 100]) == pytest.approx(
        {4: 1.0, FEW_VECTORS + 100: float(vectors[FEW_VECTORS + 99] @ vectors[3])}, abs=1e-5
    )
