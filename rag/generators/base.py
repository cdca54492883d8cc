"""The role of a generator: a prompt in, an answer out as it is made."""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing

from rag.errors import ProviderMalformed
from rag.types import Finished, GeneratorEvent, Prompt, TextDelta

MAX_ANSWER_CHARS = 32_000
# NUL, which PostgreSQL cannot store, and halves of surrogate pairs, which are no UTF-8.
UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")


class Generator(ABC):
    """Writes answers. An adapter writes `_stream`; this class holds it to the contract."""

    #: Which rung of the ladder this is, for metrics and metadata: "mistral", "extractive", …
    name: str

    async def generate(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        """The answer to `prompt`: text deltas and references, then exactly one Finished.

        Raises ProviderError when the back end fails, ends without saying why it stopped, or
        writes nothing. Closing the iterator cancels the work at the provider.
        """
        length = 0
        # aclosing: an abandoned answer is cancelled at the provider now, not at collection.
        async with aclosing(self._stream(prompt)) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    if UNSTORABLE.search(event.text):
                        # Of the same length, so that spans stay right.
                        yield TextDelta(text=UNSTORABLE.sub("\ufffd", event.text))
                        length += len(event.text)
                        continue
                    length += len(event.text)
                    if length > MAX_ANSWER_CHARS:
                        raise ProviderMalformed
                if isinstance(event, Finished):
                    if not length:
                        raise ProviderMalformed
                    yield event
                    return
                yield event
        raise ProviderMalformed

    @abstractmethod
    def _stream(self, prompt: Prompt) -> AsyncGenerator[GeneratorEvent, None]:
        """The provider's answer, as it comes. An async generator: it is closed when abandoned."""
