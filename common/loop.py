"""The event loop that outside work runs on: one a process, apart from any one request.

An answer is the server's task, not the connection's. It runs here, so that a client that goes
away, or a WSGI thread that ends, takes nothing with it; a thousand of them cost no threads.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from common.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")

# Database work is short; more threads than this only wait for each other.
DATABASE_THREADS = 4
# Nothing of it waits for a network here, and one holds the interpreter's lock as well as four do:
# between them, each answer took 300 changes of threads with ten clients, and a fifth more CPU.
EMBEDDED_DATABASE_THREADS = 1
# Views may take longer (a password's hash, an upload): they must not keep answers waiting.
VIEW_THREADS = 12


class _State:
    """The loop and the threads of this process; forgotten by a forked child."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.database = Threads(count_database_threads, "database")
        self.views = Threads(lambda: VIEW_THREADS, "view")


def count_database_threads() -> int:
    """How many threads do the database work of answers here."""
    embedded = connections[DEFAULT_DB_ALIAS].vendor == "sqlite" and settings.USE_FAKE_REDIS
    return settings.DATABASE_THREADS or (
        EMBEDDED_DATABASE_THREADS if embedded else DATABASE_THREADS
    )


_state = _State()


def _forget() -> None:
    global _state
    _state = _State()


os.register_at_fork(after_in_child=_forget)


def get_loop() -> asyncio.AbstractEventLoop:
    """The process's loop: the server's own where it was adopted, else one in a daemon thread."""
    with _state.lock:
        if _state.loop is None or _state.loop.is_closed():
            _state.loop = _start_thread()
        return _state.loop


def adopt_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Let the ASGI server's running loop be the process's; called once when it starts."""
    with _state.lock:
        _state.loop = loop


def _start_thread() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="answers", daemon=True).start()
    return loop


def submit(work: Coroutine[Any, Any, T]) -> "Future[T]":
    """Start `work` on the process's loop from any other thread."""
    return asyncio.run_coroutine_threadsafe(work, get_loop())


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, awaited by blocking this thread; never call it on the loop itself."""
    return submit(work).result()


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `function`, run in a thread kept for database work: one of a few, or the one.

    It must not wait for other work that needs such a thread.

    The thread's database connection is kept open only where that is free (SQLite); a pooled
    one goes back to its pool, so that none is held between calls.
    """
    return await _run_in(_state.database, partial(function, *args, **kwargs))


async def begin_in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for the first of several pieces of work: those that are under way go first.

    A hundred questions that come at once are answered one after the other then, not all at the end.
    """
    return await _run_in(_state.database, partial(function, *args, **kwargs), begins=True)


async def in_view_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in threads of their own, for views that may take longer."""
    return await _run_in(_state.views, partial(function, *args, **kwargs))


async def _run_in(threads: Threads, work: Callable[[], T], *, begins: bool = False) -> T:
    loop = asyncio.get_running_loop()
    waiting: asyncio.Future[T] = loop.create_future()
    run = partial(copy_context().run, work)
    threads.submit(partial(_do, loop, waiting, run), begins=begins)
    return await waiting


def _do(
    loop: asyncio.AbstractEventLoop, waiting: "asyncio.Future[T]", run: Callable[[], T]
) -> None:
    """Run, and hand over what comes of it; nothing is done for one who no longer waits."""
    if waiting.cancelled():
        return
    result: Any = None
    failure: BaseException | None = None
    try:
        result = run()
    except BaseException as error:  # noqa: BLE001 (it is raised again where it is waited for)
        failure = error
    try:
        _tidy_connections()
    except Exception as error:  # noqa: BLE001 (the same)
        failure = failure or error
    # The loop may have ended meanwhile: then nobody waits any more.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle, waiting, result, failure)


def _settle(waiting: "asyncio.Future[T]", result: T, failure: BaseException | None) -> None:
    if waiting.done():
        return
    if failure is None:
        waiting.set_result(result)
    else:
        waiting.set_exception(failure)


def _tidy_connections() -> None:
    """Leave this thread's connections as the next piece of work should find them."""
    for connection in connections.all(initialized_only=True):
        # Under DEBUG every statement is kept until somebody forgets it.
        connection.queries_log.clear()
        if not _give_back(connection):
            connection.close_if_unusable_or_obsolete()


def release_connections() -> None:
    """Give back this thread's connections that are not free to keep."""
    for connection in connections.all(initialized_only=True):
        _give_back(connection)


def _give_back(connection: BaseDatabaseWrapper) -> bool:
    """Close `connection` unless it is free to keep; whether it was closed."""
    closes = connection.vendor != "sqlite" and not connection.in_atomic_block
    if closes:
        connection.close()
    return closes


def close_threads() -> None:
    """End the kept threads and their connections (at shutdown, and between tests)."""
    _state.database.close()
    _state.views.close()


# What runs in them at the end of the process is let finish, and connections are closed in order.
atexit.register(close_threads)
