"""Where backups are kept: a folder, or whatever django-storages can write to."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from django.conf import settings
from django.core.files import File
from django.utils.module_loading import import_string

NAME = re.compile(r"docent-backup-\d{8}T\d{6}Z\.tar\.gz(\.enc)?\Z")


class Shelf(Protocol):
    """A place for backups; their names sort by time."""

    def put(self, file: Path, name: str) -> None:
        """Keep `file` as `name`, wholly or not at all."""

    def names(self) -> list[str]:
        """The backups that are kept, the oldest first."""

    def open(self, name: str) -> Any:
        """A context manager that gives the bytes of a file; FileNotFoundError."""

    def delete(self, name: str) -> None:
        """Drop one."""


class FolderShelf:
    """BACKUP_DIR itself. The work folder is in it, so that a rename is all there is to `put`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, file: Path, name: str) -> None:
        """Rename into place, and see to it that the name outlives a power cut."""
        os.replace(file, self._folder / name)
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def names(self) -> list[str]:
        """The backups in the folder, the oldest first."""
        if not self._folder.is_dir():
            return []
        return sorted(name for name in os.listdir(self._folder) if NAME.match(name))

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The file, for reading."""
        with open(self._folder / name, "rb") as file:
            yield file

    def delete(self, name: str) -> None:
        """Remove the file."""
        (self._folder / name).unlink(missing_ok=True)


class StorageShelf:
    """A Django storage (S3 and the like): an upload is there when it is complete."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def put(self, file: Path, name: str) -> None:
        """Upload."""
        # A run that was taken over writes the same name again; storages would invent another.
        if self._storage.exists(name):
            self._storage.delete(name)
        with open(file, "rb") as content:
            self._storage.save(name, File(content))

    def names(self) -> list[str]:
        """The backups in the storage, the oldest first."""
        _, files = self._storage.listdir("")
        return sorted(name for name in files if NAME.match(name))

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """The object, for reading."""
        with self._storage.open(name, "rb") as file:
            yield file

    def delete(self, name: str) -> None:
        """Remove the object."""
        self._storage.delete(name)


def get_shelf() -> Shelf:
    """The shelf that the settings name."""
    if settings.BACKUP_STORAGE:
        options: Any = settings.BACKUP_STORAGE_OPTIONS
        return StorageShelf(import_string(settings.BACKUP_STORAGE)(**options))
    return FolderShelf(Path(settings.BACKUP_DIR))


@contextmanager
def work_folder(run: str, attempt: int) -> Iterator[Path]:
    """A folder beside the backups for what is not finished; gone afterwards, whatever happens.

    Folders that an earlier attempt at the same run left behind (its process was killed) go too.
    """
    base = Path(settings.BACKUP_DIR)
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stale in base.glob(f".work-{run}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    folder = base / f".work-{run}-{attempt}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
