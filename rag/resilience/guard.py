"""Breaker, budget, retries and deadline around one call to a provider."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from common.metrics import cost_total, provider_calls_total, provider_seconds, tokens_total
from common.prices import price
from common.tracing import span
from rag.errors import ProviderError
from rag.resilience.breaker import CircuitBreaker, breaker_of
from rag.resilience.deadline import instant, time_limit
from rag.resilience.errors import CircuitOpen
from rag.resilience.retry import RetryBudget, RetryPolicy, budget_of, with_retries
from rag.types import Usage

T = TypeVar("T")


class Guard:
    """What stands between the product and one provider. `seconds` bounds a single attempt,
    `total` all of them together.
    """

    def __init__(
        self,
        provider: str,
        *,
        seconds: float,
        total: float,
        policy: RetryPolicy | None = None,
        breaker: CircuitBreaker | None = None,
        budget: RetryBudget | None = None,
    ) -> None:
        #: For metrics: the part of `provider` before its address.
        self.label = provider.partition("@")[0]
        self.breaker = breaker or breaker_of(provider)
        self.budget = budget or budget_of(provider)
        self.policy = policy or RetryPolicy()
        self._seconds = seconds
        self._total = total

    async def call(self, work: Callable[[], Awaitable[T]], *, until: float | None = None) -> T:
        """The result of `work`, within the limits; ProviderError when they are used up."""
        end = instant(self._total, until)

        async def attempt() -> T:
            async with self.watched(), time_limit(self._seconds, end):
                return await work()

        return await with_retries(attempt, policy=self.policy, budget=self.budget, until=end)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Admit one call, and tell the breaker and the metrics how what runs inside came out."""
        try:
            await self.breaker.admit()
        except CircuitOpen as error:
            self.count(error.code)
            raise
        started = time.perf_counter()
        outcome = "ok"
        try:
            with span("docent.provider", provider=self.label):
                yield
            self.breaker.succeeded()
        except ProviderError as error:
            outcome = error.code
            # A refusal for good (a wrong key, a wrong model) comes from a service that works.
            if error.transient:
                self.breaker.failed()
            else:
                self.breaker.succeeded()
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "abandoned"
            self.breaker.abandoned()
            raise
        finally:
            self.count(outcome)
            provider_seconds.labels(self.label).observe(time.perf_counter() - started)

    def broke(self, error: ProviderError) -> None:
        """Count a fault that came after the call had begun to answer."""
        self.breaker.failed()
        self.count(f"late_{error.code}")

    def count(self, outcome: str) -> None:
        """Count one call that came out as `outcome`: "ok", "abandoned" or an error's code."""
        provider_calls_total.labels(self.label, outcome.replace("provider_", "")).inc()


def count_tokens(model: str, usage: Usage | None) -> None:
    """Add what a provider counted to the metrics."""
    if usage is not None:
        tokens_total.labels(model, "prompt").inc(usage.prompt_tokens)
        tokens_total.labels(model, "completion").inc(usage.completion_tokens)
        cost = price(model, usage.prompt_tokens, usage.completion_tokens)
        cost_total.labels(model).inc(cost)
