"""What a question needs to know of a chunk and only the chunk decides, worked out once.

Kept by what the chunk says, to the letter, so that nothing here can be out of date, and nothing
says who may see it: that was asked of the database before.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from rag.statements import Statements, read_statements
from rag.text.vocabulary import Embed, Vocabulary
from rag.units import Units, read_units
from rag.vendors.local_model import get_local_model

# Of a chunk's units about 5 KB, its text included; of its statements, half a KB a sentence and
# more. All 1,000 chunks of the manual that ships are within these.
UNITS_BYTES = 6_000_000
STATEMENTS_BYTES = 9_000_000

Chunk = tuple[str, str]  # what stands above it, and its text
T = TypeVar("T", Units, Statements)


class Reader:
    """Reads chunks, and keeps what it read last; safe for any number of threads."""

    def __init__(self, embed: Embed, dimension: int) -> None:
        self.embed = embed
        self.words = Vocabulary(embed, dimension)
        self._units = _Kept[Units](UNITS_BYTES)
        self._statements = _Kept[Statements](STATEMENTS_BYTES)

    def units(self, chunks: Iterable[Chunk]) -> list[Units]:
        """Each of `chunks` (headings, text) as the units that `rag.rerank` looks at."""
        return self._units.get_all(chunks, lambda chunk: read_units(*chunk, self.words, self.embed))

    def statements(self, chunks: Iterable[Chunk]) -> list[Statements]:
        """Each of `chunks` (own heading, text) as what `rag.extraction` may quote."""
        return self._statements.get_all(
            chunks, lambda chunk: read_statements(*chunk, self.words, self.embed)
        )


class _Kept(Generic[T]):
    """What was read of the chunks asked for last, within `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._found: OrderedDict[Chunk, T] = OrderedDict()

    def get_all(self, chunks: Iterable[Chunk], read: Callable[[Chunk], T]) -> list[T]:
        """What is known of each of `chunks`, or what `read` makes of it."""
        chunks = list(chunks)
        with self._lock:
            found = list(map(self._look_up, chunks))
        return [
            self._keep(chunk, read(chunk)) if known is None else known
            for chunk, known in zip(chunks, found, strict=True)
        ]

    def _look_up(self, chunk: Chunk) -> T | None:
        known = self._found.get(chunk)
        if known is not None:
            self._found.move_to_end(chunk)
        return known

    def _keep(self, chunk: Chunk, read: T) -> T:
        with self._lock:
            if chunk not in self._found:
                self._found[chunk] = read
                self._bytes += _size(chunk, read)
            while self._bytes > self._max_bytes:
                self._bytes -= _size(*self._found.popitem(last=False))
        return read


def _size(chunk: Chunk, read: Units | Statements) -> int:
    return read.nbytes + sum(map(len, chunk))


_lock = threading.Lock()
_reader: Reader | None = None


def get_reader() -> Reader:
    """The reader of this process, with the words and vectors of the local model."""
    global _reader
    model = get_local_model()
    with _lock:
        if _reader is None or _reader.words.is_full:
            _reader = Reader(model.embed, model.dimension)
        return _reader
