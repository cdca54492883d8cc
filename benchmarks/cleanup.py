"""The chat cleanup on a large PostgreSQL database: each query's time, and memory.

    DATABASE_URL=postgres://postgres@127.0.0.1/postgres python benchmarks/cleanup.py

Makes a database of its own on that server, fills it with --messages messages (of which all but
a tenth are past their time), cleans it up, and drops it. Ends with 1 if a query took longer than
--limit-ms, or memory grew beyond --limit-mb.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "docent_bench_cleanup"
MESSAGES_A_SESSION = 20

FILL = """
INSERT INTO users_user (id, password, is_superuser, username, first_name, last_name, is_staff,
    is_active, date_joined, email, {more_columns})
  SELECT gen_random_uuid(), '', false, 'bench', '', '', false, true, now(), 'bench@example.com',
    {more_values};
INSERT INTO chat_chatsession (id, title, archived, created_at, updated_at, next_position, user_id)
  SELECT gen_random_uuid(), 'session ' || n, false, at, at + interval '1 hour', {each}, u.id
  FROM users_user u, (
    SELECT n, now() - interval '300 days' * n / {sessions} AS at
    FROM generate_series(1, {sessions}) n) numbered;
INSERT INTO chat_chatmessage (id, session_id, sender_type, content, timestamp, status, metadata,
    position, variant, is_current, stop_requested, search_key)
  SELECT gen_random_uuid(), s.id, CASE WHEN p % 2 = 0 THEN 'user' ELSE 'bot' END,
    repeat('What a message of a usual length holds. ', 5), s.created_at + interval '1 minute' * p,
    'complete', '{{"mode": "extractive", "sources": [], "citations": []}}', p, 1, true, false,
    row_number() OVER ()
  FROM chat_chatsession s, generate_series(0, {each} - 1) p;
UPDATE chat_chatmessage a SET reply_to_id = q.id FROM chat_chatmessage q
  WHERE a.sender_type = 'bot' AND q.session_id = a.session_id AND q.position = a.position - 1;
VACUUM ANALYZE;
"""


def main() -> int:
    """Fill, clean up in a process of its own, report."""
    options = read_options()
    if options.child:
        return clean_up()
    server = os.environ["DATABASE_URL"]
    url = f"{server.rsplit('/', 1)[0]}/{NAME}"
    recreate(server)
    try:
        fill(url, options.messages)
        report = measure(url)
    finally:
        drop(server)
    print(json.dumps(report))
    slow = report["slowest_query_ms"] > options.limit_ms
    return int(slow or report["memory_growth_mb"] > options.limit_mb)


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--limit-ms", type=float, default=200)
    parser.add_argument("--limit-mb", type=float, default=30)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def connect(url: str):
    """A connection that commits each statement."""
    import psycopg

    return psycopg.connect(url, autocommit=True)


def recreate(server: str) -> None:
    """Make the empty database."""
    drop(server)
    with connect(server) as connection:
        connection.execute(f"CREATE DATABASE {NAME}")


def drop(server: str) -> None:
    """Drop the database, whoever uses it."""
    with connect(server) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def environment(url: str) -> dict[str, str]:
    """A child's environment."""
    return {
        **os.environ,
        "DATABASE_URL": url,
        "USE_FAKE_REDIS": "true",
        "REDIS_URL": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "LOG_LEVEL": "ERROR",
        # With DEBUG Django keeps the last 9,000 queries in memory.
        "DEBUG": "false",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PYTHONPATH": str(ROOT),
    }


def fill(url: str, messages: int) -> None:
    """Make the tables and their rows."""
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=ROOT, env=environment(url), check=True)
    with connect(url) as connection:
        # Columns of the user table that have come since: each gets what its type calls empty.
        known = {"id", "password", "is_superuser", "username", "first_name", "last_name",
                 "is_staff", "is_active", "date_joined", "email"}  # fmt: skip
        rows = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_name = 'users_user' AND is_nullable = 'NO'"
        ).fetchall()
        more = {name: kind for name, kind in rows if name not in known}
        empty = {"boolean": "false", "integer": "0", "timestamp with time zone": "now()"}
        statement = FILL.format(
            sessions=messages // MESSAGES_A_SESSION,
            each=MESSAGES_A_SESSION,
            more_columns=", ".join(more) or "last_login",
            more_values=", ".join(empty.get(kind, "'bench'") for kind in more.values()) or "NULL",
        )
        for part in statement.split(";\n"):
            if part.strip():
                connection.execute(part)


def measure(url: str) -> dict[str, object]:
    """Clean up in a fresh process, and give what it says."""
    told = subprocess.run(
        [sys.executable, __file__, "--child"],
        cwd=ROOT,
        env=environment(url),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


def clean_up() -> int:
    """The child: run the cleanup with every query timed."""
    import django

    django.setup()
    from datetime import timedelta

    from django.db import connection
    from django.utils import timezone

    from chat.services.retention import purge_messages

    times: list[tuple[float, str]] = []

    def timed(execute, sql, params, many, context):
        started = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            times.append(((time.perf_counter() - started) * 1_000, sys.intern(sql[:60])))

    memory: list[float] = []
    started = time.perf_counter()
    with connection.execute_wrapper(timed):
        purged = purge_messages(
            before=timezone.now() - timedelta(days=30), fence=lambda: memory.append(resident_mb())
        )
    seconds = time.perf_counter() - started
    slowest, sql = max(times)
    kinds: Counter[str] = Counter()
    for spent, statement in times:
        kinds[" ".join(statement.split()[:3])] += spent
    print(
        json.dumps(
            {
                "messages": purged.messages,
                "sessions": purged.sessions,
                "seconds": round(seconds, 1),
                "queries": len(times),
                "slowest_query_ms": round(slowest, 1),
                "slowest_query": sql,
                "slow_queries": [round(spent, 1) for spent, _ in sorted(times)[-5:]],
                "p99_query_ms": round(
                    sorted(spent for spent, _ in times)[int(len(times) * 0.99)], 1
                ),
                "memory_start_mb": round(memory[0], 1),
                "memory_growth_mb": round(max(memory) - memory[0], 1),
                "seconds_by_kind": {k: round(v / 1_000, 1) for k, v in kinds.most_common(5)},
            }
        )
    )
    return 0


def resident_mb() -> float:
    """This process's memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
