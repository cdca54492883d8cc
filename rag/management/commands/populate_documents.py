"""manage.py populate_documents [path…]: index a folder of files, again and again."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from rag.services.folders import Summary, find_files, missing_sources, prune
from rag.services.populate import Indexed, index_files


class Command(BaseCommand):
    """Indexes files; unchanged ones are skipped, changed ones become a new version."""

    help = "Index a folder of Markdown, text, HTML, PDF and DOCX files (default: documents/)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the folders and what to do with them."""
        parser.add_argument("paths", nargs="*", type=Path, help="folders or files")
        parser.add_argument("--prune", action="store_true", help="remove documents without a file")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")
        parser.add_argument("--reindex", action="store_true", help="index unchanged files too")
        parser.add_argument("--json", action="store_true", help="print the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Index every file, then say what came of it. Raises CommandError when one failed."""
        paths = options["paths"] or [settings.DOCUMENTS_DIR]
        for path in paths:
            if not path.exists():
                raise CommandError(f"There is no {path}.")
        summary = self._index(paths, options)
        self._report(summary, options)
        if summary.failed:
            raise CommandError(f"{len(summary.failed)} of the files could not be indexed.")

    def _index(self, paths: list[Path], options: dict[str, Any]) -> Summary:
        summary = Summary()
        found = find_files(paths)
        indexed = index_files(found, reindex=options["reindex"], dry_run=options["dry_run"])
        for file in self._with_progress(indexed, len(found), options):
            if file.outcome == "failed":
                summary.failed.append((file.source, file.reason))
            else:
                getattr(summary, file.outcome).append(file.source)
        self._find_missing(summary, found, options)
        return summary

    def _with_progress(
        self, indexed: Iterable[Indexed], count: int, options: dict[str, Any]
    ) -> Iterable[Indexed]:
        # None where nobody looks: in logs and pipes a bar is noise.
        if options["json"] or options["verbosity"] == 0 or not self.stderr.isatty():
            return indexed
        # Imported here: a server that begins with this command would keep it, and its thread.
        from tqdm import tqdm

        progress: Iterable[Indexed] = tqdm(indexed, total=count, desc="Indexing", unit="file")
        return progress

    def _find_missing(self, summary: Summary, found: Any, options: dict[str, Any]) -> None:
        missing = missing_sources(found)
        if options["prune"] and not options["dry_run"]:
            prune(missing)
            summary.pruned = missing
        else:
            summary.missing = missing

    def _report(self, summary: Summary, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps({name: getattr(summary, name) for name in NAMES}))
            return
        for source, reason in summary.failed:
            self.stderr.write(self.style.ERROR(f"failed: {source}: {reason}"))
        for source in summary.missing:
            hint = "would be removed" if options["prune"] else "use --prune to remove it"
            self.stdout.write(f"missing: {source} ({hint})")
        counts = ", ".join(f"{len(getattr(summary, name))} {name}" for name in NAMES)
        prefix = "Dry run: " if options["dry_run"] else ""
        self.stdout.write(f"{prefix}{counts}.")


NAMES = ("added", "updated", "unchanged", "missing", "pruned", "failed")
