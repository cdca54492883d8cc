"""Vectors of one embedder in files that every process of a host maps instead of holding its own.

A file is made once and never grows; what comes later stays in each process until the next file.
A vector that may no longer be kept is overwritten with zeros, in the file, for all at once.
"""

import fcntl
import hashlib
import logging
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from rag.vector_stores.blocks import FLOAT_BYTES, Block, FaissBlock, import_faiss

logger = logging.getLogger(__name__)

ERASED = -1  # in the place of a key


@dataclass(frozen=True, slots=True)
class MappedVectors:
    """An open file: `block` searches it, `keys` has the chunk of each slot.

    `keys` and `rows` (n × dimension, float32) are the files themselves: to write is to write
    for every process.
    """

    block: FaissBlock
    keys: NDArray[np.int64]
    rows: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keys)

    def erase(self, slots: NDArray[np.int64]) -> None:
        """Overwrite these vectors. Those erased before are no error."""
        self.keys[slots] = ERASED
        self.rows[slots] = 0.0


class VectorFiles:
    """The files of one folder for one `fingerprint`; those of another epoch are not its own."""

    def __init__(self, folder: Path, fingerprint: str, epoch: UUID) -> None:
        self.folder = folder
        self._name = f"{_digest(fingerprint)}-{epoch.hex}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the other processes off. Raises OSError where the folder cannot be written."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def open(self, dimension: int) -> MappedVectors | None:
        """The file that is there, mapped; None if there is none, or it cannot be read."""
        for path in sorted(self.folder.glob(f"{self._name}-*.vectors")):
            try:
                return _map(path, dimension)
            except (OSError, ValueError, RuntimeError) as error:
                logger.warning("%s cannot be read and is made anew: %s", path.name, type(error))
        return None

    def make(self, block: Block, keys: NDArray[np.int64]) -> MappedVectors:
        """Write the vectors of `block` and map them; earlier files of the fingerprint go."""
        index = block.index if isinstance(block, FaissBlock) else _as_index(block.rows)
        path = self.folder / f"{self._name}-{secrets.token_hex(4)}.vectors"
        half = path.with_suffix(".half")
        _save(keys, _keys_of(path))
        import_faiss().write_index(index, str(half))
        half.chmod(0o600)
        half.replace(path)
        self._remove(set(self.folder.glob(f"{self._name[:_DIGITS]}-*")) - {path, _keys_of(path)})
        return _map(path, index.d)

    def tidy(self, fingerprints: Collection[str]) -> None:
        """Remove the files of all other fingerprints."""
        known = {_digest(fingerprint) for fingerprint in fingerprints}
        files = [path for path in self.folder.glob("*-*") if path.name[:_DIGITS] not in known]
        self._remove(files)

    def _remove(self, paths: Collection[Path]) -> None:
        # Processes that have one mapped keep it until they let it go.
        for path in paths:
            path.unlink(missing_ok=True)


_DIGITS = 16


def _map(path: Path, dimension: int) -> MappedVectors:
    """Raises OSError, ValueError or RuntimeError (FAISS's own) for what is not whole."""
    keys = np.load(_keys_of(path), mmap_mode="r+")
    faiss = import_faiss()
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    if index.d != dimension or index.ntotal != len(keys):
        raise ValueError("The file does not fit its keys.")
    shape = (len(keys), dimension)
    head = path.stat().st_size - FLOAT_BYTES * len(keys) * dimension
    rows = np.memmap(path, dtype="<f4", mode="r+", offset=head, shape=shape)
    return MappedVectors(FaissBlock(index), keys, rows)


def _digest(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode()).hexdigest()[:_DIGITS]


def _keys_of(path: Path) -> Path:
    return path.with_suffix(".npy")


def _save(keys: NDArray[np.int64], path: Path) -> None:
    half = path.with_suffix(".npy.half")
    with half.open("wb") as file:
        np.save(file, keys)
    half.chmod(0o600)
    half.replace(path)


def _as_index(rows: NDArray[np.float32]) -> Any:
    index = import_faiss().IndexFlatIP(rows.shape[1])
    index.add(rows)
    return index
