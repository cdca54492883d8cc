"""Both legs of the search, side by side, and their scores fused."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from django.conf import settings

from common.loop import in_thread
from rag.backends import get_embedder, get_embedder_of, get_vector_store
from rag.embedders.base import Embedder
from rag.errors import NotConfigured, ProviderError
from rag.followups import StandaloneQuestion
from rag.fusion import FOREIGN_VECTOR_WEIGHT, fuse
from rag.lexical import LexicalResult, search_lexical
from rag.selectors.index import IndexState
from rag.selectors.passages import stored_vectors
from rag.text.tokens import looks_english
from rag.types import Filters, Vector

logger = logging.getLogger(__name__)

NO_WORDS = LexicalResult(scores={}, idf={}, idf_sum=0.0)


@dataclass(slots=True)
class Legs:
    """What both legs found; `failed` names a fault of the vector leg."""

    vector: dict[int, float] = field(default_factory=dict)
    lexical: LexicalResult = NO_WORDS
    # (key, score), best first.
    fused: list[tuple[int, float]] = field(default_factory=list)
    weight: float = 0.0
    # Whether the closer look by words (`rag.rerank`) knows this embedder and this language.
    can_rerank: bool = False
    failed: str = ""
    question_vector: Vector | None = None
    timings_ms: dict[str, int] = field(default_factory=dict)


async def search_legs(
    standalone: StandaloneQuestion, filters: Filters, state: IndexState, *, limit: int
) -> Legs:
    """The best `limit` of each leg and the fused ranking, before any passage is read.

    Neither leg gates the other: when the vector leg's provider fails, the words alone decide.
    """
    legs = Legs()
    if state.fingerprint is None:
        return legs
    turns = [(turn.text, turn.weight) for turn in standalone.turns]
    lexical = asyncio.ensure_future(in_thread(search_lexical, turns, filters=filters, limit=limit))
    try:
        await _search_vectors(legs, turns, filters, state, limit, lexical)
    except (ProviderError, NotConfigured) as error:
        logger.warning("Searching without vectors: %s", error.code)
        legs.failed = error.code
    finally:
        legs.lexical = await lexical
    fuse_legs(legs)
    return legs


def stays_here(state: IndexState) -> bool:
    """Whether a search leaves this process for nothing but the database."""
    if state.fingerprint is None:
        return False
    try:
        embedder = embedder_for(state)
        return embedder.stays_here and get_vector_store(embedder).stays_here
    except (ProviderError, NotConfigured):
        return False  # `search_legs` meets the same fault, and knows what to do about it.


def search_legs_here(
    standalone: StandaloneQuestion, filters: Filters, state: IndexState, *, limit: int
) -> Legs:
    """`search_legs` in the caller's thread: one change of threads a question instead of four."""
    turns = [(turn.text, turn.weight) for turn in standalone.turns]
    embedder = embedder_for(state)
    store = get_vector_store(embedder)
    lexical = search_lexical(turns, filters=filters, limit=limit, see=store.see_now)
    legs = Legs(lexical=lexical)
    started = time.perf_counter()
    vector = combine(embedder.embed_now([text for text, _ in turns]), turns)
    legs.question_vector = vector
    embedded = time.perf_counter()
    legs.vector = {hit.key: hit.score for hit in store.search_now(vector, filters, limit)}
    missing = [key for key in legs.lexical.scores if key not in legs.vector]
    if missing:
        legs.vector.update(store.score_now(vector, missing))
    _describe(legs, embedder, turns[0][0], started, embedded)
    fuse_legs(legs)
    return legs


def fuse_legs(legs: Legs) -> None:
    """Rank what the legs hold."""
    scores = fuse(legs.vector, legs.lexical.scores, vector_weight=legs.weight)
    legs.fused = sorted(scores.items(), key=lambda item: (-item[1], item[0]))


async def _search_vectors(
    legs: Legs,
    turns: Sequence[tuple[str, float]],
    filters: Filters,
    state: IndexState,
    limit: int,
    lexical: "asyncio.Future[LexicalResult]",
) -> None:
    embedder = await in_thread(embedder_for, state)
    started = time.perf_counter()
    vector = combine(await embedder.embed([text for text, _ in turns]), turns)
    embedded = time.perf_counter()
    legs.question_vector = vector
    store = get_vector_store(embedder)
    hits = await store.search(vector, filters=filters, limit=limit)
    legs.vector = {hit.key: hit.score for hit in hits}
    missing = [key for key in (await lexical).scores if key not in legs.vector]
    if missing:
        scores = await store.score(vector, missing)
        if scores is None:
            scores = await in_thread(_score_stored, vector, missing, embedder.fingerprint)
        legs.vector.update(scores)
    _describe(legs, embedder, turns[0][0], started, embedded)


def _describe(
    legs: Legs, embedder: Embedder, question: str, started: float, embedded: float
) -> None:
    english = looks_english(question)
    legs.weight = vector_weight(embedder, is_english=english)
    legs.can_rerank = embedder.english_only and english
    legs.timings_ms = {
        "embed": round((embedded - started) * 1000),
        "search": round((time.perf_counter() - embedded) * 1000),
    }


def embedder_for(state: IndexState) -> Embedder:
    """The embedder of the generation that answers. Raises NotConfigured, ProviderError."""
    if state.fingerprint is None:
        return get_embedder()
    return get_embedder_of(state.fingerprint, state.embedder)


def vector_weight(embedder: Embedder, *, is_english: bool) -> float:
    """The cosine's share of the fused score for this question."""
    if embedder.english_only and not is_english:
        return FOREIGN_VECTOR_WEIGHT
    configured = settings.RAG["VECTOR_WEIGHT"]
    return float(embedder.vector_weight if configured is None else configured)


def combine(vectors: Vector, turns: Sequence[tuple[str, float]]) -> Vector:
    """One unit vector from the turns' own, by weight."""
    weights = np.array([weight for _, weight in turns], dtype=np.float32)
    combined: Vector = weights @ vectors
    length = float(np.linalg.norm(combined))
    return combined / length if length else combined


def _score_stored(vector: Vector, keys: Sequence[int], fingerprint: str) -> dict[int, float]:
    return {
        key: float(np.frombuffer(stored, dtype="<f4") @ vector)
        for key, stored in stored_vectors(keys, fingerprint).items()
    }
