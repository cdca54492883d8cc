"""How far two words share their letters: for typing errors and compounds."""

from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GRAM_CHARS = 3
_NONE = array("i")


class LetterIndex:
    """Words by the trigrams that they hold; a word's number is its place in the order of adding."""

    def __init__(self) -> None:
        self._holders: dict[str, array[int]] = {}
        self._sizes = array("i")

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, words: Sequence[str]) -> None:
        """Number `words` on from those that are here."""
        for number, word in enumerate(words, len(self)):
            grams = _grams(word)
            for gram in grams:
                self._holders.setdefault(gram, array("i")).append(number)
            self._sizes.append(len(grams))

    def overlap(self, term: str) -> NDArray[np.float32]:
        """Dice's coefficient of the trigrams of `term` and of each word: 0 to 1."""
        own = _grams(term)
        found = [np.frombuffer(self._holders.get(gram, _NONE), dtype=np.intc) for gram in own]
        shared = np.bincount(np.concatenate(found), minlength=len(self))
        sizes = np.array(self._sizes)
        overlaps: NDArray[np.float32] = (2 * shared / (len(own) + sizes)).astype(np.float32)
        return overlaps


def _grams(word: str) -> frozenset[str]:
    padded = f"^{word}$"
    return frozenset(padded[at : at + GRAM_CHARS] for at in range(len(padded) - GRAM_CHARS + 1))
