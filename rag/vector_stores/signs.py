"""A first look at many vectors by one bit a dimension: the sign.

Vectors that point the same way agree in most signs, and counting where two disagree costs a tenth
of multiplying them. Those that agree most are then compared exactly.
"""

import numpy as np
from numpy.typing import NDArray

from rag.types import Vector
from rag.vector_stores.blocks import Bits, Found

WORD_BITS = 64
# With so large a share looked at exactly, 0.99 of the best ten of 100,000 are found again.
SHARE = 32
MIN_CHOSEN = 1_000
ROWS_AT_ONCE = 4_096


class Signs:
    """The signs of vectors by slot: an eighth of a byte a dimension."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        # Each word of all slots lies in one row: what is added up is read as it lies.
        self._words = np.zeros((-(-dimension // WORD_BITS), 0), dtype=np.uint64)

    def __len__(self) -> int:
        return int(self._words.shape[1])

    def resize(self, size: int) -> None:
        """Have `size` slots."""
        more = np.zeros((len(self._words), size - len(self)), dtype=np.uint64)
        self._words = np.concatenate([self._words, more], axis=1)

    def append(self, vectors: Vector) -> None:
        """Have as many slots more, for `vectors`."""
        first = len(self)
        self.resize(first + len(vectors))
        for start in range(0, len(vectors), ROWS_AT_ONCE):
            part = vectors[start : start + ROWS_AT_ONCE]
            self.put(slice(first + start, first + start + len(part)), part)

    def put(self, slots: NDArray[np.int64] | slice, vectors: Vector) -> None:
        """Note the signs of `vectors` at `slots`."""
        self._words[:, slots] = self._pack(vectors)

    def search(self, vectors: Vector, query: Vector, mask: Bits, limit: int) -> Found:
        """As `Block.search` over `vectors`, but only at those whose signs agree most."""
        slots = self.nearest(query, np.unpackbits(mask, count=len(self), bitorder="little"))
        scores: Vector = vectors[slots] @ query
        if len(slots) > limit:
            best = np.argpartition(scores, -limit)[-limit:]
            slots, scores = slots[best], scores[best]
        order = np.argsort(-scores, kind="stable")
        return scores[order], slots[order]

    def nearest(self, vector: Vector, visible: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Of the slots that are 1 in `visible` those that agree most with `vector`: a 32nd."""
        # Beyond any distance where they may not be seen.
        distance = visible.astype(np.uint16) - np.uint16(1)
        wanted = self._pack(vector[None])[:, 0]
        apart = np.zeros(len(self), dtype=np.uint16)
        for word, one in zip(self._words, wanted, strict=True):
            apart += np.bitwise_count(word ^ one).astype(np.uint16)
        distance |= apart
        enough = min(max(MIN_CHOSEN, len(self) // SHARE), len(self) - 1)
        limit = np.partition(distance, enough)[enough]
        return np.flatnonzero(distance <= min(limit, np.uint16(self._dimension)))

    def _pack(self, vectors: Vector) -> NDArray[np.uint64]:
        bits = np.packbits(vectors > 0, axis=1)
        whole = np.zeros((len(vectors), 8 * len(self._words)), dtype=np.uint8)
        whole[:, : bits.shape[1]] = bits
        return whole.view(np.uint64).T
