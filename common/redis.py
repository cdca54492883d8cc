"""The one place that opens Redis, or its in-process stand-in when there is none."""

from functools import cache
from typing import Any
from urllib.parse import quote

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

RedisError = redis.RedisError


def redis_url() -> str:
    """The address from `REDIS_URL`, or put together from its parts."""
    if settings.REDIS_URL:
        return str(settings.REDIS_URL)
    password = f":{quote(settings.REDIS_PASSWORD, safe='')}@" if settings.REDIS_PASSWORD else ""
    host = settings.REDIS_HOST or "127.0.0.1"
    return f"redis://{password}{host}:{settings.REDIS_PORT}/{settings.REDIS_DB}"


@cache
def get_redis() -> redis.Redis:
    """The process's client, bytes in and out; fails within `REDIS_TIMEOUT_SECONDS`."""
    if settings.USE_FAKE_REDIS:
        import fakeredis

        return fakeredis.FakeRedis(server=_fake_server())
    return redis.Redis.from_url(redis_url(), **_options(Retry))


def open_async_redis() -> redis.asyncio.Redis:
    """A new asyncio client; it belongs to the event loop that first uses it."""
    if settings.USE_FAKE_REDIS:
        import fakeredis

        return fakeredis.FakeAsyncRedis(server=_fake_server())
    from redis.asyncio.retry import Retry as AsyncRetry

    return redis.asyncio.Redis.from_url(redis_url(), **_options(AsyncRetry))


@cache
def _fake_server() -> Any:
    import fakeredis

    return fakeredis.FakeServer()


def _options(retry: type[Any]) -> dict[str, Any]:
    # redis-py retries ten times by itself: a dead Redis would cost seconds a command.
    return {
        "socket_connect_timeout": settings.REDIS_TIMEOUT_SECONDS,
        "socket_timeout": settings.REDIS_TIMEOUT_SECONDS,
        "retry": retry(NoBackoff(), 0),
        "health_check_interval": 30,
    }


def key(*parts: object) -> str:
    """A key under the product's prefix: `key("throttle", user_id)`."""
    return settings.REDIS_PREFIX + ":".join(str(part) for part in parts)
