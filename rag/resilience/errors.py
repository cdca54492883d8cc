"""Faults of providers that say more than `rag.errors` needs to: how long, and how much."""

from math import ceil

from rag.errors import ProviderRejected, ProviderUnavailable

LONGEST_WAIT_TOLD = 3_600


class ProviderBusy(ProviderUnavailable):
    """It wants to be left alone: 429, or a server error with Retry-After.

    `wait` is for how many seconds; None where it did not say.
    """

    code = "provider_busy"
    message = "A service that answers depend on is busy."

    def __init__(self, message: str | None = None, *, wait: float | None = None) -> None:
        told = {} if wait is None else {"retry_after": max(1, min(ceil(wait), LONGEST_WAIT_TOLD))}
        super().__init__(message, **told)
        self.wait = wait


class CircuitOpen(ProviderBusy):
    """It failed too often just now, so it was not asked; `wait` is until it will be again."""

    code = "circuit_open"


class ProviderInputTooLong(ProviderRejected):
    """It refused the request because there is too much in it."""

    code = "provider_input_too_long"
