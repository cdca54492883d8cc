"""A first look by signs: the nearest are left in, what may not be seen never is."""

from uuid import UUID

import numpy as np
import pytest

from rag.types import VectorRecord
from rag.vector_stores import flat
from rag.vector_stores.flat import FlatIndex
from rag.vector_stores.mapped import VectorFiles
from rag.vector_stores.signs import MIN_CHOSEN, Signs

PUBLIC, PRIVATE, OWNER = UUID(int=1), UUID(int=2), UUID(int=3)


def vectors(count: int, dimension: int, *, seed: int = 1) -> np.ndarray:
    """In a few clusters, as texts are; unit length."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((40, dimension))
    made = centres[random.integers(0, 40, count)] + random.standard_normal((count, dimension))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def filled(made: np.ndarray) -> FlatIndex:
    index = FlatIndex(made.shape[1])
    index.put_new(
        [
            VectorRecord(
                key=key, vector=vector, document_id=PUBLIC if key % 2 else PRIVATE,
                owner_id=OWNER, public=bool(key % 2), category="faq",
            )
            for key, vector in enumerate(made)
        ]
    )  # fmt: skip
    return index


@pytest.mark.parametrize("dimension", [8, 100, 256, 1024])
def test_nearest_agree_most(dimension):
    made = vectors(5_000, dimension)
    signs = Signs(dimension)
    signs.append(made)
    visible = np.ones(len(made), dtype=np.uint8)

    left = signs.nearest(made[17], visible)

    assert 17 in left
    apart = ((made > 0) != (made[17] > 0)).sum(axis=1)
    assert apart[left].max() < np.delete(apart, left).min(initial=dimension + 1)
    assert len(left) >= MIN_CHOSEN


def test_what_may_not_be_seen_is_left_out_even_where_little_else_is():
    made = vectors(3_000, 64)
    signs = Signs(64)
    signs.append(made)
    visible = np.zeros(len(made), dtype=np.uint8)
    visible[[5, 9]] = 1
    assert signs.nearest(made[0], visible).tolist() == [5, 9]


def test_large_index_finds_what_an_exact_look_finds(monkeypatch):
    made = vectors(6_000, 256)
    index = filled(made)
    queries = vectors(20, 256, seed=2)
    mask = index.mask(None, None)
    exact = [index.search(query, mask, 10) for query in queries]
    monkeypatch.setattr(flat, "EXACT_CHUNKS", 0)
    found = [index.search(query, mask, 10) for query in queries]

    same = [
        len(set(one) & set(other)) for one, other in zip(_keys(exact), _keys(found), strict=True)
    ]
    assert sum(same) >= 0.97 * 10 * len(queries)
    assert all(key % 2 for keys in _keys(found) for key in keys)  # the public ones
    scores = [hit.score for hit in found[0]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(exact[0][0].score, abs=1e-6)


def test_large_index_follows_its_changes(monkeypatch):
    monkeypatch.setattr(flat, "EXACT_CHUNKS", 0)
    made = vectors(3_000, 64)
    index = filled(made[:2_000])
    index.remove([7])
    assert 7 not in _keys([index.search(made[7], index.mask(OWNER, None), 5)])[0]
    new = VectorRecord(
        key=9_999, vector=made[2_500], document_id=PUBLIC, owner_id=OWNER, public=True,
        category="faq",
    )  # fmt: skip
    index.put([new])
    assert index.search(made[2_500], index.mask(None, None), 5)[0].key == 9_999


def _keys(found: list) -> list[list[int]]:
    return [[hit.key for hit in hits] for hits in found]


def test_mapped_file_is_searched_by_its_signs_too(monkeypatch, tmp_path):
    monkeypatch.setattr(flat, "EXACT_CHUNKS", 0)
    made = vectors(3_000, 64)
    index = filled(made)
    query = vectors(1, 64, seed=3)[0]
    expected = index.search(query, index.mask(OWNER, None), 10)
    files = VectorFiles(tmp_path, "fingerprint", UUID(int=9))
    with files.locked():
        index.move_to(files)
    other = FlatIndex(64, files.open(64))
    placed = [
        (key, PUBLIC if key % 2 else PRIVATE, OWNER, "public" if key % 2 else "private", "faq")
        for key in range(len(made))
    ]
    assert other.adopt(placed) == []

    for one in (index, other):
        assert one.search(query, one.mask(OWNER, None), 10) == expected
        assert all(hit.key % 2 for hit in one.search(query, one.mask(None, None), 10))
