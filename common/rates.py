"""Limits on how often: one counter in Redis for all workers, by scope and identity."""

import hashlib
import logging
import math
import time

from django.conf import settings

from common import metrics
from common.counters import Breaker, Count, LocalCounter, take_in_redis
from common.errors import RateLimited, Unavailable
from common.rate_headers import note_limit
from common.redis import RedisError, key

logger = logging.getLogger(__name__)

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
REDIS_RETRY_SECONDS = 5

_local = LocalCounter()
_breaker = Breaker(REDIS_RETRY_SECONDS)


def parse_rate(rate: str) -> tuple[int, int]:
    """`"30/m"` as (30 calls, 60 seconds)."""
    count, _, period = rate.partition("/")
    return int(count), SECONDS[period]


def check_rate(
    scope: str, identity: str, rate: str, *, now: float | None = None, quiet: bool = False
) -> None:
    """Count one call of `identity` in `scope`; RateLimited once there are more than `rate`.

    A refused call takes no place: who keeps knocking is let in as soon as the oldest call that
    got through is a period ago. `quiet` keeps the count out of the answer's headers.
    """
    now = time.time() if now is None else now
    limit, seconds = parse_rate(rate)
    count = _take(scope, identity, limit, seconds, now)
    wait = max(1, math.ceil(count.frees_at - now))
    if not quiet:
        note_limit(scope, quota=limit, window=seconds, remaining=limit - count.taken, reset=wait)
    if not count.allowed:
        metrics.throttled_total.labels(scope).inc()
        raise RateLimited(retry_after=wait)


def _take(scope: str, identity: str, limit: int, seconds: int, now: float) -> Count:
    name = key("throttle", scope, hashlib.sha256(identity.encode()).hexdigest()[:32])
    if settings.USE_FAKE_REDIS:  # one process alone: the same window without the detour
        return _local.take(name, limit, seconds, now)
    if _breaker.is_open():
        try:
            return take_in_redis(name, limit, seconds, now)
        except RedisError:
            logger.warning("Redis is down: calls are counted in each process or refused")
            _breaker.trip()
    if settings.THROTTLES_WITHOUT_REDIS.get(scope) == "refuse":
        raise Unavailable(retry_after=REDIS_RETRY_SECONDS)
    return _local.take(name, limit, seconds, now)


def redis_answers() -> bool:
    """Whether Redis was not found down in the last seconds."""
    return _breaker.is_open()


def forget_counts() -> None:
    """Start afresh in this process (between tests)."""
    _local.forget()
    _breaker.reset()
