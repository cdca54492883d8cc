"""How the workers' circuit breakers hear of each other: three keys in Redis per provider.

No call waits for Redis, but for the one that would be the probe. When Redis is down or slow,
each process goes by what it saw itself.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from common.redis import RedisError, key, open_async_redis
from rag.resilience.perloop import PerLoop

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 1.0
WINDOW_SECONDS = 30
# Redis is left alone for so long after it failed.
DOWN_SECONDS = 5.0
# An open circuit that nobody tries again is forgotten after this long.
FORGET_SECONDS = 600

Adopt = Callable[[float | None], None]


class Share:
    """Shares nothing: for a process alone. Every method returns at once."""

    def refresh(self, name: str, adopt: Adopt) -> None:
        """Ask what the others know of `name`, and tell `adopt` when the answer is there."""

    def count(self, name: str, threshold: int, open_seconds: float, adopt: Adopt) -> None:
        """Add a failure to those of the others; open for all when `threshold` is reached."""

    def open(self, name: str, until: float) -> None:
        """Tell the others that `name` is open until the Unix time `until`."""

    def close(self, name: str) -> None:
        """Tell the others that `name` works again."""

    def forget(self, name: str) -> None:
        """Start counting failures anew."""

    def release_probe(self, name: str) -> None:
        """Let another be the probe."""

    async def claim_probe(self, name: str, seconds: float) -> bool:
        """Whether this process is the one that probes, for the next `seconds`."""
        return True


NO_SHARE = Share()


class RedisShare(Share):
    """Shares over Redis, in tasks beside the call."""

    def __init__(self) -> None:
        self._redis = PerLoop(open_async_redis)
        self._tasks: set[asyncio.Task[None]] = set()
        self._refreshed = 0.0
        self._down_until = 0.0

    def refresh(self, name: str, adopt: Adopt) -> None:
        now = time.monotonic()
        if now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now
            self._beside(self._refresh(name, adopt))

    def count(self, name: str, threshold: int, open_seconds: float, adopt: Adopt) -> None:
        self._beside(self._count(name, threshold, open_seconds, adopt))

    def open(self, name: str, until: float) -> None:
        self._beside(self._open(name, until))

    def close(self, name: str) -> None:
        self._beside(self._delete(name, "open", "failures", "probe"))

    def forget(self, name: str) -> None:
        self._beside(self._delete(name, "failures"))

    def release_probe(self, name: str) -> None:
        self._beside(self._delete(name, "probe"))

    async def claim_probe(self, name: str, seconds: float) -> bool:
        try:
            redis = await self._redis.get()
            expiry = int(seconds * 1000)
            return bool(await redis.set(key("breaker", name, "probe"), 1, nx=True, px=expiry))
        except RedisError:
            logger.warning("Redis is down: the breaker of %s decides by itself", name)
            return True

    async def settle(self) -> None:
        """Wait until all that was to be told has been told (tests)."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _refresh(self, name: str, adopt: Adopt) -> None:
        value = await (await self._redis.get()).get(key("breaker", name, "open"))
        adopt(None if value is None else float(value))

    async def _count(self, name: str, threshold: int, open_seconds: float, adopt: Adopt) -> None:
        redis = await self._redis.get()
        failures = key("breaker", name, "failures")
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.incr(failures)
            pipeline.expire(failures, WINDOW_SECONDS)
            number = int((await pipeline.execute())[0])
        if number >= threshold:
            until = time.time() + open_seconds
            await self._open(name, until)
            adopt(until)

    async def _open(self, name: str, until: float) -> None:
        redis = await self._redis.get()
        await redis.set(key("breaker", name, "open"), repr(until), ex=FORGET_SECONDS)

    async def _delete(self, name: str, *parts: str) -> None:
        redis = await self._redis.get()
        await redis.delete(*(key("breaker", name, part) for part in parts))

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        if time.monotonic() < self._down_until:
            # One task of many finds out that Redis is down; the others would only wait too.
            work.close()
            return
        task = asyncio.get_running_loop().create_task(self._quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RedisError as error:
            if time.monotonic() >= self._down_until:
                self._down_until = time.monotonic() + DOWN_SECONDS
                logger.warning("Circuit breakers go by what this process sees: %s", type(error))
