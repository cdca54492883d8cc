"""A load driver: keep-alive HTTP/1.1 clients on one asyncio loop, and the server's CPU clock."""

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Reply:
    """A response, with when its parts came (seconds after the request was sent)."""

    status: int
    body: bytes
    first_byte: float
    total: float
    parts: list[bytes] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)


class Client:
    """One connection that sends one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """The whole response."""
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self.streams
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}", "", ""]
        started = time.perf_counter()
        writer.write("\r\n".join(lines).encode() + payload)
        return await self._read(reader, started)

    async def _read(self, reader: asyncio.StreamReader, started: float) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first = time.perf_counter() - started
        status = int(head.split(" ", 2)[1])
        fields = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        parts: list[bytes] = []
        arrivals: list[float] = []
        if "chunked" in fields.get("transfer-encoding", ""):
            while size := int(await reader.readline(), 16):
                parts.append((await reader.readexactly(size + 2))[:-2])
                arrivals.append(time.perf_counter() - started)
            await reader.readline()
        elif length := int(fields.get("content-length", 0)):
            parts.append(await reader.readexactly(length))
        if fields.get("connection", "").lower() == "close":
            self.close()
        total = time.perf_counter() - started
        return Reply(status, b"".join(parts), first, total, parts if arrivals else [], arrivals)

    def close(self) -> None:
        """Let go of the connection."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


def cpu_seconds(pid: int) -> float:
    """Processor time of the threads of a process and of its living children, to the nanosecond.

    Where the kernel keeps no such account: user and system time, to a hundredth of a second.
    """
    return sum(_cpu_of(each) for each in [pid, *_children(pid)])


def _cpu_of(pid: int) -> float:
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        return sum(int((each / "schedstat").read_text().split()[0]) for each in threads) / 1e9
    except FileNotFoundError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def resident_mb(pid: int) -> float:
    """Resident memory of a process and its living children."""
    pages = 0.0
    for each in [pid, *_children(pid)]:
        pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:
            continue  # a thread that has ended meanwhile
        for child in children:
            found += [int(child), *_children(int(child))]
    return found
