"""One moment of the whole database, while others go on writing to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db import connections, transaction
from django.db.utils import load_backend

ALIAS = "backup-snapshot"


@contextmanager
def open_snapshot(work: Path, using: str = "default") -> Iterator[str]:
    """The alias of a database that stands still at this moment; `work` is a folder for its files.

    PostgreSQL: a read-only REPEATABLE READ transaction on a connection of its own. SQLite: a
    copy by the online backup interface, which sees the write-ahead log; a copied file would not.
    """
    database = connections[using].settings_dict
    if connections[using].vendor == "sqlite":
        copy = work / "snapshot.sqlite3"
        _copy(using, copy)
        with _opened({**database, "NAME": str(copy), "OPTIONS": {}}, work) as alias:
            yield alias
        copy.unlink()
        return
    options = {key: value for key, value in database["OPTIONS"].items() if key != "pool"}
    with _opened({**database, "OPTIONS": options}, work) as alias, transaction.atomic(alias):
        with connections[alias].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield alias


@contextmanager
def _opened(database: dict[str, Any], work: Path) -> Iterator[str]:
    # A connection of this thread alone: no other thread ever learns of the alias.
    alias = f"{ALIAS}-{work.name}"
    connection = load_backend(database["ENGINE"]).DatabaseWrapper(database, alias)
    connections[alias] = connection
    try:
        yield alias
    finally:
        connection.close()
        del connections[alias]


def _copy(using: str, target: Path) -> None:
    source = connections[using]
    source.ensure_connection()
    with closing(sqlite3.connect(target)) as writer:
        # All pages in one step: one read transaction, so writers neither wait nor restart it.
        source.connection.backup(writer, pages=-1)
