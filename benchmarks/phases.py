"""The parts of the benchmark that run servers."""

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import floors
from benchmarks.load import Client, cpu_seconds, resident_mb
from benchmarks.messages import PATH, Sample, measure, merge
from benchmarks.servers import (
    ROOT,
    Product,
    free_port,
    product,
    provider,
    running,
    scratch,
    wait_for,
)

# Clients at once, and messages of a round.
SIZES = {1: 6, 10: 60, 100: 200}
WARM_UP = (10, 100)
QUESTION = "How long does an access token live?"
# 300 answers that are all open together: twenty words, two a second.
SLOW_TOKENS_PER_SECOND = 2.0
OPENING_SECONDS = 0.025
IDLE_SECONDS = 2.0


def with_provider(base: Product, port: int) -> Product:
    """The product with Mistral's own SDK writing the answers; embeddings stay local."""
    changed = Product(Path())
    changed.environment = {
        **base.environment,
        "MISTRAL_API_KEY": "key",
        "MISTRAL_SERVER_URL": f"http://127.0.0.1:{port}",
        "RAG_EMBEDDER": "local",
        # As many calls to the provider as the passthrough makes: one a message.
        "RAG_REWRITE_SECONDS": "0",
    }
    return changed


async def ask(port: int, token: str, *, stream: bool = False) -> Any:
    """One question; the reply."""
    client = Client("127.0.0.1", port)
    headers = {"Authorization": f"Bearer {token}"}
    try:
        return await client.request("POST", PATH, {"content": QUESTION, "stream": stream}, headers)
    finally:
        client.close()


async def measure_starts(base: Product, token: str, rounds: int) -> dict[str, float]:
    """Seconds from start to the first answer on a set-up machine, and memory before and after."""
    live, answered, untouched, idle, used = [], [], [], [], []
    for _ in range(rounds):
        port = free_port()
        with running(product(port), environment=base.environment) as process:
            await wait_for(port)
            await asyncio.sleep(IDLE_SECONDS)
            untouched.append(resident_mb(process.pid))
        port = free_port()
        began = time.perf_counter()
        with running(product(port), environment=base.environment) as process:
            await wait_for(port)
            live.append(time.perf_counter() - began)
            reply = await ask(port, token)
            answered.append(time.perf_counter() - began)
            assert reply.status == 201, reply.body
            await asyncio.sleep(IDLE_SECONDS)
            idle.append(resident_mb(process.pid))
            for _ in range(20):
                await ask(port, token)
            used.append(resident_mb(process.pid))
    names = ("live", "answered", "untouched_mb", "idle_mb", "used_mb")
    return dict(zip(names, map(median, (live, answered, untouched, idle, used)), strict=True))


async def measure_messages(
    folder: Path, token: str, base: Product, rounds: int
) -> dict[str, dict[str, float]]:
    """Each target's figures by form and number of clients: rounds of all take turns."""
    upstream, *ports = (free_port() for _ in range(4))
    commands = {
        "passthrough": (["-m", "benchmarks.passthrough", "--upstream", str(upstream)], None),
        "provider": (["manage.py", "serve"], with_provider(base, upstream).environment),
        "embedded": (["manage.py", "serve"], base.environment),
    }
    samples: dict[str, list[Sample]] = defaultdict(list)
    with ExitStack() as stack:
        stack.enter_context(running(provider(upstream)))
        await wait_for(upstream)
        targets = {}
        for (name, (command, environment)), port in zip(commands.items(), ports, strict=True):
            full = [*command, "--port", str(port)]
            process = stack.enter_context(running(full, environment=environment))
            await wait_for(port)
            targets[name] = (port, process.pid, "" if name == "passthrough" else token)
            # A fresh process reads each chunk for the first time: told apart from what follows.
            for clients in WARM_UP:
                first = await measure(
                    port, process.pid, clients=clients, messages=SIZES[clients], stream=False,
                    token=targets[name][2],
                )  # fmt: skip
                samples[f"{name} first {clients}"].append(first)
        for _ in range(rounds):
            for stream in (False, True):
                for clients, messages in SIZES.items():
                    for name, (port, pid, bearer) in targets.items():
                        sample = await measure(
                            port, pid, clients=clients, messages=messages, stream=stream,
                            token=bearer,
                        )  # fmt: skip
                        samples[f"{name} {'stream' if stream else 'json'} {clients}"].append(sample)
    inside = with_provider(base, upstream)
    with running(provider(upstream)):
        await wait_for(upstream)
        sdk = inside.measure("sdk")
    return {"sdk": sdk, **{name: merge(each) for name, each in samples.items()}}


async def measure_streams(base: Product, token: str, count: int) -> dict[str, float]:
    """Memory and errors with `count` answers being streamed at once by one process."""
    upstream, port = free_port(), free_port()
    slow = provider(upstream, tokens_per_second=SLOW_TOKENS_PER_SECOND)
    environment = with_provider(base, upstream).environment
    with running(slow), running(product(port), environment=environment) as process:
        await wait_for(upstream)
        await wait_for(port)
        await ask(port, token)
        idle, before = resident_mb(process.pid), cpu_seconds(process.pid)
        asking = asyncio.gather(*(_ask_later(number, port, token) for number in range(count)))
        peak = idle
        while not asking.done():
            await asyncio.wait([asking], timeout=0.25)
            peak = max(peak, resident_mb(process.pid))
        replies = await asking
        whole = sum(b"message.completed" in reply.body for reply in replies)
        cpu = (cpu_seconds(process.pid) - before) * 1_000 / count
    return {"count": count, "whole": whole, "idle_mb": idle, "peak_mb": peak, "cpu_ms": cpu}


async def _ask_later(number: int, port: int, token: str) -> Any:
    # Opened within the time that an answer takes, so that all are open together.
    await asyncio.sleep(number * OPENING_SECONDS)
    return await ask(port, token, stream=True)


def measure_ingestion() -> dict[str, float]:
    """The shipped documents into an empty database."""
    with scratch() as folder:
        empty = Product(folder)
        empty.run("manage.py", "migrate", "--verbosity", "0")
        return empty.measure("ingestion")


def measure_search(size: int) -> dict[str, float]:
    """One size of index against reading its vectors once."""
    script = str(ROOT / "benchmarks" / "vector_search.py")
    done = subprocess.run(
        [sys.executable, script, "--one", str(size)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return {**found, "floor_ms": floors.memory_scan(size)}
