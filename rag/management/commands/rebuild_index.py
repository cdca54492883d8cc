"""manage.py rebuild_index: a new generation of vectors beside the one that answers."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from common import loop
from common.errors import ApplicationError
from rag.errors import ProviderError
from rag.generations import ensure_active
from rag.models import IndexGeneration
from rag.services.comparison import Comparison, compare
from rag.services.generations import (
    drop_generation,
    fill_generation,
    missing_chunks,
    previous_generation,
    start_building,
    switch_to,
)


class Command(BaseCommand):
    """Builds, compares, switches and goes back; each step may be repeated."""

    help = "Build the index of the settings' embedder (or --embedder) and let it answer."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to build and how far to go."""
        parser.add_argument("--embedder", help="dotted path of another embedder")
        parser.add_argument("--no-switch", action="store_true", help="build and compare only")
        parser.add_argument("--rollback", action="store_true", help="back to the one before")
        parser.add_argument("--status", action="store_true", help="list the generations")
        parser.add_argument("--drop", metavar="FINGERPRINT", help="delete one that is retired")
        parser.add_argument("--questions", type=Path, help="compare on these, one a line or JSONL")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it. Raises CommandError when a provider fails; run it again to go on."""
        try:
            if options["status"]:
                self._list()
            elif options["drop"]:
                self._drop(options["drop"])
            elif options["rollback"]:
                self._switch(previous_generation())
            else:
                self._rebuild(options)
        except ProviderError as error:
            raise CommandError(f"{error} Run it again to go on where it broke off.") from error
        except ApplicationError as error:
            raise CommandError(str(error)) from error

    def _rebuild(self, options: dict[str, Any]) -> None:
        active = ensure_active()
        choice = (
            {"BACKEND": options["embedder"]} if options["embedder"] else settings.RAG["EMBEDDER"]
        )
        generation = start_building(choice)
        self._fill(generation)
        if options["questions"] and generation.pk != active.pk:
            questions = read_questions(options["questions"])
            self._show(loop.run(compare(active, generation, questions)))
        if options["no_switch"]:
            self.stdout.write(f"Built {generation.fingerprint}; it does not answer yet.")
        else:
            self._switch(generation)

    def _fill(self, generation: IndexGeneration) -> None:
        from tqdm import tqdm

        total = missing_chunks(generation).count()
        quiet = not self.stderr.isatty()
        with tqdm(total=total, desc="Embedding", unit="chunk", disable=quiet) as bar:
            fill_generation(generation, lambda done, total: bar.update(done - bar.n))

    def _switch(self, generation: IndexGeneration) -> None:
        # What came in since it was built or since it was retired.
        self._fill(generation)
        switch_to(generation)
        self.stdout.write(f"{generation.fingerprint} answers now.")

    def _drop(self, fingerprint: str) -> None:
        generation = IndexGeneration.objects.filter(fingerprint=fingerprint).first()
        if generation is None:
            raise CommandError(f"There is no generation {fingerprint}.")
        self.stdout.write(f"Deleted {drop_generation(generation)} vectors.")

    def _list(self) -> None:
        for generation in IndexGeneration.objects.order_by("created_at"):
            missing = missing_chunks(generation).count()
            self.stdout.write(
                f"{generation.state:<9} {generation.fingerprint} "
                f"({generation.dimension} dimensions, {missing} chunks missing)"
            )

    def _show(self, comparison: Comparison) -> None:
        self.stdout.write(
            f"{comparison.questions} questions: same first document {comparison.same_first:.0%}, "
            f"same top three {comparison.same_top:.0%}."
        )
        for question, old, new in comparison.differing[:20]:
            self.stdout.write(f"  {question}: {old} -> {new}")


def read_questions(path: Path) -> list[str]:
    """The questions in a file: plain lines, or JSON objects with `text`."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        str(json.loads(line)["text"]) if line.startswith("{") else line for line in lines if line
    ]
