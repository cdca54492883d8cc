"""Chat completions as Mistral and OpenAI stream them, and embeddings as both answer them."""

import asyncio
import re
import time
from typing import Any

import orjson

from tests.stand_ins.asgi import Cut, Exchange, StandIn
from tests.stand_ins.lexical import count_tokens, embed, reply_to

PIECE = re.compile(r"\s*\S+")
NOTICE_SECONDS = 0.2


class ChatStandIn(StandIn):
    """What the two APIs share. `replies` are used up first; then answers quote the prompt."""

    def __init__(self, *, api_key: str = "key", dimension: int = 1_024) -> None:
        super().__init__(api_key=api_key)
        self.dimension = dimension
        self.replies: list[Any] = []
        self.first_token_seconds = 0.0
        self.tokens_per_second = 0.0
        self.usage_with_reason = True
        self.model = ""
        # Benchmarks: this many tokens whatever the prompt.
        self.fixed_tokens = 0

    async def answer(self, exchange: Exchange, payload: Any) -> None:
        """Route by path."""
        if exchange.path == "/v1/embeddings":
            await self._embeddings(exchange, payload)
        elif exchange.path == "/v1/chat/completions":
            await self._chat(exchange, payload)
        elif exchange.path == "/v1/models":
            await self.send_json(exchange, {"object": "list", "data": []})
        else:
            await self.send_json(exchange, {"message": "no such path"}, status=404)

    async def _embeddings(self, exchange: Exchange, payload: dict[str, Any]) -> None:
        given = payload["input"]
        texts = [given] if isinstance(given, str) else given
        if refusal := self.refuse_embeddings(texts):
            await self.send_json(exchange, refusal, status=400)
            return
        dimension = payload.get("output_dimension") or payload.get("dimensions") or self.dimension
        kind = exchange.fault.kind if exchange.fault else ""
        rows = [list(embed(text, dimension - (kind == "dimension"))) for text in texts]
        if kind == "half":
            rows = rows[: len(rows) // 2]
        if kind == "nan":
            rows[0][0] = float("nan")
        data = [
            {"object": "embedding", "index": index, "embedding": row}
            for index, row in enumerate(rows)
        ]
        if kind == "shuffled":
            data.reverse()
        tokens = sum(map(count_tokens, texts))
        body = {
            "id": "embd-1",
            "object": "list",
            "model": payload["model"],
            "data": data,
            "usage": {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens},
        }
        if kind == "without_id":
            del body["id"], body["usage"]
        await self.send_json(exchange, body)

    def refuse_embeddings(self, texts: list[str]) -> dict[str, Any] | None:
        """The body of a 400 where the API's limits are passed."""
        return None

    async def _chat(self, exchange: Exchange, payload: dict[str, Any]) -> None:
        pieces = self._pieces(payload)
        prompt_tokens = count_tokens(str(payload["messages"]))
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(pieces),
            "total_tokens": prompt_tokens + len(pieces),
        }
        if not payload.get("stream"):
            await self.send_json(exchange, self._whole(payload, pieces, usage))
            return
        await self._stream(exchange, self._chunks(exchange, payload, pieces, usage))

    def _pieces(self, payload: dict[str, Any]) -> list[Any]:
        """The contents of the chunks: words, or the parts that a reply lists."""
        if self.fixed_tokens:
            return [f" word{number}" for number in range(self.fixed_tokens)]
        reply = self.replies.pop(0) if self.replies else reply_to(payload["messages"])
        return PIECE.findall(reply) if isinstance(reply, str) else list(reply)

    def _whole(
        self, payload: dict[str, Any], pieces: list[Any], usage: dict[str, int]
    ) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(map(str, pieces))}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        return {
            "id": "cmpl-1",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.model or payload["model"],
            "choices": [choice],
            "usage": usage,
        }

    def _chunks(
        self, exchange: Exchange, payload: dict[str, Any], pieces: list[Any], usage: dict[str, int]
    ) -> list[bytes]:
        """The stream's events: role, content, reason with usage (or usage apart), [DONE]."""
        kind = exchange.fault.kind if exchange.fault else ""

        def event(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return self._event(payload, choices=[choice], **more)

        contents = [] if kind == "empty" else pieces
        events = [event({"role": "assistant", "content": ""})]
        events += [event({"content": content}) for content in contents]
        if kind != "no_reason":
            counts = {"usage": usage} if self.usage_with_reason else {}
            events.append(event({"content": ""}, "stop", **counts))
        if (payload.get("stream_options") or {}).get("include_usage"):
            events.append(self._event(payload, choices=[], usage=usage))
        return events if kind == "no_done" else [*events, b"data: [DONE]\n\n"]

    def _event(self, payload: dict[str, Any], **more: Any) -> bytes:
        chunk = {
            "id": "cmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": self.model or payload["model"],
            **more,
        }
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    async def _stream(self, exchange: Exchange, events: list[bytes]) -> None:
        await exchange.start(200, "text/event-stream; charset=utf-8")
        self.open_streams += 1
        self.opened_streams += 1
        self.most_open_streams = max(self.most_open_streams, self.open_streams)
        watch = exchange.watch()
        try:
            await self._write_events(exchange, events, watch)
        finally:
            self.open_streams -= 1
            self.disconnects += watch.done()
            watch.cancel()

    async def _write_events(
        self, exchange: Exchange, events: list[bytes], watch: "asyncio.Task[Any]"
    ) -> None:
        clock = asyncio.get_running_loop().time
        due = clock() + self.first_token_seconds
        step = 1 / self.tokens_per_second if self.tokens_per_second else 0.0
        for number, event in enumerate(events):
            while (left := due - clock()) > 0 and not watch.done():
                # Short waits are slept through: a waiter on every token of 1,000 streams costs.
                if left > NOTICE_SECONDS:
                    await asyncio.wait([watch], timeout=left)
                else:
                    await asyncio.sleep(left)
            if watch.done() or await self._misbehave_in_stream(exchange, number, watch):
                return
            await exchange.write(event)
            due += step
        await exchange.write(b"", more=False)

    async def _misbehave_in_stream(
        self, exchange: Exchange, number: int, watch: "asyncio.Task[Any]"
    ) -> bool:
        """Commit the stream's fault if it is due before event `number`; whether it ends there."""
        fault = exchange.fault
        # `after` counts pieces of content; the first event is the role.
        if fault is None or number != fault.after + 1:
            return False
        if fault.kind == "cut":
            raise Cut
        if fault.kind == "stall":
            await asyncio.wait([watch])
            return True
        if fault.kind == "drip":
            await asyncio.wait([watch], timeout=fault.seconds)
        if fault.kind == "truncate":
            await exchange.write(b"", more=False)
            return True
        if fault.kind == "malformed":
            await exchange.write(b'data: {"choices": [{"delta"\n\n')
        if fault.kind == "stream_error":
            error = {"object": "error", "message": "secret provider text", "code": 3505}
            await exchange.write(b"data: " + orjson.dumps(error) + b"\n\n")
        return False
