"""Messages per second with more web processes, on PostgreSQL and Redis.

    python -m benchmarks.processes --processes 1 2 4 --clients 32

Makes a database of its own and takes it away. The embedded default answers, so that nothing waits
for a provider; rounds take turns. The clients, PostgreSQL and Redis run on the same cores: what
they take is shown beside.
"""

import argparse
import asyncio
import os
import secrets
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.messages import Sample, measure
from benchmarks.phases import ask
from benchmarks.servers import Product, free_port, product, running, scratch, wait_for

POSTGRESQL = "postgres://postgres@127.0.0.1:5432/postgres"
REDIS = "redis://127.0.0.1:6379/14"


@contextmanager
def database(server: str) -> Iterator[str]:
    """The address of an empty database on `server`, gone afterwards."""
    name = f"docent_bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--messages", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgresql", default=POSTGRESQL)
    parser.add_argument("--redis", default=REDIS)
    options = parser.parse_args()
    with scratch() as folder, database(options.postgresql) as address:
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.clients} clients")
        asyncio.run(measure_all(folder, address, options))


async def measure_all(folder: Path, address: str, options: argparse.Namespace) -> None:
    """Rounds of each number of processes in turns."""
    base = Product(folder, DATABASE_URL=address, REDIS_URL=options.redis)
    token = base.set_up()
    rounds: dict[int, list[Sample]] = defaultdict(list)
    used: dict[int, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        for count in options.processes:
            sample, cores = await measure_one(base, token, count, options)
            rounds[count].append(sample)
            used[count].append(cores)
    first = median(sample.per_second for sample in rounds[options.processes[0]])
    print("processes  messages/s  times the first  CPU ms a message  cores all took  errors")
    for count, samples in rounds.items():
        rate = median(sample.per_second for sample in samples)
        cpu = median(sample.cpu_ms for sample in samples)
        errors = sum(sample.errors for sample in samples)
        cores = median(used[count])
        print(
            f"{count:9}  {rate:10.0f}  {rate / first:15.2f}  {cpu:16.1f}  {cores:14.2f}  {errors}"
        )


async def measure_one(
    base: Product, token: str, count: int, options: argparse.Namespace
) -> tuple[Sample, float]:
    """One round with `count` processes, and how many cores the whole machine used meanwhile."""
    port = free_port()
    with running([*product(port), "--processes", str(count)], environment=base.environment) as run:
        await wait_for(port)
        for _ in range(10 * count):
            await ask(port, token)
        before, idle = os.times().elapsed, idle_seconds()
        sample = await measure(
            port,
            run.pid,
            clients=options.clients,
            messages=options.messages,
            stream=False,
            token=token,
        )
        passed = os.times().elapsed - before
        return sample, (os.cpu_count() or 1) - (idle_seconds() - idle) / passed


def idle_seconds() -> float:
    """What all cores of this machine have been idle so far."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
