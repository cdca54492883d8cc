"""The contract of generators."""

from uuid import uuid4

import pytest

from common import loop
from rag.generators.base import Generator
from rag.types import Finished, Passage, Prompt, Reference, TextDelta

TEXT = "You may return goods within 30 days of delivery. The buyer pays the postage."


def make_prompt(*texts: str, question: str = "How long may I return goods?") -> Prompt:
    passages = tuple(
        Passage(
            key=number,
            chunk_id=uuid4(),
            document_id=uuid4(),
            version=1,
            title="Refunds",
            category="policy",
            text=text,
            span=(0, len(text)),
            heading_path="Refunds",
            score=0.9,
        )
        for number, text in enumerate(texts, 1)
    )
    return Prompt(
        system="Answer.",
        question=question,
        history=(),
        passages=passages,
        user=f"{question}\n{' '.join(texts)}",
    )


class GeneratorContract:
    """Inherit it and give `generator`, which can answer `make_prompt(TEXT)`."""

    @pytest.fixture
    def generator(self) -> Generator:
        raise NotImplementedError

    def generate(self, generator, prompt):
        async def collect():
            return [event async for event in generator.generate(prompt)]

        return loop.run(collect())

    def test_text_comes_first_and_one_finish_last(self, generator):
        events = self.generate(generator, make_prompt(TEXT))

        assert isinstance(events[0], TextDelta)
        assert [isinstance(event, Finished) for event in events].count(True) == 1
        assert isinstance(events[-1], Finished)
        assert events[-1].model

    def test_answer_is_not_empty(self, generator):
        events = self.generate(generator, make_prompt(TEXT))

        assert "".join(event.text for event in events if isinstance(event, TextDelta)).strip()

    def test_references_point_into_answer_and_passages(self, generator):
        prompt = make_prompt(TEXT)
        events = self.generate(generator, prompt)

        text = "".join(event.text for event in events if isinstance(event, TextDelta))
        for reference in (event for event in events if isinstance(event, Reference)):
            assert 1 <= reference.ref <= len(prompt.passages)
            assert 0 <= reference.answer_span[0] < reference.answer_span[1] <= len(text)

    def test_closing_early_is_no_error(self, generator):
        async def first():
            events = generator.generate(make_prompt(TEXT))
            event = await anext(events)
            await events.aclose()
            return event

        assert isinstance(loop.run(first()), TextDelta)
