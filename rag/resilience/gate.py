"""A gate that spreads a burst, so that our own CPU is not taken for a provider's slowness."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Gate:
    """Lets `slots` through at once, each for at most `seconds`: then the next one may follow.

    What takes long behind it (a model that thinks) keeps nobody waiting longer than that.
    """

    def __init__(self, *, slots: int, seconds: float) -> None:
        self._seconds = seconds
        self._free = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot; it is given back at the end of the block, or when its time is up."""
        await self._free.acquire()
        give_back = _once(self._free.release)
        timer = asyncio.get_running_loop().call_later(self._seconds, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()


def _once(action: Callable[[], None]) -> Callable[[], None]:
    pending = [action]

    def run() -> None:
        if pending:
            pending.pop()()

    return run
