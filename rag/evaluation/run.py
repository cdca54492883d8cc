"""Asking a dataset's questions through the product's own retrieval, and keeping what came."""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.conf import settings

from common.loop import in_thread
from rag.citations import verify
from rag.evaluation.dataset import Dataset, Query
from rag.followups import StandaloneQuestion
from rag.generators.extractive import ExtractiveGenerator
from rag.models import Chunk
from rag.prompts import build_prompt
from rag.retrieval import filters_of, retrieve, standalone_of
from rag.retrieval.legs import Legs, fuse_legs, search_legs, stays_here
from rag.retrieval.ranking import choose, rank_passages
from rag.retrieval.spelling import mended
from rag.retrieval.trust import Evidence, calibration_of, evidence, judge
from rag.selectors.index import IndexState, read_state
from rag.types import Filters, Passage, Question, Reference, TextDelta, Viewer

DEPTH = 10
# Enough that a whole article can be left out and others still stand in the lists.
WIDE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one query: corpus ids by each ranking, texts, confidences, time."""

    query: Query
    ranked: tuple[str, ...]
    by_words: tuple[str, ...]
    by_vectors: tuple[str, ...]
    texts: tuple[str, ...]
    confidence: float
    # The confidence with every document of the relevant groups left out; None without any.
    confidence_absent: float | None
    evidence: Evidence
    evidence_absent: Evidence | None
    milliseconds: float


class Runner:
    """Holds what all queries of one dataset share."""

    def __init__(self, dataset: Dataset, ids: Mapping[UUID, str]) -> None:
        self.ids = ids
        groups = {entry.id: entry.group for entry in dataset.entries}
        self.group_of = {corpus_id: groups.get(corpus_id, corpus_id) for corpus_id in ids.values()}
        self.corpus_id_of: dict[int, str] = {}

    async def prepare(self) -> None:
        """Read which chunk belongs to which document."""
        rows = await in_thread(lambda: list(Chunk.objects.values_list("key", "document_id")))
        self.corpus_id_of = {key: self.ids[document] for key, document in rows}

    async def ask(self, query: Query, *, with_absent: bool) -> Outcome:
        """Search for `query`, timed as a request would be, then look at the parts."""
        question = Question(text=query.text, viewer=Viewer(), history=query.history)
        started = time.perf_counter()
        await retrieve(question)
        milliseconds = (time.perf_counter() - started) * 1000
        state = await in_thread(read_state)
        filters = filters_of(question, state.position)
        standalone = standalone_of(question)
        if stays_here(state):
            standalone = await in_thread(mended, standalone, filters)
        legs = await search_legs(standalone, filters, state, limit=settings.RAG["CANDIDATES"])
        ranked = list(await in_thread(rank_passages, standalone, legs, filters))
        sure, found = _trust(standalone.asked_in(query.text), ranked, legs, state)
        absent: tuple[float | None, Evidence | None] = (None, None)
        if with_absent and query.gains:
            absent = await self._ask_without(query, standalone, filters, state)
        return Outcome(
            query=query,
            ranked=self._unique(passage.key for passage in ranked),
            by_words=self._unique(_best_first(legs.lexical.scores)),
            by_vectors=self._unique(_best_first(legs.vector)),
            texts=tuple(passage.text for passage in choose(ranked, DEPTH)),
            confidence=sure,
            confidence_absent=absent[0],
            evidence=found,
            evidence_absent=absent[1],
            milliseconds=milliseconds,
        )

    async def _ask_without(
        self, query: Query, standalone: StandaloneQuestion, filters: Filters, state: IndexState
    ) -> tuple[float, Evidence]:
        """How far the same question would be trusted, were its documents not there."""
        gone = {self.group_of[corpus_id] for corpus_id in query.gains if corpus_id in self.group_of}
        legs = await search_legs(standalone, filters, state, limit=WIDE)
        legs.vector = self._without(legs.vector, gone)
        legs.lexical = replace(legs.lexical, scores=self._without(legs.lexical.scores, gone))
        fuse_legs(legs)
        ranked = list(await in_thread(rank_passages, standalone, legs, filters))
        return _trust(standalone.asked_in(query.text), ranked, legs, state)

    def _without(self, scores: Mapping[int, float], gone: Collection[str]) -> dict[int, float]:
        return {
            key: score
            for key, score in scores.items()
            if self.group_of[self.corpus_id_of[key]] not in gone
        }

    def _unique(self, keys: Iterable[int]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.corpus_id_of[key] for key in keys))[: 3 * DEPTH]

    async def cite(self, query: Query) -> list[bool]:
        """Of each citation of the extractive answer: does it stand in a relevant document?"""
        question = Question(text=query.text, viewer=Viewer(), history=query.history)
        retrieved = await retrieve(question)
        prompt = build_prompt(question, replace(retrieved, mode="grounded"))
        text, references = "", list[Reference]()
        async for event in ExtractiveGenerator().generate(prompt):
            if isinstance(event, TextDelta):
                text += event.text
            elif isinstance(event, Reference):
                references.append(event)
        return [
            self.ids[prompt.passages[citation.ref - 1].document_id] in query.gains
            for citation in verify(text, references, prompt.passages)
        ]


def _best_first(scores: Mapping[int, float]) -> list[int]:
    return sorted(scores, key=lambda key: (-scores[key], key))


def _trust(
    question: str, ranked: Sequence[Passage], legs: Legs, state: IndexState
) -> tuple[float, Evidence]:
    chosen = choose(ranked, settings.RAG["TOP_K"])
    return judge(question, chosen, legs, calibration_of(state))[0], evidence(chosen, legs)
