"""A PostgreSQL of the tests' own, with pgvector, that may be stopped and started at will."""

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest


class Postgres:
    """A running server; `url(database)` is what DATABASE_URL takes."""

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def url(self, database: str) -> str:
        """The address of `database`, over the server's socket."""
        host = quote(self._server.get_uri().partition("host=")[2], safe="")
        return f"postgres://postgres@{host}/{database}"

    def psql(self, statement: str) -> str:
        """What psql prints for `statement`."""
        return str(self._server.psql(statement))

    def stop(self) -> None:
        """End it at once, as a crash would: no connection is told."""
        self._control("stop", "-m", "immediate", "-w")

    def start(self) -> None:
        """Bring it back, and return when it takes connections."""
        socket = self._server.get_uri().partition("host=")[2]
        options = f"-k {socket} -c listen_addresses=''"
        self._control("start", "-w", "-o", options, "-l", str(self._folder / "log"))

    def _control(self, *arguments: str) -> None:
        from pgserver._commands import pg_ctl

        pg_ctl(list(arguments), pgdata=self._folder, user=self._server.system_user, timeout=60)


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server in a folder of its own, gone afterwards. Skips where `pgserver` has no wheel."""
    # It logs at exit, when pytest has closed the streams.
    logging.getLogger("pgserver").setLevel(logging.WARNING)
    pgserver = pytest.importorskip("pgserver", reason="no wheel of pgserver for this Python")
    # A socket's path is short by nature: not under pytest's own long folder names.
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield Postgres(server, folder)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
