"""The probes of what answers come from: the embedder, the vector store, each model.

`probe_circuits` costs nothing and is asked by readiness; the others call the services, with a
little cost, and are asked by `manage.py doctor`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import numpy as np
from django.db import DatabaseError, InterfaceError

from common.errors import ApplicationError
from common.health import Degraded, ProbeFailed
from common.loop import run
from rag.backends import get_embedder, get_generator, get_vector_store
from rag.errors import NotConfigured, ProviderError
from rag.generators.base import Generator
from rag.generators.chain import ChainGenerator
from rag.resilience.breaker import open_circuits
from rag.types import Filters, Finished, Prompt, Viewer

T = TypeVar("T")

PROBE_SECONDS = 20.0


def probe_circuits() -> str:
    """How many providers are left alone at the moment; Degraded when there are any."""
    names = [name.partition("@")[0] for name in open_circuits()]
    if names:
        raise Degraded(f"Left alone after failures: {', '.join(names)}.")
    return "all are asked"


def probe_embedder() -> str:
    """Its name and dimension, once it has embedded a word."""
    embedder = _built(get_embedder)
    _ask(embedder.embed(["hello"]))
    return f"{embedder.fingerprint}, {embedder.dimension} dimensions"


def probe_vector_store() -> str:
    """Its name and how long its answer was, once it has answered a search."""
    store = _built(get_vector_store)
    vector = np.full(store.dimension, 1 / np.sqrt(store.dimension), dtype=np.float32)
    hits = _ask(store.search(vector, filters=Filters(viewer=Viewer()), limit=1))
    return f"{type(store).__name__}, {'with' if hits else 'without'} public documents"


def probe_generator() -> str:
    """The rungs that answer, once each has begun an answer; Degraded while only some do."""
    generator = _built(get_generator)
    rungs = generator.rungs if isinstance(generator, ChainGenerator) else [generator]
    states = {rung.name: _state_of(rung) for rung in rungs if rung.name != "extractive"}
    told = ", ".join(f"{name} {state}" for name, state in states.items())
    if not states:
        return "quotes its sources, no model is configured"
    if all(state != "ok" for state in states.values()):
        raise ProbeFailed(f"No model answers: {told}.")
    if any(state != "ok" for state in states.values()):
        raise Degraded(f"Not every model answers: {told}.")
    return told


def _state_of(rung: Generator) -> str:
    try:
        _ask(_begin(rung))
    except ProbeFailed as failed:
        cause = failed.__cause__
        return cause.code if isinstance(cause, ApplicationError) else "fails"
    return "ok"


async def _begin(rung: Generator) -> None:
    """Return at the answer's first piece; the rest is not waited for, nor paid."""
    prompt = Prompt(
        system="Answer with one word.",
        question="Say hello.",
        history=(),
        passages=(),
        user="Say hello.",
    )
    events = rung.generate(prompt)
    try:
        first = await anext(events)
    finally:
        await events.aclose()
    if isinstance(first, Finished):
        raise ProviderError


def _built(get: Any) -> Any:
    try:
        return get()
    except (NotConfigured, ImportError, TypeError) as error:
        raise ProbeFailed(f"It cannot be built from the settings: {error}") from error


def _ask(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work` on the process's loop. Raises ProbeFailed, with the fault as cause."""

    async def bounded() -> T:
        async with asyncio.timeout(PROBE_SECONDS):
            return await work

    try:
        return run(bounded())
    except (ProviderError, NotConfigured) as error:
        raise ProbeFailed(f"{error} ({error.code})") from error
    except (DatabaseError, InterfaceError) as error:
        raise ProbeFailed("It needs the database, which does not answer.") from error
    except TimeoutError as error:
        raise ProbeFailed(f"No answer within {PROBE_SECONDS:.0f} seconds.") from error
