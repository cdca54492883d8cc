"""`manage.py create_index`: make the external index where it is missing, and fill it."""

import asyncio
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common.loop import run
from rag.backends import get_vector_store
from rag.errors import NotConfigured, ProviderError
from rag.services import reconcile_store
from rag.vector_stores.base import VectorStore

READY_SECONDS = 120


class Command(BaseCommand):
    """Makes the index; leaves one that is there as it is."""

    help = "Make the vector store's index where it is missing (Pinecone, pgvector)."

    def add_arguments(self, parser: CommandParser) -> None:
        """How long to wait for a new index."""
        parser.add_argument("--seconds", type=int, default=READY_SECONDS, help="longest wait")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it, or say that it is there. Exits with an error when it cannot be used."""
        try:
            store = get_vector_store()
            made = run(_ensure(store, options["seconds"]))
        except (ProviderError, NotConfigured) as error:
            cause = error.__cause__ or error
            raise CommandError(f"{error} ({type(cause).__name__})") from error
        name = type(store).__name__
        if made is None:
            self.stdout.write(f"{name} needs no index.")
        else:
            self.stdout.write(f"{name}: the index {'was made' if made else 'is there'}.")
            self._fill()

    def _fill(self) -> None:
        """Bring it in step with what the database holds already."""
        try:
            figures = reconcile_store()
        except (ProviderError, NotConfigured) as error:
            raise CommandError(f"It could not be filled: {error}") from error
        self.stdout.write(f"Put in {figures['missing']}, took out {figures['extra']}.")


async def _ensure(store: VectorStore, seconds: float) -> bool | None:
    """Whether the index was made; None for a store that needs none."""
    async with asyncio.timeout(seconds + 10):
        return await store.ensure_index(seconds=seconds)
