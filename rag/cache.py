"""Answers given again to questions that mean the same (off unless RAG_CACHE_SIMILARITY says so).

A place in the cache is named by all that an answer rests on: the passages of the prompt, letter by
letter, the vector space, the version of the prompt and the generator. So an answer is found
only by someone whose own search has just led to the very same passages, and a chunk that
changes, is hidden or deleted leads elsewhere: what was stored for it is never found again, and
expires. Only answers to a first question, from public documents alone, are kept, and none to a
message that tells more than it asks: the search looks past that, a model's answer may not.
"""

import hashlib
import logging
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import orjson
from django.conf import settings

from common.loop import in_thread
from common.redis import RedisError, key, open_async_redis
from rag.generators.base import Generator
from rag.prompts import PROMPT_VERSION
from rag.resilience.perloop import PerLoop
from rag.selectors.passages import all_public
from rag.text.asking import part_that_asks
from rag.types import (
    Finished,
    GeneratorEvent,
    Prompt,
    Question,
    Reference,
    Retrieved,
    TextDelta,
    Vector,
)

logger = logging.getLogger(__name__)

# Questions with the same passages are few; the oldest make room.
ENTRIES_A_PLACE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the answer to a question would be kept, and the question's vector."""

    name: str
    vector: Vector


async def find_place(question: Question, retrieved: Retrieved, prompt: Prompt) -> Place | None:
    """The place of this question's answer; None where it may not be kept."""
    if not settings.RAG["CACHE_SIMILARITY"] or question.history or not prompt.passages:
        return None
    if retrieved.vector is None or not np.any(retrieved.vector):
        return None
    if part_that_asks(question.text.strip()).said:
        return None
    documents = {passage.document_id for passage in prompt.passages}
    if not await in_thread(all_public, documents):
        return None
    return Place(name=_name(retrieved, prompt), vector=retrieved.vector)


def _name(retrieved: Retrieved, prompt: Prompt) -> str:
    parts = [
        str(PROMPT_VERSION),
        retrieved.fingerprint,
        retrieved.mode,
        repr(settings.RAG["GENERATOR"]),
        *(f"{passage.chunk_id} {passage.version} {passage.text}" for passage in prompt.passages),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


async def with_memory(
    generator: Generator, question: Question, retrieved: Retrieved, prompt: Prompt
) -> Generator:
    """What answers `prompt`: an answer given before, or `generator`, whose answer is then kept."""
    place = await find_place(question, retrieved, prompt)
    if place is None:
        return generator
    found = await find_answer(place)
    return Recorder(generator, place) if found is None else Replay(generator.name, found)


class Replay(Generator):
    """Says again what was said before, and that it did."""

    def __init__(self, name: str, entry: Mapping[str, Any]) -> None:
        self.name = name
        self._entry = entry

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        yield TextDelta(text=self._entry["text"])
        for ref, span, source in self._entry["references"]:
            yield Reference(
                ref=ref, answer_span=tuple(span), source_span=tuple(source) if source else None
            )
        yield Finished(model=self._entry["model"], cached=True)


class Recorder(Generator):
    """Passes a generator's answer on, and keeps it once a model has brought it to its end."""

    def __init__(self, generator: Generator, place: Place) -> None:
        self.name = generator.name
        self._generator = generator
        self._place = place

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        text, references = "", []
        async with aclosing(self._generator.generate(prompt)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    text += event.text
                elif isinstance(event, Reference):
                    references.append([event.ref, event.answer_span, event.source_span])
                elif event.reason == "stop" and event.mode is None:
                    # Quoting (it names its mode) is cheap, and not worth a model's place.
                    await keep_answer(self._place, text, references, event.model)
                yield event


async def find_answer(place: Place) -> dict[str, Any] | None:
    """The answer to the most similar question kept there, if it is similar enough."""
    try:
        client = await _clients().get()
        rows = await client.lrange(key("answers", place.name), 0, ENTRIES_A_PLACE - 1)
    except RedisError:
        logger.warning("Redis is down: no answer is given again")
        return None
    entries: list[dict[str, Any]] = [orjson.loads(row) for row in rows]
    if not entries:
        return None
    vectors = np.stack([np.frombuffer(b64decode(e["vector"]), dtype="<f2") for e in entries])
    similar = vectors.astype(np.float32) @ place.vector
    best = int(np.argmax(similar))
    return entries[best] if similar[best] >= settings.RAG["CACHE_SIMILARITY"] else None


async def keep_answer(place: Place, text: str, references: Sequence[Any], model: str) -> None:
    """Keep a model's complete answer for `RAG_CACHE_HOURS`."""
    name = key("answers", place.name)
    vector = b64encode(place.vector.astype("<f2").tobytes()).decode()
    row = orjson.dumps({"vector": vector, "text": text, "references": references, "model": model})
    try:
        client = await _clients().get()
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.lpush(name, row)
            pipeline.ltrim(name, 0, ENTRIES_A_PLACE - 1)
            pipeline.expire(name, int(settings.RAG["CACHE_HOURS"] * 3_600))
            await pipeline.execute()
    except RedisError:
        logger.warning("Redis is down: an answer is not kept")


@cache
def _clients() -> PerLoop[Any]:
    return PerLoop(open_async_redis)
