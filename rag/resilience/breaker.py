"""A circuit breaker per provider: what fails again and again is left alone for a while.

Closed, it counts failures; `threshold` of them in a row open it. Open, it refuses at once. After
`open_seconds` it lets one probe through (half open): success closes it, failure opens it again.
Deciding costs no I/O: what other workers found out comes and goes by tasks beside the call.
"""

import logging
import threading
import time
from collections.abc import Callable

from rag.resilience.errors import CircuitOpen
from rag.resilience.shared import NO_SHARE, RedisShare, Share

logger = logging.getLogger(__name__)

THRESHOLD = 5
WINDOW_SECONDS = 30.0
OPEN_SECONDS = 15.0
PROBE_SECONDS = 30.0


class CircuitBreaker:
    """Decides whether `name` may be called. One per process and provider: `breaker_of`."""

    def __init__(
        self,
        name: str,
        *,
        threshold: int = THRESHOLD,
        open_seconds: float = OPEN_SECONDS,
        clock: Callable[[], float] = time.time,
        share: Share = NO_SHARE,
    ) -> None:
        self.name = name
        self._threshold = threshold
        self._open_seconds = open_seconds
        self._clock = clock
        self._share = share
        self._failures = 0
        self._last_failure = 0.0
        self._open_until: float | None = None
        self._probe_until = 0.0

    @property
    def state(self) -> str:
        """ "closed", "open" or "half_open"."""
        if self._open_until is None:
            return "closed"
        return "open" if self._clock() < self._open_until else "half_open"

    async def admit(self) -> None:
        """Return if a call may be made now; it must be followed by `succeeded`, `failed` or
        `abandoned`. Raises CircuitOpen, with the seconds to wait.
        """
        self._share.refresh(self.name, self._adopt)
        if self._open_until is None:
            return
        now = self._clock()
        if now < self._open_until:
            raise CircuitOpen(wait=self._open_until - now)
        if now < self._probe_until:
            raise CircuitOpen(wait=self._probe_until - now)
        # Claimed here before asking Redis: two calls of this process cannot both get past.
        self._probe_until = now + PROBE_SECONDS
        if not await self._share.claim_probe(self.name, PROBE_SECONDS):
            raise CircuitOpen(wait=PROBE_SECONDS)

    def succeeded(self) -> None:
        """The call got an answer: close."""
        if self._open_until is not None or self._probe_until:
            logger.warning("Circuit of %s closed", self.name)
            self._share.close(self.name)
        elif self._failures:
            self._share.forget(self.name)
        self._failures, self._open_until, self._probe_until = 0, None, 0.0

    def failed(self) -> None:
        """The call failed in a way that may pass: count it, open when there were too many."""
        now = self._clock()
        if now - self._last_failure > WINDOW_SECONDS:
            self._failures = 0
        self._failures += 1
        self._last_failure = now
        self._probe_until = 0.0
        if self._open_until is not None or self._failures >= self._threshold:
            self._open(now)
        else:
            self._share.count(self.name, self._threshold, self._open_seconds, self._adopt)

    def abandoned(self) -> None:
        """The caller went away before there was an outcome: let another probe."""
        if self._probe_until:
            self._probe_until = 0.0
            self._share.release_probe(self.name)

    def _open(self, now: float) -> None:
        if self.state != "open":
            logger.warning("Circuit of %s opened for %d s", self.name, self._open_seconds)
        self._open_until = now + self._open_seconds
        self._share.open(self.name, self._open_until)

    def _adopt(self, open_until: float | None) -> None:
        """Take over what the other workers know: open until then, or closed (None)."""
        if open_until is None:
            # A probe that is out keeps its claim, to give it back when it has its outcome.
            if self.state != "open":
                self._open_until = None
        elif open_until > (self._open_until or 0.0):
            self._open_until = open_until


_breakers: dict[str, CircuitBreaker] = {}
_lock = threading.Lock()


def breaker_of(provider: str) -> CircuitBreaker:
    """The process's one breaker for `provider`, in step with the other workers over Redis."""
    with _lock:
        if provider not in _breakers:
            _breakers[provider] = CircuitBreaker(provider, share=RedisShare())
        return _breakers[provider]


def forget_breakers() -> None:
    """Begin with no provider known (between tests)."""
    with _lock:
        _breakers.clear()


def open_circuits() -> list[str]:
    """The providers that are not asked at the moment, as this process knows."""
    with _lock:
        return sorted(name for name, breaker in _breakers.items() if breaker.state == "open")
