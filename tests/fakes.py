"""Back ends that a test can work out in its head."""

import asyncio
from collections.abc import AsyncIterator

from rag.errors import ProviderError
from rag.generators.base import Generator
from rag.types import Finished, GeneratorEvent, Prompt, TextDelta, Usage


class ScriptedGenerator(Generator):
    """Says what its script holds, in pieces, as slowly as told; remembers what it was asked.

    One object serves a test: `script = ScriptedGenerator.script` is reset by the fixture.
    """

    name = "scripted"
    pieces: tuple[str, ...] = ("Hello ", "there.")
    pause_seconds: float = 0.0
    error: ProviderError | None = None
    error_after: int = 0
    prompts: list[Prompt] = []
    cancelled: int = 0
    #: When set, the generator waits for it before piece number `hold_before`.
    hold: asyncio.Event | None = None
    hold_before: int = 0

    @classmethod
    def reset(cls) -> None:
        """As it was when the suite began."""
        cls.pieces = ("Hello ", "there.")
        cls.pause_seconds = 0.0
        cls.error = None
        cls.error_after = 0
        cls.prompts = []
        cls.cancelled = 0
        cls.hold = None
        cls.hold_before = 0

    async def _stream(self, prompt: Prompt) -> AsyncIterator[GeneratorEvent]:
        kind = type(self)
        kind.prompts.append(prompt)
        try:
            for number, piece in enumerate(kind.pieces):
                if kind.error is not None and number == kind.error_after:
                    raise kind.error
                if kind.hold is not None and number == kind.hold_before:
                    await kind.hold.wait()
                await asyncio.sleep(kind.pause_seconds)
                yield TextDelta(text=piece)
        except (asyncio.CancelledError, GeneratorExit):
            kind.cancelled += 1
            raise
        yield Finished(model="scripted", usage=Usage(prompt_tokens=7, completion_tokens=2))


class SteppedGenerator(Generator):
    """Says each piece, fails or ends only when the test tells it to (`step`, on the loop)."""

    name = "stepped"
    steps: dict[str, "asyncio.Queue[str | ProviderError | None]"] = {}

    async def _stream(self, prompt: Prompt) -> AsyncIterator[GeneratorEvent]:
        steps = self.steps[prompt.question] = asyncio.Queue()
        try:
            while (step := await steps.get()) is not None:
                if isinstance(step, ProviderError):
                    raise step
                yield TextDelta(text=step)
        finally:
            del self.steps[prompt.question]
        yield Finished(model="stepped", usage=Usage(prompt_tokens=1, completion_tokens=1))
