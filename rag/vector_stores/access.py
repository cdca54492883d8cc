"""Who may see which document, as columns: what a mask over an index in memory is made from."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
PUBLIC, OWNER, CATEGORY = range(3)


class AccessTable:
    """One row a document: is it public, whose is it, which category has it?"""

    def __init__(self) -> None:
        self._numbers: dict[UUID, int] = {}
        self._owners: dict[UUID, int] = {}
        self._categories: dict[str, int] = {}
        self._rows = np.empty((0, 3), dtype=np.int32)

    def numbers_of(self, documents: Collection[UUID]) -> NDArray[np.int32]:
        """Row numbers of those of `documents` that have one."""
        found = [self._numbers[item] for item in documents if item in self._numbers]
        return np.array(found, dtype=np.int32)

    def put(self, document: UUID, owner: UUID | None, category: str, *, public: bool) -> int:
        """The document's row number, its row brought up to date."""
        number = _number(self._numbers, document)
        if number >= len(self._rows):
            more = np.zeros((max(64, len(self._rows) // 4), 3), dtype=np.int32)
            self._rows = np.concatenate([self._rows, more])
        owner_number = NOBODY if owner is None else _number(self._owners, owner)
        self._rows[number] = (public, owner_number, _number(self._categories, category))
        return number

    def allowed(
        self, viewer: UUID | None, category: str | None, documents: Collection[UUID] | None
    ) -> NDArray[np.bool_]:
        """For each row: may `viewer` see it, is it in `category` and among `documents`?"""
        rows = self._rows[: len(self._numbers)]
        allowed = rows[:, PUBLIC] == 1
        if viewer is not None and viewer in self._owners:
            allowed |= rows[:, OWNER] == self._owners[viewer]
        if category is not None:
            allowed &= rows[:, CATEGORY] == self._categories.get(category, NOBODY)
        if documents is not None:
            among = np.zeros(len(rows), dtype=np.bool_)
            among[self.numbers_of(documents)] = True
            allowed &= among
        return np.asarray(allowed)


def _number(numbers: dict[Any, int], name: Any) -> int:
    return numbers.setdefault(name, len(numbers))
