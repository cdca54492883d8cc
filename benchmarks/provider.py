"""A stand-in for Mistral's chat that costs next to nothing: `python -m benchmarks.provider PORT`.

Every answer has TOKENS tokens at RATE a second; each token is the instant at which it was
written (`time.monotonic`, one clock for all processes of a machine). The first one comes after
FIRST seconds. On SIGTERM it prints how late its own writes were.
"""

import argparse
import asyncio
import json
import signal
import sys
import time

import uvloop

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
FRAME = (
    'data: {{"id":"cmpl-1","object":"chat.completion.chunk","created":1,"model":"bench",'
    '"choices":[{{"index":0,"delta":{{{delta}}},"finish_reason":{reason}}}]{more}}}\n\n'
)
USAGE = ',"usage":{"prompt_tokens":100,"completion_tokens":100,"total_tokens":200}'


def chunk(delta: str, reason: str = "null", more: str = "") -> bytes:
    """One event of the stream as a chunk of the body."""
    frame = FRAME.format(delta=delta, reason=reason, more=more).encode()
    return b"%x\r\n%b\r\n" % (len(frame), frame)


class Provider:
    """Answers every request in the same way."""

    def __init__(self, tokens: int, rate: float, first: float) -> None:
        self.tokens, self.rate, self.first = tokens, rate, first
        self.late: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, with one answer after another."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
                await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    async def answer(self, writer: asyncio.StreamWriter) -> None:
        """The tokens, each at its time."""
        writer.write(HEAD + chunk('"role":"assistant","content":""'))
        loop = asyncio.get_running_loop()
        said = loop.create_future()
        # A timer after the other: a task that sleeps for each token would cost twice as much.
        loop.call_later(self.first, self._say, writer, said, time.monotonic() + self.first, 0)
        await said
        writer.write(chunk('"content":""', '"stop"', USAGE) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        await writer.drain()

    def _say(
        self, writer: asyncio.StreamWriter, said: asyncio.Future[None], start: float, number: int
    ) -> None:
        """Write token `number`, and the others each at its time."""
        if said.done():
            return
        if writer.is_closing():
            said.set_exception(ConnectionError())
            return
        if number >= self.tokens:
            said.set_result(None)
            return
        now = time.monotonic()
        self.late.append(now - start - number / self.rate)
        writer.write(chunk(f'"content":" {now:.6f}"'))
        wait = max(0.0, start + (number + 1) / self.rate - time.monotonic())
        said.get_loop().call_later(wait, self._say, writer, said, start, number + 1)


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--first", type=float, default=0.2)
    given = parser.parse_args()
    provider = Provider(given.tokens, given.rate, given.first)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", given.port, backlog=2_048)
    await ended.wait()
    server.close()
    late = sorted(provider.late) or [0.0]
    print(json.dumps({"late_p99_ms": round(late[int(len(late) * 0.99)] * 1000, 1)}))
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main())
