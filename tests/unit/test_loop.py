"""Work handed to the kept threads, and its outcome."""

import asyncio
import threading

import pytest
from django.db import connection

from common.loop import DATABASE_THREADS, count_database_threads, in_thread


def test_result_comes_back_from_another_thread() -> None:
    assert asyncio.run(in_thread(threading.get_ident)) != threading.get_ident()


def test_error_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(in_thread(fail))


def test_work_whose_caller_has_gone_harms_nobody() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        go_on.wait(10)
        return 1

    async def leave() -> int:
        leaving = asyncio.ensure_future(in_thread(work))
        while not begun.is_set():
            await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        go_on.set()
        return await in_thread(lambda: 2)

    assert asyncio.run(leave()) == 2


def test_context_of_the_caller_is_seen_by_the_work() -> None:
    from common.request_id import current_request_id, set_request_id

    async def ask() -> str:
        set_request_id("abcdefgh")
        return await in_thread(current_request_id)

    assert asyncio.run(ask()) == "abcdefgh"


@pytest.mark.parametrize(
    ("vendor", "fake", "wanted", "count"),
    [
        ("sqlite", True, 0, 1),
        ("sqlite", False, 0, DATABASE_THREADS),
        ("postgresql", True, 0, DATABASE_THREADS),
        ("sqlite", True, 3, 3),
    ],
)
def test_one_database_thread_where_nothing_waits_for_a_network(
    settings, monkeypatch, vendor, fake, wanted, count
) -> None:
    settings.USE_FAKE_REDIS, settings.DATABASE_THREADS = fake, wanted
    monkeypatch.setattr(connection, "vendor", vendor)

    assert count_database_threads() == count
