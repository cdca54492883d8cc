"""Vectors side by side in memory, searched by inner product: a few by numpy, many by FAISS."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rag.types import Vector

Bits = NDArray[np.uint8]
Found = tuple[NDArray[np.float32], NDArray[np.int64]]

FLOAT_BYTES = 4
# Up to here numpy is as fast, and FAISS is not loaded: 15 MB and a tenth of a second.
FEW_VECTORS = 4_000


class Block(Protocol):
    """Vectors by row; every row has a bit in the masks that searches are given."""

    def __len__(self) -> int: ...

    @property
    def rows(self) -> Vector:
        """All vectors, to be read and written in place; valid until the next `resize`."""

    def search(self, query: Vector, mask: Bits, limit: int) -> Found:
        """Scores and rows of the best `limit` in `mask`, best first."""


class NumpyBlock:
    """A matrix."""

    def __init__(self, dimension: int) -> None:
        self._rows = np.zeros((0, dimension), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Vector:
        """See `Block`."""
        return self._rows

    def resize(self, size: int) -> None:
        """Have `size` rows; those that are there stay."""
        rows = np.zeros((size, self._rows.shape[1]), dtype=np.float32)
        rows[: len(self._rows)] = self._rows
        self._rows = rows

    def search(self, query: Vector, mask: Bits, limit: int) -> Found:
        """See `Block`."""
        scores = self._rows @ query
        scores[np.unpackbits(mask, count=len(self), bitorder="little") == 0] = -np.inf
        best = (
            np.argpartition(scores, -limit)[-limit:] if limit < len(self) else np.arange(len(self))
        )
        best = best[np.lexsort((best, -scores[best]))]
        best = best[scores[best] > -np.inf]
        return scores[best], best


class FaissBlock:
    """FAISS's flat index, which reads every vector once and keeps to the mask while it does."""

    def __init__(self, index: Any) -> None:
        self.index = index
        self._faiss = import_faiss()

    def __len__(self) -> int:
        return int(self.index.ntotal)

    @property
    def rows(self) -> Vector:
        """See `Block`."""
        flat: Vector = self._faiss.rev_swig_ptr(self.index.get_xb(), len(self) * self.index.d)
        return flat.reshape(len(self), self.index.d)

    def resize(self, size: int) -> None:
        """Have `size` rows; those that are there stay."""
        self.index.codes.resize(size * self.index.d * FLOAT_BYTES)
        self.index.ntotal = size

    def search(self, query: Vector, mask: Bits, limit: int) -> Found:
        """See `Block`."""
        self._faiss.omp_set_num_threads(1)
        chosen = self._faiss.SearchParameters(sel=self._faiss.IDSelectorBitmap(mask))
        (scores,), (slots,) = self.index.search(query[None], limit, params=chosen)
        found = slots >= 0
        return scores[found], slots[found]


def make_block(dimension: int, size: int) -> NumpyBlock | FaissBlock:
    """An empty block that is to have `size` rows."""
    if size <= FEW_VECTORS:
        return NumpyBlock(dimension)
    return FaissBlock(import_faiss().IndexFlatIP(dimension))


def grow(block: NumpyBlock | FaissBlock, dimension: int, size: int) -> NumpyBlock | FaissBlock:
    """`block`, or one of the kind that suits `size` rows, with its vectors and room for more."""
    if isinstance(block, NumpyBlock) and size > FEW_VECTORS:
        few, block = block, make_block(dimension, size)
        block.resize(size)
        block.rows[: len(few)] = few.rows
    else:
        block.resize(size)
    return block


def import_faiss() -> Any:
    """The library, once there is something for it to search."""
    import faiss

    return faiss
