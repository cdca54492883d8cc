"""The passages that answer a question best, and how far to trust them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from common import metrics
from common.loop import in_thread
from common.tracing import span
from rag.followups import StandaloneQuestion, contextualize
from rag.resilience.deadline import hurry
from rag.retrieval.legs import Legs, search_legs, search_legs_here, stays_here
from rag.retrieval.ranking import choose, rank_passages
from rag.retrieval.spelling import mended
from rag.retrieval.trust import calibration_of, judge
from rag.selectors.index import IndexState, read_state
from rag.types import Filters, Passage, Position, Question, Retrieved

__all__ = ["retrieve"]


async def retrieve(
    question: Question, *, standalone: StandaloneQuestion | None = None
) -> Retrieved:
    """The best passages that the viewer may see, with a calibrated confidence.

    `standalone` says what to search for; without it a rule makes it from the turns before.
    Without the vector leg (its provider fails) the lexical leg answers alone.
    """
    with metrics.retrieval_seconds.time(), span("docent.retrieve"):
        return await _retrieve(question, standalone or standalone_of(question))


@dataclass(slots=True, kw_only=True)
class _Search:
    """What a search begins with, and its findings where they were to be had in this process."""

    state: IndexState
    filters: Filters
    standalone: StandaloneQuestion
    legs: Legs | None = None
    ranked: Iterable[Passage] = ()
    rank_ms: int = 0


async def _retrieve(question: Question, standalone: StandaloneQuestion) -> Retrieved:
    search = await in_thread(_begin, question, standalone)
    legs = search.legs
    if legs is None:
        with hurry(settings.RAG["VECTOR_SECONDS"], question.deadline):
            legs = await search_legs(
                search.standalone,
                search.filters,
                search.state,
                limit=settings.RAG["CANDIDATES"],
            )
        await in_thread(_rank, search, legs)
    passages = choose(search.ranked, question.top_k or settings.RAG["TOP_K"])
    asked = search.standalone.asked_in(question.text)
    sure, mode = judge(asked, passages, legs, calibration_of(search.state))
    return Retrieved(
        standalone_question=search.standalone.text,
        leans_on=_leans_on(question, search.standalone, standalone),
        passages=tuple(passages),
        confidence=sure,
        mode=mode,
        timings_ms={**legs.timings_ms, "rank": search.rank_ms},
        failed=legs.failed,
        vector=legs.question_vector,
        fingerprint=search.state.fingerprint or "",
    )


def _leans_on(
    question: Question, mended_one: StandaloneQuestion, standalone: StandaloneQuestion
) -> tuple[tuple[str, float], ...]:
    """What says more than the question as it was typed: the part of it that asks, it mended, and
    the turns before it.
    """
    if mended_one is standalone and standalone.asked_in(question.text) == question.text.strip():
        return standalone.leans_on
    return ((mended_one.turns[0].text, 1.0), *mended_one.leans_on)


def _begin(question: Question, standalone: StandaloneQuestion) -> _Search:
    """The state of the index and, where nothing leaves this process, all that is in it."""
    state = read_state()
    search = _Search(
        state=state,
        filters=filters_of(question, state.position),
        standalone=standalone,
    )
    if stays_here(state):
        search.standalone = mended(standalone, search.filters)
        limit = settings.RAG["CANDIDATES"]
        search.legs = search_legs_here(search.standalone, search.filters, state, limit=limit)
        _rank(search, search.legs)
    return search


def _rank(search: _Search, legs: Legs) -> None:
    started = time.perf_counter()
    search.ranked = rank_passages(search.standalone, legs, search.filters)
    search.rank_ms = round((time.perf_counter() - started) * 1000)


def filters_of(question: Question, position: Position) -> Filters:
    """What a search for `question` may return."""
    category = (question.category or "").strip().lower()
    return Filters(
        viewer=question.viewer,
        category=category or None,
        metadata=question.metadata,
        position=position,
    )


def standalone_of(question: Question) -> StandaloneQuestion:
    """`question` together with the user's own turns before it."""
    turns = [turn.content for turn in question.history if turn.role == "user"]
    return contextualize(question.text, turns)
