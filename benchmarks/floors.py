"""What no product can do without: one durable insert, one read of every vector, one SDK call."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

INSERTS = 100
SCANS = 30
DIMENSION = 256
ROW = ("x" * 36, "How long does an access token live? " * 6)
TABLE = "CREATE TABLE bench_insert (id text PRIMARY KEY, content text)"


def sqlite_insert(folder: Path) -> dict[str, float]:
    """One committed row in WAL mode, synchronous as the product is."""
    connection = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(TABLE)

    def insert() -> None:
        connection.execute("BEGIN IMMEDIATE")
        values = (secrets.token_hex(16), ROW[1])
        connection.execute("INSERT INTO bench_insert VALUES (?, ?)", values)
        connection.execute("COMMIT")

    return _time(insert)


def postgresql_insert(url: str) -> dict[str, float] | None:
    """The same on a PostgreSQL server; None when it cannot be reached."""
    import psycopg

    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        return None
    with connection:
        connection.execute(TABLE.replace("TABLE", "TEMP TABLE"))
        connection.execute("CREATE TABLE IF NOT EXISTS docent_bench_insert (LIKE bench_insert)")
        try:
            insert = "INSERT INTO docent_bench_insert VALUES (%s, %s)"
            return _time(lambda: connection.execute(insert, (secrets.token_hex(16), ROW[1])))
        finally:
            connection.execute("DROP TABLE docent_bench_insert")


def _time(action: Callable[[], object]) -> dict[str, float]:
    waits, work = [], []
    for _ in range(INSERTS):
        began, cpu = time.perf_counter(), time.process_time()
        action()
        waits.append((time.perf_counter() - began) * 1_000)
        work.append((time.process_time() - cpu) * 1_000)
    return {"ms": median(waits), "cpu_ms": median(work)}


def memory_scan(chunks: int) -> float:
    """Milliseconds of processor time to read `chunks` vectors once, in a process of its own."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, str(chunks)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout))


def _scan(chunks: int) -> float:
    import numpy as np

    # Summed as 64-bit words: no arithmetic to speak of, the memory alone decides.
    words = np.ones(chunks * DIMENSION // 2, dtype=np.int64)
    times = []
    for _ in range(SCANS):
        began = time.thread_time()
        words.sum()
        times.append((time.thread_time() - began) * 1_000)
    return median(times)


if __name__ == "__main__":
    print(json.dumps(_scan(int(sys.argv[1]))))
