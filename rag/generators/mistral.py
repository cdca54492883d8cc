"""Answers from Mistral's chat models, streamed."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from rag.generators.completions import CompletionGenerator, Limits
from rag.vendors.mistral import mistral_client

MAX_TOKENS = 1_024
TEMPERATURE = 0.1


class MistralGenerator(CompletionGenerator):
    """A Mistral chat model at `server_url` (empty: Mistral's own)."""

    def __init__(
        self,
        *,
        api_key: str,
        model: str = "mistral-small-latest",
        server_url: str = "",
        name: str = "mistral",
        temperature: float = TEMPERATURE,
        max_tokens: int = MAX_TOKENS,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            name=name,
            provider=f"mistral-chat@{server_url}",
            model=model,
            limits=limits,
        )
        self._client = mistral_client(api_key, server_url)
        self._options = {"temperature": temperature, "max_tokens": max_tokens}

    def _open(
        self, messages: list[dict[str, Any]]
    ) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        return self._client.stream(
            model=self.model,
            messages=messages,
            stall_seconds=self.limits.stall,
            **self._options,
        )
