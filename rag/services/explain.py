"""Why a search found what it found, and why not something else; for staff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.conf import settings

from common.loop import in_thread
from rag.models import Chunk, Document
from rag.rerank import DEPTH
from rag.retrieval import filters_of, standalone_of
from rag.retrieval.legs import Legs, combine, embedder_for, search_legs, stays_here
from rag.retrieval.ranking import choose, rank_passages, repeats
from rag.retrieval.spelling import mended
from rag.retrieval.trust import calibration_of, judge
from rag.selectors.index import IndexState, read_state
from rag.selectors.passages import stored_vectors
from rag.types import Filters, Passage, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A candidate: its passage, its ranks (from 1) in each list, and what took it out ("")."""

    passage: Passage
    vector_rank: int | None
    lexical_rank: int | None
    fused_rank: int
    fused_score: float
    removed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole of a search: `candidates` in the order of the final ranking."""

    standalone_question: str
    confidence: float
    mode: str
    decline_below: float
    uncertain_below: float
    vector_weight: float
    reranked: bool
    vector_failure: str
    candidates: tuple[Explained, ...]
    why_not: tuple[str, ...]


async def explain(question: Question, *, document: Document | None = None) -> Explanation:
    """Search for `question` and keep everything; `document` is one that was missed."""
    state = await in_thread(read_state)
    filters = filters_of(question, state.position)
    wide = replace(filters, category=None, metadata={})
    standalone = standalone_of(question)
    if stays_here(state):
        standalone = await in_thread(mended, standalone, filters)
    legs = await search_legs(standalone, wide, state, limit=settings.RAG["CANDIDATES"])
    ranked = list(await in_thread(rank_passages, standalone, legs, wide))
    removed = await in_thread(_removed, ranked, filters, question.top_k or settings.RAG["TOP_K"])
    returned = [passage for passage in ranked if not removed[passage.key]]
    calibration = calibration_of(state)
    sure, mode = judge(standalone.asked_in(question.text), returned, legs, calibration)
    why_not: tuple[str, ...] = ()
    if document is not None:
        turns = [(turn.text, turn.weight) for turn in standalone.turns]
        why_not = await _why_not(document, turns, legs, filters, removed, state)
    return Explanation(
        standalone_question=standalone.text,
        confidence=sure,
        mode=mode,
        decline_below=calibration.decline_below,
        uncertain_below=calibration.uncertain_below,
        vector_weight=legs.weight,
        reranked=legs.can_rerank,
        vector_failure=legs.failed,
        candidates=tuple(_describe(ranked, legs, removed)),
        why_not=why_not,
    )


def _removed(ranked: Sequence[Passage], filters: Filters, wanted: int) -> dict[int, str]:
    """What took each passage out, by key: "category", "metadata", "near_copy", "top_k" or ""."""
    metadata = _metadata_of(ranked)
    reasons: dict[int, str] = {}
    left = []
    for passage in ranked:
        if filters.category is not None and passage.category != filters.category:
            reasons[passage.key] = "category"
        elif not _matches(metadata[passage.key], filters.metadata):
            reasons[passage.key] = "metadata"
        else:
            left.append(passage)
    chosen = choose(left, wanted)
    keys = {passage.key for passage in chosen}
    for passage in left:
        is_copy = any(repeats(passage, better) for better in chosen if better.key != passage.key)
        reason = "near_copy" if is_copy else "top_k"
        reasons[passage.key] = "" if passage.key in keys else reason
    return reasons


def _metadata_of(ranked: Sequence[Passage]) -> dict[int, Mapping[str, Any]]:
    keys = [passage.key for passage in ranked]
    return dict(Chunk.objects.filter(pk__in=keys).values_list("key", "document__metadata"))


def _matches(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in metadata and metadata[name] == value for name, value in wanted.items())


def _describe(ranked: Sequence[Passage], legs: Legs, removed: Mapping[int, str]) -> list[Explained]:
    vector, lexical = _ranks(legs.vector), _ranks(legs.lexical.scores)
    fused = dict(legs.fused)
    places = {key: place for place, (key, _) in enumerate(legs.fused, 1)}
    return [
        Explained(
            passage=passage,
            vector_rank=vector.get(passage.key),
            lexical_rank=lexical.get(passage.key),
            fused_rank=places[passage.key],
            fused_score=fused[passage.key],
            removed_by=removed[passage.key],
        )
        for passage in ranked
    ]


def _ranks(scores: Mapping[int, float]) -> dict[int, int]:
    ordered = sorted(scores, key=lambda key: -scores[key])
    return {key: place for place, key in enumerate(ordered, 1)}


async def _why_not(
    document: Document,
    turns: Sequence[tuple[str, float]],
    legs: Legs,
    filters: Filters,
    removed: Mapping[int, str],
    state: IndexState,
) -> tuple[str, ...]:
    """Sentences on what keeps `document` out of the answer, or how far it came."""
    reasons = [*_state_reasons(document, filters)]
    keys = await in_thread(
        lambda: list(
            Chunk.objects.filter(document=document, live=True).values_list("pk", flat=True)
        )
    )
    if not keys:
        return (*reasons, "It has no chunks that a search could find.")
    shown = [key for key in keys if key in removed]
    if shown:
        reasons += [_fate(removed[key], key) for key in shown[:5]]
        return tuple(reasons)
    candidates = [key for key in keys if key in dict(legs.fused)]
    if candidates:
        places = [place for place, (key, _) in enumerate(legs.fused, 1) if key in keys]
        reasons.append(f"Its best chunk came {places[0]}th; only {DEPTH} are looked at closely.")
    else:
        best = await _best_cosine(keys, turns, state)
        limit = settings.RAG["CANDIDATES"]
        reasons.append(
            f"None of its chunks is among the best {limit} of either leg"
            + (
                f"; its best cosine is {best:.3f}, the list ends at "
                f"{min(legs.vector.values(), default=0.0):.3f}."
                if best is not None
                else "."
            )
        )
    return tuple(reasons)


def _state_reasons(document: Document, filters: Filters) -> list[str]:
    reasons = []
    if document.current_version_id is None:
        reasons.append(f"It has not been ready yet (status {document.status}).")
    if document.hidden:
        reasons.append("It is hidden.")
    if filters.category is not None and document.category != filters.category:
        reasons.append(f"Its category is {document.category}, not {filters.category}.")
    if not _matches(document.metadata, filters.metadata):
        reasons.append("Its metadata does not match the filter.")
    return reasons


def _fate(reason: str, key: int) -> str:
    return {
        "": f"Chunk {key} was returned.",
        "top_k": f"Chunk {key} was a candidate, and better ones filled the top.",
        "near_copy": f"Chunk {key} says what a better one says already.",
        "category": f"Chunk {key} was taken out by the category.",
        "metadata": f"Chunk {key} was taken out by the metadata filter.",
    }[reason]


async def _best_cosine(
    keys: Sequence[int], turns: Sequence[tuple[str, float]], state: IndexState
) -> float | None:
    if state.fingerprint is None:
        return None
    embedder = await in_thread(embedder_for, state)
    vector = combine(await embedder.embed([text for text, _ in turns]), turns)
    stored = await in_thread(stored_vectors, keys[:500], embedder.fingerprint)
    return max(
        (float(np.frombuffer(value, dtype="<f4") @ vector) for value in stored.values()),
        default=None,
    )
