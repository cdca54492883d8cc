"""Back ends whose answers can be worked out in the head."""

import hashlib
from collections.abc import AsyncIterator, Sequence

import numpy as np

from rag.embedders.base import Embedder
from rag.errors import ProviderUnavailable
from rag.generators.base import Generator
from rag.types import Finished, GeneratorEvent, Prompt, TextDelta, Vector


class WordsEmbedder(Embedder):
    """One direction for each word: texts that share words are alike."""

    dimension = 64
    fingerprint = "words-64"
    english_only = False

    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                digest = hashlib.sha256(word.strip(".,?!#").encode()).digest()
                vectors[row, digest[0] % self.dimension] += 1.0
        return vectors


class FailingEmbedder(WordsEmbedder):
    """Never reachable."""

    fingerprint = "failing-64"

    async def _embed_batch(self, texts: Sequence[str]) -> Vector:
        raise ProviderUnavailable


class ScriptedGenerator(Generator):
    """Says the next of `replies`, and keeps the prompts that it got."""

    name = "scripted"
    replies: list[str] = []
    prompts: list[Prompt] = []

    async def _stream(self, prompt: Prompt) -> AsyncIterator[GeneratorEvent]:
        self.prompts.append(prompt)
        reply = self.replies.pop(0) if self.replies else "No reply was scripted."
        for start in range(0, len(reply), 7):
            yield TextDelta(text=reply[start : start + 7])
        yield Finished(model=self.name)
