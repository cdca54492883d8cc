"""`manage.py restore_backup FILE`: put a backup into an empty database, or prove that one could."""

import json
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from background_tasks.backups.archive import Manifest
from background_tasks.backups.drill import rehearse
from background_tasks.backups.restore import check_backup, restore_backup, settle
from background_tasks.backups.tables import make_tables
from background_tasks.errors import BackupError


class Command(BaseCommand):
    """Restores, or with --verify restores nothing but into a database made for the occasion."""

    help = "Restore a backup into an empty database, from any engine into any other."
    # A rehearsal runs this where no server could: on SQLite, without the production's services.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """FILE and how to go about it."""
        parser.add_argument("file", help="path of a backup, or its name in the backup storage")
        parser.add_argument(
            "--verify",
            action="store_true",
            help="change nothing: prove the archive, restore it into a temporary database, compare",
        )
        parser.add_argument(
            "--force-empty",
            action="store_true",
            help="delete EVERYTHING in the database first, in the same transaction",
        )
        parser.add_argument(
            "--migrate",
            action="store_true",
            help="insist on a database without tables: they are made as the backup's version had"
            " them, and migrated to this version afterwards (done without being told where there"
            " are none)",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was restored; CommandError (exit 1) says which part failed and why."""
        try:
            manifest = self._verify(options) if options["verify"] else self._restore(options)
        except BackupError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            told = {"rows": manifest.rows, "tables": len(manifest.tables)}
            self.stdout.write(json.dumps(told | {"created_at": manifest.created_at}))

    def _verify(self, options: dict[str, Any]) -> Manifest:
        manifest = check_backup(options["file"])
        self.stdout.write(f"The archive is whole: {manifest.rows} rows, {manifest.created_at}.")
        with tempfile.TemporaryDirectory(prefix="docent-rehearsal-") as folder:
            rows = rehearse(options["file"], Path(folder))
        self.stdout.write(f"It restores: {rows} rows came back as they were.")
        return manifest

    def _restore(self, options: dict[str, Any]) -> Manifest:
        bare = not connection.introspection.table_names()
        if options["migrate"] and not bare:
            raise BackupError("--migrate needs a database without any tables.")
        if bare:
            make_tables(check_backup(options["file"]).migrations)
        manifest = restore_backup(
            options["file"], overwrite=options["force_empty"], replay=not bare
        )
        if bare:
            call_command("migrate", verbosity=0, interactive=False)
            settle()
        self.stdout.write(f"Restored {manifest.rows} rows of {len(manifest.tables)} tables.")
        for table in manifest.tables:
            self.stdout.write(f"  {table.rows:>9}  {table.model}")
        return manifest
