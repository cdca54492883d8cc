"""Mistral's API: POST /v1/embeddings, POST /v1/chat/completions, GET /v1/models."""

from typing import Any

from tests.stand_ins.chat import ChatStandIn
from tests.stand_ins.lexical import count_tokens

MAX_INPUTS = 256
MAX_TOKENS = 16_384


class MistralStandIn(ChatStandIn):
    """Usage comes with the last chunk; embeddings are limited as Mistral documents it."""

    def refuse_embeddings(self, texts: list[str]) -> dict[str, Any] | None:
        """Mistral's own words for too much."""
        tokens = sum(map(count_tokens, texts))
        if len(texts) > MAX_INPUTS:
            message, code = "Too many inputs in request, split into more batches.", 3210
        elif tokens > MAX_TOKENS:
            message, code = f"Too many tokens in batch. Max is {MAX_TOKENS} got {tokens}", 3210
        else:
            return None
        return {"object": "error", "message": message, "type": "invalid_request", "code": code}
