"""What messages cost: the time of clients, and the processor time of the server."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median

from benchmarks.load import Client, Reply, cpu_seconds

QUERIES = Path(__file__).parent / "retrieval" / "shipped" / "queries.jsonl"
# A conversation has a few questions; each needs the turns before it.
TURNS = 4
PATH = "/api/chat/messages/"


@dataclass(kw_only=True)
class Sample:
    """One round: seconds of each request, and what they cost the server together."""

    totals: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    cpu_ms: float = 0.0
    seconds: float = 0.0
    errors: int = 0

    @property
    def per_second(self) -> float:
        """Messages answered in a second."""
        return len(self.totals) / self.seconds


def questions() -> Iterator[str]:
    """The labelled questions about the shipped documents, over and over."""
    lines = QUERIES.read_text(encoding="utf-8").splitlines()
    return cycle([json.loads(line)["text"] for line in lines])


async def measure(
    port: int, pid: int, *, clients: int, messages: int, stream: bool, token: str = ""
) -> Sample:
    """`messages` questions from `clients` clients that each ask one at a time."""
    sample = Sample()
    asked = questions()
    left = iter(range(messages))
    before, began = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(
        *(_talk(port, token, asked, left, sample, stream=stream) for _ in range(clients))
    )
    sample.seconds = time.perf_counter() - began
    sample.cpu_ms = (cpu_seconds(pid) - before) * 1_000 / max(1, len(sample.totals))
    return sample


async def _talk(
    port: int,
    token: str,
    asked: Iterator[str],
    left: Iterator[int],
    sample: Sample,
    *,
    stream: bool,
) -> None:
    client = Client("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    session: str | None = None
    for turn, _ in enumerate(left):
        body = {"content": next(asked), "stream": stream}
        if session is not None and turn % TURNS:
            body["session_id"] = session
        reply = await client.request("POST", PATH, body, headers)
        if reply.status not in (200, 201) or b"message.failed" in reply.body:
            sample.errors += 1
            continue
        sample.totals.append(reply.total)
        sample.firsts.append(first_token(reply) if stream else reply.total)
        session = _session_of(reply) if token else None
    client.close()


def first_token(reply: Reply) -> float:
    """When the first words of a streamed answer were there."""
    for part, arrived in zip(reply.parts, reply.arrivals, strict=True):
        if b"answer.delta" in part or b'"content":" word' in part:
            return arrived
    return reply.total


def _session_of(reply: Reply) -> str:
    # The question comes first in both forms, and with it the session.
    return reply.body.partition(b'"session":"')[2][:36].decode()


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def merge(samples: Sequence[Sample]) -> dict[str, float]:
    """Medians over rounds of what each round measured; times of all requests together."""
    totals = [value for sample in samples for value in sample.totals]
    firsts = [value for sample in samples for value in sample.firsts]
    return {
        "cpu_ms": median(sample.cpu_ms for sample in samples),
        "per_second": median(sample.per_second for sample in samples),
        "p50": percentile(totals, 0.5),
        "p95": percentile(totals, 0.95),
        "p99": percentile(totals, 0.99),
        "first": percentile(firsts, 0.5),
        "errors": sum(sample.errors for sample in samples),
        "messages": len(totals),
    }
