"""A backup under a key: AES-256-GCM in chunks (the STREAM construction), so that memory is flat.

    magic 8 | salt 16 | nonce prefix 7 | chunk, chunk, … each 64 KiB of ciphertext + 16 of tag

The key is scrypt(BACKUP_ENCRYPTION_KEY, salt). A chunk's nonce is the prefix, its number (4
bytes) and 1 for the last one, else 0: chunks cannot be changed, left out, moved or cut off.
Source: Hoang, Reyhanitabar, Rogaway, Vizár, "Online Authenticated-Encryption", 2015.
"""

import hashlib
import os
import struct
from collections.abc import Sequence
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from background_tasks.errors import ArchiveDamaged, BackupError

MAGIC = b"DOCENTB1"
SALT_BYTES = 16
PREFIX_BYTES = 7
CHUNK_BYTES = 65_536
TAG_BYTES = 16
HEADER_BYTES = len(MAGIC) + SALT_BYTES + PREFIX_BYTES
# 64 MiB and about a tenth of a second for each guess at a passphrase.
SCRYPT = {"n": 2**16, "r": 8, "p": 1, "maxmem": 2**27, "dklen": 32}


def _cipher(secret: str, salt: bytes) -> AESGCM:
    return AESGCM(hashlib.scrypt(secret.encode(), salt=salt, **SCRYPT))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


class EncryptingWriter:
    """Encrypts what is written to it into `sink`; `close` writes the last chunk."""

    def __init__(self, sink: BinaryIO, secret: str) -> None:
        salt, self._prefix = os.urandom(SALT_BYTES), os.urandom(PREFIX_BYTES)
        self._sink = sink
        self._header = MAGIC + salt + self._prefix
        self._cipher = _cipher(secret, salt)
        self._pending = bytearray()
        self._number = 0
        sink.write(self._header)

    def write(self, data: bytes) -> int:
        """Take `data`; whole chunks go out at once."""
        self._pending += data
        # One chunk stays back: only at the end is it known to be the last.
        while len(self._pending) > CHUNK_BYTES:
            self._put(bytes(self._pending[:CHUNK_BYTES]), last=False)
            del self._pending[:CHUNK_BYTES]
        return len(data)

    def close(self) -> None:
        """Write the last chunk; the sink stays open."""
        self._put(bytes(self._pending), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, last=last)
        self._sink.write(self._cipher.encrypt(nonce, chunk, self._header))
        self._number += 1


class DecryptingReader:
    """The plain bytes of an encrypted backup, each chunk proven before it is handed out."""

    def __init__(self, source: BinaryIO, secrets: Sequence[str]) -> None:
        self._source = source
        self._header = source.read(HEADER_BYTES)
        self._prefix = self._header[-PREFIX_BYTES:]
        self._number = 0
        self._next = source.read(CHUNK_BYTES + TAG_BYTES)
        self._cipher = self._find_cipher(secrets)

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """The next chunk, whatever `size` says; b"" at the end. Raises ArchiveDamaged."""
        if not self._next:
            return b""
        chunk, self._next = self._next, self._source.read(CHUNK_BYTES + TAG_BYTES)
        plain = self._open(self._cipher, chunk, last=not self._next)
        if plain is None:
            first = HEADER_BYTES + self._number * (CHUNK_BYTES + TAG_BYTES)
            raise ArchiveDamaged(
                f"encrypted bytes {first} to {first + len(chunk) - 1}", "they were changed"
            )
        self._number += 1
        return plain

    def _find_cipher(self, secrets: Sequence[str]) -> AESGCM:
        salt = self._header[len(MAGIC) : len(MAGIC) + SALT_BYTES]
        last = len(self._next) < CHUNK_BYTES + TAG_BYTES
        for secret in secrets:
            cipher = _cipher(secret, salt)
            for is_last in (last, True):
                if self._open(cipher, self._next, last=is_last) is not None:
                    return cipher
        raise BackupError(
            "The backup is encrypted, and no key of BACKUP_ENCRYPTION_KEY or "
            "BACKUP_ENCRYPTION_OLD_KEYS opens it (or its first 64 KiB are damaged)."
        )

    def _open(self, cipher: AESGCM, chunk: bytes, *, last: bool) -> bytes | None:
        try:
            return cipher.decrypt(
                _nonce(self._prefix, self._number, last=last), chunk, self._header
            )
        except InvalidTag:
            return None
