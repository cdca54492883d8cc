"""An index in memory: vectors in blocks, with who may see what beside them.

Up to `EXACT_CHUNKS` a search looks at every vector; above, at those that a first look by their
signs leaves (`rag.vector_stores.signs`).

Its vectors lie in this process's memory, but for those of a mapped file, which take the first
slots and which all processes share (`rag.vector_stores.mapped`).
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from rag.types import Hit, Vector, VectorRecord
from rag.vector_stores.access import NOBODY, AccessTable
from rag.vector_stores.blocks import Bits, Block, FaissBlock, NumpyBlock, grow
from rag.vector_stores.mapped import ERASED, MappedVectors, VectorFiles
from rag.vector_stores.signs import Signs

# A mask costs a bit a chunk: 12 KB at 100,000.
MAX_MASKS = 128
# Growing copies everything, so it is done by an eighth at a time.
GROWTH = 8
MIN_GROWTH = 256
# A look at each vector takes 1.5 ms here.
EXACT_CHUNKS = 20_000

# A bit for each slot: those of the mapped file, those in memory.
Mask = tuple[Bits, Bits]
Slots = NDArray[np.int64]
# A chunk without its vector: key, document, owner, visibility, category.
Placed = tuple[int, UUID, UUID | None, str, str]


class FlatIndex:
    """Vectors by slot; a slot belongs to a chunk, or is free and in no mask.

    Costs 4 bytes and a bit a dimension, and about 30 bytes a chunk. Callers see to it that
    nothing searches while something changes (see `rag.vector_stores.local`).
    """

    def __init__(self, dimension: int, base: MappedVectors | None = None) -> None:
        self.dimension = dimension
        self._base = base
        self._own: NumpyBlock | FaissBlock = NumpyBlock(dimension)
        self._base_signs = Signs(dimension)
        self._own_signs = Signs(dimension)
        if base is not None:
            self._base_signs.append(base.rows)
        # A slot of the base has its key as long as its vector is to be found.
        self._keys = np.zeros(self._in_base, dtype=np.int64)
        self._documents = np.full(self._in_base, NOBODY, dtype=np.int32)
        self._free: list[int] = []
        self._count = 0
        # The keys in order, and their slots.
        self._by_key: tuple[Slots, Slots] | None = None
        self._access = AccessTable()
        self._masks: OrderedDict[Any, Mask] = OrderedDict()

    def __len__(self) -> int:
        return self._count

    @property
    def _in_base(self) -> int:
        return 0 if self._base is None else len(self._base)

    def keys(self) -> set[int]:
        """The keys of all chunks here."""
        return set(self._keys[self._documents >= 0].tolist())

    def search(self, vector: Vector, mask: Mask, limit: int) -> list[Hit]:
        """The nearest chunks in `mask`, best first, by cosine."""
        query = np.ascontiguousarray(vector, dtype=np.float32)
        found: list[Hit] = []
        if self._base is not None:
            found = self._search(self._base.block, self._base_signs, query, mask[0], limit)
        if len(self._own):
            found += self._search(
                self._own, self._own_signs, query, mask[1], limit, first=self._in_base
            )
        return sorted(found, key=lambda hit: -hit.score)[:limit] if self._in_base else found

    def _search(
        self, block: Block, signs: Signs, query: Vector, mask: Bits, limit: int, *, first: int = 0
    ) -> list[Hit]:
        limit = min(limit, len(self) or 1)
        if len(self._keys) <= EXACT_CHUNKS:
            scores, rows = block.search(query, mask, limit)
        else:
            scores, rows = signs.search(block.rows, query, mask, limit)
        return list(map(Hit, self._keys[first + rows].tolist(), scores.tolist()))

    def score(self, vector: Vector, keys: Sequence[int]) -> dict[int, float]:
        """Cosines of those of `keys` that are here."""
        found, slots = self._find(keys)
        if self._base is None:
            rows = self._own.rows[slots]
        else:
            rows = np.empty((len(slots), self.dimension), dtype=np.float32)
            own = slots >= self._in_base
            rows[own] = self._own.rows[slots[own] - self._in_base]
            rows[~own] = self._base.rows[slots[~own]]
        return dict(zip(found.tolist(), (rows @ vector).tolist(), strict=True))

    def see(
        self,
        keys: Sequence[int],
        viewer: UUID | None,
        category: str | None,
        documents: Collection[UUID] | None = None,
    ) -> dict[int, bool]:
        """Of those of `keys` that are here, whether the mask of the same arguments has them."""
        found, slots = self._find(keys)
        allowed = self._access.allowed(viewer, category, documents)
        return dict(zip(found.tolist(), allowed[self._documents[slots]].tolist(), strict=True))

    def mask(
        self, viewer: UUID | None, category: str | None, documents: Collection[UUID] | None = None
    ) -> Mask:
        """One bit a slot: what `viewer` may see in `category` (and of `documents` only)."""
        if documents is not None:
            return self._make_mask(viewer, category, documents)
        mask = self._masks.get((viewer, category))
        if mask is None:
            mask = self._make_mask(viewer, category, None)
            if len(self._masks) >= MAX_MASKS:
                self._masks.clear()
            self._masks[viewer, category] = mask
        return mask

    def put(self, records: Sequence[VectorRecord]) -> None:
        """Add `records`, replacing those of the same key."""
        self.remove([record.key for record in records])
        self.put_new(records)

    def put_new(self, records: Sequence[VectorRecord]) -> None:
        """Add `records`, none of whose keys is here yet."""
        self.reserve(len(records))
        vectors = self._own.rows
        taken = []
        for record in records:
            slot = self._free.pop()
            taken.append(slot - self._in_base)
            vectors[taken[-1]] = record.vector
            self._keys[slot] = record.key
            self._documents[slot] = self._access.put(
                record.document_id, record.owner_id, record.category, public=record.public
            )
        self._own_signs.put(np.array(taken, dtype=np.int64), vectors[taken])
        self._changed()

    def adopt(self, records: Iterable[Placed]) -> list[int]:
        """Find the chunks of the mapped file; the keys of those that it does not have.

        What the file has beyond them is erased from it.
        """
        assert self._base is not None  # noqa: S101 (nothing is adopted without one)
        slots = {key: slot for slot, key in enumerate(self._base.keys.tolist()) if key != ERASED}
        missing = []
        for key, document, owner, visibility, category in records:
            slot = slots.pop(key, None)
            if slot is None:
                missing.append(key)
                continue
            public = visibility == "public"
            self._keys[slot] = key
            self._documents[slot] = self._access.put(document, owner, category, public=public)
        self._base.erase(np.fromiter(slots.values(), dtype=np.int64))
        self._changed()
        return missing

    def move_to(self, files: VectorFiles) -> None:
        """Write all vectors to a file and map it. Raises OSError."""
        assert self._base is None  # noqa: S101 (a file is made from what is in memory)
        self._base = files.make(self._own, np.where(self._documents >= 0, self._keys, ERASED))
        self._own = NumpyBlock(self.dimension)
        self._base_signs, self._own_signs = self._own_signs, Signs(self.dimension)
        self._free = []
        self._changed()

    def remove(self, keys: Sequence[int]) -> None:
        """Take the chunks `keys` out; unknown ones are no error."""
        self._release(np.unique(self._find(keys)[1]))

    def remove_documents(self, documents: Collection[UUID]) -> None:
        """Take all chunks of `documents` out."""
        numbers = self._access.numbers_of(documents)
        self._release(np.flatnonzero(np.isin(self._documents, numbers)))

    def reserve(self, count: int, *, exact: bool = False) -> None:
        """See to it that `count` slots are free."""
        missing = count - len(self._free)
        if missing <= 0:
            return
        size = len(self._keys)
        more = missing if exact else max(missing, size // GROWTH, MIN_GROWTH)
        self._own = grow(self._own, self.dimension, size + more - self._in_base)
        self._own_signs.resize(len(self._own))
        self._keys = np.concatenate([self._keys, np.zeros(more, dtype=np.int64)])
        self._documents = np.concatenate([self._documents, np.full(more, NOBODY, dtype=np.int32)])
        # The lowest slot is taken first.
        self._free = [*range(size + more - 1, size - 1, -1), *self._free]
        self._changed()

    def _release(self, slots: Slots) -> None:
        self._documents[slots] = NOBODY
        if self._base is not None:
            # Nothing is put there again: another process may not know yet that it is gone.
            self._base.erase(slots[slots < self._in_base])
        self._free.extend(slots[slots >= self._in_base].tolist())
        self._changed()

    def _changed(self) -> None:
        self._count = int(np.count_nonzero(self._documents >= 0))
        self._by_key = None
        self._masks.clear()

    def _find(self, keys: Sequence[int]) -> tuple[Slots, Slots]:
        """Those of `keys` that are here, and their slots."""
        if self._by_key is None:
            taken = np.flatnonzero(self._documents >= 0)
            # Keys grow with time, so they are nearly sorted as they lie.
            slots = taken[np.argsort(self._keys[taken], kind="stable")]
            self._by_key = self._keys[slots], slots
        held, slots = self._by_key
        wanted = np.asarray(keys, dtype=np.int64)
        if not len(slots) or not len(wanted):
            return wanted[:0], slots[:0]
        places = np.minimum(np.searchsorted(held, wanted), len(slots) - 1)
        known = held[places] == wanted
        return wanted[known], slots[places[known]]

    def _make_mask(
        self, viewer: UUID | None, category: str | None, documents: Collection[UUID] | None
    ) -> Mask:
        allowed = self._access.allowed(viewer, category, documents)
        visible = np.zeros(len(self._keys), dtype=np.bool_)
        if len(allowed):
            visible = allowed[self._documents] & (self._documents >= 0)
        base, own = np.split(visible, [self._in_base])
        return np.packbits(base, bitorder="little"), np.packbits(own, bitorder="little")
