"""What is measured from inside a process of the product: queries, ingestion, the SDK's share.

    python -m benchmarks.inside queries | ingestion | sdk

Needs the product's environment (see `benchmarks.servers`); prints one JSON object.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

import django

SDK_CALLS = 60
QUESTIONS = 6


def count_queries() -> dict[str, float]:
    """Statements of one message, over all threads that it passes through."""
    from django.db import connections
    from django.db.backends.signals import connection_created
    from rest_framework.test import APIClient

    from common.loop import close_threads
    from users.models import TokenFamily
    from users.tokens import make_access

    heard: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        heard.append(sql)
        return execute(sql, params, many, context)

    def listen(connection: Any, **kwargs: Any) -> None:
        connection.execute_wrappers.append(note)

    connection_created.connect(listen)
    connections.close_all()
    family = TokenFamily.objects.latest("created_at")
    client = APIClient(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {make_access(family)}")
    counts = []
    for _ in range(QUESTIONS):
        heard.clear()
        client.post("/api/chat/messages/", {"content": "How long does a token live?"})
        ours = [sql for sql in heard if not sql.startswith(("BEGIN", "COMMIT", "PRAGMA"))]
        counts.append(len(ours))
    close_threads()
    return {"queries": sorted(counts)[len(counts) // 2]}


def time_ingestion() -> dict[str, float]:
    """Taking in the shipped documents: seconds in all, inside the embedder, reading its files.

    A write outside a transaction is a durable commit of its own.
    """
    from django.core.management import call_command
    from django.db import connection
    from django.db.backends.base.base import BaseDatabaseWrapper

    from rag.embedders.base import Embedder
    from rag.models import Chunk, Document
    from rag.vendors import wordllama

    spent = reading = 0.0
    statements = commits = 0
    # Nothing of Django's tells of commits.
    commit = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal statements, commits
        statements += 1
        commits += not connection.in_atomic_block and not sql.startswith(
            ("BEGIN", "SELECT", "PRAGMA")
        )
        return execute(sql, params, many, context)

    def counted(self: BaseDatabaseWrapper) -> None:
        nonlocal commits
        commits += 1
        commit(self)

    embed, load = Embedder.embed, wordllama.load_wordllama

    async def timed(self: Embedder, texts: Any) -> Any:
        nonlocal spent
        began = time.perf_counter()
        try:
            return await embed(self, texts)
        finally:
            spent += time.perf_counter() - began

    def timed_load() -> wordllama.WordLlamaModel:
        nonlocal reading
        began = time.perf_counter()
        try:
            return load()
        finally:
            reading += time.perf_counter() - began

    wordllama.load_wordllama = timed_load
    # The one way to see the time inside it from outside; this process does nothing else.
    Embedder.embed = timed  # type: ignore[method-assign]
    BaseDatabaseWrapper._commit = counted  # type: ignore[attr-defined]
    connection.ensure_connection()
    began, cpu = time.perf_counter(), time.process_time()
    with connection.execute_wrapper(note):
        call_command("populate_documents", verbosity=0)
    seconds = time.perf_counter() - began
    documents = Document.objects.count()
    return {
        "seconds": seconds,
        "cpu": time.process_time() - cpu,
        "embedder": spent,
        "reading": reading,
        "statements": statements / documents,
        "commits": commits / documents,
        "chunks": Chunk.objects.filter(live=True).count(),
    }


def time_sdk() -> dict[str, float]:
    """Processor time of one streamed completion by the official SDK as the product calls it."""
    from rag.vendors.mistral import MistralClient

    client = MistralClient("key", os.environ["MISTRAL_SERVER_URL"])

    async def call() -> None:
        messages = [{"role": "user", "content": "How long does an access token live?"}]
        async with client.stream(
            messages=messages, stall_seconds=10, model="mistral-small-latest"
        ) as lines:
            async for _ in lines:
                pass

    async def many() -> float:
        await call()
        before = time.process_time()
        for _ in range(SDK_CALLS // 10):
            await asyncio.gather(*(call() for _ in range(10)))
        return (time.process_time() - before) * 1_000 / (SDK_CALLS // 10 * 10)

    return {"cpu_ms": asyncio.run(many())}


if __name__ == "__main__":
    django.setup()
    measures = {"queries": count_queries, "ingestion": time_ingestion, "sdk": time_sdk}
    print(json.dumps(measures[sys.argv[1]]()))
