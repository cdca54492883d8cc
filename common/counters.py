"""Counting calls in a sliding window: exactly `limit` get through, in any window of that length."""

import threading
import time
from collections import OrderedDict, deque
from dataclasses import dataclass
from uuid import uuid4

from common.redis import get_redis

MAX_LOCAL_NAMES = 50_000

# One script, so that of n simultaneous calls exactly the free places are given away.
TAKE = """
local now, seconds, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - seconds)
local taken = redis.call('ZCARD', KEYS[1])
local allowed = 0
if taken < limit then
    redis.call('ZADD', KEYS[1], now, ARGV[4])
    redis.call('EXPIRE', KEYS[1], seconds + 1)
    allowed, taken = 1, taken + 1
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {allowed, taken, oldest[2] or tostring(now)}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What came of one call: whether it had a place, how many are taken, when one is free again."""

    allowed: bool
    taken: int
    frees_at: float  # seconds since the epoch


def take_in_redis(name: str, limit: int, seconds: int, now: float) -> Count:
    """Take a place in the window that all processes share; RedisError when there is no Redis."""
    answer = get_redis().eval(TAKE, 1, name, repr(now), seconds, limit, uuid4().hex)
    allowed, taken, oldest = answer
    return Count(allowed=bool(allowed), taken=int(taken), frees_at=float(oldest) + seconds)


class LocalCounter:
    """The same window for one process alone."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, limit: int, seconds: int, now: float) -> Count:
        """Take a place, if there is one."""
        with self._lock:
            calls = self._calls.setdefault(name, deque())
            self._calls.move_to_end(name)
            while calls and calls[0] <= now - seconds:
                calls.popleft()
            allowed = len(calls) < limit
            if allowed:
                calls.append(now)
            # The least recently called goes first: a flood of names cannot reset one under attack.
            while len(self._calls) > MAX_LOCAL_NAMES:
                self._calls.popitem(last=False)
            oldest = calls[0] if calls else now
            return Count(allowed=allowed, taken=len(calls), frees_at=oldest + seconds)

    def forget(self) -> None:
        """Start afresh (between tests)."""
        with self._lock:
            self._calls.clear()


class Breaker:
    """Remembers for a while that Redis was down, so that not every request waits to find out."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._closed_until = 0.0

    def is_open(self) -> bool:
        """Whether to ask at all."""
        return time.monotonic() >= self._closed_until

    def trip(self) -> None:
        """It was down just now."""
        self._closed_until = time.monotonic() + self._seconds

    def reset(self) -> None:
        """Ask again at once."""
        self._closed_until = 0.0
