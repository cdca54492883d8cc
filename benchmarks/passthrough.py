"""The floor: asyncio and nothing else between a client and the provider.

    python -m benchmarks.passthrough --port 8001 --upstream 8002

Each request is sent on to the provider as one streamed completion over a kept connection; the
bytes go back as they come, or (for JSON) in one piece. Nothing is parsed, checked or stored.
"""

import argparse
import asyncio

ASK = (
    b'{"model":"mistral-small-latest","stream":true,'
    b'"messages":[{"role":"user","content":"How long does an access token live?"}]}'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Passthrough:
    """Keeps connections to the provider, one for each request at a time."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.free: list[Streams] = []
        self.request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Authorization: Bearer key\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(ASK), ASK)
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(length) if length else b""
                await self._answer(writer, streamed=b'"stream": true' in body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, *, streamed: bool) -> None:
        upstream = await self._connect()
        upstream[1].write(self.request)
        await upstream[0].readuntil(b"\r\n\r\n")
        if streamed:
            writer.write(HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked"))
        parts = []
        while size := int(line := await upstream[0].readline(), 16):
            part = await upstream[0].readexactly(size + 2)
            if streamed:
                writer.write(line + part)
            else:
                parts.append(part[:-2])
        await upstream[0].readline()
        self.free.append(upstream)
        if streamed:
            writer.write(b"0\r\n\r\n")
        else:
            whole = b"".join(parts)
            writer.write(HEAD % (b"application/json", b"Content-Length: %d" % len(whole)) + whole)
        await writer.drain()

    async def _connect(self) -> Streams:
        while self.free:
            kept = self.free.pop()
            if not kept[0].at_eof():  # else the provider has closed it meanwhile
                return kept
        return await asyncio.open_connection("127.0.0.1", self.upstream)


async def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", type=int, required=True)
    options = parser.parse_args()
    passthrough = Passthrough(options.upstream)
    server = await asyncio.start_server(passthrough.serve, "127.0.0.1", options.port, backlog=2_048)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
