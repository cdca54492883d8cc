"""What every model behind a chat-completions stream has in common: deadlines, reading, closing."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from django.conf import settings

from rag.errors import ProviderError, ProviderMalformed
from rag.generators.base import Generator
from rag.generators.reading import CompletionReader, Reason
from rag.pace import is_followed
from rag.resilience.deadline import each_within, instant
from rag.resilience.gate import Gate
from rag.resilience.guard import Guard, count_tokens
from rag.resilience.retry import RetryPolicy
from rag.types import Finished, GeneratorEvent, Prompt

# What comes after the reason why it stopped is at most usage and [DONE].
DRAIN_SECONDS = 2.0
# A thousand calls begun at once would run into the limit for first words by what they cost us (1 to
# 1.5 ms of CPU each), and have the provider blamed for it. So many go out at a time, no matter how
# long the provider then thinks.
MOST_BEGINNING = 32
BEGINNING_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long an answer may take, in seconds."""

    first_token: float = 10.0
    # The longest silence between two pieces of the answer.
    stall: float = 15.0
    answer: float = 90.0
    # One more try where the provider failed fast; waiting is for the next rung of the chain.
    attempts: int = 2
    longest_asked: float = 2.0

    @classmethod
    def from_settings(cls) -> "Limits":
        """As the operator set them."""
        rag = settings.RAG
        return cls(
            first_token=rag["FIRST_TOKEN_SECONDS"],
            stall=rag["STALL_SECONDS"],
            answer=rag["ANSWER_SECONDS"],
        )


class CompletionGenerator(Generator):
    """A model behind a stream of chat-completion chunks. Adapters write `_open`."""

    def __init__(self, *, name: str, provider: str, model: str, limits: Limits | None) -> None:
        self.name = name
        self.model = model
        self.limits = limits = limits or Limits.from_settings()
        self._gate = Gate(slots=MOST_BEGINNING, seconds=BEGINNING_SECONDS)
        self.guard = Guard(
            provider,
            seconds=limits.first_token,
            total=limits.answer,
            policy=RetryPolicy(
                attempts=limits.attempts,
                longest_asked=limits.longest_asked,
                retry_timeouts=False,
            ),
        )

    @abstractmethod
    def _open(
        self, messages: list[dict[str, Any]]
    ) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        """The lines of the event stream that answers `messages`, those of one read together;
        leaving it closes the stream.
        """

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        end = instant(self.limits.answer, prompt.deadline)
        async with AsyncExitStack() as stack:
            begin = partial(self._begin, stack, prompt, end)
            async with self._gate.slot():
                reader, lines, events = await self.guard.call(begin, until=end)
            try:
                for event in events:
                    yield event
                while not reader.reason and (batch := await anext(lines, None)) is not None:
                    for event in reader.read(batch):
                        yield event
                reason = await _drain(reader, lines)
            except ProviderError as error:
                self.guard.broke(error)
                raise
        count_tokens(self.model, reader.usage)
        yield Finished(model=reader.model or self.model, reason=reason, usage=reader.usage)

    async def _begin(
        self, stack: AsyncExitStack, prompt: Prompt, end: float
    ) -> tuple[CompletionReader, AsyncIterator[list[bytes]], Iterator[GeneratorEvent]]:
        """Open the stream and read up to the first piece of the answer."""
        reader = CompletionReader(passages=len(prompt.passages), followed=is_followed())
        async with AsyncExitStack() as attempt:
            raw = await attempt.enter_async_context(self._open(messages_of(prompt)))
            lines = each_within(
                raw, first=self.limits.first_token, gap=self.limits.stall, until=end
            )
            async for batch in lines:
                events = reader.read(batch)
                if (first := next(events, None)) is not None:
                    stack.push_async_exit(attempt.pop_all())
                    return reader, lines, chain([first], events)
        # It ended before it said anything.
        raise ProviderMalformed


def messages_of(prompt: Prompt) -> list[dict[str, Any]]:
    """`prompt` as chat messages: instructions, earlier turns, the question with its passages."""
    return [
        {"role": "system", "content": prompt.system},
        *({"role": turn.role, "content": turn.content} for turn in prompt.history),
        {"role": "user", "content": prompt.user},
    ]


async def _drain(reader: CompletionReader, lines: AsyncIterator[list[bytes]]) -> Reason:
    """Why the answer stopped. Reads to the end of the body, for the usage and so that the
    connection can be kept.
    """
    if not reader.reason:
        # The stream ended, and never said why: cut off, not complete.
        raise ProviderMalformed
    # The answer is whole: what a fault can cost now is a count of tokens.
    with suppress(ProviderError):
        async for batch in each_within(lines, first=DRAIN_SECONDS, gap=DRAIN_SECONDS):
            for _ in reader.read(batch):
                pass
    return reader.reason
