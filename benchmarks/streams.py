"""Many slow streams at once on one server process: `python -m benchmarks.streams`.

Starts the stand-in provider, a server of its own on a new SQLite database (uvicorn, the true
Mistral adapter and SDK) and a client in this process, and measures what a client sees: errors, how
late each token came after the provider wrote it, the first token against a lone stream's. Of the
server: memory, and CPU per token next to a process that reads the same lines by hand.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from tests.stand_ins.server import free_port

ROOT = Path(__file__).resolve().parent.parent
DELTA = re.compile(rb'^data: \{"text":" (\d+\.\d+)"\}$', re.MULTILINE)
ENDED = b"event: message.completed"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Stream:
    """What a client saw of one stream."""

    started: float
    first: float = 0.0
    late: list[float] = field(default_factory=list)
    ended: bool = False


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def follow(port: int, token: str, stream: Stream, *, tokens: int = 1 << 30) -> None:
    """Ask, and note when each of the first `tokens` came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    body = b'{"content": "How long does an access token live?", "stream": true}'
    head = (
        f"POST /api/chat/messages/ HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    stream.started = time.monotonic()
    writer.write(head.encode() + body)
    rest = b""
    while piece := await reader.read(1 << 16):
        now = time.monotonic()
        events, _, rest = (rest + piece).rpartition(b"\n\n")
        stream.late += [now - float(found[1]) for found in DELTA.finditer(events)]
        stream.first = stream.first or (now if stream.late else 0.0)
        stream.ended = stream.ended or ENDED in events
        if rest.endswith(b"0\r\n\r\n") or len(stream.late) >= tokens:
            break
    writer.close()


def profile(pid: int, path: str) -> None:
    """Have py-spy (if it is there) sample the server meanwhile."""
    if path:
        spy = os.environ.get("PY_SPY", "py-spy")
        subprocess.Popen(
            [spy, "record", "-d", "8", "-r", "200", "-f", "raw", "-o", path, "-p", str(pid)]
        )


async def watch(pid: int, streams: list[Stream], report: dict[str, Any]) -> None:
    """CPU per token and memory while all streams are open and none begins."""
    tokens, cpu = sum(len(s.late) for s in streams), cpu_seconds(pid)
    await asyncio.sleep(4.0)
    report["tokens_per_second"] = round((sum(len(s.late) for s in streams) - tokens) / 4.0)
    spent = cpu_seconds(pid) - cpu
    report["cpu_us_per_token"] = 1e6 * spent / max(1, sum(len(s.late) for s in streams) - tokens)
    report["cpu_percent"] = round(spent / 4.0 * 100)
    report["rss_mb"] = round(rss_mb(pid), 1)
    report["open"] = sum(bool(s.first and not s.ended) for s in streams)


async def load(given: argparse.Namespace, port: int, token: str, pid: int) -> dict[str, Any]:
    """A lone stream, then all of them, one begun after the other over `ramp` seconds."""
    lone = [Stream(0.0) for _ in range(5)]
    for stream in lone:
        await follow(port, token, stream, tokens=2)
    await asyncio.sleep(1.0)
    report: dict[str, Any] = {"rss_before_mb": round(rss_mb(pid), 1)}
    streams = [Stream(0.0) for _ in range(given.streams)]
    tasks = []
    for stream in streams:
        tasks.append(asyncio.create_task(follow(port, token, stream)))
        await asyncio.sleep(given.ramp / given.streams)
    await asyncio.sleep(given.settle)
    profile(pid, given.profile)
    await watch(pid, streams, report)
    report["client_lag_ms"] = await measure_lag()
    await asyncio.wait(tasks, timeout=120)
    first = statistics.median(s.first - s.started for s in streams if s.first)
    alone = statistics.median(s.first - s.started for s in lone)
    late = sorted(value for s in streams for value in s.late)
    whole = sum(s.ended and len(s.late) == given.tokens for s in streams)
    return report | {
        "streams": given.streams,
        "errors": given.streams - whole,
        "late_ms": {
            f"p{p}": round(late[int(len(late) * p / 100.1)] * 1000, 1) for p in (50, 95, 99, 100)
        },
        "first_token_ms": round(first * 1000),
        "first_token_alone_ms": round(alone * 1000),
        "first_token_later_ms": round((first - alone) * 1000),
        "kb_per_stream": round((report["rss_mb"] - report["rss_before_mb"]) * 1000 / given.streams),
    }


async def measure_lag() -> dict[str, float]:
    """How late this process itself is: what it adds to the lateness of tokens."""
    lag = []
    for _ in range(100):
        due = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        lag.append(time.monotonic() - due)
    return {f"p{p}": at_percent(sorted(lag), p) for p in (50, 95)}


def at_percent(values: list[float], percent: int) -> float:
    """A percentile of sorted seconds, in ms."""
    return round(values[int((len(values) - 1) * percent / 100)] * 1000, 1)


async def read_by_hand(url: str, streams: int, seconds: float, ramp: float) -> None:
    """The bare loop: the provider's lines by httpx, each parsed, nothing else. Prints µs/token."""
    import httpx2
    import orjson

    tokens = 0
    limits = httpx2.Limits(max_connections=streams + 1)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as client:

        async def read() -> None:
            nonlocal tokens
            async with client.stream("POST", url, json={"stream": True}) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: {"):
                        tokens += bool(orjson.loads(line[6:])["choices"][0]["delta"]["content"])

        tasks = []
        for _ in range(streams):
            tasks.append(asyncio.create_task(read()))
            await asyncio.sleep(ramp / streams)
        await asyncio.sleep(0.5)
        before, cpu = tokens, time.process_time()
        await asyncio.sleep(seconds)
        spent, read_tokens = time.process_time() - cpu, tokens - before
        for task in tasks:
            task.cancel()
    print(json.dumps({"cpu_us_per_token": 1e6 * spent / read_tokens}))


@contextmanager
def running(*arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process of this Python, ended after the block."""
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, text=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def request(port: int, method: str, path: str, body: Any = None) -> Any:
    """The JSON that the server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"content-type": "application/json"}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    return json.loads(connection.getresponse().read() or b"null")


def wait_until_up(port: int) -> None:
    """Return once something listens."""
    for _ in range(1_200):
        try:
            return http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
        except OSError:
            time.sleep(0.05)
    raise SystemExit("It does not start.")


def log_in(port: int) -> str:
    """An access token."""
    account = {"username": "bench", "password": "a bench with three legs"}
    request(port, "POST", "/api/auth/register/", {**account, "email": "bench@example.com"})
    return str(request(port, "POST", "/api/auth/login/", account)["access"])


def settings_of(provider_port: int, folder: str) -> dict[str, str]:
    """The server's environment: SQLite, no Redis, no limits that a benchmark would meet."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "READ_DOT_ENV": "false",
        "DEBUG": "false",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE_URL": os.environ.get("DATABASE_URL") or f"sqlite:///{folder}/db.sqlite3",
        "BACKGROUND_TASKS_AUTOSTART": "false",
        "CHAT_MAX_SESSIONS": "100000",
        "THROTTLE_CHAT": "1000000/m",
        "RAG_EMBEDDER": "local",
        "RAG_GENERAL_ANSWERS": "true",
        "MISTRAL_API_KEY": "key",
        "MISTRAL_SERVER_URL": f"http://127.0.0.1:{provider_port}",
    }


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """One run: server and bare loop against the same provider."""
    ports = free_port(), free_port()
    tokens, rate = str(given.tokens), str(given.rate)
    with tempfile.TemporaryDirectory() as folder:
        environment = settings_of(ports[0], folder)
        for command in (["migrate", "-v0"], ["populate_documents"]):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=environment,
                check=True,
                capture_output=True,
            )
        provider = ("-m", "benchmarks.provider", str(ports[0]), "--tokens", tokens, "--rate", rate)
        with running(*provider, stdout=subprocess.PIPE) as stand_in:
            serve = ("manage.py", "serve", "--only", "--port", str(ports[1]))
            with running(*serve, env=environment, stdout=subprocess.DEVNULL) as server:
                wait_until_up(ports[1])
                report = uvloop.run(load(given, ports[1], log_in(ports[1]), server.pid))
            if given.bare:
                url = f"http://127.0.0.1:{ports[0]}/v1/chat/completions"
                hand = ("-m", "benchmarks.streams", "--by-hand", url)
                sizes = ("--streams", str(given.streams), "--ramp", str(given.ramp))
                with running(*hand, *sizes, stdout=subprocess.PIPE) as reading:
                    bare = json.loads(reading.communicate()[0])["cpu_us_per_token"]
                report["cpu_us_by_hand"] = round(bare)
                report["cpu_ratio"] = round(report["cpu_us_per_token"] / bare, 2)
            stand_in.terminate()
            report["provider"] = json.loads(stand_in.communicate()[0])
    report["cpu_us_per_token"] = round(report["cpu_us_per_token"])
    return report


def main() -> None:
    """Run and print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=300)
    parser.add_argument("--tokens", type=int, default=320)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--ramp", type=float, default=10.0, help="seconds to begin them all in")
    parser.add_argument("--bare", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--settle", type=float, default=1.0, help="seconds before measuring")
    parser.add_argument("--profile", default="", help="a file for py-spy's samples")
    parser.add_argument("--by-hand", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.by_hand:
        uvloop.run(read_by_hand(given.by_hand, given.streams, 4.0, given.ramp))
        return
    print(json.dumps(measure(given), indent=2))


if __name__ == "__main__":
    main()
