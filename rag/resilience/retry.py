"""Trying again: with jitter, as the provider asks, within a budget and a deadline."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from rag.errors import ProviderError, ProviderTimeout
from rag.resilience.deadline import remaining
from rag.resilience.errors import CircuitOpen, ProviderBusy

T = TypeVar("T")

BUDGET_RETRIES = 10
SUCCESSES_PER_RETRY = 10


class RetryBudget:
    """Bounds retries to a tenth of what succeeds, so that an outage is not doubled by us.

    It begins with `retries`; `SUCCESSES_PER_RETRY` successes earn one more, up to that number.
    """

    def __init__(self, retries: int = BUDGET_RETRIES) -> None:
        self._most = self._credit = retries * SUCCESSES_PER_RETRY
        self._lock = threading.Lock()

    def spend(self) -> bool:
        """Whether one more retry is allowed; if so it is paid for."""
        with self._lock:
            if self._credit < SUCCESSES_PER_RETRY:
                return False
            self._credit -= SUCCESSES_PER_RETRY
            return True

    def earn(self) -> None:
        """Count a success."""
        with self._lock:
            self._credit = min(self._most, self._credit + 1)


@cache
def budget_of(provider: str) -> RetryBudget:
    """The process's one budget for `provider`."""
    return RetryBudget()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long to try; waits are in seconds."""

    attempts: int = 3
    first_wait: float = 0.25
    longest_wait: float = 8.0
    # A wait that the provider asked for is honoured up to here; beyond it the call fails at once.
    longest_asked: float = 20.0
    retry_timeouts: bool = True
    jitter: Callable[[float, float], float] = field(default=random.uniform)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep)

    def wait_before(self, attempt: int, error: ProviderError) -> float:
        """Seconds to wait before `attempt` (2 is the first retry) after `error`."""
        asked = _asked_wait(error)
        if asked is not None:
            # Jitter on top: all that were told the same second must not come back in it.
            return asked + self.jitter(0, min(1.0, 0.25 * asked))
        ceiling = min(self.longest_wait, self.first_wait * 2 ** (attempt - 1))
        return self.jitter(ceiling / 2, ceiling)

    def allows(self, error: ProviderError) -> bool:
        """Whether `error` is of a kind that another attempt may get past."""
        if not error.transient or isinstance(error, CircuitOpen):
            return False
        if isinstance(error, ProviderTimeout) and not self.retry_timeouts:
            return False
        return (_asked_wait(error) or 0.0) <= self.longest_asked


def _asked_wait(error: ProviderError) -> float | None:
    return error.wait if isinstance(error, ProviderBusy) else None


async def with_retries(
    attempt: Callable[[], Awaitable[T]],
    *,
    policy: RetryPolicy,
    budget: RetryBudget,
    until: float | None = None,
) -> T:
    """The result of `attempt`, tried again after faults that may pass.

    The last error is raised as it came once attempts, budget or time (`until`, the loop's
    clock) do not allow another.
    """
    number = 1
    while True:
        try:
            result = await attempt()
        except ProviderError as error:
            number += 1
            wait = policy.wait_before(number, error)
            possible = number <= policy.attempts and policy.allows(error)
            if not possible or wait >= remaining(until) or not budget.spend():
                raise
            await policy.sleep(wait)
        else:
            budget.earn()
            return result
