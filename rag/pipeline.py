"""From a question to an answer with checked citations, as a series of events."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from django.conf import settings

from rag.backends import get_generator
from rag.cache import with_memory
from rag.citations import verify
from rag.generators.base import Generator
from rag.markers import MarkerFilter
from rag.prompts import build_prompt
from rag.resilience.deadline import instant
from rag.retrieval import retrieve
from rag.standalone import make_standalone
from rag.types import (
    DECLINED,
    AnswerCompleted,
    AnswerDelta,
    Citation,
    CitationAdded,
    Finished,
    Mode,
    PipelineEvent,
    Prompt,
    Question,
    Reference,
    RetrievalCompleted,
    Retrieved,
    Source,
    TextDelta,
    Usage,
)


@dataclass(slots=True)
class _Draft:
    """An answer on its way."""

    started: float
    text: str = ""
    references: list[Reference] = field(default_factory=list)
    finished: Finished | None = None
    first_token: float | None = None
    #: What making the question standalone took.
    spent: Usage | None = None


async def answer(question: Question) -> AsyncGenerator[PipelineEvent, None]:
    """What is found and said for `question`: retrieval, deltas, citations, then the whole.

    Raises ProviderError when no generator could answer. No transaction and no connection is
    held between events. Closing the iterator cancels the provider's work.
    """
    draft = _Draft(started=time.perf_counter())
    end = instant(settings.RAG["ANSWER_SECONDS"], question.deadline)
    question = replace(question, deadline=end)
    standalone = await make_standalone(question)
    draft.spent = standalone.usage
    retrieved = await retrieve(question, standalone=standalone)
    generator = get_generator()
    prompt = build_prompt(question, retrieved)
    sources = _sources(prompt)
    yield RetrievalCompleted(
        sources=sources,
        confidence=retrieved.confidence,
        standalone_question=retrieved.standalone_question,
    )
    if _must_decline(retrieved):
        yield AnswerDelta(text=DECLINED)
        draft.text = DECLINED
        draft.finished = _refusal(generator)
    else:
        generator = await with_memory(generator, question, retrieved, prompt)
        async with aclosing(_write(generator, prompt, draft)) as deltas:
            async for delta in deltas:
                yield delta
    citations = () if _declined(draft) else verify(draft.text, draft.references, prompt.passages)
    for citation in citations:
        yield CitationAdded(citation=citation)
    yield _complete(draft, retrieved, sources, citations)


def _must_decline(retrieved: Retrieved) -> bool:
    return retrieved.mode == "general" and not settings.RAG["GENERAL_ANSWERS"]


def _refusal(generator: Generator) -> Finished:
    mode: Mode = "extractive" if generator.name == "extractive" else "general"
    return Finished(model=generator.name, reason="declined", mode=mode)


def _sources(prompt: Prompt) -> tuple[Source, ...]:
    return tuple(Source(ref=ref, passage=item) for ref, item in enumerate(prompt.passages, 1))


async def _write(
    generator: Generator, prompt: Prompt, draft: _Draft
) -> AsyncGenerator[AnswerDelta, None]:
    """The generator's text as it comes, without markers that point nowhere."""
    markers = MarkerFilter(len(prompt.passages))
    async with aclosing(generator.generate(prompt)) as events:
        async for event in events:
            text = ""
            if isinstance(event, TextDelta):
                text = markers.feed(event.text)
            elif isinstance(event, Reference):
                draft.references.append(event)
            else:
                text, draft.finished = markers.finish(), event
            if text:
                draft.first_token = draft.first_token or time.perf_counter()
                draft.text += text
                yield AnswerDelta(text=text)
    draft.references = [_moved(reference, markers) for reference in draft.references]


def _moved(reference: Reference, markers: MarkerFilter) -> Reference:
    start, end = reference.answer_span
    return replace(reference, answer_span=(markers.clean_offset(start), markers.clean_offset(end)))


def _declined(draft: _Draft) -> bool:
    stopped = draft.finished is not None and draft.finished.reason == "declined"
    return stopped or draft.text.strip() == DECLINED


def _complete(
    draft: _Draft,
    retrieved: Retrieved,
    sources: Sequence[Source],
    citations: tuple[Citation, ...],
) -> AnswerCompleted:
    finished = draft.finished or Finished(model="")
    cited = {citation.ref for citation in citations}
    return AnswerCompleted(
        text=draft.text,
        mode=finished.mode or ("general" if _declined(draft) else retrieved.mode),
        model=finished.model,
        confidence=retrieved.confidence,
        sources=tuple(replace(source, cited=source.ref in cited) for source in sources),
        citations=citations,
        standalone_question=retrieved.standalone_question,
        usage=_sum_of(draft.spent, finished.usage),
        timings_ms={**retrieved.timings_ms, **_timings(draft)},
        fell=(*_lost_leg(retrieved), *finished.fell),
        cached=finished.cached,
    )


def _sum_of(*usages: Usage | None) -> Usage | None:
    counted = [usage for usage in usages if usage is not None]
    return sum(counted, Usage()) if counted else None


def _lost_leg(retrieved: Retrieved) -> tuple[Mapping[str, str], ...]:
    return ({"rung": "vectors", "code": retrieved.failed},) if retrieved.failed else ()


def _timings(draft: _Draft) -> dict[str, int]:
    now = time.perf_counter()
    first = draft.first_token or now
    return {
        "first_token": round((first - draft.started) * 1000),
        "total": round((now - draft.started) * 1000),
    }
