"""Restoring a backup: proven first, loaded in one transaction, compared row for row."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

from django.conf import settings
from django.core.management.color import no_style
from django.db import connections, transaction

from background_tasks.backups.archive import Manifest, read_archive
from background_tasks.backups.encryption import MAGIC, DecryptingReader
from background_tasks.backups.erased import read_erased, replay_erasures
from background_tasks.backups.rows import Model, decode, read_lines, stored_fields
from background_tasks.backups.sealing import Source
from background_tasks.backups.shelf import get_shelf
from background_tasks.backups.tables import SEEDED, applied_migrations, models_at, stored
from background_tasks.errors import ArchiveDamaged, BackupError, DatabaseNotEmpty, NotVerified

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
BYTES_AT_ONCE = 4_000_000


@contextmanager
def open_backup(name: str) -> Iterator[Source]:
    """The archive's bytes, decrypted; `name` is a path, or a name on the shelf."""
    if Path(name).is_file():
        with open(name, "rb") as file:
            yield _decrypted(file)
    elif name in get_shelf().names():
        with get_shelf().open(name) as file:
            yield _decrypted(file)
    else:
        raise BackupError(f"There is no backup {name}.")


def _decrypted(file: BinaryIO) -> Source:
    encrypted = file.read(len(MAGIC)) == MAGIC
    file.seek(0)
    if not encrypted:
        return file
    secrets = [settings.BACKUP_ENCRYPTION_KEY, *settings.BACKUP_ENCRYPTION_OLD_KEYS]
    return DecryptingReader(file, [secret for secret in secrets if secret])


def check_backup(name: str) -> Manifest:
    """Read and prove the whole archive. Raises ArchiveDamaged, which names what is damaged."""
    with open_backup(name) as source:
        return read_archive(source)


def restore_backup(name: str, *, overwrite: bool = False, replay: bool = True) -> Manifest:
    """Put the archive's rows into the database, which is empty (or emptied, if `overwrite`).

    Nothing is written before the archive is proven, and all of it in one transaction, which
    holds only if the tables then have the archive's rows, to the letter. Accounts that were
    erased after the backup was made are erased again, in the same transaction, unless `replay`
    is left to the caller (who has to migrate first). Raises BackupError.
    """
    manifest = check_backup(name)
    models = models_at(manifest.migrations)
    require_migrations(manifest)
    if not overwrite:
        require_empty(stored(models))
    erased = read_erased() if replay else set()
    with transaction.atomic():
        _wipe(models if overwrite else stored(models))
        _load(name, models)
        _reset_sequences(models.values())
        verify_rows(manifest, models)
        if replay:
            settle(erased)
    logger.info("Restored %d rows of %d tables", manifest.rows, len(manifest.tables))
    return manifest


def settle(erased: Set[UUID] = frozenset()) -> None:
    """What follows a restore: erasures once more, and indexes that read everything again."""
    from rag.services.outbox import begin_anew

    again = replay_erasures(erased | read_erased())
    begin_anew()
    logger.info("Erased %d accounts again", again)


def require_migrations(manifest: Manifest) -> None:
    """Raise BackupError unless the database stands where the archive's did."""
    here = {(app, name) for app, names in applied_migrations("default").items() for name in names}
    there = {(app, name) for app, names in manifest.migrations.items() for name in names}
    if here != there:
        raise BackupError(
            f"The database's tables are of another version than the backup's (only here: "
            f"{_few(here - there)}; only there: {_few(there - here)}). "
            "Restore into a database without any tables: they are made as the backup had them."
        )


def _few(migrations: Set[tuple[str, str]]) -> str:
    names = sorted(f"{app}.{name}" for app, name in migrations)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "") or "none"


def require_empty(models: Mapping[str, Model]) -> None:
    """Raise DatabaseNotEmpty, naming the tables that have rows beyond what `migrate` puts in."""
    full = [
        label
        for label, model in models.items()
        if label not in SEEDED and model._base_manager.exists()  # noqa: SLF001
    ]
    if full:
        raise DatabaseNotEmpty(
            f"The database is not empty ({', '.join(full)}). Restore into an empty one, "
            "or let --force-empty delete everything in this one first."
        )


def verify_rows(manifest: Manifest, models: Mapping[str, Model]) -> int:
    """Compare each table with the manifest; the rows compared. Raises NotVerified."""
    for table in manifest.tables:
        digest, rows = hashlib.sha256(), 0
        for line in read_lines(models[table.model], "default"):
            digest.update(line)
            rows += 1
        if (rows, digest.hexdigest()) != (table.rows, table.sha256):
            raise NotVerified(
                f"{table.model}: {rows} rows were restored that are not the archive's {table.rows}."
            )
    return manifest.rows


def _wipe(models: Mapping[str, Model]) -> None:
    # Foreign keys are checked at the commit, so the order is free.
    for model in models.values():
        rows = model._base_manager.all()  # noqa: SLF001
        rows._raw_delete(rows.db)  # noqa: SLF001 (no signals, no cascades: every table goes)


def _load(name: str, models: Mapping[str, Model]) -> None:
    def load(label: str, member: str, body: bytes) -> None:
        if label not in models:
            raise ArchiveDamaged(member, "there is no such table")
        _insert(models[label], body.splitlines(keepends=True))

    with open_backup(name) as source:
        read_archive(source, load)


def _insert(model: Model, lines: Iterable[bytes]) -> None:
    fields = stored_fields(model)
    batch: list[Any] = []
    size = 0
    for line in lines:
        batch.append(model(**decode(fields, line)))
        size += len(line)
        if len(batch) == ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            model._base_manager.bulk_create(batch)  # noqa: SLF001
            batch, size = [], 0
    if batch:
        model._base_manager.bulk_create(batch)  # noqa: SLF001


def _reset_sequences(models: Iterable[Model]) -> None:
    connection = connections["default"]
    statements = connection.ops.sequence_reset_sql(no_style(), list(models))
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
