"""Answers without a model: the best sentences of the sources, word for word."""

from collections.abc import AsyncGenerator

from common.loop import in_thread
from rag.extraction import Extract, extract_answer
from rag.generators.base import Generator
from rag.reader import get_reader
from rag.text.questions import own_heading
from rag.types import DECLINED, Finished, GeneratorEvent, Prompt, Reference, TextDelta

MAX_SENTENCES = 3


class ExtractiveGenerator(Generator):
    """Quotes one to three sentences and says where they stand; declines without passages."""

    name = "extractive"

    def __init__(self, *, max_sentences: int = MAX_SENTENCES) -> None:
        self.max_sentences = max_sentences

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        extracts = await in_thread(self._extract, prompt) if prompt.passages else []
        if not extracts:
            yield TextDelta(text=DECLINED)
            yield Finished(model=self.name, reason="declined", mode="extractive")
            return
        written = 0
        for extract in extracts:
            quote = prompt.passages[extract.passage].text[extract.start : extract.end]
            text = f"{' ' if written else ''}{quote} [{extract.passage + 1}]"
            start = written + (1 if written else 0)
            yield TextDelta(text=text)
            yield Reference(
                ref=extract.passage + 1,
                answer_span=(start, start + len(quote)),
                source_span=(extract.start, extract.end),
            )
            written += len(text)
        yield Finished(model=self.name, mode="extractive")

    def _extract(self, prompt: Prompt) -> list[Extract]:
        return extract_answer(
            prompt.question,
            [passage.text for passage in prompt.passages],
            headings=[own_heading(passage.heading_path) for passage in prompt.passages],
            matches=[passage.score for passage in prompt.passages],
            reader=get_reader(),
            leans_on=prompt.leans_on,
            max_sentences=self.max_sentences,
        )
