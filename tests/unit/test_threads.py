"""The threads that are kept for database work and views."""

import threading
from concurrent.futures import Future

import pytest
from django.db import connections

from common.threads import Threads


@pytest.fixture
def threads():
    made = Threads(lambda: 3, "trial")
    yield made
    made.close()


def ident_of_next(threads: Threads) -> "Future[int]":
    """The id of the thread that does the job submitted here."""
    found: Future[int] = Future()
    threads.submit(lambda: found.set_result(threading.get_ident()))
    return found


def test_one_job_after_another_is_done_by_the_same_thread(threads: Threads) -> None:
    idents = set()
    for _ in range(50):
        idents.add(ident_of_next(threads).result(10))
        # It is free a moment after its result is there.
        while not threads._idle:
            pass

    assert len(idents) == 1


def test_no_more_threads_than_the_size_and_nothing_is_left_undone(threads: Threads) -> None:
    go_on, idents = threading.Event(), []

    def work() -> None:
        go_on.wait(10)
        idents.append(threading.get_ident())

    for _ in range(20):
        threads.submit(work)
    go_on.set()
    threads.close()

    assert len(idents) == 20
    assert len(set(idents)) <= 3


@pytest.mark.django_db(transaction=True)
def test_closing_ends_the_threads_and_their_connections(threads: Threads) -> None:
    opened: Future[object] = Future()

    def look() -> None:
        connections["default"].ensure_connection()
        opened.set_result(connections["default"])

    threads.submit(look)
    connection = opened.result(10)
    threads.close()

    assert connection.connection is None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trial")]


def test_closed_threads_begin_anew_when_there_is_work(threads: Threads) -> None:
    threads.close()

    assert ident_of_next(threads).result(10)


def test_idle_thread_keeps_nothing_of_its_last_job(threads: Threads) -> None:
    import weakref

    class Kept:
        pass

    kept = Kept()
    reference = weakref.ref(kept)
    ended = threading.Event()
    threads.submit(lambda kept=kept: ended.set())
    ended.wait(10)
    del kept
    while not threads._idle:
        pass

    assert reference() is None


def test_what_is_under_way_goes_before_what_begins() -> None:
    threads = Threads(lambda: 1, "trial")
    go_on, done = threading.Event(), []
    threads.submit(lambda: go_on.wait(10) and None)

    for name in ("first", "second"):
        threads.submit(lambda name=name: done.append(f"begin {name}"), begins=True)
        threads.submit(lambda name=name: done.append(f"end {name}"))
    go_on.set()
    threads.close()

    assert done == ["end first", "end second", "begin first", "begin second"]
