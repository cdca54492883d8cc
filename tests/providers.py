"""What the tests of providers share: stand-ins that serve, prompts, and running to the end."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar
from uuid import UUID

from common.loop import run
from rag.errors import ProviderError
from rag.generators.base import Generator
from rag.generators.completions import Limits
from rag.types import Finished, GeneratorEvent, Passage, Prompt, TextDelta, Turn
from tests.stand_ins.server import serving

App = TypeVar("App")

# Short, so that a test of a stall is short; long enough for a busy machine. No test measures them.
LIMITS = Limits(first_token=2.0, stall=1.5, answer=8.0)
Role = TypeVar("Role")


@contextmanager
def served(app: App) -> Iterator[App]:
    """`app`, with the address at which it is served as `app.url`."""
    with serving(app) as url:
        app.url = url  # type: ignore[attr-defined]
        yield app


def warmed(role: Role) -> Role:
    """`role`, its SDK imported and its client built: short limits then bound the call alone."""
    run(role._client._clients.get())  # type: ignore[attr-defined]
    return role


def make_passage(number: int = 1, text: str = "Refunds take fourteen days.") -> Passage:
    """A passage as retrieval finds it."""
    return Passage(
        key=number,
        chunk_id=UUID(int=number),
        document_id=UUID(int=1_000 + number),
        version=1,
        title="Refund policy",
        category="policy",
        text=text,
        span=(0, len(text)),
        heading_path="Refunds",
        score=0.9,
    )


def make_prompt(**more: Any) -> Prompt:
    """A question with two passages."""
    passages = (make_passage(1), make_passage(2, "Shipping is free."))
    return Prompt(
        **{
            "system": "Answer from the passages.",
            "question": "How long do refunds take?",
            "history": (Turn(role="user", content="Hi"), Turn(role="assistant", content="Hello")),
            "passages": passages,
            "user": "[1] Refund policy\nRefunds take fourteen days.\n\nHow long do refunds take?",
            **more,
        }
    )


def answer(generator: Generator, prompt: Prompt | None = None) -> list[GeneratorEvent]:
    """Every event of one answer."""

    async def collect() -> list[GeneratorEvent]:
        return [event async for event in generator.generate(prompt or make_prompt())]

    return run(collect())


def fail(generator: Generator, prompt: Prompt | None = None) -> tuple[str, ProviderError]:
    """The text that came before an answer failed, and the error it failed with."""

    async def collect() -> tuple[str, ProviderError]:
        text = ""
        try:
            async for event in generator.generate(prompt or make_prompt()):
                text += event.text if isinstance(event, TextDelta) else ""
        except ProviderError as error:
            return text, error
        raise AssertionError("The answer did not fail")

    return run(collect())


def text_of(events: list[GeneratorEvent]) -> str:
    """The text of an answer."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: list[GeneratorEvent]) -> Finished:
    """The last event of an answer that came to its end."""
    last = events[-1]
    assert isinstance(last, Finished)
    return last


async def until(condition: Any, *, seconds: float = 20.0) -> None:
    """Return once `condition()` holds; the seconds bound a failing test, nothing else."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def take(generator: Generator, count: int, prompt: Prompt | None = None) -> None:
    """Take `count` events of an answer, then abandon it."""
    async with aclosing(generator.generate(prompt or make_prompt())) as events:
        for _ in range(count):
            await anext(events)
