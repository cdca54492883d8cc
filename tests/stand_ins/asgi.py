"""A raw ASGI application: bodies, JSON answers, faults, counters, and control over HTTP."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from tests.stand_ins.faults import Fault, Faults

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
PAGE = b"<!doctype html><title>Down for maintenance</title><p>secret provider text"


class Cut(Exception):
    """Raised to make the server break the connection in the middle."""


class Exchange:
    """One request and its answer."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: str = scope["query_string"].decode()
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.fault: Fault | None = None
        self._receive = receive
        self._send = send

    async def body(self) -> bytes:
        """The whole body of the request."""
        pieces = []
        while True:
            message = await self._receive()
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                return b"".join(pieces)

    async def start(self, status: int, kind: str, **headers: str) -> None:
        """Send status and headers."""
        pairs = {"content-type": kind, **{k.replace("_", "-"): v for k, v in headers.items()}}
        raw = [(name.encode(), value.encode()) for name, value in pairs.items() if value]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, piece: bytes, *, more: bool = True) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    def watch(self) -> "asyncio.Task[dict[str, Any]]":
        """A task that is done when the client has gone."""
        return asyncio.create_task(self._receive())  # type: ignore[arg-type]

    async def wait_until_gone(self) -> None:
        """Return once the client has gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class StandIn:
    """Counts, commits faults, answers 401 to wrong keys; subclasses write `answer`."""

    def __init__(self, *, api_key: str = "key") -> None:
        self.api_key = api_key
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.journal: list[tuple[str, Any]] = []
        self.keep_journal = True
        self.open_streams = 0
        self.opened_streams = 0
        self.most_open_streams = 0
        self.disconnects = 0
        self.connections = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send)
        if exchange.path.startswith("/__"):
            await self._control(exchange)
            return
        body = await exchange.body()
        self.requests[f"{exchange.method} {exchange.path}"] += 1
        exchange.fault = self.faults.take(exchange.path)
        if await self._misbehave_at_once(exchange):
            return
        if not self.authorised(exchange.headers):
            await self.send_json(exchange, {"message": "Unauthorized"}, status=401)
            return
        payload = orjson.loads(body) if body else {}
        if self.keep_journal:
            self.journal.append((f"{exchange.method} {exchange.path}", payload))
        await self.answer(exchange, payload)

    def authorised(self, headers: dict[str, str]) -> bool:
        """Whether the request carries the key."""
        return headers.get("authorization") == f"Bearer {self.api_key}"

    async def answer(self, exchange: Exchange, payload: Any) -> None:
        """Answer one request."""
        raise NotImplementedError

    async def send_json(
        self,
        exchange: Exchange,
        value: Any,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Send `value`, in the way that a fault asks for."""
        body = json.dumps(value).encode()
        fault = exchange.fault
        kind = fault.kind if fault else ""
        if kind == "malformed":
            body = b'{"data": [{"embedding": [0.1, '
        if kind == "gzip":
            await exchange.start(status, "application/json", content_encoding="gzip")
            await exchange.write(gzip.compress(body), more=False)
            return
        length = {"content_length": str(len(body))}
        await exchange.start(status, "application/json", **length, **(headers or {}))
        if kind == "cut":
            await exchange.write(body[: len(body) // 2])
            raise Cut
        if fault and kind == "drip":
            await self._drip(exchange, body, fault)
            return
        await exchange.write(body, more=False)

    async def _drip(self, exchange: Exchange, body: bytes, fault: Fault) -> None:
        watch = exchange.watch()
        for start in range(0, len(body), fault.size):
            await exchange.write(body[start : start + fault.size])
            await asyncio.wait([watch], timeout=fault.seconds)
            if watch.done():
                self.disconnects += 1
                return
        watch.cancel()
        await exchange.write(b"", more=False)

    async def _misbehave_at_once(self, exchange: Exchange) -> bool:
        """Commit a fault that needs no answer; whether that was all."""
        fault = exchange.fault
        if fault is None:
            return False
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "status":
            await exchange.start(fault.status, "application/json", retry_after=fault.retry_after)
            await exchange.write(orjson.dumps(fault.body), more=False)
            return True
        elif fault.kind == "html":
            await exchange.start(200, "text/html")
            await exchange.write(PAGE, more=False)
            return True
        elif fault.kind == "redirect":
            await exchange.start(307, "text/plain", location=fault.location)
            await exchange.write(b"", more=False)
            return True
        elif fault.kind == "stall" and not fault.after:
            await exchange.wait_until_gone()
            self.disconnects += 1
            return True
        elif fault.kind == "huge":
            await self._send_without_end(exchange)
            return True
        return False

    async def _send_without_end(self, exchange: Exchange) -> None:
        kind = "text/event-stream" if "chat" in exchange.path else "application/json"
        await exchange.start(200, kind)
        watch = exchange.watch()
        while not watch.done():
            await exchange.write(b" " * 1_000_000)
            await asyncio.sleep(0)
        self.disconnects += 1

    async def _control(self, exchange: Exchange) -> None:
        """`POST /__faults`, `DELETE /__faults`, `POST /__set`, `GET /__state`, for benchmarks."""
        payload = orjson.loads(await exchange.body() or b"{}")
        if exchange.path == "/__faults":
            self.faults.add(**payload) if payload else self.faults.clear()
        elif exchange.path == "/__set":
            for name, value in payload.items():
                setattr(self, name, value)
        await exchange.start(200, "application/json")
        await exchange.write(orjson.dumps(self.state()), more=False)

    def state(self) -> dict[str, Any]:
        """The counters."""
        return {
            "requests": dict(self.requests),
            "open_streams": self.open_streams,
            "most_open_streams": self.most_open_streams,
            "disconnects": self.disconnects,
        }
