"""Answers from any endpoint that speaks OpenAI's protocol: OpenAI, Gemini, vLLM, Ollama."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from rag.generators.completions import CompletionGenerator, Limits
from rag.vendors.openai import openai_client

MAX_TOKENS = 1_024


class OpenAIGenerator(CompletionGenerator):
    """A chat model at `base_url` (empty: OpenAI's own)."""

    def __init__(
        self,
        *,
        api_key: str = "",
        model: str = "gpt-4o-mini",
        base_url: str = "",
        name: str = "openai",
        max_tokens: int = MAX_TOKENS,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            name=name,
            provider=f"openai-chat@{base_url}/{model}",
            model=model,
            limits=limits,
        )
        self._client = openai_client(api_key, base_url)
        # OpenAI renamed the limit; the others know the old name alone.
        self._options = {"max_tokens" if base_url else "max_completion_tokens": max_tokens}

    def _open(
        self, messages: list[dict[str, Any]]
    ) -> AbstractAsyncContextManager[AsyncIterator[list[bytes]]]:
        return self._client.stream(
            model=self.model,
            messages=messages,
            stall_seconds=self.limits.stall,
            stream_options={"include_usage": True},
            **self._options,
        )
