"""A database of its own for an evaluation: made, filled, measured, thrown away."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

from common.loop import close_threads
from rag.models import Document


@contextmanager
def scratch_database() -> Iterator[None]:
    """Everything inside works on an empty database beside the configured one."""
    creation = connection.creation
    name = connection.settings_dict["NAME"]
    with tempfile.TemporaryDirectory() as folder:
        if connection.vendor == "sqlite":
            # A file: threads of this process share it.
            connection.settings_dict["TEST"]["NAME"] = str(Path(folder) / "evaluation.sqlite3")
        else:
            connection.settings_dict["TEST"]["NAME"] = f"evaluation_{name}"
        _disconnect()
        creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            if Document.objects.exists():
                raise RuntimeError("This is not the database that was just made: nothing is done.")
            yield
        finally:
            _disconnect()
            creation.destroy_test_db(name, verbosity=0)


def _disconnect() -> None:
    """Close every connection, pooled ones too: they would go on to the database of before."""
    close_threads()
    connection.close()
    # PostgreSQL's alone has one.
    close_pool = getattr(connection, "close_pool", None)
    if close_pool is not None:
        close_pool()
