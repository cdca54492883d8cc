"""A gzip file that notices every changed bit, its own wrapping included.

After the gzip member stands a second, empty one whose extra field holds the SHA-256 of all
bytes before it. Any gzip or tar reads such a file; this reader checks the seal besides, and
tells how far the contents are good when they are not.
"""

import hashlib
import struct
import zlib
from typing import Protocol

from background_tasks.errors import ArchiveDamaged

LEVEL = 6
GZIP = 31  # zlib's number for a gzip header and trailer
HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
SEAL_HEADER = b"\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff" + struct.pack("<H2sH", 36, b"DS", 32)
SEAL_TRAILER = b"\x03\x00" + bytes(8)
SEAL_BYTES = len(SEAL_HEADER) + 32 + len(SEAL_TRAILER)
READ_BYTES = 16_384


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> int: ...


class Source(Protocol):
    """Where bytes come from."""

    def read(self, size: int = ..., /) -> bytes: ...


def seal(digest: bytes) -> bytes:
    """The empty gzip member that carries `digest`."""
    return SEAL_HEADER + digest + SEAL_TRAILER


class SealingWriter:
    """Compresses what is written to it into `sink`; `close` adds trailer and seal."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._size = 0
        self._put(HEADER)

    def write(self, data: bytes) -> int:
        """Compress `data`."""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._put(self._deflate.compress(data))
        return len(data)

    def tell(self) -> int:
        """How many bytes were written to it (tarfile asks)."""
        return self._size

    def close(self) -> None:
        """Finish; the sink stays open."""
        self._put(self._deflate.flush())
        self._put(struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))
        self._sink.write(seal(self._hash.digest()))

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._sink.write(data)


class UnsealingReader:
    """Decompresses `source`. Where that is damaged the contents simply end: see `broken`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hash = hashlib.sha256()
        self._inflate = zlib.decompressobj(GZIP)
        self._tail = b""
        self._plain = bytearray()
        self._ended = False
        self.broken = ""

    def read(self, size: int = READ_BYTES) -> bytes:
        """The next `size` bytes of the contents; fewer at the end."""
        while len(self._plain) < size and self._advance():
            pass
        taken = bytes(self._plain[:size])
        del self._plain[:size]
        return taken

    def finish(self) -> bool:
        """Read to the end; whether the seal is the one that was set."""
        while self._advance():
            self._plain.clear()
        return not self.broken and self._tail == seal(self._hash.digest())

    def _advance(self) -> bool:
        if self._ended:
            return False
        try:
            block = self._source.read(READ_BYTES)
        except ArchiveDamaged as error:
            self.broken, block = str(error), b""
        if not block:
            self._ended = True
            return False
        # The last bytes are the seal: always hold back as many.
        held = self._tail + block
        body, self._tail = held[:-SEAL_BYTES], held[-SEAL_BYTES:]
        self._hash.update(body)
        if not self.broken:
            self._decompress(body)
        return True

    def _decompress(self, body: bytes) -> None:
        before = self._inflate.copy()
        try:
            self._plain += self._inflate.decompress(body)
        except zlib.error as error:
            self.broken = str(error)
            self._salvage(before, body)

    def _salvage(self, inflate: "zlib._Decompress", body: bytes) -> None:
        # Byte by byte up to the damage, so that the member it lies in can be named.
        try:
            for position in range(len(body)):
                self._plain += inflate.decompress(body[position : position + 1])
        except zlib.error:
            return
