"""The words of documents by number: their stems, their vectors and their letters at hand.

A question is compared with thousands of words. By number that takes a few operations on whole
arrays instead of several look-ups a word.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag.text.letters import LetterIndex
from rag.text.tokens import stem

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
Integers = NDArray[np.signedinteger[Any]]

Embed = Callable[[Sequence[str]], Floats]

# A kilobyte a word at 256 dimensions, taken as they come.
MAX_WORDS = 1 << 14
NO_STEM = -1
ROWS_AT_ONCE = 256


class Vocabulary:
    """Words once numbered keep their number; safe for any number of threads.

    `is_full` asks for another one to be begun: nothing is ever taken out of this one.
    """

    def __init__(self, embed: Embed, dimension: int) -> None:
        self._embed = embed
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}
        self._stem_numbers: dict[str, int] = {}
        self._stems = np.empty(MAX_WORDS, dtype=np.int32)
        self._vectors = np.empty((MAX_WORDS, dimension), dtype=np.float32)
        self._letters = LetterIndex()

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def is_full(self) -> bool:
        """Whether it holds as many words as it should."""
        return len(self._numbers) >= MAX_WORDS

    def number(self, words: Sequence[str]) -> Integers:
        """The numbers of `words`, new ones learned."""
        with self._lock:
            found = list(map(self._numbers.get, words))
            if None in found:
                self._learn(list(dict.fromkeys(w for w in words if w not in self._numbers)))
                found = list(map(self._numbers.get, words))
            return np.array(found, dtype=np.int32)

    def stems_among(self, stems: Collection[str], numbers: Integers) -> Integers:
        """For each word the place of its stem in `stems`, or -1."""
        wanted = [self._stem_numbers.get(one, NO_STEM) for one in stems]
        # Made after that: another thread may be learning, and stems only become more.
        places = np.full(len(self._stem_numbers) + 1, -1, dtype=np.intp)
        places[wanted] = range(len(stems))
        places[NO_STEM] = -1
        return places[self._stems[numbers]]

    def likeness(self, numbers: Integers, words: Sequence[str]) -> Floats:
        """How like each of the words `numbers` is to each of `words`, 0 to 1, by their vectors."""
        wanted = np.ascontiguousarray(self.vectors_of(words).T)
        likeness = np.empty((len(numbers), len(words)), dtype=np.float32)
        # So many rows stay in the processor's cache, and BLAS takes them without a copy.
        for start in range(0, len(numbers), ROWS_AT_ONCE):
            rows = self._vectors.take(numbers[start : start + ROWS_AT_ONCE], axis=0)
            np.matmul(rows, wanted, out=likeness[start : start + ROWS_AT_ONCE])
        return np.clip(likeness, 0.0, 1.0, out=likeness)

    def vectors_of(self, words: Sequence[str]) -> Floats:
        """Unit vectors of any words; those that no document holds are not learned."""
        numbers = np.array([self._numbers.get(word, -1) for word in words], dtype=np.intp)
        unknown = np.flatnonzero(numbers < 0)
        vectors = self._vectors.take(numbers, axis=0, mode="clip")
        if len(unknown):
            vectors[unknown] = rounded(self._embed([words[row] for row in unknown.tolist()]))
        return vectors

    def letter_overlap(self, term: str, numbers: Integers) -> Floats:
        """How far `term` shares its letters with each of the words `numbers`: 0 to 1."""
        with self._lock:
            behind = len(self._numbers) - len(self._letters)
            if behind:
                self._letters.add(list(self._numbers)[-behind:])
            return self._letters.overlap(term)[numbers]

    def _learn(self, words: list[str]) -> None:
        first, last = len(self._numbers), len(self._numbers) + len(words)
        if last > len(self._stems):  # One text may hold more than there is room for.
            self._stems = np.resize(self._stems, last)
            self._vectors = np.resize(self._vectors, (last, self._vectors.shape[1]))
        known = self._stem_numbers
        self._stems[first:last] = [known.setdefault(stem(word), len(known)) for word in words]
        self._vectors[first:last] = rounded(self._embed(words))
        # Last: whoever finds a number finds all that belongs to it.
        self._numbers.update((word, first + at) for at, word in enumerate(words))


def halved(vectors: Floats) -> Halves:
    """`vectors` in half precision, as they are kept."""
    return vectors.astype(np.float16)


def rounded(vectors: Floats) -> Floats:
    """`vectors` as half precision holds them, for which the weights of `rag.rerank` are fitted."""
    return halved(vectors).astype(np.float32)


def distinct(numbers: Integers, size: int) -> tuple[Integers, Integers]:
    """The distinct `numbers`, all below `size`, and the place of each number among them."""
    places = np.zeros(size, dtype=np.intp)
    places[numbers] = 1
    found = np.flatnonzero(places)
    places[found] = np.arange(len(found))
    return found, places.take(numbers)


def join(parts: Sequence[Integers]) -> Integers:
    """`parts` in one row, as numpy likes its indices."""
    return np.concatenate(parts, dtype=np.intp)
