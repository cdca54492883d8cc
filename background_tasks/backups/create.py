"""Making a backup: snapshot, archive, shelf, rehearsal, and only then the old ones go."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import connections

from background_tasks.backups.archive import ArchiveWriter, Manifest
from background_tasks.backups.drill import rehearse
from background_tasks.backups.encryption import EncryptingWriter
from background_tasks.backups.erased import write_list
from background_tasks.backups.rows import read_lines, stored_fields
from background_tasks.backups.shelf import get_shelf, work_folder
from background_tasks.backups.snapshot import open_snapshot
from background_tasks.backups.tables import LEFT_OUT, applied_migrations, models_at, stored

logger = logging.getLogger(__name__)

Fence = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that was written: its name, what it holds and its size."""

    name: str
    manifest: Manifest
    bytes: int


def make_backup(*, run: str, attempt: int, fence: Fence, dry_run: bool = False) -> dict[str, Any]:
    """Write a backup, restore it as a rehearsal, drop what is more than BACKUP_KEEP.

    Raises NotVerified when the rehearsal fails: the older backups are then all kept.
    """
    if dry_run:
        return describe()
    started = time.monotonic()
    with work_folder(run, attempt) as work:
        made = write_backup(work, fence)
        verified = rehearse(made.name, work)
    fence()
    write_list()
    dropped = drop_old()
    return {
        "file": made.name,
        "bytes": made.bytes,
        "rows": made.manifest.rows,
        "tables": len(made.manifest.tables),
        "verified_rows": verified,
        "dropped": dropped,
        "seconds": round(time.monotonic() - started, 1),
    }


def describe() -> dict[str, Any]:
    """What a backup would hold, and which ones are kept now."""
    models = stored(models_at(applied_migrations("default")))
    rows = sum(model._base_manager.count() for model in models.values())  # noqa: SLF001
    return {"rows": rows, "tables": len(models), "kept": get_shelf().names()}


def write_backup(work: Path, fence: Fence) -> Made:
    """Write a backup and put it on the shelf."""
    now = datetime.now(UTC)
    name = f"docent-backup-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    name += ".enc" if settings.BACKUP_ENCRYPTION_KEY else ""
    unfinished = work / name
    with open(unfinished, "xb", opener=_private) as file:
        manifest = _write(file, work, now, fence)
        file.flush()
        os.fsync(file.fileno())
    size = unfinished.stat().st_size
    fence()
    get_shelf().put(unfinished, name)
    logger.info("Backup %s: %d rows, %d bytes", name, manifest.rows, size)
    return Made(name=name, manifest=manifest, bytes=size)


def drop_old() -> list[str]:
    """Drop all but the newest BACKUP_KEEP; their names."""
    shelf = get_shelf()
    names = shelf.names()
    old = names[: max(0, len(names) - max(1, settings.BACKUP_KEEP))]
    for name in old:
        shelf.delete(name)
    return old


def _write(file: BinaryIO, work: Path, now: datetime, fence: Fence) -> Manifest:
    secret = settings.BACKUP_ENCRYPTION_KEY
    encrypted = EncryptingWriter(file, secret) if secret else None
    archive = ArchiveWriter(encrypted or file)
    manifest = Manifest(
        created_at=now.isoformat(),
        product=str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        engine=connections["default"].vendor,
        migrations=applied_migrations("default"),
        left_out=dict(LEFT_OUT),
    )
    with open_snapshot(work) as alias:
        for label, model in stored(models_at(manifest.migrations)).items():
            fence()
            fields = [field.attname for field in stored_fields(model)]
            manifest.tables.append(archive.add_table(label, fields, read_lines(model, alias)))
    archive.close(manifest)
    if encrypted is not None:
        encrypted.close()
    return manifest


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
