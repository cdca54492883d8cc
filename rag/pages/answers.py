"""A question from the start page, answered from the public documents and made ready to show."""

from dataclasses import dataclass

from common.errors import Unavailable
from common.loop import run
from rag.pipeline import answer
from rag.types import DECLINED, AnswerCompleted, Citation, Question, Source, Viewer

MODES = {
    "grounded": "Written from the sources below.",
    "uncertain": "The sources below fit only in part.",
    "general": "Not from the documents: the model's own.",
    "extractive": "Quoted word for word from the sources below.",
    "unavailable": "Nothing could answer at the moment.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSource:
    """A source as the page lists it; `quotes` are the words that the answer rests on."""

    ref: int
    title: str
    section: str
    category: str
    quotes: tuple[str, ...]

    @property
    def cited(self) -> bool:
        """Whether the answer rests on it."""
        return bool(self.quotes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An answer as the page shows it."""

    text: str
    mode: str
    declined: bool
    sources: tuple[ShownSource, ...]


def answer_publicly(question: str) -> Shown:
    """The answer that a visitor without an account gets; raises what the pipeline raises."""
    completed = run(_complete(Question(text=question, viewer=Viewer())))
    declined = completed.text.startswith(DECLINED)
    return Shown(
        text=completed.text,
        mode="" if declined else MODES[completed.mode],
        declined=declined,
        sources=() if declined else _show(completed.sources, completed.citations),
    )


async def _complete(question: Question) -> AnswerCompleted:
    async for event in answer(question):
        if isinstance(event, AnswerCompleted):
            return event
    raise Unavailable


def _show(sources: tuple[Source, ...], citations: tuple[Citation, ...]) -> tuple[ShownSource, ...]:
    return tuple(
        ShownSource(
            ref=source.ref,
            title=source.passage.title,
            section=source.passage.heading_path.rpartition(" > ")[2],
            category=source.passage.category,
            quotes=tuple(item.quote for item in citations if item.ref == source.ref),
        )
        for source in sources
    )
